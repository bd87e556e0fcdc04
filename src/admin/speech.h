/*
 * speech.h - enough of four protocols to log in and out               (driver)
 *
 * For splitmx check --live, which has to see what clients and the front see: the
 * greeting, what is announced, STARTTLS, a login by password. Commands wait for
 * their answers; nothing is pipelined, nothing else is understood.
 */
#ifndef ADMIN_SPEECH_H
#define ADMIN_SPEECH_H

#include "admin/talk.h"
#include "base/buf.h"
#include "base/settings.h"

/* What a line of an answer is. Pure. */
enum speech_line {
	SPEECH_MORE, /* the answer goes on */
	SPEECH_YES,
	SPEECH_GO_ON, /* something is to be said */
	SPEECH_NO,
};

enum speech_line speech_line(enum service_protocol protocol, struct str line, bool is_list);

struct speech {
	enum service_protocol protocol;
	struct talk *talk; /* lent */
	bool has_greeted;
	struct buf words; /* what was announced last, as it came, a space behind each line */
	bool takes_xclient; /* it has said so, once */
	struct buf last; /* the last line of the last answer: for people */
};

/* Each 0, or -1 and *fault_r, which has the server's own words where it said some. */
int speech_greeting(struct speech *speech, struct fault *fault_r);
int speech_ask_words(struct speech *speech, struct fault *fault_r); /* CAPABILITY, CAPA, EHLO */
int speech_start_tls(struct speech *speech, struct tls_context *tls, const char *server_name,
    struct fault *fault_r); /* and what is announced then */
int speech_login(struct speech *speech, const char *login, struct str password,
    struct fault *fault_r);
void speech_leave(struct speech *speech); /* LOGOUT, QUIT; does not wait for long */
void speech_fini(struct speech *speech);

bool speech_has(const struct speech *speech, const char *word); /* announced, in any case */

extern const char *const speech_names[SERVICE_COUNT]; /* "imap" */

#endif
