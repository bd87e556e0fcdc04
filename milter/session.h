/*
 * session.h - one SMTP connection, as the milter sees it              (machine)
 *
 * Knows what to say to each step of it and remembers what the end of a message
 * needs; knows nothing of libmilter, which only carries the words. The driver
 * calls in this order, and from one thread at a time, not always the same:
 *
 *	session_mail()		a message begins; whatever was before is forgotten
 *	session_rcpt()		for each recipient; SESSION_ASK: ask policyd, then
 *	session_answer()	(never from inside session_rcpt())
 *	session_header()	for each header of the message, from the top
 *	session_end()		the message is here: accept it, and with what changes?
 *	session_abort()		at any time: as if there had been no message
 *
 * Another order is no crash and no guess, it is "later" (HOSTILE B1). What is said
 * at RCPT binds nobody: where a message goes is decided when it is delivered.
 *
 * A milter can refuse one recipient at RCPT, but at the end only the message.
 * So one recipient that goes in a circle makes all of that transaction wait for
 * the next attempt, and none gets it twice.
 */
#ifndef MILTER_SESSION_H
#define MILTER_SESSION_H

#include "map/account.h"
#include "milter/inquiry.h"
#include "milter/loop.h"

enum {
	SESSION_RECIPIENTS_MOST = 2000, /* managed ones; Postfix takes 1,000 of all */
	SESSION_NAMES_MOST_BYTES = 1 << 20, /* all their names */
	SESSION_TRACES_MOST = 64 /* further ones are not looked at */
};

/* Lent as long as a message lasts: the driver gives new ones between two of them. */
struct session_terms {
	/* This server's name, as trace_begin() wants it. Servers that share one see circles. */
	struct str instance;
	struct account_rules rules;
	const struct trace_keys *keys;
	struct loop_limits loops;
	bool defers_held; /* held recipients get "later" at RCPT; else the transport holds them */
	bool strips_outgoing; /* take our header off where nobody of ours is a recipient */
	/*
	 * The destination whose server this is, where that is not the MX for all: what
	 * arrives for another owner is a stray. Empty: there are none.
	 */
	struct str side;
};

/* What the SMTP client is told. libmilter wants each % of the text doubled. */
struct session_reply {
	enum session_verdict {
		SESSION_GO_ON,
		SESSION_LATER, /* 4xx */
		SESSION_NEVER /* 5xx */
	} verdict;
	/* Not of SESSION_GO_ON. The text: one line, at most 400 bytes, lent until the next call. */
	const char *code, *status;
	struct str text;
	const char *why; /* a word for the log and the metrics; never NULL */
};

struct session;

struct session *session_new(void);
void session_free(struct session **session); /* at any time */

/* A new message. terms must be those that hold until its end. */
struct session_reply session_mail(struct session *session, const struct session_terms *terms);

/*
 * The argument of RCPT, any bytes, with angle brackets or (from sendmail(1))
 * without. SESSION_ASK: *address_r is what policyd is to be asked for, lent
 * until the next call, and session_answer() must follow. SESSION_SAY: *reply_r
 * is the answer already.
 */
enum session_step { SESSION_ASK, SESSION_SAY };
enum session_step session_rcpt(struct session *session, struct str argument, struct str *address_r,
    struct session_reply *reply_r);
struct session_reply session_answer(struct session *session, const struct inquiry *inquiry);

/*
 * name and value as libmilter gives them; the value may be folded. What it was,
 * for whoever counts; TRACE_KINDS: it has another name, or is one too many.
 */
enum trace_kind session_header(struct session *session, struct str name, struct str value);

/*
 * The end of the message. Where the reply is SESSION_GO_ON: the header to be put
 * on top of it (empty: none), lent until the next call, and session_removals().
 * nonce is random.
 */
struct session_reply session_end(struct session *session, uint64_t now_s,
    const unsigned char nonce[static TRACE_NONCE_BYTES], struct str *header_r);

/*
 * After session_end(), until the next call: which headers named TRACE_HEADER to
 * take off, counted from 1 at the top, in the order in which they can be taken
 * off one by one (from the bottom). Only those of our own instance are.
 */
size_t session_removals(const struct session *session, const unsigned **places_r);

/*
 * The same for what is reported: the managed recipients that were accepted, in
 * their order; the strs are lent until the next call. None of a refused message.
 */
size_t session_arrivals(const struct session *session);
struct arrival session_arrival(const struct session *session, size_t i);

void session_abort(struct session *session);

#endif
