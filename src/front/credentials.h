/*
 * credentials.h - what a client presented to be let in                  (pure)
 *
 * The strs point into the login's arena: they are gone, and wiped, when the
 * login is handed over or ends. Nobody copies them anywhere else.
 */
#ifndef FRONT_CREDENTIALS_H
#define FRONT_CREDENTIALS_H

#include "base/str.h"

enum mechanism {
	MECHANISM_PLAIN, /* RFC 4616, and the protocols' own login commands */
	MECHANISM_LOGIN, /* draft-murchison-sasl-login: asked for name and password */
	MECHANISM_OAUTHBEARER, /* RFC 7628 */
	MECHANISM_XOAUTH2,
	MECHANISM_SCRAM_SHA_1, /* RFC 5802: passed through */
	MECHANISM_SCRAM_SHA_256, /* RFC 7677 */
	MECHANISM_COUNT
};

/* A set of mechanisms. */
#define MECHANISM_BIT(mechanism) (1U << (mechanism))

struct credentials {
	enum mechanism mechanism;
	struct str authzid; /* whom to act as; empty: authcid */
	struct str authcid; /* who proves who he is */
	struct str secret; /* password or token; SCRAM: the client's first message, whole */
};

extern const char *const mechanism_names[MECHANISM_COUNT]; /* "PLAIN", "SCRAM-SHA-1" */

/* MECHANISM_COUNT where the name, in any case, is none of ours. */
enum mechanism mechanism_of(struct str name);

/* The SCRAM family: the client has to answer what only the backend can ask. */
bool mechanism_is_passed(enum mechanism mechanism);

/* By which name this login is routed. */
struct str credentials_login(const struct credentials *credentials);

#endif
