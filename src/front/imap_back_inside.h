/*
 * imap_back_inside.h - what the parts of the backend's machine share (machine)
 *
 * imap_back.c reads what the backend says, imap_back_login.c says the login.
 */
#ifndef FRONT_IMAP_BACK_INSIDE_H
#define FRONT_IMAP_BACK_INSIDE_H

#include "front/dialect.h"
#include "front/imap_lex.h"

/* Tags of ours: one letter, so that nothing must be remembered. */
#define TAG_STARTTLS "s"
#define TAG_CAPABILITY "c"
#define TAG_ID "i"
#define TAG_LOGIN "a"
#define TAG_LOGOUT "q"

enum imap_back_phase {
	IMAP_BACK_GREETING,
	IMAP_BACK_STARTTLS, /* asked for */
	IMAP_BACK_SHAKING,
	IMAP_BACK_CAPABILITY, /* asked for */
	IMAP_BACK_LOGIN, /* said, or being said */
	IMAP_BACK_ANSWER, /* the client is asked */
	IMAP_BACK_OVER,
};

enum imap_way { IMAP_WAY_LOGIN, IMAP_WAY_SASL, IMAP_WAY_SASL_LOGIN };

struct imap_back {
	struct back back; /* first: the driver's view */
	enum imap_back_phase phase;
	enum imap_way way;
	struct imap_scan scan;
	struct buf untagged, text; /* behind back.untagged and back.text */
	unsigned rounds; /* continuations that the backend asked for */
	unsigned strings; /* LOGIN's, of two, that have been said */
	bool has_promised; /* the next of them, as a literal */
	bool has_started; /* SASL: the initial response has been said */
	bool is_tls; /* by STARTTLS */
	bool has_offer; /* what was announced counts here */
	bool awaits_id, has_logged_in;
};

/*
 * Say ID and the login. WAIT: it is on its way; REFUSED: this backend cannot do
 * what this login asks for; BROKEN: or no login at all.
 */
enum back_step imap_back_log_in(struct imap_back *back, struct buf *out, struct fault *fault_r);

/* The backend asks for the rest: text is what stands behind its "+". */
enum back_step imap_back_go_on(struct imap_back *back, struct str text, struct buf *out,
    struct fault *fault_r);

/* The login was not accepted: what does the line behind the tag mean? */
enum back_step imap_back_refuse(struct imap_back *back, struct str text);

#endif
