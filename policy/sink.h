/*
 * sink.h - a mail server that never takes a message                  (machine)
 *
 * Next hop of the transport that holds mail: whoever flushes the queue while an
 * account is held gets here, and every recipient is answered "later". Nothing
 * it says may make a client give a message up, so
 *
 *  - whatever belongs to a mail transaction is accepted or refused with 4xx;
 *  - SMTPUTF8, 8BITMIME and DSN are announced, because a message that needs one
 *    of them would bounce without, and no SIZE, which could only be too small;
 *  - its name is one that no host has: a client that is greeted with its own
 *    name bounces the message as a loop.
 *
 * SMTP (RFC 5321) and LMTP (RFC 2033): EHLO, HELO or LHLO, as the client likes.
 */
#ifndef POLICY_SINK_H
#define POLICY_SINK_H

#include "base/line.h"
#include "policy/step.h"

enum {
	SINK_LINE_MOST = 16384, /* an address of 10,000 bytes and its parameters */
	SINK_MISTAKES_MOST = 20 /* unknown commands, for instance a message nobody wanted */
};

struct sink {
	struct line_reader lines;
	unsigned mistakes;
	bool is_skipping; /* the rest of a line that is too long */
};

void sink_init(struct sink *sink);

/* The greeting; the server speaks first. */
void sink_greet(struct buf *out);

/* reply is what every RCPT gets: "450 4.2.1 text". Never STEP_ASK. */
enum step sink_next(struct sink *sink, struct str reply, struct buf *in, struct buf *out);

#endif
