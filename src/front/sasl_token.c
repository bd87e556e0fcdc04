/*
 * sasl_token.c - OAUTHBEARER and XOAUTH2: a token, and whom it is for    (pure)
 *
 * RFC 7628, section 3.1, and the form that Google gave to its forerunner. If the token is
 * a JWT (RFC 7519) its claims can be read without any key. They are never verified
 * here and nobody is let in for them: they say where to ask, and whoever is asked
 * verifies the token.
 */
#include "front/sasl_inside.h"

#include <jansson.h>
#include <sodium.h>

/* ---- the fields */

struct fields {
	struct str user; /* empty: none */
	struct str token;
};

static int
check_field(struct str key, struct str value, struct fault *fault_r)
{
	if (key.len == 0)
		return fault_set(fault_r, VERDICT_PERM, "a field without a name");
	for (size_t i = 0; i < key.len; i++) {
		if (!sasl_is_letter(key.ptr[i]))
			return fault_set(fault_r, VERDICT_PERM, "a field's name is no word");
	}
	/* The RFC would allow line ends here; what is passed on must have none. */
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
			return fault_set(fault_r, VERDICT_PERM, "a field with control characters");
	}
	return 0;
}

/* "Bearer" in any case, spaces, and a token without any. RFC 6750, section 2.1. */
static int
take_bearer(struct str value, struct fields *fields, struct fault *fault_r)
{
	size_t len = str_find(value, ' ');

	if (fields->token.len > 0)
		return fault_set(fault_r, VERDICT_PERM, "two tokens");
	if (len == value.len || !str_is_nocase(str_make(value.ptr, len), "Bearer"))
		return fault_set(fault_r, VERDICT_PERM, "not a bearer token");
	for (value = str_from(value, len); str_starts(value, " ");)
		value = str_from(value, 1);
	if (value.len == 0)
		return fault_set(fault_r, VERDICT_PERM, "an empty token");
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] <= 0x20 || value.ptr[i] >= 0x7f)
			return fault_set(fault_r, VERDICT_PERM, "a token that is not printable");
	}
	fields->token = value;
	return 0;
}

static int
take_field(struct str field, enum mechanism mechanism, struct fields *fields, struct fault *fault_r)
{
	size_t equals = str_find(field, '=');
	struct str key = str_make(field.ptr, equals), value;

	if (equals == field.len)
		return fault_set(fault_r, VERDICT_PERM, "a field without a value");
	value = str_from(field, equals + 1);
	if (check_field(key, value, fault_r) == -1)
		return -1;
	if (str_is(key, "auth"))
		return take_bearer(value, fields, fault_r);
	if (mechanism != MECHANISM_XOAUTH2 || !str_is(key, "user") || value.len == 0)
		return 0; /* host, port, and what we do not know: RFC 7628, section 3.1 */
	if (fields->user.len > 0)
		return fault_set(fault_r, VERDICT_PERM, "two users");
	fields->user = value;
	return sasl_check_name(value, fault_r);
}

/* Each field ends with ^A, the last one with another. */
static int
read_fields(struct str rest, enum mechanism mechanism, struct fields *fields, struct fault *fault_r)
{
	for (size_t end; (end = str_find(rest, '\1')) != 0; rest = str_from(rest, end + 1)) {
		if (end == rest.len)
			return fault_set(fault_r, VERDICT_PERM, "a field without an end");
		if (take_field(str_make(rest.ptr, end), mechanism, fields, fault_r) == -1)
			return -1;
	}
	if (rest.len != 1)
		return fault_set(fault_r, VERDICT_PERM,
		    rest.len == 0 ? "no end" : "more behind the end");
	if (fields->token.len == 0)
		return fault_set(fault_r, VERDICT_PERM, "no token");
	return 0;
}

static int
read_message(struct str message, enum mechanism mechanism, struct arena *arena,
    struct fields *fields, struct fault *fault_r)
{
	if (mechanism == MECHANISM_OAUTHBEARER) {
		if (sasl_take_gs2(&message, arena, &fields->user, fault_r) == -1)
			return -1;
		if (!str_starts(message, "\1"))
			return fault_set(fault_r, VERDICT_PERM, "no field behind the gs2 header");
		message = str_from(message, 1);
	}
	return read_fields(message, mechanism, fields, fault_r);
}

/* ---- the claims */

/* The middle of three parts; false: not a JWT that is only signed. RFC 7515, section 7.1. */
static bool
payload_of(struct str token, struct str *payload_r)
{
	size_t first = str_find(token, '.'), second = str_rfind(token, '.');

	if (first == token.len || first == second)
		return false;
	*payload_r = str_make(token.ptr + first + 1, second - first - 1);
	return str_find(*payload_r, '.') == payload_r->len;
}

/* The first of the wanted claims that could be a name; lent by the claims. */
static bool
name_in(const json_t *claims, const struct sasl_rules *rules, struct str *name_r)
{
	struct fault unused;

	for (size_t i = 0; i < rules->claim_count; i++) {
		const json_t *claim = json_object_get(claims, rules->claims[i]);

		if (!json_is_string(claim))
			continue;
		*name_r = str_make(json_string_value(claim), json_string_length(claim));
		if (sasl_check_name(*name_r, &unused) == 0)
			return true;
	}
	return false;
}

/*
 * jansson keeps what it reads on the heap and frees it unwiped: the claims, which without
 * their signature let nobody in.
 */
static bool
find_claim(struct str token, const struct sasl_rules *rules, struct arena *arena,
    struct str *name_r)
{
	struct str payload, text, name;
	bool is_found = false;
	struct fault unused;
	json_t *claims;

	if (!payload_of(token, &payload) ||
	    sasl_decode(payload, sodium_base64_VARIANT_URLSAFE_NO_PADDING, arena, &text, &unused) ==
		-1)
		return false;
	claims = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (claims != NULL && name_in(claims, rules, &name))
		is_found = arena_copy(arena, name, name_r);
	json_decref(claims);
	return is_found;
}

static bool
find_name(const struct fields *fields, const struct sasl_rules *rules, struct arena *arena,
    struct str *name_r)
{
	for (size_t i = 0; i < rules->place_count; i++) {
		switch (rules->places[i]) {
		case TOKEN_FIELD:
			if (fields->user.len == 0)
				break;
			*name_r = fields->user;
			return true;
		case TOKEN_CLAIM:
			if (!find_claim(fields->token, rules, arena, name_r))
				break;
			return true;
		}
	}
	return false;
}

int
sasl_read_token(struct str message, const struct sasl_rules *rules, struct arena *arena,
    struct credentials *credentials, struct fault *fault_r)
{
	struct fields fields = {.user = STR(""), .token = STR("")};
	struct str name;

	if (read_message(message, credentials->mechanism, arena, &fields, fault_r) == -1)
		return -1;
	credentials->secret = fields.token;
	if (!find_name(&fields, rules, arena, &name))
		return 0;
	credentials->authcid = name;
	if (fields.user.len > 0)
		credentials->authzid = name;
	return 0;
}
