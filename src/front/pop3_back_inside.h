/*
 * pop3_back_inside.h - what the parts of the backend's machine share (machine)
 *
 * pop3_back.c reads what the backend says until it is known what it can,
 * pop3_back_login.c says the login and reads what became of it.
 */
#ifndef FRONT_POP3_BACK_INSIDE_H
#define FRONT_POP3_BACK_INSIDE_H

#include "base/line.h"
#include "front/dialect.h"

enum pop3_back_phase {
	POP3_BACK_GREETING,
	POP3_BACK_STLS, /* asked for */
	POP3_BACK_SHAKING,
	POP3_BACK_CAPA, /* asked for */
	POP3_BACK_LIST, /* its lines */
	POP3_BACK_XCLIENT, /* said; from here on a line may repeat a secret */
	POP3_BACK_USER,
	POP3_BACK_PASS,
	POP3_BACK_SASL,
	POP3_BACK_ANSWER, /* the client is asked */
	POP3_BACK_OVER,
};

struct pop3_back {
	struct back back; /* first: the driver's view */
	enum pop3_back_phase phase;
	struct line_reader lines;
	struct buf text; /* behind back.text */
	unsigned words; /* lines in the answer to CAPA */
	unsigned rounds; /* that the backend asked for */
	bool is_tls; /* by STLS */
	bool takes_xclient;
	bool has_capa;
	bool by_sasl; /* the way of this login; else USER and PASS */
	bool has_said_login, has_said_pass; /* ahead of the answer to what stands before */
	bool has_started; /* SASL: the initial response has been said */
};

static inline bool
pop3_is_ok(struct str line)
{
	return str_starts(line, "+OK") && (line.len == 3 || line.ptr[3] == ' ');
}

static inline bool
pop3_is_err(struct str line)
{
	return str_starts(line, "-ERR") && (line.len == 4 || line.ptr[4] == ' ');
}

/* It is known what it can: say who is calling, and the login. */
enum back_step pop3_back_log_in(struct pop3_back *back, struct buf *out, struct fault *fault_r);

/* A line from POP3_BACK_XCLIENT on. */
enum back_step pop3_back_login_line(struct pop3_back *back, struct str line, struct buf *out,
    struct fault *fault_r);

#endif
