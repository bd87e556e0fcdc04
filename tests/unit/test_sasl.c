/*
 * test_sasl.c - the client's half of a SASL exchange
 *
 * Dialogues: what the client says, as it is before base64, and how it ends. A
 * message comes as initial response and, a second time, after an empty challenge;
 * both must end the same. Long because six mechanisms have their tables here.
 */
#include "front/sasl.h"

#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>

#include "unit.h"

static const enum token_place field_first[] = {TOKEN_FIELD, TOKEN_CLAIM};
static const enum token_place claim_first[] = {TOKEN_CLAIM, TOKEN_FIELD};
static const char *const claims[] = {"email", "preferred_username"};

static const struct sasl_rules by_field = {field_first, 2, claims, 2};
static const struct sasl_rules by_claim = {claim_first, 2, claims, 2};
static const struct sasl_rules only_field = {field_first, 1, claims, 2};

/* {"alg":"none"} and the payload, in base64url without padding, and no signature to speak of. */
#define JWT(payload) "eyJhbGciOiJub25lIn0." payload ".c2ln"
#define CLAIM_ANN JWT("eyJlbWFpbCI6ImFubkBleGFtcGxlLm9yZyJ9") /* {"email":"ann@example.org"} */

static struct arenas *arenas;

static int
setup(void **state)
{
	arenas = arenas_new(50); /* more than one, so that one failure is one failure */
	return 0;
}

static int
teardown(void **state)
{
	arenas_free(&arenas);
	return 0;
}

static struct str
coded(struct str text, struct buf *out)
{
	size_t most = sodium_base64_ENCODED_LEN(text.len, sodium_base64_VARIANT_ORIGINAL);

	buf_clear(out);
	sodium_bin2base64(buf_room(out, most), most, (const unsigned char *)text.ptr, text.len,
	    sodium_base64_VARIANT_ORIGINAL);
	buf_added(out, most - 1);
	return buf_str(out);
}

struct exchange {
	struct arena *arena;
	struct sasl sasl;
	struct credentials credentials;
	struct fault fault;
	struct buf text;
};

static void
exchange_init(struct exchange *exchange)
{
	*exchange = (struct exchange){.arena = arena_borrow(arenas)};
	assert_non_null(exchange->arena);
}

static void
exchange_fini(struct exchange *exchange)
{
	arena_return(&exchange->arena);
	buf_fini(&exchange->text);
}

static enum sasl_step
begin(struct exchange *exchange, enum mechanism mechanism, const struct str *initial)
{
	return sasl_begin(&exchange->sasl, &by_field, exchange->arena, mechanism, initial,
	    &exchange->credentials, &exchange->fault);
}

static enum sasl_step
line(struct exchange *exchange, struct str text)
{
	return sasl_line(&exchange->sasl, text, &exchange->credentials, &exchange->fault);
}

/* One message of a mechanism, as initial response or behind an empty challenge. */
static enum sasl_step
say(struct exchange *exchange, const struct sasl_rules *rules, enum mechanism mechanism,
    struct str message, bool initially)
{
	struct str text = coded(message, &exchange->text), initial = text;

	if (initially && text.len == 0)
		initial = STR("=");
	if (initially)
		return sasl_begin(&exchange->sasl, rules, exchange->arena, mechanism, &initial,
		    &exchange->credentials, &exchange->fault);
	assert_int_equal(sasl_begin(&exchange->sasl, rules, exchange->arena, mechanism, NULL,
			     &exchange->credentials, &exchange->fault),
	    SASL_CHALLENGE);
	assert_int_equal(exchange->sasl.challenge.len, 0);
	return line(exchange, text);
}

struct row {
	const char *name;
	struct str message;
	const struct sasl_rules *rules; /* NULL: by_field */
	const char *authcid, *authzid, *secret; /* authcid NULL: refused */
};

static void
check_row(const struct row *row, enum mechanism mechanism, bool initially)
{
	struct exchange exchange;
	struct credentials *credentials = &exchange.credentials;
	enum sasl_step step;

	exchange_init(&exchange);
	exchange.fault.verdict = VERDICT_FOUND;
	step = say(&exchange, row->rules != NULL ? row->rules : &by_field, mechanism, row->message,
	    initially);
	if (row->authcid == NULL) {
		if (step != SASL_BAD || exchange.fault.verdict != VERDICT_PERM ||
		    credentials->secret.len + credentials->authcid.len > 0)
			fail_msg("%s: step %d", row->name, (int)step);
	} else if (step != SASL_READY || credentials->mechanism != mechanism ||
		   !str_is(credentials->authcid, row->authcid) ||
		   !str_is(credentials->authzid, row->authzid) ||
		   !str_eq(credentials->secret,
		       row->secret != NULL ? str_of(row->secret) : row->message)) {
		fail_msg("%s: step %d, %s, %.*s, %.*s", row->name, (int)step, exchange.fault.text,
		    STR_FMT(credentials->authcid), STR_FMT(credentials->authzid));
	}
	exchange_fini(&exchange);
}

static void
check_rows(const struct row *rows, size_t count, enum mechanism mechanism)
{
	for (size_t i = 0; i < count; i++) {
		check_row(&rows[i], mechanism, true);
		check_row(&rows[i], mechanism, false);
	}
}

/* ---- PLAIN */

