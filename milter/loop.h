/*
 * loop.h - is this message going in a circle?                           (pure)
 *
 * A circle is the same recipient coming back to the same server, not the same
 * message: what an alias, a list, a catch-all or a forward on the other side
 * makes of a message has another recipient, and passes without delay.
 *
 * A queue manager remembers a route for up to 30 s, so two servers may disagree
 * that long after a flip, and a message between them would bounce within a tenth
 * of a second. It is told "later" instead until its last visit is 40 s ago, when
 * no route of that time is remembered any more. Who has been here too often is
 * sent back to where he came from: his maps point at each other for good.
 *
 * Only a server's own visits count, so only its own clock does. A time in the
 * future, where that clock was set back, is young as far ahead as behind.
 */
#ifndef MILTER_LOOP_H
#define MILTER_LOOP_H

#include "milter/trace.h"

enum { LOOP_YOUNG_S = 40, LOOP_VISITS_MOST = 10 };

struct loop_limits {
	uint64_t young_s;
	unsigned visits_most; /* one more is refused for good */
};

enum loop_verdict {
	LOOP_NONE, /* let it pass */
	LOOP_YOUNG, /* a recipient was here less than young_s ago: later */
	LOOP_ENDLESS /* a recipient was here visits_most times before: never */
};

struct loop {
	enum loop_verdict verdict;
	size_t recipient; /* the one it is about */
	unsigned visits; /* of that recipient, before this one */
	uint64_t age_s; /* since its last visit; 0 where that is in the future */
};

/*
 * traces are those of the message that are TRACE_GOOD, of any instance, newest
 * first; recipients canonical addresses with their extension. A trace that
 * stands there twice (same nonce) is one visit.
 */
struct loop loop_decide(const struct trace *traces, size_t trace_count, struct str instance,
    const struct str *recipients, size_t recipient_count, uint64_t now_s,
    struct loop_limits limits);

/*
 * The way it came, in words, oldest first and with us at the end: "mx1, old1,
 * mx1". It stands in a reply, whose line has an end: of more places than
 * LOOP_PATH_MOST, or LOOP_PATH_BYTES_MOST before ours, the oldest are "...".
 */
enum { LOOP_PATH_MOST = 8, LOOP_PATH_BYTES_MOST = 200 };
void loop_path(const struct trace *traces, size_t trace_count, struct str instance,
    struct buf *out);

#endif
