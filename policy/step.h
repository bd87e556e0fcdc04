/*
 * step.h - what a protocol's machine wants next                      (machine)
 *
 * Every protocol of policyd is a machine that reads requests out of one buffer
 * and writes replies into another. It does no I/O and asks nobody: it says what
 * is to be asked, and is told the answer. One request is in hand at a time, so
 * replies are in the order of requests however many arrived at once.
 */
#ifndef POLICY_STEP_H
#define POLICY_STEP_H

#include "base/buf.h"
#include "base/str.h"

enum step {
	STEP_WAIT, /* more bytes are needed */
	STEP_ASK, /* the query is to be answered before anything else is read */
	STEP_SAID, /* a request was dealt with, a reply may have been written: go on */
	STEP_END /* last words, if any, are written: close when they are sent */
};

/*
 * Lent until the buffer that was read from grows. Protocols that cannot name a
 * map leave it alone: their listener knows it.
 */
struct query {
	struct str map, key;
};

/* How a reason of ours looks to others: printable ASCII, at most this long. */
enum { REASON_MOST = 200 };

size_t reason_len(const char *reason);
void reason_add(struct buf *out, const char *reason);

#endif
