/*
 * test_client_id.c - what an IMAP client says of itself, and what we add
 */
#include "front/client_id.h"

#include "base/mem.h"

#include <stdio.h>

#include "unit.h"

static const struct caller caller = {
    .client_ip = "192.0.2.7",
    .local_ip = "2001:db8::1",
    .client_port = 51022,
    .local_port = 993,
    .session = "0123456789abcdef",
    .ttl = 4,
};

#define CALLER_FIELDS                                                                              \
	"\"x-session-id\" \"0123456789abcdef\" \"x-originating-ip\" \"192.0.2.7\" "                \
	"\"x-originating-port\" \"51022\" \"x-connected-ip\" \"2001:db8::1\" "                     \
	"\"x-connected-port\" \"993\" \"x-proxy-ttl\" \"4\""

struct field {
	struct str name, value;
	bool is_nil;
};

static const struct {
	const char *name;
	struct field fields[4]; /* up to a name without bytes */
	const char *alone, *with_caller;
} rows[] = {
    {"nothing", {{STR(""), STR(""), true}}, "NIL", "(" CALLER_FIELDS ")"},
    {"one field", {{STR("name"), STR("Kalypso"), false}}, "(\"name\" \"Kalypso\")",
	"(" CALLER_FIELDS " \"name\" \"Kalypso\")"},
    {"NIL is no text", {{STR("name"), STR(""), true}, {STR("os"), STR("NIL"), false}},
	"(\"name\" NIL \"os\" \"NIL\")", "(" CALLER_FIELDS " \"name\" NIL \"os\" \"NIL\")"},
    {"an empty value", {{STR("name"), STR(""), false}}, "(\"name\" \"\")",
	"(" CALLER_FIELDS " \"name\" \"\")"},
    {"the later of the same name",
	{{STR("name"), STR("a"), false}, {STR("os"), STR("b"), false},
	    {STR("NAME"), STR("c"), false}},
	"(\"NAME\" \"c\" \"os\" \"b\")", "(" CALLER_FIELDS " \"NAME\" \"c\" \"os\" \"b\")"},
    {"the caller is not the client's to name",
	{{STR("x-originating-ip"), STR("198.51.100.1"), false},
	    {STR("X-Proxy-TTL"), STR("9"), false}, {STR("x-"), STR(""), true},
	    {STR("xylophone"), STR("yes"), false}},
	"(\"xylophone\" \"yes\")", "(" CALLER_FIELDS " \"xylophone\" \"yes\")"},
    {"quotes cannot end a string", {{STR("na\"me"), STR("a\" \"x-session-id\" \"\\"), false}},
	"(\"na\\\"me\" \"a\\\" \\\"x-session-id\\\" \\\"\\\\\")",
	"(" CALLER_FIELDS " \"na\\\"me\" \"a\\\" \\\"x-session-id\\\" \\\"\\\\\")"},
    {"C7 no byte can end a line", {{STR("n\r\n"), STR("a) \r\nb LOGOUT\0\t\x7f\xc3\xbc"), false}},
	"(\"n??\" \"a) ??b LOGOUT?????\")", "(" CALLER_FIELDS " \"n??\" \"a) ??b LOGOUT?????\")"},
};

static struct client_id *
id_of(const struct field *fields)
{
	struct client_id *id = client_id_new();

	for (size_t i = 0; i < 4 && fields[i].name.len > 0; i++)
		assert_true(client_id_add(id, fields[i].name, fields[i].value, fields[i].is_nil));
	return id;
}

static void
fields_are_said_with_and_without_a_caller(void **state)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client_id *id = id_of(rows[i].fields);

		buf_clear(&out);
		client_id_say(id, NULL, &out);
		if (strcmp(buf_cstr(&out), rows[i].alone) != 0)
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
		buf_clear(&out);
		client_id_say(id, &caller, &out);
		if (strcmp(buf_cstr(&out), rows[i].with_caller) != 0)
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
		client_id_free(&id);
	}
	buf_fini(&out);
}

static void
a_client_without_an_id_or_an_address_has_a_caller_all_the_same(void **state)
{
	struct caller local = {.session = "00", .ttl = 1};
	struct client_id *none = NULL;
	struct buf out = BUF_INIT;

	client_id_say(NULL, NULL, &out);
	client_id_say(NULL, &local, &out);
	assert_string_equal(buf_cstr(&out),
	    "NIL(\"x-session-id\" \"00\" \"x-originating-port\" \"0\" \"x-connected-port\" \"0\" "
	    "\"x-proxy-ttl\" \"1\")");
	buf_fini(&out);
	client_id_free(&none);
}

static void
what_is_over_the_limits_of_the_rfc_is_not_taken(void **state)
{
	static const char bytes[CLIENT_ID_VALUE_MOST + 1];
	struct client_id *id = client_id_new();

	assert_false(client_id_add(id, str_make(bytes, CLIENT_ID_NAME_MOST + 1), STR(""), false));
	assert_false(client_id_add(id, STR("a"), str_make(bytes, sizeof(bytes)), false));
	assert_true(client_id_add(id, str_make(bytes, CLIENT_ID_NAME_MOST),
	    str_make(bytes, CLIENT_ID_VALUE_MOST), false));
	for (int i = 1; i < CLIENT_ID_FIELDS_MOST; i++)
		assert_true(client_id_add(id, STR("x-again"), STR(""), true));
	assert_false(client_id_add(id, STR("x-again"), STR(""), true));
	assert_false(client_id_add(id, STR("a"), STR(""), true));
	client_id_free(&id);
	assert_null(id);
}

static size_t
count_fields(const struct client_id *id, const struct caller *who)
{
	struct buf out = BUF_INIT;
	size_t quotes = 0;

	client_id_say(id, who, &out);
	for (size_t i = 0; i < buf_len(&out); i++)
		quotes += buf_str(&out).ptr[i] == '"';
	buf_fini(&out);
	return quotes / 4;
}

static void
both_together_are_never_more_than_the_rfc_allows(void **state)
{
	struct client_id *id = client_id_new();
	struct buf out = BUF_INIT;
	char name[16];

	for (int i = 0; i < CLIENT_ID_FIELDS_MOST; i++) {
		snprintf(name, sizeof(name), "f%d.", i);
		assert_true(client_id_add(id, str_of(name), STR("v"), false));
	}
	assert_int_equal(count_fields(id, NULL), CLIENT_ID_FIELDS_MOST);
	assert_int_equal(count_fields(id, &caller), CLIENT_ID_FIELDS_MOST);
	client_id_say(id, &caller, &out);
	assert_non_null(strstr(buf_cstr(&out), "x-proxy-ttl"));
	assert_non_null(strstr(buf_cstr(&out),
	    "\"f23.\" \"v\")")); /* the client's last is missing */
	buf_fini(&out);
	client_id_free(&id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_are_said_with_and_without_a_caller),
	    cmocka_unit_test(a_client_without_an_id_or_an_address_has_a_caller_all_the_same),
	    cmocka_unit_test(what_is_over_the_limits_of_the_rfc_is_not_taken),
	    cmocka_unit_test(both_together_are_never_more_than_the_rfc_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