static void
C7_C9_plain(void **state)
{
	static const struct row rows[] = {
	    {"name and password", STR("\0ann\0pw"), NULL, "ann", "", "pw"},
	    {"C9 an authorization id", STR("ann\0root\0pw"), NULL, "root", "ann", "pw"},
	    {"C9 the same twice", STR("ann\0ann\0pw"), NULL, "ann", "ann", "pw"},
	    {"C9 a master's name is a name", STR("\0ann*root\0pw"), NULL, "ann*root", "", "pw"},
	    {"UTF-8", STR("\0j\xc3\xbcrg\0\xe2\x82\xac"), NULL, "j\xc3\xbcrg", "", "\xe2\x82\xac"},
	    {"a password of spaces", STR("\0ann\0 a b "), NULL, "ann", "", " a b "},
	    {"C12 a name of spaces is a name here", STR("\0  \0pw"), NULL, "  ", "", "pw"},
	    {"nothing", STR(""), NULL, NULL, NULL, NULL},
	    {"no NUL", STR("ann pw"), NULL, NULL, NULL, NULL},
	    {"one NUL", STR("ann\0pw"), NULL, NULL, NULL, NULL},
	    {"three NULs", STR("\0ann\0pw\0"), NULL, NULL, NULL, NULL},
	    {"only NULs", STR("\0\0"), NULL, NULL, NULL, NULL},
	    {"no name", STR("ann\0\0pw"), NULL, NULL, NULL, NULL},
	    {"no password", STR("\0ann\0"), NULL, NULL, NULL, NULL},
	    {"C7 CR LF in the name", STR("\0ann\r\nX\0pw"), NULL, NULL, NULL, NULL},
	    {"C7 CR LF in the authorization id", STR("a\r\nb\0ann\0pw"), NULL, NULL, NULL, NULL},
	    {"C7 CR LF in the password", STR("\0ann\0p\r\nw"), NULL, NULL, NULL, NULL},
	    {"C7 LF in the password", STR("\0ann\0pw\n"), NULL, NULL, NULL, NULL},
	    {"C7 ^A in the name", STR("\0a\1nn\0pw"), NULL, NULL, NULL, NULL},
	    {"C7 DEL in the name", STR("\0ann\x7f\0pw"), NULL, NULL, NULL, NULL},
	    {"C7 NEL, which is C1, in the name", STR("\0ann\xc2\x85\0pw"), NULL, NULL, NULL, NULL},
	    {"a name that is not UTF-8", STR("\0j\xfcrg\0pw"), NULL, NULL, NULL, NULL},
	    {"a password that is not UTF-8", STR("\0ann\0\xff"), NULL, NULL, NULL, NULL},
	    {"a character cut short", STR("\0ann\0p\xe2\x82"), NULL, NULL, NULL, NULL},
	    {"over-long UTF-8", STR("\0a\xc0\x8a\0pw"), NULL, NULL, NULL, NULL},
	};

	check_rows(rows, ARRAY_LEN(rows), MECHANISM_PLAIN);
}

static void
C12_a_name_has_a_longest(void **state)
{
	char bytes[SASL_NAME_MOST + 8] = {0};
	struct exchange exchange;

	memset(bytes + 1, 'a', sizeof(bytes) - 1);
	bytes[1 + SASL_NAME_MOST] = '\0';
	exchange_init(&exchange);
	assert_int_equal(say(&exchange, &by_field, MECHANISM_PLAIN, str_make(bytes, sizeof(bytes)),
			     true),
	    SASL_READY);
	assert_int_equal(exchange.credentials.authcid.len, SASL_NAME_MOST);
	bytes[1 + SASL_NAME_MOST] = 'a';
	bytes[2 + SASL_NAME_MOST] = '\0';
	arena_wipe(exchange.arena);
	assert_int_equal(say(&exchange, &by_field, MECHANISM_PLAIN, str_make(bytes, sizeof(bytes)),
			     true),
	    SASL_BAD);
	exchange_fini(&exchange);
}

/* ---- LOGIN */

static void
login_asks_for_name_and_password(void **state)
{
	struct exchange exchange;
	struct str initial = STR("YW5u");

	exchange_init(&exchange);
	assert_int_equal(begin(&exchange, MECHANISM_LOGIN, NULL), SASL_CHALLENGE);
	assert_true(str_eq(exchange.sasl.challenge, coded(STR("Username:"), &exchange.text)));
	assert_int_equal(line(&exchange, STR("YW5u")), SASL_CHALLENGE);
	assert_true(str_eq(exchange.sasl.challenge, coded(STR("Password:"), &exchange.text)));
	assert_int_equal(exchange.credentials.authcid.len, 0); /* nothing before it is whole */
	assert_int_equal(line(&exchange, STR("cHc=")), SASL_READY);
	assert_true(str_is(exchange.credentials.authcid, "ann"));
	assert_true(str_is(exchange.credentials.authzid, ""));
	assert_true(str_is(exchange.credentials.secret, "pw"));
	assert_int_equal(exchange.credentials.mechanism, MECHANISM_LOGIN);

	/* the name as initial response */
	arena_wipe(exchange.arena);
	assert_int_equal(begin(&exchange, MECHANISM_LOGIN, &initial), SASL_CHALLENGE);
	assert_true(str_eq(exchange.sasl.challenge, coded(STR("Password:"), &exchange.text)));
	assert_int_equal(line(&exchange, STR("cHc=")), SASL_READY);
	assert_true(str_is(exchange.credentials.authcid, "ann"));
	exchange_fini(&exchange);
}

