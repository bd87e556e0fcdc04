/*
 * rcpt.h - would a server take mail for this address?                 (driver)
 *
 * MAIL FROM, RCPT TO and RSET over SMTP or LMTP, never DATA, so nobody gets anything.
 * TLS is used where it is offered, with any certificate, as Postfix does by "may".
 * A connection carries a bounded number of questions and ends after a few refusals:
 * servers slow down, and then hang up on, whoever asks for many strangers. The next
 * question opens another one.
 */
#ifndef ADMIN_RCPT_H
#define ADMIN_RCPT_H

#include "admin/nexthop.h"
#include "base/fault.h"
#include "net/loop.h"

enum {
	RCPT_PROBES_MOST = 100, /* on one connection */
	RCPT_REFUSALS_MOST = 8, /* likewise; Postfix begins to wait at 10 */
	RCPT_ANSWER_MS = 30000, /* a server may ask others before it knows */
	RCPT_LINES_MOST = 200 /* of one answer */
};

enum rcpt_verdict {
	RCPT_ACCEPTED, /* 2xx */
	RCPT_REFUSED, /* 5xx */
	RCPT_LATER /* 4xx, or it cannot be asked: nobody can tell */
};

struct rcpt;

/* sender: "" or an address. All is lent as long as the rcpt. Connects when asked first. */
struct rcpt *rcpt_new(struct loop *loop, const struct nexthop *nexthop, const char *sender);
void rcpt_free(struct rcpt **rcpt); /* says QUIT */

/*
 * Ask for an address in canonical form. 0, and *said_r is the server's answer as one
 * line, lent until the next call; or -1 and *fault_r: it cannot be asked anything.
 */
int rcpt_ask(struct rcpt *rcpt, struct str address, enum rcpt_verdict *verdict_r,
    struct str *said_r, struct fault *fault_r);

/*
 * A line of an answer (RFC 5321, section 4.2): its code, and whether more lines
 * follow. False: no answer.                                               (pure)
 */
bool rcpt_line(struct str line, int *code_r, bool *more_r);

#endif
