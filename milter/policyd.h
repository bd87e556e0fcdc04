/*
 * policyd.h - asking policyd, from any thread, with a deadline        (driver)
 *
 * libmilter calls from many threads, a session's from changing ones, and gives a
 * callback that waits a thread of its own. So a question here blocks, and two
 * things are bounded instead: how long, and how many wait at once.
 *
 * A pool of connections to policyd's Unix socket, each with one question at a
 * time (socketmap has no numbers for its answers). Who asks takes an idle one,
 * opens one up to the bound, or waits for one; the wait is part of his time. A
 * connection on which anything went wrong is closed, never used again: an answer
 * that comes late would be taken for the next question's. A question on a
 * connection that had been idle, and is closed before an answer, is asked once
 * more on a new one, in what is left of the time: policyd was started anew.
 *
 * No lock is held while it waits for policyd. There are two others in the milter:
 * that of the terms, which a reload swaps (calls.c), and that of the messages of which
 * policyd was not told (unreported.h).
 */
#ifndef MILTER_POLICYD_H
#define MILTER_POLICYD_H

#include "milter/inquiry.h"
#include "milter/unreported.h"

#include <stddef.h>

struct policyd;

struct policyd_terms {
	const char *path; /* of the socket; copied */
	uint64_t deadline_ms; /* for all of a question; by CLOCK_MONOTONIC */
	unsigned connections_most;
	unsigned waiting_most; /* threads, those that have a connection included */
};

/* unreported is lent, until it is freed. */
struct policyd *policyd_new(const struct policyd_terms *terms, struct unreported *unreported);

/* Nobody may be asking any more. */
void policyd_free(struct policyd **policyd);

/* For the questions that begin now; connections to another path end when they are idle. */
void policyd_take_terms(struct policyd *policyd, const struct policyd_terms *terms);

/*
 * What does the map say of this address? Always fills *inquiry, which the caller
 * has made ready: what goes wrong is VERDICT_TEMP with a reason that says what
 * ("policyd did not answer within 2000 ms", "200 threads wait for policyd").
 */
void policyd_ask(struct policyd *policyd, struct str address, struct inquiry *inquiry);

/*
 * Report a message's arrivals, with an id drawn for it; true when policyd has
 * them in its file. Else the message is counted as lost (unreported.h), the next
 * report that gets through says how many were, and the counts are marked unknown:
 * mail does not wait for a count.
 */
bool policyd_arrived(struct policyd *policyd, struct str from, const struct arrival *arrivals,
    size_t count);

/* For the metrics; each is read alone, without a lock. */
struct policyd_numbers {
	uint64_t asked, troubles, timeouts, refused; /* refused: too many waited */
	uint64_t reported, lost; /* messages */
	unsigned connections, waiting; /* now */
};

struct policyd_numbers policyd_numbers(const struct policyd *policyd);

#endif