static void
C7_C8_login_refuses_what_is_no_name_or_password(void **state)
{
	static const struct {
		const char *name;
		struct str first, second; /* base64; second empty: the first is refused */
	} rows[] = {
	    {"C8 an empty name", STR("="), STR("")},
	    {"C8 no base64", STR("a"), STR("")},
	    {"C7 CR LF in the name", STR("YQ0KYg=="), STR("")},
	    {"C7 NUL in the name", STR("YQBi"), STR("")},
	    {"C7 CR LF in the password", STR("YW5u"), STR("cA0Kdw==")},
	    {"C7 NUL in the password", STR("YW5u"), STR("cAB3")},
	    {"C8 wrong padding of the password", STR("YW5u"), STR("cHc")},
	    {"C8 = is no response behind the first", STR("YW5u"), STR("=")},
	};
	struct exchange exchange;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum sasl_step step;

		exchange_init(&exchange);
		step = begin(&exchange, MECHANISM_LOGIN, &rows[i].first);
		if (rows[i].second.len > 0) {
			assert_int_equal(step, SASL_CHALLENGE);
			step = line(&exchange, rows[i].second);
		}
		if (step != SASL_BAD)
			fail_msg("%s: %d", rows[i].name, (int)step);
		exchange_fini(&exchange);
	}
	exchange_init(&exchange); /* an empty password */
	assert_int_equal(begin(&exchange, MECHANISM_LOGIN, &rows[4].first), SASL_CHALLENGE);
	assert_int_equal(line(&exchange, STR("")), SASL_BAD);
	exchange_fini(&exchange);
}

/* ---- OAUTHBEARER and XOAUTH2 */

