/*
 * sasl.h - the client's half of a SASL exchange                      (machine)
 *
 * RFC 4422. Reads what the four protocols have in common: a mechanism, perhaps an
 * initial response, and lines of base64. What is decoded goes into the login's
 * arena and nowhere else. Names with control characters are refused: nothing
 * that comes out can end a line of another protocol.
 */
#ifndef FRONT_SASL_H
#define FRONT_SASL_H

#include "base/buf.h"
#include "base/fault.h"
#include "front/arena.h"
#include "front/credentials.h"

#include <stdbool.h>
#include <stddef.h>

enum { SASL_LINE_MOST = 12288, SASL_NAME_MOST = 1024, SASL_ROUNDS_MOST = 8 };

enum sasl_step {
	SASL_CHALLENGE, /* sasl->challenge is to be sent: base64, may be empty */
	SASL_READY, /* *credentials is filled */
	SASL_RESPONSE, /* sasl->response answers what sasl_relay() asked: base64, checked */
	SASL_CANCELLED, /* by the client, with "*" */
	SASL_BAD, /* no base64, or not this mechanism's syntax; *fault_r says which */
	SASL_TOKEN, /* a token that names nobody: after the error exchange of RFC 7628, 3.2.3 */
};

/* In which order a token's user is looked for; settings. */
enum token_place { TOKEN_FIELD, TOKEN_CLAIM };

struct sasl_rules {
	const enum token_place *places; /* where a user name is looked for, in order */
	size_t place_count;
	const char *const *claims; /* of a JWT, in order: "email", "preferred_username" */
	size_t claim_count;
};

struct sasl {
	const struct sasl_rules *rules;
	struct arena *arena;
	enum mechanism mechanism;
	unsigned rounds;
	bool relays; /* what comes answers the backend's challenge */
	bool refused; /* the token's error was said; one line of the client is to come */
	struct str challenge, response;
	struct str login; /* LOGIN: the name, while the password is waited for */
};

/*
 * Begin. initial is the initial response as it was sent, base64, "=" for an empty
 * one; NULL where there was none. What comes later, line by line, goes to
 * sasl_line(), without its end.
 */
enum sasl_step sasl_begin(struct sasl *sasl, const struct sasl_rules *rules, struct arena *arena,
    enum mechanism mechanism, const struct str *initial, struct credentials *credentials,
    struct fault *fault_r);
enum sasl_step sasl_line(struct sasl *sasl, struct str line, struct credentials *credentials,
    struct fault *fault_r);

/* A challenge of the backend was passed on: the next line answers it. */
void sasl_relay(struct sasl *sasl);

/*
 * The initial response for a backend, base64, appended. login, where not empty, takes the
 * place of the name that credentials_login() gives, except in SCRAM. What came by
 * LOGIN is said as PLAIN. Where nobody was named beside a token that routed itself,
 * OAUTHBEARER names nobody either.
 */
void sasl_say(const struct credentials *credentials, struct str login, struct buf *out);

#endif
