/*
 * smtp_back_inside.h - what the parts of the backend's machine share (machine)
 *
 * smtp_back.c reads replies and leads to the login, smtp_back_caller.c says who is
 * calling, smtp_back_login.c says the login.
 */
#ifndef FRONT_SMTP_BACK_INSIDE_H
#define FRONT_SMTP_BACK_INSIDE_H

#include "base/line.h"
#include "front/dialect.h"

enum smtp_back_phase {
	SMTP_BACK_GREETING,
	SMTP_BACK_HELLO, /* EHLO was said, as in the next three */
	SMTP_BACK_STARTTLS,
	SMTP_BACK_XCLIENT,
	SMTP_BACK_AUTH, /* or a response */
	SMTP_BACK_SHAKING,
	SMTP_BACK_ANSWER, /* the client is asked */
	SMTP_BACK_OVER,
};

struct smtp_back {
	struct back back; /* first: the driver's view */
	enum smtp_back_phase phase;
	struct line_reader lines;
	struct buf reply; /* the one in hand: its lines, with CR LF between them */
	unsigned code; /* of the reply in hand; 0: it has not begun */
	unsigned rounds; /* that the backend has asked for something */
	bool is_tls; /* by STARTTLS */
	bool has_told; /* who is calling */
	bool says_client; /* EHLO with the client's name */
	bool by_words; /* AUTH LOGIN */
	bool has_started; /* the initial response has been said */
};

/* Say XCLIENT; false: this backend has not announced that it takes it from us. */
bool smtp_back_say_caller(struct smtp_back *back, struct buf *out);

/*
 * Say AUTH. WAIT: it is on its way; REFUSED: this backend cannot do what this login asks
 * for; BROKEN: or no login at all.
 */
enum back_step smtp_back_log_in(struct smtp_back *back, struct buf *out, struct fault *fault_r);

/* The reply to AUTH or to a response. */
enum back_step smtp_back_went(struct smtp_back *back, struct buf *out, struct fault *fault_r);

#endif