static void
C7_oauthbearer(void **state)
{
	static const struct row rows[] = {
	    {"a user", STR("n,a=ann,\1auth=Bearer abc\1\1"), NULL, "ann", "ann", "abc"},
	    {"all fields", STR("n,a=ann,\1host=h\1port=143\1auth=Bearer abc\1\1"), NULL, "ann",
		"ann", "abc"},
	    {"a comma and an equals sign", STR("y,a=a=2Cb=3Dc,\1auth=Bearer abc\1\1"), NULL,
		"a,b=c", "a,b=c", "abc"},
	    {"without case and with spaces", STR("n,a=ann,\1auth=bEARER  abc\1\1"), NULL, "ann",
		"ann", "abc"},
	    {"a user in the token", STR("n,,\1auth=Bearer " CLAIM_ANN "\1\1"), NULL,
		"ann@example.org", "", CLAIM_ANN},
	    {"the field before the token", STR("n,a=bob,\1auth=Bearer " CLAIM_ANN "\1\1"), NULL,
		"bob", "bob", CLAIM_ANN},
	    {"the token before the field", STR("n,a=bob,\1auth=Bearer " CLAIM_ANN "\1\1"),
		&by_claim, "ann@example.org", "ann@example.org", CLAIM_ANN},
	    {"the field, if the token is none", STR("n,a=bob,\1auth=Bearer abc\1\1"), &by_claim,
		"bob", "bob", "abc"},
	    {"fields that nobody knows", STR("n,a=ann,\1x=\1user=bob\1auth=Bearer abc\1\1"), NULL,
		"ann", "ann", "abc"},
	    {"nothing", STR(""), NULL, NULL, NULL, NULL},
	    {"the end of an exchange that was not begun", STR("\1"), NULL, NULL, NULL, NULL},
	    {"channel binding", STR("p=tls-unique,a=ann,\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	    {"a header of another kind", STR("F,n,a=ann,\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	    {"no header", STR("auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"the form of XOAUTH2", STR("user=ann\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"a header without its end", STR("n,a=ann"), NULL, NULL, NULL, NULL},
	    {"an empty name", STR("n,a=,\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"a name that is none", STR("n,b=ann,\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"a wrong code in a name", STR("n,a=a=20b,\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	    {"a code cut short", STR("n,a=a=2,\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"a code in lower case", STR("n,a=a=2cb,\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	    {"a lone equals sign", STR("n,a=a=,\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"no ^A behind the header", STR("n,a=ann,auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"no token", STR("n,a=ann,\1\1"), NULL, NULL, NULL, NULL},
	    {"an empty token", STR("n,a=ann,\1auth=Bearer \1\1"), NULL, NULL, NULL, NULL},
	    {"no space", STR("n,a=ann,\1auth=Bearer\1\1"), NULL, NULL, NULL, NULL},
	    {"another kind of token", STR("n,a=ann,\1auth=Basic abc\1\1"), NULL, NULL, NULL, NULL},
	    {"two tokens", STR("n,a=ann,\1auth=Bearer a\1auth=Bearer b\1\1"), NULL, NULL, NULL,
		NULL},
	    {"a token with a space", STR("n,a=ann,\1auth=Bearer a b\1\1"), NULL, NULL, NULL, NULL},
	    {"a token that is not ASCII", STR("n,a=ann,\1auth=Bearer \xc3\xbc\1\1"), NULL, NULL,
		NULL, NULL},
	    {"only one ^A at the end", STR("n,a=ann,\1auth=Bearer abc\1"), NULL, NULL, NULL, NULL},
	    {"no ^A at the end", STR("n,a=ann,\1auth=Bearer abc"), NULL, NULL, NULL, NULL},
	    {"more behind the end", STR("n,a=ann,\1auth=Bearer abc\1\1x"), NULL, NULL, NULL, NULL},
	    {"one ^A too many", STR("n,a=ann,\1auth=Bearer abc\1\1\1"), NULL, NULL, NULL, NULL},
	    {"a field without a value", STR("n,a=ann,\1host\1auth=Bearer abc\1\1"), NULL, NULL,
		NULL, NULL},
	    {"a field without a name", STR("n,a=ann,\1=h\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	    {"a field's name with a digit", STR("n,a=ann,\1h2=h\1auth=Bearer abc\1\1"), NULL, NULL,
		NULL, NULL},
	    {"C7 CR LF in a name", STR("n,a=a\r\nb,\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"C7 NUL in a name", STR("n,a=a\0b,\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"C7 CR LF in a token", STR("n,a=ann,\1auth=Bearer a\r\nb\1\1"), NULL, NULL, NULL,
		NULL},
	    {"C7 CR LF in a field", STR("n,a=ann,\1host=a\r\nb\1auth=Bearer abc\1\1"), NULL, NULL,
		NULL, NULL},
	    {"C7 NUL in a field", STR("n,a=ann,\1host=a\0b\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	};

	check_rows(rows, ARRAY_LEN(rows), MECHANISM_OAUTHBEARER);
}

static void
C7_xoauth2(void **state)
{
	static const struct row rows[] = {
	    {"a user", STR("user=ann\1auth=Bearer abc\1\1"), NULL, "ann", "ann", "abc"},
	    {"in the other order", STR("auth=Bearer abc\1user=ann\1\1"), NULL, "ann", "ann", "abc"},
	    {"names are not coded here", STR("user=a=2C,b\1auth=Bearer abc\1\1"), NULL, "a=2C,b",
		"a=2C,b", "abc"},
	    {"a user in the token", STR("user=\1auth=Bearer " CLAIM_ANN "\1\1"), NULL,
		"ann@example.org", "", CLAIM_ANN},
	    {"no user, but in the token", STR("auth=Bearer " CLAIM_ANN "\1\1"), NULL,
		"ann@example.org", "", CLAIM_ANN},
	    {"the token before the field", STR("user=bob\1auth=Bearer " CLAIM_ANN "\1\1"),
		&by_claim, "ann@example.org", "ann@example.org", CLAIM_ANN},
	    {"nothing", STR(""), NULL, NULL, NULL, NULL},
	    {"no token", STR("user=ann\1\1"), NULL, NULL, NULL, NULL},
	    {"no end", STR("user=ann\1auth=Bearer abc\1"), NULL, NULL, NULL, NULL},
	    {"two users", STR("user=ann\1user=bob\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"the form of OAUTHBEARER", STR("n,a=ann,\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	    {"C7 CR LF in the name", STR("user=a\r\nb\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	    {"C7 CR LF in the token", STR("user=ann\1auth=Bearer abc\r\n\1\1"), NULL, NULL, NULL,
		NULL},
	    {"C7 NUL in the name", STR("user=a\0b\1auth=Bearer abc\1\1"), NULL, NULL, NULL, NULL},
	    {"C7 a name that is not UTF-8", STR("user=\xff\1auth=Bearer abc\1\1"), NULL, NULL, NULL,
		NULL},
	};

	check_rows(rows, ARRAY_LEN(rows), MECHANISM_XOAUTH2);
}

/* {"alg":"none"}.payload.c2ln */
static void
make_token(struct str payload, struct buf *out)
{
	size_t most =
	    sodium_base64_ENCODED_LEN(payload.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);

	buf_clear(out);
	buf_add_text(out, "eyJhbGciOiJub25lIn0.");
	sodium_bin2base64(buf_room(out, most), most, (const unsigned char *)payload.ptr,
	    payload.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buf_added(out, most - 1);
	buf_add_text(out, ".c2ln");
}

static enum sasl_step
say_token(struct exchange *exchange, struct str token)
{
	struct buf message = BUF_INIT;
	enum sasl_step step;

	buf_add_text(&message, "n,,\1auth=Bearer ");
	buf_add_str(&message, token);
	buf_add_text(&message, "\1\1");
	step = say(exchange, &by_field, MECHANISM_OAUTHBEARER, buf_str(&message), true);
	buf_fini(&message);
	return step;
}

static void
C7_C12_claims_route_if_they_could_be_a_name(void **state)
{
	static const struct {
		const char *name;
		struct str payload;
		const char *authcid; /* NULL: it names nobody */
	} rows[] = {
	    {"the first claim", STR("{\"email\":\"ann\",\"preferred_username\":\"bob\"}"), "ann"},
	    {"in the order of the settings",
		STR("{\"preferred_username\":\"bob\",\"email\":\"ann\"}"), "ann"},
	    {"the second claim", STR("{\"preferred_username\":\"bob\"}"), "bob"},
	    {"escapes", STR("{\"email\":\"j\\u00fcrg\\u0040x\"}"), "j\xc3\xbcrg@x"},
	    {"UTF-8", STR("{\"email\":\"j\xc3\xbcrg~~~???\"}"), "j\xc3\xbcrg~~~???"},
	    {"an empty one is none", STR("{\"email\":\"\",\"preferred_username\":\"bob\"}"), "bob"},
	    {"a number is none", STR("{\"email\":7,\"preferred_username\":\"bob\"}"), "bob"},
	    {"a list is none", STR("{\"email\":[\"ann\"]}"), NULL},
	    {"C7 CR LF", STR("{\"email\":\"a\\r\\nb\"}"), NULL},
	    {"C7 NUL", STR("{\"email\":\"a\\u0000b\"}"), NULL},
	    {"C7 C1", STR("{\"email\":\"a\\u0085b\"}"), NULL},
	    {"another name", STR("{\"sub\":\"ann\"}"), NULL},
	    {"the same name twice", STR("{\"email\":\"ann\",\"email\":\"bob\"}"), NULL},
	    {"no claims", STR("{}"), NULL},
	    {"nothing", STR(""), NULL},
	    {"no object", STR("[\"email\",\"ann\"]"), NULL},
	    {"only a string", STR("\"email\""), NULL},
	    {"no JSON", STR("{\"email\":\"ann\""), NULL},
	    {"more behind it", STR("{\"email\":\"ann\"}{}"), NULL},
	    {"no UTF-8", STR("{\"email\":\"\xff\"}"), NULL},
	};
	struct exchange exchange;
	struct buf token = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum sasl_step step;

		exchange_init(&exchange);
		make_token(rows[i].payload, &token);
		step = say_token(&exchange, buf_str(&token));
		if (step != (rows[i].authcid != NULL ? SASL_READY : SASL_CHALLENGE) ||
		    !str_is(exchange.credentials.authcid, rows[i].authcid ? rows[i].authcid : ""))
			fail_msg("%s: %d", rows[i].name, (int)step);
		exchange_fini(&exchange);
	}
	buf_fini(&token);
}

static void
what_is_no_jwt_names_nobody(void **state)
{
	static const char *const tokens[] = {
	    "abc", "a.b", "..", "...", ".", "a..b",
	    "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFubiJ9", /* not even an empty signature */
	    "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFubiJ9.a.b.c", /* encrypted, RFC 7516 */
	    JWT("eyJlbWFpbCI6ImFubiJ9="), /* padding */
	    JWT("eyJlbWFpbCI6ImFub_J9/"), /* base64, but not base64url */
	};
	struct exchange exchange;

	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		exchange_init(&exchange);
		if (say_token(&exchange, str_of(tokens[i])) != SASL_CHALLENGE)
			fail_msg("%s", tokens[i]);
		exchange_fini(&exchange);
	}
}

/* As many as fit into a line, and JSON as deep as that. */
static void
C5_C8_a_large_token_is_read_within_the_arena(void **state)
{
	struct buf payload = BUF_INIT, token = BUF_INIT;
	struct exchange exchange;

	buf_add_text(&payload, "{\"email\":\"ann\",\"x\":\"");
	while (buf_len(&payload) < 6700)
		buf_add_byte(&payload, 'x');
	buf_add_text(&payload, "\"}");
	make_token(buf_str(&payload), &token);
	exchange_init(&exchange);
	assert_int_equal(say_token(&exchange, buf_str(&token)), SASL_READY);
	assert_true(str_is(exchange.credentials.authcid, "ann"));
	assert_true(str_eq(exchange.credentials.secret, buf_str(&token)));
	exchange_fini(&exchange);

	buf_clear(&payload);
	while (buf_len(&payload) < 6700)
		buf_add_byte(&payload, '[');
	make_token(buf_str(&payload), &token);
	exchange_init(&exchange);
	assert_int_equal(say_token(&exchange, buf_str(&token)), SASL_CHALLENGE);
	exchange_fini(&exchange);
	buf_fini(&payload);
	buf_fini(&token);
}

static void
a_token_that_names_nobody_has_its_error_exchange(void **state)
{
	static const struct {
		enum mechanism mechanism;
		struct str message;
		const char *challenge;
	} rows[] = {
	    {MECHANISM_OAUTHBEARER, STR("n,,\1auth=Bearer abc\1\1"),
		"{\"status\":\"invalid_token\"}"},
	    {MECHANISM_XOAUTH2, STR("user=\1auth=Bearer abc\1\1"),
		"{\"status\":\"401\",\"schemes\":\"bearer\"}"},
	};
	static const struct {
		struct str line;
		enum sasl_step step;
	} ends[] = {
	    {STR("AQ=="), SASL_TOKEN}, /* RFC 7628, section 3.2.3 */
	    {STR(""), SASL_TOKEN}, /* as Google wants it */
	    {STR("?"), SASL_TOKEN},
	    {STR("*"), SASL_CANCELLED},
	};
	struct exchange exchange;

	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(ends); i++) {
		size_t row = i % ARRAY_LEN(rows), end = i / ARRAY_LEN(rows);

		exchange_init(&exchange);
		assert_int_equal(say(&exchange, &by_field, rows[row].mechanism, rows[row].message,
				     end % 2),
		    SASL_CHALLENGE);
		assert_true(str_eq(exchange.sasl.challenge,
		    coded(str_of(rows[row].challenge), &exchange.text)));
		assert_int_equal(exchange.credentials.secret.len, 0);
		assert_int_equal(line(&exchange, ends[end].line), ends[end].step);
		assert_int_equal(exchange.credentials.secret.len, 0);
		exchange_fini(&exchange);
	}
	exchange_init(&exchange); /* a claim that is not asked for */
	assert_int_equal(say(&exchange, &only_field, MECHANISM_OAUTHBEARER,
			     STR("n,,\1auth=Bearer " CLAIM_ANN "\1\1"), true),
	    SASL_CHALLENGE);
	assert_int_equal(line(&exchange, STR("AQ==")), SASL_TOKEN);
	exchange_fini(&exchange);
}

/* ---- SCRAM */

static void
C7_C9_scram(void **state)
{
	static const struct row rows[] = {
	    {"as in RFC 5802", STR("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), NULL, "user", "", NULL},
	    {"a client that could bind", STR("y,,n=user,r=x"), NULL, "user", "", NULL},
	    {"C9 an authorization id", STR("n,a=ann,n=root,r=x"), NULL, "root", "ann", NULL},
	    {"codes", STR("n,a=a=3Db,n=a=2Cb,r=x"), NULL, "a,b", "a=b", NULL},
	    {"a code of a code", STR("n,,n=a=3D2C,r=x"), NULL, "a=2C", "", NULL},
	    {"extensions", STR("n,,n=user,r=x,a=b,c=d=e"), NULL, "user", "", NULL},
	    {"UTF-8", STR("n,,n=j\xc3\xbcrg,r=x"), NULL, "j\xc3\xbcrg", "", NULL},
	    {"nothing", STR(""), NULL, NULL, NULL, NULL},
	    {"channel binding", STR("p=tls-exporter,,n=user,r=x"), NULL, NULL, NULL, NULL},
	    {"no header", STR("n=user,r=x"), NULL, NULL, NULL, NULL},
	    {"half a header", STR("n,n=user,r=x"), NULL, NULL, NULL, NULL},
	    {"only a header", STR("n,,"), NULL, NULL, NULL, NULL},
	    {"a mandatory extension", STR("n,,m=x,n=user,r=x"), NULL, NULL, NULL, NULL},
	    {"no name", STR("n,,r=x"), NULL, NULL, NULL, NULL},
	    {"an empty name", STR("n,,n=,r=x"), NULL, NULL, NULL, NULL},
	    {"an equals sign", STR("n,,n=a=b,r=x"), NULL, NULL, NULL, NULL},
	    {"no nonce", STR("n,,n=user"), NULL, NULL, NULL, NULL},
	    {"nothing behind the comma", STR("n,,n=user,"), NULL, NULL, NULL, NULL},
	    {"an empty nonce", STR("n,,n=user,r="), NULL, NULL, NULL, NULL},
	    {"an empty nonce and more", STR("n,,n=user,r=,a=b"), NULL, NULL, NULL, NULL},
	    {"a nonce with a space", STR("n,,n=user,r=a b"), NULL, NULL, NULL, NULL},
	    {"a nonce that is not ASCII", STR("n,,n=user,r=\xc3\xbc"), NULL, NULL, NULL, NULL},
	    {"an empty extension", STR("n,,n=user,r=x,"), NULL, NULL, NULL, NULL},
	    {"an extension without a value", STR("n,,n=user,r=x,a="), NULL, NULL, NULL, NULL},
	    {"an extension without a name", STR("n,,n=user,r=x,1=a"), NULL, NULL, NULL, NULL},
	    {"C7 CR LF in the name", STR("n,,n=a\r\nb,r=x"), NULL, NULL, NULL, NULL},
	    {"C7 CR LF behind it", STR("n,,n=user,r=x\r\n"), NULL, NULL, NULL, NULL},
	    {"C7 NUL", STR("n,,n=user,r=x\0"), NULL, NULL, NULL, NULL},
	    {"C7 CR LF in an extension", STR("n,,n=user,r=x,a=b\r\n"), NULL, NULL, NULL, NULL},
	    {"no UTF-8", STR("n,,n=\xff,r=x"), NULL, NULL, NULL, NULL},
	};

	check_rows(rows, ARRAY_LEN(rows), MECHANISM_SCRAM_SHA_1);
	check_rows(rows, ARRAY_LEN(rows), MECHANISM_SCRAM_SHA_256);
}

static void
C8_what_the_backend_asks_is_answered_by_base64(void **state)
{
	static const struct {
		const char *name;
		struct str line;
		enum sasl_step step;
	} rows[] = {
	    {"an answer", STR("Yz1iaXdzLHI9eA=="), SASL_RESPONSE},
	    {"an empty one", STR(""), SASL_RESPONSE},
	    {"given up", STR("*"), SASL_CANCELLED},
	    {"C8 no base64", STR("!!!!"), SASL_BAD},
	    {"C8 only padding", STR("="), SASL_BAD},
	    {"C8 wrong padding", STR("Yz1iaXdzLHI9eA="), SASL_BAD},
	    {"C8 a CR", STR("Yz1i\r"), SASL_BAD},
	};
	struct exchange exchange;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum sasl_step step;

		exchange_init(&exchange);
		assert_int_equal(say(&exchange, &by_field, MECHANISM_SCRAM_SHA_1,
				     STR("n,,n=user,r=x"), true),
		    SASL_READY);
		sasl_relay(&exchange.sasl);
		step = line(&exchange, rows[i].line);
		if (step != rows[i].step)
			fail_msg("%s: %d", rows[i].name, (int)step);
		assert_true(str_is(exchange.credentials.authcid, "user")); /* still there */
		if (step == SASL_RESPONSE) {
			assert_true(str_eq(exchange.sasl.response, rows[i].line));
			/* nothing was asked again */
			assert_int_equal(line(&exchange, STR("Yz1i")), SASL_BAD);
		}
		exchange_fini(&exchange);
	}
}

static void
C15_an_exchange_is_not_endless(void **state)
{
	struct exchange exchange;

	exchange_init(&exchange);
	assert_int_equal(say(&exchange, &by_field, MECHANISM_SCRAM_SHA_1, STR("n,,n=user,r=x"),
			     true),
	    SASL_READY);
	for (int i = 0; i < SASL_ROUNDS_MOST; i++) {
		sasl_relay(&exchange.sasl);
		assert_int_equal(line(&exchange, STR("eA==")), SASL_RESPONSE);
	}
	sasl_relay(&exchange.sasl);
	assert_int_equal(line(&exchange, STR("eA==")), SASL_BAD);
	exchange_fini(&exchange);
}

/* ---- lines */

static void
C8_lines_that_are_no_base64_are_refused(void **state)
{
	static const struct str lines[] = {
	    STR("!"),
	    STR("A"),
	    STR("AA"),
	    STR("AAA"),
	    STR("AA="),
	    STR("AAA=="),
	    STR("AAAA="),
	    STR("AAAA===="),
	    STR("AA==AAAA"),
	    STR("===="),
	    STR("=="),
	    STR("AAAA\n"),
	    STR("AAAA\r"),
	    STR(" AAAA"),
	    STR("AA AA"),
	    STR("AAAA\0"),
	    STR("AA-_"),
	    STR("AAB="),
	    STR("AB=="),
	    STR("**"),
	    STR("\xff\xff\xff\xff"),
	};
	struct exchange exchange;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		for (enum mechanism mechanism = 0; mechanism < MECHANISM_COUNT; mechanism++) {
			exchange_init(&exchange);
			if (begin(&exchange, mechanism, &lines[i]) != SASL_BAD ||
			    strcmp(exchange.fault.text, "no base64") != 0)
				fail_msg("initially, line %zu", i);
			assert_int_equal(begin(&exchange, mechanism, NULL), SASL_CHALLENGE);
			if (line(&exchange, lines[i]) != SASL_BAD ||
			    strcmp(exchange.fault.text, "no base64") != 0)
				fail_msg("line %zu", i);
			exchange_fini(&exchange);
		}
	}
}

static void
C8_empty_responses_equals_and_asterisk(void **state)
{
	static const struct str equals = STR("="), empty = STR(""), asterisk = STR("*");
	struct exchange exchange;

	for (enum mechanism mechanism = 0; mechanism < MECHANISM_COUNT; mechanism++) {
		exchange_init(&exchange);
		assert_int_equal(begin(&exchange, mechanism, &equals), SASL_BAD);
		assert_int_equal(begin(&exchange, mechanism, &empty), SASL_BAD);
		assert_int_equal(begin(&exchange, mechanism, &asterisk), SASL_BAD);
		assert_int_equal(begin(&exchange, mechanism, NULL), SASL_CHALLENGE);
		assert_int_equal(line(&exchange, empty), SASL_BAD);
		assert_int_equal(begin(&exchange, mechanism, NULL), SASL_CHALLENGE);
		assert_int_equal(line(&exchange, equals), SASL_BAD);
		assert_int_equal(begin(&exchange, mechanism, NULL), SASL_CHALLENGE);
		assert_int_equal(line(&exchange, asterisk), SASL_CANCELLED);
		assert_int_equal(exchange.credentials.authcid.len, 0);
		exchange_fini(&exchange);
	}
}

static void
C8_64_KB_are_refused_and_the_longest_line_is_read(void **state)
{
	struct buf text = BUF_INIT, message = BUF_INIT;
	struct exchange exchange;
	struct str initial;

	while (buf_len(&text) < 65536)
		buf_add_byte(&text, 'A');
	initial = buf_str(&text);
	exchange_init(&exchange);
	assert_int_equal(begin(&exchange, MECHANISM_PLAIN, &initial), SASL_BAD);
	initial.len = SASL_LINE_MOST + 4;
	assert_int_equal(begin(&exchange, MECHANISM_PLAIN, &initial), SASL_BAD);

	buf_add(&message, "\0ann\0", 5);
	while (buf_len(&message) < SASL_LINE_MOST / 4 * 3)
		buf_add_byte(&message, 'p');
	assert_int_equal(say(&exchange, &by_field, MECHANISM_PLAIN, buf_str(&message), true),
	    SASL_READY);
	assert_int_equal(exchange.credentials.secret.len, SASL_LINE_MOST / 4 * 3 - 5);
	/* and once more there is no room, which ends this exchange and nothing else */
	assert_int_equal(say(&exchange, &by_field, MECHANISM_PLAIN, buf_str(&message), true),
	    SASL_BAD);
	exchange_fini(&exchange);
	buf_fini(&text);
	buf_fini(&message);
}

/* ---- what a backend is told */

static void
C9_the_backend_is_told_what_the_client_said(void **state)
{
	static const struct {
		const char *name;
		struct credentials credentials;
		const char *login;
		struct str message;
	} rows[] = {
	    {"PLAIN", {MECHANISM_PLAIN, STR(""), STR("ann"), STR("pw")}, "", STR("\0ann\0pw")},
	    {"PLAIN, another name", {MECHANISM_PLAIN, STR(""), STR("ann"), STR("pw")}, "a@old",
		STR("\0a@old\0pw")},
	    {"C9 both names", {MECHANISM_PLAIN, STR("ann"), STR("root"), STR("pw")}, "",
		STR("ann\0root\0pw")},
	    {"C9 another name for whom to act as",
		{MECHANISM_PLAIN, STR("ann"), STR("root"), STR("pw")}, "a@old",
		STR("a@old\0root\0pw")},
	    {"LOGIN is said as PLAIN", {MECHANISM_LOGIN, STR(""), STR("ann"), STR("pw")}, "",
		STR("\0ann\0pw")},
	    {"OAUTHBEARER", {MECHANISM_OAUTHBEARER, STR("a,b=c"), STR("a,b=c"), STR("abc")}, "",
		STR("n,a=a=2Cb=3Dc,\1auth=Bearer abc\1\1")},
	    {"OAUTHBEARER, another name", {MECHANISM_OAUTHBEARER, STR("x"), STR("x"), STR("abc")},
		"a@old", STR("n,a=a@old,\1auth=Bearer abc\1\1")},
	    {"OAUTHBEARER, only a claim", {MECHANISM_OAUTHBEARER, STR(""), STR("ann"), STR("abc")},
		"", STR("n,,\1auth=Bearer abc\1\1")},
	    {"OAUTHBEARER, only a claim and another name",
		{MECHANISM_OAUTHBEARER, STR(""), STR("ann"), STR("abc")}, "a",
		STR("n,a=a,\1auth=Bearer abc\1\1")},
	    {"XOAUTH2", {MECHANISM_XOAUTH2, STR("a=b"), STR("a=b"), STR("abc")}, "",
		STR("user=a=b\1auth=Bearer abc\1\1")},
	    {"XOAUTH2, only a claim", {MECHANISM_XOAUTH2, STR(""), STR("ann"), STR("abc")}, "",
		STR("user=ann\1auth=Bearer abc\1\1")},
	    {"XOAUTH2, another name", {MECHANISM_XOAUTH2, STR("ann"), STR("ann"), STR("abc")}, "a",
		STR("user=a\1auth=Bearer abc\1\1")},
	    {"SCRAM", {MECHANISM_SCRAM_SHA_256, STR(""), STR("u"), STR("y,,n=u,r=x")}, "",
		STR("y,,n=u,r=x")},
	    {"SCRAM has no other name",
		{MECHANISM_SCRAM_SHA_1, STR(""), STR("u"), STR("y,,n=u,r=x")}, "a",
		STR("y,,n=u,r=x")},
	};
	struct buf out = BUF_INIT, expected = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		buf_add_text(&out, "AUTH ");
		sasl_say(&rows[i].credentials, str_of(rows[i].login), &out);
		if (!str_eq(str_from(buf_str(&out), 5), coded(rows[i].message, &expected)))
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
		for (size_t j = out.end; j + 2 < out.size && j < out.end + rows[i].message.len; j++)
			assert_int_equal(out.mem[j], 0); /* C22 the message itself is gone */
	}
	buf_fini(&out);
	buf_fini(&expected);
}

static void
C22_no_secret_is_in_a_fault(void **state)
{
	static const struct row rows[] = {
	    {"password", STR("\0ann\0hunter2\r\n"), NULL, NULL, NULL, NULL},
	    {"three NULs", STR("\0ann\0hunter2\0hunter2"), NULL, NULL, NULL, NULL},
	    {"token", STR("n,a=ann,\1auth=Bearer hunter2 hunter2\1\1"), NULL, NULL, NULL, NULL},
	    {"no bearer", STR("n,a=ann,\1auth=hunter2\1\1"), NULL, NULL, NULL, NULL},
	    {"field", STR("n,a=ann,\1hunter2\1\1"), NULL, NULL, NULL, NULL},
	    {"name", STR("n,a=hunter2=,\1\1"), NULL, NULL, NULL, NULL},
	};
	struct exchange exchange;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (enum mechanism mechanism = 0; mechanism < MECHANISM_COUNT; mechanism++) {
			exchange_init(&exchange);
			say(&exchange, &by_field,
			    mechanism == MECHANISM_LOGIN ? MECHANISM_PLAIN : mechanism,
			    rows[i].message, true);
			if (strstr(exchange.fault.text, "hunter") != NULL)
				fail_msg("%s: %s", rows[i].name, exchange.fault.text);
			exchange_fini(&exchange);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C7_C9_plain),
	    cmocka_unit_test(C12_a_name_has_a_longest),
	    cmocka_unit_test(login_asks_for_name_and_password),
	    cmocka_unit_test(C7_C8_login_refuses_what_is_no_name_or_password),
	    cmocka_unit_test(C7_oauthbearer),
	    cmocka_unit_test(C7_xoauth2),
	    cmocka_unit_test(C7_C12_claims_route_if_they_could_be_a_name),
	    cmocka_unit_test(what_is_no_jwt_names_nobody),
	    cmocka_unit_test(C5_C8_a_large_token_is_read_within_the_arena),
	    cmocka_unit_test(a_token_that_names_nobody_has_its_error_exchange),
	    cmocka_unit_test(C7_C9_scram),
	    cmocka_unit_test(C8_what_the_backend_asks_is_answered_by_base64),
	    cmocka_unit_test(C15_an_exchange_is_not_endless),
	    cmocka_unit_test(C8_lines_that_are_no_base64_are_refused),
	    cmocka_unit_test(C8_empty_responses_equals_and_asterisk),
	    cmocka_unit_test(C8_64_KB_are_refused_and_the_longest_line_is_read),
	    cmocka_unit_test(C9_the_backend_is_told_what_the_client_said),
	    cmocka_unit_test(C22_no_secret_is_in_a_fault),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
