/*
 * sasl_read.c - base64, names, and the messages of PLAIN and SCRAM      (pure)
 */
#include "front/sasl_inside.h"

#include <sodium.h>
#include <unistr.h>

/* C0, DEL, and C1, which is two bytes in UTF-8. */
static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < s.len && (unsigned char)s.ptr[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static int
check_text(struct str text, const char *what, struct fault *fault_r)
{
	if (text.len == 0)
		return fault_set(fault_r, VERDICT_PERM, "an empty %s", what);
	if (u8_check((const uint8_t *)text.ptr, text.len) != NULL)
		return fault_set(fault_r, VERDICT_PERM, "a %s that is not UTF-8", what);
	if (has_control(text))
		return fault_set(fault_r, VERDICT_PERM, "a %s with control characters", what);
	return 0;
}

int
sasl_check_name(struct str name, struct fault *fault_r)
{
	if (name.len > SASL_NAME_MOST)
		return fault_set(fault_r, VERDICT_PERM, "a name of %zu bytes", name.len);
	return check_text(name, "name", fault_r);
}

/*
 * A server must not take an empty one (RFC 4616, section 2; some directories would call
 * it an anonymous login), and control characters are in none: RFC 8265, section 4.2.
 */
int
sasl_check_password(struct str password, struct fault *fault_r)
{
	return check_text(password, "password", fault_r);
}

int
sasl_no_room(struct fault *fault_r)
{
	return fault_set(fault_r, VERDICT_PERM, "more than fits into a login's memory");
}

/* libsodium 1.0.18 takes every byte above 0x7f for the last letter of its alphabet. */
int
sasl_decode(struct str text, int variant, struct arena *arena, struct str *bytes_r,
    struct fault *fault_r)
{
	size_t most = text.len / 4 * 3 + 2, len;
	char *room;

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] > 0x7f)
			return fault_set(fault_r, VERDICT_PERM, "no base64");
	}
	if ((room = arena_room(arena, most)) == NULL)
		return sasl_no_room(fault_r);
	if (sodium_base642bin((unsigned char *)room, most, text.ptr, text.len, NULL, &len, NULL,
		variant) == -1)
		return fault_set(fault_r, VERDICT_PERM, "no base64");
	*bytes_r = str_make(room, len);
	return 0;
}

/* ---- the gs2 header */

/* "=2C" and "=3D" are a comma and an equals sign, and nothing else is. RFC 5802, section 7. */
static int
decode_name(struct str coded, struct arena *arena, struct str *name_r, struct fault *fault_r)
{
	char *room = arena_room(arena, coded.len);
	size_t len = 0;

	if (room == NULL)
		return sasl_no_room(fault_r);
	while (coded.len > 0) {
		if (coded.ptr[0] != '=') {
			room[len++] = coded.ptr[0];
			coded = str_from(coded, 1);
			continue;
		}
		if (!str_starts(coded, "=2C") && !str_starts(coded, "=3D"))
			return fault_set(fault_r, VERDICT_PERM,
			    "an equals sign in a name that is not written =3D");
		room[len++] = coded.ptr[1] == '2' ? ',' : '=';
		coded = str_from(coded, 3);
	}
	*name_r = str_make(room, len);
	return sasl_check_name(*name_r, fault_r);
}

/* The name behind "x=" up to a comma, which is taken too. */
static int
take_name(struct str *message, struct arena *arena, struct str *name_r, struct fault *fault_r)
{
	struct str rest = str_from(*message, 2);
	size_t comma = str_find(rest, ',');

	if (comma == rest.len)
		return fault_set(fault_r, VERDICT_PERM, "no comma behind a name");
	*message = str_from(rest, comma + 1);
	return decode_name(str_make(rest.ptr, comma), arena, name_r, fault_r);
}

int
sasl_take_gs2(struct str *message, struct arena *arena, struct str *authzid_r,
    struct fault *fault_r)
{
	*authzid_r = STR("");
	if (str_starts(*message, "p="))
		return fault_set(fault_r, VERDICT_PERM, "channel binding, which was not offered");
	if (!str_starts(*message, "n,") && !str_starts(*message, "y,"))
		return fault_set(fault_r, VERDICT_PERM, "no gs2 header");
	*message = str_from(*message, 2);
	if (str_starts(*message, "a="))
		return take_name(message, arena, authzid_r, fault_r);
	if (!str_starts(*message, ","))
		return fault_set(fault_r, VERDICT_PERM, "no authorization id where one stands");
	*message = str_from(*message, 1);
	return 0;
}

/* ---- PLAIN */

/* [authzid] NUL authcid NUL passwd, RFC 4616, section 2. */
int
sasl_read_plain(struct str message, struct credentials *credentials, struct fault *fault_r)
{
	size_t first = str_find(message, '\0');
	struct str rest, authzid = str_make(message.ptr, first), authcid, password;
	size_t second;

	if (first == message.len)
		return fault_set(fault_r, VERDICT_PERM, "no NUL in it");
	rest = str_from(message, first + 1);
	second = str_find(rest, '\0');
	if (second == rest.len)
		return fault_set(fault_r, VERDICT_PERM, "only one NUL in it");
	authcid = str_make(rest.ptr, second);
	password = str_from(rest, second + 1);
	if ((authzid.len > 0 && sasl_check_name(authzid, fault_r) == -1) ||
	    sasl_check_name(authcid, fault_r) == -1 || sasl_check_password(password, fault_r) == -1)
		return -1;
	credentials->authzid = authzid;
	credentials->authcid = authcid;
	credentials->secret = password;
	return 0;
}

/* ---- SCRAM */

/* "r=" and the client's nonce, then extensions: RFC 5802, section 7. */
static int
check_behind_name(struct str rest, struct fault *fault_r)
{
	size_t len = str_find(rest, ',');

	if (!str_starts(rest, "r=") || len <= 2)
		return fault_set(fault_r, VERDICT_PERM, "no nonce behind the name");
	for (size_t i = 2; i < len; i++) {
		if (rest.ptr[i] <= 0x20 || rest.ptr[i] >= 0x7f)
			return fault_set(fault_r, VERDICT_PERM, "a nonce that is not printable");
	}
	while (len < rest.len) {
		rest = str_from(rest, len + 1);
		len = str_find(rest, ',');
		if (len <= 2 || !sasl_is_letter(rest.ptr[0]) || rest.ptr[1] != '=')
			return fault_set(fault_r, VERDICT_PERM, "an extension that is none");
	}
	return 0;
}

/*
 * The message is passed on as it is, because its bytes are signed: what is read here is
 * only for whom it is. What the backend does not understand it refuses itself.
 */
int
sasl_read_scram(struct str message, struct arena *arena, struct credentials *credentials,
    struct fault *fault_r)
{
	struct str rest = message, authzid, authcid;

	if (check_text(message, "message", fault_r) == -1 ||
	    sasl_take_gs2(&rest, arena, &authzid, fault_r) == -1)
		return -1;
	if (str_starts(rest, "m="))
		return fault_set(fault_r, VERDICT_PERM, "a mandatory extension");
	if (!str_starts(rest, "n="))
		return fault_set(fault_r, VERDICT_PERM, "no name");
	if (take_name(&rest, arena, &authcid, fault_r) == -1 ||
	    check_behind_name(rest, fault_r) == -1)
		return -1;
	credentials->authzid = authzid;
	credentials->authcid = authcid;
	credentials->secret = message;
	return 0;
}
