/*
 * sasl.c - the client's half of a SASL exchange                      (machine)
 */
#include "front/sasl.h"

#include "base/mem.h"
#include "front/sasl_inside.h"

#include <sodium.h>

/* "Username:" and "Password:", the words that old clients look for. */
#define ASK_USERNAME "VXNlcm5hbWU6"
#define ASK_PASSWORD "UGFzc3dvcmQ6"

/*
 * {"status":"invalid_token"}, RFC 7628, section 3.2.2, and {"status":"401","schemes":"bearer"},
 * as clients of XOAUTH2 know it.
 */
#define INVALID_TOKEN "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0="
#define INVALID_XOAUTH2 "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0="

static enum sasl_step
say(struct sasl *sasl, struct str challenge)
{
	sasl->challenge = challenge;
	return SASL_CHALLENGE;
}

static int
decode(struct sasl *sasl, struct str line, struct str *message_r, struct fault *fault_r)
{
	if (line.len > SASL_LINE_MOST)
		return fault_set(fault_r, VERDICT_PERM, "a line of %zu bytes", line.len);
	return sasl_decode(line, sodium_base64_VARIANT_ORIGINAL, sasl->arena, message_r, fault_r);
}

static enum sasl_step
take_token(struct sasl *sasl, struct str message, struct credentials *credentials,
    struct fault *fault_r)
{
	if (sasl_read_token(message, sasl->rules, sasl->arena, credentials, fault_r) == -1)
		return SASL_BAD;
	if (credentials->authcid.len > 0)
		return SASL_READY;
	*credentials = (struct credentials){.mechanism = sasl->mechanism};
	sasl->refused = true;
	return say(sasl,
	    sasl->mechanism == MECHANISM_XOAUTH2 ? STR(INVALID_XOAUTH2) : STR(INVALID_TOKEN));
}

static enum sasl_step
take_login(struct sasl *sasl, struct str message, struct credentials *credentials,
    struct fault *fault_r)
{
	if (sasl->login.len == 0) {
		if (sasl_check_name(message, fault_r) == -1)
			return SASL_BAD;
		sasl->login = message;
		return say(sasl, STR(ASK_PASSWORD));
	}
	if (sasl_check_password(message, fault_r) == -1)
		return SASL_BAD;
	credentials->authcid = sasl->login;
	credentials->secret = message;
	return SASL_READY;
}

static enum sasl_step
take(struct sasl *sasl, struct str text, struct credentials *credentials, struct fault *fault_r)
{
	struct str message;
	int rc = -1;

	if (decode(sasl, text, &message, fault_r) == -1)
		return SASL_BAD;
	*credentials = (struct credentials){.mechanism = sasl->mechanism};
	switch (sasl->mechanism) {
	case MECHANISM_PLAIN:
		rc = sasl_read_plain(message, credentials, fault_r);
		break;
	case MECHANISM_LOGIN:
		return take_login(sasl, message, credentials, fault_r);
	case MECHANISM_OAUTHBEARER:
	case MECHANISM_XOAUTH2:
		return take_token(sasl, message, credentials, fault_r);
	case MECHANISM_SCRAM_SHA_1:
	case MECHANISM_SCRAM_SHA_256:
		rc = sasl_read_scram(message, sasl->arena, credentials, fault_r);
		break;
	case MECHANISM_COUNT:
		break;
	}
	return rc == 0 ? SASL_READY : SASL_BAD;
}

enum sasl_step
sasl_begin(struct sasl *sasl, const struct sasl_rules *rules, struct arena *arena,
    enum mechanism mechanism, const struct str *initial, struct credentials *credentials,
    struct fault *fault_r)
{
	must(mechanism < MECHANISM_COUNT);
	*sasl = (struct sasl){.rules = rules, .arena = arena, .mechanism = mechanism};
	*credentials = (struct credentials){.mechanism = mechanism};
	if (initial == NULL)
		return say(sasl, mechanism == MECHANISM_LOGIN ? STR(ASK_USERNAME) : STR(""));
	return take(sasl, str_is(*initial, "=") ? STR("") : *initial, credentials, fault_r);
}

/* It goes to the backend as it came; nobody here knows what it should be, but base64. */
static enum sasl_step
pass_on(struct sasl *sasl, struct str line, struct fault *fault_r)
{
	struct str unused;

	sasl->relays = false;
	if (decode(sasl, line, &unused, fault_r) == -1)
		return SASL_BAD;
	if (!arena_copy(sasl->arena, line, &sasl->response)) {
		sasl_no_room(fault_r);
		return SASL_BAD;
	}
	return SASL_RESPONSE;
}

enum sasl_step
sasl_line(struct sasl *sasl, struct str line, struct credentials *credentials,
    struct fault *fault_r)
{
	if (str_is(line, "*"))
		return SASL_CANCELLED; /* RFC 4954, section 4; the others say the same */
	if (++sasl->rounds > SASL_ROUNDS_MOST) {
		fault_set(fault_r, VERDICT_PERM, "more than %d responses", SASL_ROUNDS_MOST);
		return SASL_BAD;
	}
	if (sasl->refused)
		return SASL_TOKEN; /* ^A, or whatever it says: RFC 7628, section 3.2.3 */
	if (sasl->relays)
		return pass_on(sasl, line, fault_r);
	return take(sasl, line, credentials, fault_r);
}

void
sasl_relay(struct sasl *sasl)
{
	sasl->relays = true;
}
