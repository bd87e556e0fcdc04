/*
 * dialect.h - a protocol, as the drivers see it                      (machine)
 *
 * A session is seen by three machines, none of which does any I/O: one speaks
 * with the client until its credentials are there (front), one leads the backend
 * to the same point (back), and when both are, the third watches what passes
 * between them (follow), so that a session can be ended where nothing is cut in
 * two. One row of functions for each protocol.
 *
 *	client -> front -> credentials -> (route, ask, dial) -> back -> backend
 *	client <------------------- follow -------------------> backend
 *
 * Buffers: a machine takes what it has understood out of "in" and appends to
 * "out"; whatever it leaves in "in" it sees again, with more behind it. Strs in
 * results are lent until the next call on that machine or the next change of the
 * buffer that it read.
 */
#ifndef FRONT_DIALECT_H
#define FRONT_DIALECT_H

#include "base/buf.h"
#include "base/fault.h"
#include "front/arena.h"
#include "front/caller.h"
#include "front/client_id.h"
#include "front/credentials.h"
#include "front/offer.h"
#include "front/words.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- the client's side */

struct sasl_rules; /* front/sasl.h */

/* What a listener says and allows at this moment; lent for each call. */
struct front_terms {
	const char *host; /* our name in greetings */
	const struct offer *offer; /* what all backends of this protocol announce before login */
	unsigned mechanisms; /* MECHANISM_BITs that backends can serve */
	bool is_tls; /* the client's leg is, now */
	bool may_start_tls; /* STARTTLS is offered, and not done yet */
	bool may_login; /* the transport is safe enough for credentials */
	const struct sasl_rules *sasl; /* how a token's user is found; lent as long as the front */
};

enum front_step {
	FRONT_WAIT, /* more bytes are needed */
	FRONT_SAID, /* something was dealt with, "out" may have grown: go on */
	FRONT_TLS, /* send "out", begin the handshake, and call tls() when it is done */
	FRONT_LOGIN, /* front->credentials are whole: nothing is read until accept() or refuse() */
	FRONT_RESPONSE, /* front->response answers the challenge(): nothing is read until then */
	FRONT_END, /* last words, if any, are in "out": close when they are sent */
};

/* What all front machines have; each has a state of its own behind it. */
struct front {
	struct arena *arena; /* the login's; every secret is in there */
	struct credentials credentials; /* with FRONT_LOGIN */
	struct str hello; /* SMTP: what the client calls itself; lent until it says EHLO again */
	struct str response; /* with FRONT_RESPONSE: base64, checked; in the arena */
	unsigned mistakes; /* commands that were none, and refused logins */
	unsigned ttl; /* IMAP: hops that a front before us has left (x-proxy-ttl); 0: not said */
};

/*
 * challenge(): what the backend asks, base64 and unchecked by the client's
 *	machine; answered by FRONT_RESPONSE, or by a line that the protocol
 *	understands as giving up: then FRONT_SAID comes, and front->credentials
 *	are gone.
 * accept(): the login has succeeded. untagged are whole lines to be said before;
 *	text is the backend's success without tag and line end ("OK Logged in").
 * refuse(): it has not; text, where not empty, is the backend's own refusal in
 *	the same form, which is passed on instead of our words. The connection
 *	goes on unless the driver ends it.
 * wait(): it takes longer (parked): IMAP says so, others are silent.
 * bye(): last words for this connection before it is closed.
 */
struct front_row {
	struct front *(*new)(struct arena *arena);
	void (*free)(struct front *front);
	void (*greet)(struct front *front, const struct front_terms *terms, struct buf *out);
	enum front_step (*next)(struct front *front, const struct front_terms *terms,
	    struct buf *in, struct buf *out);
	void (*tls)(struct front *front, const struct front_terms *terms, struct buf *out);
	void (*challenge)(struct front *front, struct str base64, struct buf *out);
	void (*accept)(struct front *front, struct str untagged, struct str text, struct buf *out);
	void (*refuse)(struct front *front, const struct front_terms *terms, enum refusal refusal,
	    struct str text, struct buf *out);
	void (*wait)(struct front *front, struct buf *out);
	void (*bye)(struct front *front, enum bye bye, struct buf *out);
	const struct client_id *(*id)(const struct front *front); /* IMAP; NULL elsewhere */
};

/* ---- the backend's side */

/*
 * One login at one backend; lent from new() to the last call. Without credentials
 * nobody logs in: it is ACCEPTED as soon as what the backend announces, after TLS
 * where that is asked for, is known.
 */
