/*
 * test_socketmap.c - Postfix's socketmap protocol, the server's side
 */
#include "policy/socketmap.h"

#include "feed.h"

#define REASON_200                                                                                 \
	"123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 "         \
	"123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 "         \
	"123456789 123456789 123456789 123456789 "

static const struct {
	const char *name;
	struct str bytes, out; /* out NULL: PERM with some reason, and the end */
} rows[] = {
    {"nothing", STR(""), STR("")},
    {"cut short", STR("5:m an"), STR("")},
    {"found", STR("5:m ann,"), STR("8:OK m=ann,")},
    {"not found", STR("8:m absent,"), STR("9:NOTFOUND ,")},
    {"TEMP, with a printable reason", STR("6:m temp,"), STR("19:TEMP Redis?is ??ber,")},
    {"PERM, with a reason cut at 200", STR("6:m perm,"), STR("205:PERM " REASON_200 ",")},
    {"A3 two in one piece are answered in order", STR("5:m ann,8:m absent,5:m bob,"),
	STR("8:OK m=ann,9:NOTFOUND ,8:OK m=bob,")},
    {"A3 a comma inside", STR("7:m a,b,c,"), STR("10:OK m=a,b,c,")},
    {"the key begins behind the first space", STR("6:m  a b,"), STR("9:OK m= a b,")},
    {"a key with spaces", STR("5:m a  ,"), STR("8:OK m=a  ,")},
    {"A5 any byte is data", STR("9:m a\0\r\n\t\x7f\xff,"), STR("12:OK m=a\0\r\n\t\x7f\xff,")},
    {"A7 format characters are data", STR("8:m %n%s$(,"), STR("11:OK m=%n%s$(,")},
    {"A9 no key", STR("1:m,"), STR("5:OK m=,")},
    {"A9 an empty key", STR("2:m ,"), STR("5:OK m=,")},
    {"A9 an empty name", STR("4: ann,"), STR("7:OK =ann,")},
    {"A9 nothing inside", STR("0:,"), STR("4:OK =,")},
    {"leading zeros", STR("0005:m ann,"), STR("8:OK m=ann,")},
    {"A1 a length with twenty digits", STR("99999999999999999999:"), {0}},
    {"A1 a length above the ceiling", STR("131073:"), {0}},
    {"A3 a missing comma", STR("5:m ann5:m ann,"), {0}},
    {"no length", STR(":m ann,"), {0}},
    {"another protocol", STR("GET / HTTP/1.1\r\n"), {0}},
    {"a negative length", STR("-1:a,"), {0}},
};

static enum step
next(void *machine, struct buf *in, struct buf *out, struct query *query_r)
{
	return socketmap_next(in, out, query_r);
}

static void
say(void *machine, const struct answer *answer, struct buf *out)
{
	socketmap_say(answer, out);
}

static void
requests_are_answered_however_they_are_cut(void **state)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece <= rows[i].bytes.len; piece++) {
			enum step step;

			buf_clear(&out);
			step = feed(NULL, next, say, rows[i].bytes, piece, &out);
			if (rows[i].out.ptr == NULL
				? step != STEP_END || strstr(buf_cstr(&out), ":PERM ") == NULL
				: step != STEP_WAIT || !str_eq(buf_str(&out), rows[i].out))
				fail_msg("%s, in pieces of %zu: %s", rows[i].name, piece,
				    buf_cstr(&out));
		}
	}
	buf_fini(&out);
}

static void
A4_a_key_of_100000_bytes_is_asked_for(void **state)
{
	struct buf bytes = BUF_INIT, out = BUF_INIT;

	buf_add_text(&bytes, "100002:m ");
	for (int i = 0; i < 100000; i++)
		buf_add_byte(&bytes, 'x');
	buf_add_byte(&bytes, ',');
	assert_int_equal(feed(NULL, next, say, buf_str(&bytes), 999, &out), STEP_WAIT);
	assert_true(str_starts(buf_str(&out), "100005:OK m=xxx"));
	buf_fini(&bytes);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_answered_however_they_are_cut),
	    cmocka_unit_test(A4_a_key_of_100000_bytes_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
