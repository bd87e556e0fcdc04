/*
 * credentials.c - what a client presented to be let in                  (pure)
 */
#include "front/credentials.h"

#include "base/mem.h"

const char *const mechanism_names[] = {
    [MECHANISM_PLAIN] = "PLAIN",
    [MECHANISM_LOGIN] = "LOGIN",
    [MECHANISM_OAUTHBEARER] = "OAUTHBEARER",
    [MECHANISM_XOAUTH2] = "XOAUTH2",
    [MECHANISM_SCRAM_SHA_1] = "SCRAM-SHA-1",
    [MECHANISM_SCRAM_SHA_256] = "SCRAM-SHA-256",
};
_Static_assert(ARRAY_LEN(mechanism_names) == MECHANISM_COUNT, "a mechanism lacks a name");

enum mechanism
mechanism_of(struct str name)
{
	enum mechanism mechanism = 0;

	while (mechanism < MECHANISM_COUNT && !str_is_nocase(name, mechanism_names[mechanism]))
		mechanism++;
	return mechanism;
}

bool
mechanism_is_passed(enum mechanism mechanism)
{
	return mechanism == MECHANISM_SCRAM_SHA_1 || mechanism == MECHANISM_SCRAM_SHA_256;
}

/*
 * The mailbox that will be opened is the one of whom the client wants to act as;
 * whether it may is the backend's to decide.
 */
struct str
credentials_login(const struct credentials *credentials)
{
	return credentials->authzid.len > 0 ? credentials->authzid : credentials->authcid;
}