struct back_task {
	const struct credentials *credentials;
	struct str login; /* the name to present; empty: the client's own */
	const struct caller *caller;
	enum caller_way way;
	const struct client_id *id; /* the client's own, of IMAP; NULL: none */
	const char *host; /* our name, for EHLO */
	struct str hello; /* SMTP: what the client calls itself; empty: nothing to be told */
	bool start_tls; /* ask for TLS, and do nothing before it is there */
	bool is_safe; /* the leg is TLS, or declared safe: secrets may be sent as they are */
};

enum back_step {
	BACK_WAIT, /* more bytes are needed; "out" may have grown */
	BACK_TLS, /* start the handshake, and call tls() when it is done */
	BACK_CHALLENGE, /* back->text is asked, base64: answer with respond() */
	BACK_ACCEPTED, /* back->untagged and back->text; the rest of "in" is the session's */
	BACK_REFUSED, /* by the backend: back->refusal, and back->text if that is to be passed on */
	BACK_BROKEN, /* nothing to be expected from this backend: *fault_r says why */
};

struct back {
	const struct back_task *task;
	struct str untagged, text;
	enum refusal refusal; /* REFUSAL_WRONG or REFUSAL_LATER */
	struct offer *offer; /* what it announced, as far as it was seen; the machine's */
	bool says_login; /* something of the login is in "out", or was: there may be a session */
};

struct back_row {
	struct back *(*new)(const struct back_task *task);
	void (*free)(struct back *back);
	enum back_step (*next)(struct back *back, struct buf *in, struct buf *out,
	    struct fault *fault_r);
	void (*tls)(struct back *back, struct buf *out);
	void (*respond)(struct back *back, struct str base64, struct buf *out);
	void (*quit)(struct back *back, struct buf *out); /* leave politely, at any time */
};

/* ---- both, logged in */

enum side { SIDE_CLIENT, SIDE_BACKEND, SIDE_COUNT };

enum follow_phase {
	FOLLOW_RUNNING,
	FOLLOW_ENDING, /* asked to end: what runs is completed, nothing new begins */
	FOLLOW_LEAVING, /* the client has its last words, the backend was asked to close */
	FOLLOW_OVER, /* the stream cannot be followed: close both */
};

/*
 * unseen: so many bytes from this side pass without being looked at (a literal of
 * known length). Whoever moves them counts them down; there is nothing in "in" for
 * the machine before.
 */
struct follow {
	enum follow_phase phase;
	uint64_t unseen[SIDE_COUNT];
};

/*
 * pass(): take from "in", which came from this side, whatever can be taken; it
 *	goes to the "other" side, changed where it must be, or is answered "back".
 *	A line is held until enough of it is there to know what it is; longer than
 *	FOLLOW_HELD_MOST never. Call it until it returns false: nothing was taken.
 * learn(): what this backend has announced before the login; once, before the first
 *	pass(). NULL where it makes no difference.
 * end(): end gently. Say to each side what is to be said now; call it once, and
 *	pass() goes on doing the rest. When the phase is FOLLOW_LEAVING nothing
 *	of the client is read any more (what was read may still be answered by
 *	pass(): IMAP has tags), and the end of the backend is waited for.
 *	Called again, it does not wait any longer for what nothing is lost with.
 * break_off(): the session is over here, whatever runs: the backend has gone, or nobody
 *	waits for it any longer. Last words for the client where they cut nothing of
 *	the backend's in two. False: nothing is to be said, because the client has
 *	asked for the end, or was told of it. Nothing but free() is called behind it.
 * is_idle(): nothing runs, nothing is half said: the session could end here.
 */
struct follow_row {
	struct follow *(*new)(void);
	void (*free)(struct follow *follow);
	void (*learn)(struct follow *follow, const struct offer *offer);
	bool (*pass)(struct follow *follow, enum side from, struct buf *in, struct buf *other,
	    struct buf *back);
	void (*end)(struct follow *follow, enum bye why, struct buf *to_client,
	    struct buf *to_backend);
	bool (*break_off)(struct follow *follow, enum bye why, struct buf *to_client);
	bool (*is_idle)(const struct follow *follow);
};

enum { FOLLOW_HELD_MOST = 8192 };

/* ---- the rows */

struct dialect {
	const char *name; /* "imap", as in the settings and the log */
	const char *const *alpn; /* RFC 7301; NULL ends it */
	uint16_t port, tls_port; /* the usual ones; 0: none */
	size_t in_max_bytes; /* before login */
	uint64_t park_ms; /* how long a login may wait; 0: it does not */
	uint64_t park_word_ms; /* wait() that often; 0: never */
	uint64_t idle_least_ms; /* the protocol's own least, once logged in */
	struct front_row front;
	struct back_row back;
	struct follow_row follow;
};

extern const struct dialect *const dialects[DIALECT_COUNT];

#endif
