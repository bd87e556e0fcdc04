/*
 * test_tcptable.c - Postfix's tcp_table(5), the server's side
 */
#include "policy/tcptable.h"

#include "feed.h"

#define REASON_200                                                                                 \
	"123456789%20123456789%20123456789%20123456789%20123456789%20123456789%20123456789%20"     \
	"123456789%20123456789%20123456789%20123456789%20123456789%20123456789%20123456789%20"     \
	"123456789%20123456789%20123456789%20123456789%20123456789%20123456789%20"

static const struct {
	const char *name;
	struct str bytes;
	const char *out;
} rows[] = {
    {"nothing", STR(""), ""},
    {"no end yet", STR("get ann@example.org"), ""},
    {"found", STR("get ann@example.org\n"), "200 m=ann@example.org\n"},
    {"CR LF from a person", STR("get ann@example.org\r\n"), "200 m=ann@example.org\n"},
    {"not found", STR("get absent\n"), "500 not%20found\n"},
    {"cannot tell", STR("get temp\n"), "400 Redis%0Ais%20%C3%BCber\n"},
    {"a reason is cut", STR("get perm\n"), "400 " REASON_200 "\n"},
    {"two at once, in order", STR("get a\nget absent\nget b\n"),
	"200 m=a\n500 not%20found\n200 m=b\n"},
    {"A10 upper and lower hex", STR("get a%2Bb%2b%25\n"), "200 m=a+b+%25\n"},
    {"A10 an encoded line feed is data", STR("get a%0ab%0D%00\n"), "200 m=a%0Ab%0D%00\n"},
    {"A7 format characters are data", STR("get %25n%25s$(id)\n"), "200 m=%25n%25s$(id)\n"},
    {"UTF-8, raw and encoded", STR("get \xc3\xbc%c3%bc\n"), "200 m=%C3%BC%C3%BC\n"},
    {"a raw space is part of the key", STR("get a b\n"), "200 m=a%20b\n"},
    {"a raw NUL is part of the key", STR("get a\0b\n"), "200 m=a%00b\n"},
    {"A10 malformed hex", STR("get a%4\nget %\nget %zz\nget %4g\nget ok\n"),
	"400 a%20percent%20sign%20without%20two%20hexadecimal%20digits\n"
	"400 a%20percent%20sign%20without%20two%20hexadecimal%20digits\n"
	"400 a%20percent%20sign%20without%20two%20hexadecimal%20digits\n"
	"400 a%20percent%20sign%20without%20two%20hexadecimal%20digits\n"
	"200 m=ok\n"},
    {"A10 put is refused", STR("put a b\n"), "500 this%20table%20cannot%20be%20written\n"},
    {"A9 no key", STR("get\n"), "400 this%20is%20no%20request:%20get%20SPACE%20key\n"},
    {"other words", STR("GET a\n\nquit\n"),
	"400 this%20is%20no%20request:%20get%20SPACE%20key\n"
	"400 this%20is%20no%20request:%20get%20SPACE%20key\n"
	"400 this%20is%20no%20request:%20get%20SPACE%20key\n"},
    {"A10 a value above a reply's limit", STR("get long\nget a\n"),
	"400 the%20value%20is%20too%20long%20for%20this%20protocol\n200 m=a\n"},
};

static enum step
next(void *machine, struct buf *in, struct buf *out, struct query *query_r)
{
	query_r->map = STR("m");
	return tcptable_next(machine, in, out, query_r);
}

static void
say(void *machine, const struct answer *answer, struct buf *out)
{
	tcptable_say(machine, answer, out);
}

static void
requests_are_answered_however_they_are_cut(void **state)
{
	struct buf out = BUF_INIT;
	struct tcptable table;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece <= rows[i].bytes.len + 1; piece++) {
			buf_clear(&out);
			tcptable_init(&table);
			assert_int_equal(feed(&table, next, say, rows[i].bytes, piece, &out),
			    STEP_WAIT);
			tcptable_fini(&table);
			if (strcmp(buf_cstr(&out), rows[i].out) != 0)
				fail_msg("%s, in pieces of %zu: %s", rows[i].name, piece,
				    buf_cstr(&out));
		}
	}
	buf_fini(&out);
}

static void
A10_a_line_of_a_megabyte_ends_it(void **state)
{
	char *bytes = xcalloc(1, 1 << 20);
	struct buf out = BUF_INIT;
	struct tcptable table;

	memset(bytes, 'a', 1 << 20);
	memcpy(bytes, "get ", 4);
	tcptable_init(&table);
	assert_int_equal(feed(&table, next, say, str_make(bytes, 1 << 20), 1000, &out), STEP_END);
	assert_string_equal(buf_cstr(&out), "400 the%20line%20is%20too%20long\n");
	tcptable_fini(&table);
	buf_fini(&out);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_answered_however_they_are_cut),
	    cmocka_unit_test(A10_a_line_of_a_megabyte_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
