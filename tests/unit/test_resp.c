/*
 * test_resp.c - Redis's replies, and what only looks like them
 */
#include "map/resp.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

/* One reply as text: strings in quotes, arrays in brackets. */
static void
show(struct buf *out, const struct resp *resp)
{
	switch (resp_type(resp)) {
	case RESP_STRING:
		buf_addf(out, "\"%.*s\"", STR_FMT(resp_str(resp)));
		break;
	case RESP_STATUS:
		buf_addf(out, "+%.*s", STR_FMT(resp_str(resp)));
		break;
	case RESP_ERROR:
		buf_addf(out, "-%.*s", STR_FMT(resp_str(resp)));
		break;
	case RESP_INTEGER:
		buf_addf(out, ":%lld", (long long)resp_int(resp));
		break;
	case RESP_NIL:
		buf_add_text(out, "nil");
		break;
	case RESP_ARRAY:
		buf_add_byte(out, '[');
		for (size_t i = 0; i < resp_count(resp); i++) {
			if (i > 0)
				buf_add_byte(out, ' ');
			show(out, resp_at(resp, i));
		}
		buf_add_byte(out, ']');
		break;
	}
}

/* Appends every reply in the bytes fed so far, and ";" after each; returns the last rc. */
static int
take_all(struct resp_reader *reader, struct buf *out)
{
	struct resp *resp;
	struct fault fault;
	int rc;

	while ((rc = resp_next(reader, &resp, &fault)) == 1) {
		show(out, resp);
		buf_add_byte(out, ';');
		resp_free(&resp);
	}
	if (rc == -1)
		assert_non_null(strstr(fault.text, "not a Redis reply"));
	return rc;
}

static const struct {
	const char *name;
	struct str bytes;
	const char *shown;
	int rc; /* at the end */
} rows[] = {
    {"a status", STR("+OK\r\n"), "+OK;", 0},
    {"an error", STR("-ERR no such thing\r\n"), "-ERR no such thing;", 0},
    {"an integer", STR(":-12\r\n"), ":-12;", 0},
    {"a string with CR LF in it", STR("$4\r\na\r\nb\r\n"), "\"a\r\nb\";", 0},
    {"an empty string", STR("$0\r\n\r\n"), "\"\";", 0},
    {"both nils", STR("$-1\r\n*-1\r\n"), "nil;nil;", 0},
    {"an empty array", STR("*0\r\n"), "[];", 0},
    {"a transaction", STR("*3\r\n$3\r\nnew\r\n$-1\r\n-WRONGTYPE bad\r\n"),
	"[\"new\" nil -WRONGTYPE bad];", 0},
    {"ROLE", STR("*3\r\n$6\r\nmaster\r\n:1\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
	"[\"master\" :1 [[\"a\" \"b\"]]];", 0},
    {"four deep", STR("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), "[[[[:1]]]];", 0},
    {"several at once", STR("+A\r\n+B\r\n+C\r\n"), "+A;+B;+C;", 0},
    {"A13: a string that is cut short", STR("$5\r\nabc"), "", 0},
    {"A13: a string longer than it says", STR("$3\r\nabcd\r\n+OK\r\n"), "", -1},
    {"A13: a string shorter than it says", STR("$5\r\nabc\r\n+OK\r\n"), "", -1},
    {"A13: five deep", STR("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), "", -1},
    {"A13: a nested bomb, each level wide", STR("*60000\r\n*60000\r\n*60000\r\n"), "", -1},
    {"A13: too many elements", STR("*65537\r\n"), "", -1},
    {"A13: elements beyond counting", STR("*99999999999999999999\r\n"), "", -1},
    {"A13: a length of one byte too many", STR("$1048577\r\n"), "", -1},
    {"A13: a length beyond counting", STR("$99999999999999999999\r\n"), "", -1},
    {"A13: a length below nothing", STR("$-2\r\n"), "", -1},
    {"A13: a length that is no number", STR("$x\r\n"), "", -1},
    {"A13: a RESP3 push after a reply", STR("+OK\r\n>2\r\n+invalidate\r\n*0\r\n"), "+OK;", -1},
    {"A13: a RESP3 push inside a reply", STR("*2\r\n+OK\r\n>1\r\n+x\r\n"), "", -1},
    {"A13: a RESP3 map", STR("%1\r\n+a\r\n:1\r\n"), "", -1},
    {"A13: extra bytes after a reply", STR("+OK\r\nextra\r\n"), "+OK;", -1},
    {"an HTTP server", STR("HTTP/1.1 400 Bad Request\r\n\r\n"), "", -1},
    {"nothing, after CR LF", STR("\r\n"), "", -1},
};

static void
test_A13_replies_are_read_or_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t cut = 0; cut <= rows[i].bytes.len; cut++) {
			struct resp_reader *reader = resp_reader_new();
			struct buf out = BUF_INIT;
			int rc;

			resp_feed(reader, str_make(rows[i].bytes.ptr, cut));
			rc = take_all(reader, &out);
			if (rc == 0) {
				resp_feed(reader, str_from(rows[i].bytes, cut));
				rc = take_all(reader, &out);
			}
			if (rc != rows[i].rc || strcmp(buf_cstr(&out), rows[i].shown) != 0)
				fail_msg("%s, cut at %zu: %d \"%s\"", rows[i].name, cut, rc,
				    buf_cstr(&out));
			resp_reader_free(&reader);
			buf_fini(&out);
		}
	}
}

static void
test_A13_a_refused_reader_stays_refused(void **state)
{
	struct resp_reader *reader = resp_reader_new();
	struct resp *resp;
	struct fault fault;

	resp_feed(reader, STR("$1048577\r\n"));
	assert_int_equal(resp_next(reader, &resp, &fault), -1);
	resp_feed(reader, STR("+OK\r\n"));
	assert_int_equal(resp_next(reader, &resp, &fault), -1);
	resp_reader_free(&reader);
}

static void
test_A13_a_line_without_end_is_not_kept_for_ever(void **state)
{
	static char bytes[4096];
	struct resp_reader *reader = resp_reader_new();
	struct resp *resp;
	struct fault fault;
	int fed = 0, rc;

	memset(bytes, 'x', sizeof(bytes));
	resp_feed(reader, STR("+a\nb"));
	do {
		resp_feed(reader, str_make(bytes, sizeof(bytes)));
		rc = resp_next(reader, &resp, &fault);
	} while (rc == 0 && ++fed < 1000);
	assert_int_equal(rc, -1);
	assert_true(fed <= 16);
	resp_reader_free(&reader);
}

static void
test_A13_many_strings_have_a_bound_together(void **state)
{
	char *bytes = xcalloc(1, RESP_STRING_MAX_BYTES);
	struct resp_reader *reader = resp_reader_new();
	struct resp *resp;
	struct fault fault;
	int fed = 0, rc;

	resp_feed(reader, STR("*100\r\n"));
	do {
		resp_feed(reader, STR("$1048576\r\n"));
		resp_feed(reader, str_make(bytes, RESP_STRING_MAX_BYTES));
		resp_feed(reader, STR("\r\n"));
		rc = resp_next(reader, &resp, &fault);
	} while (rc == 0 && ++fed < 100);
	assert_int_equal(rc, -1);
	assert_int_equal(fed, 16);
	resp_reader_free(&reader);
	free(bytes);
}

static void
errors_are_known_by_their_first_word(void **state)
{
	struct resp_reader *reader = resp_reader_new();
	struct resp *resp;
	struct fault fault;

	resp_feed(reader, STR("-READONLY You can't\r\n"));
	assert_int_equal(resp_next(reader, &resp, &fault), 1);
	assert_true(resp_is_error(resp, "READONLY"));
	assert_false(resp_is_error(resp, "READ"));
	resp_free(&resp);
	resp_reader_free(&reader);
}

static void
commands_are_arrays_of_strings(void **state)
{
	struct str argv[] = {STR("SET"), STR("a b\r\n%s"), STR("")};
	struct buf out = BUF_INIT;

	resp_command(&out, argv, ARRAY_LEN(argv));
	assert_string_equal(buf_cstr(&out), "*3\r\n$3\r\nSET\r\n$7\r\na b\r\n%s\r\n$0\r\n\r\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_A13_replies_are_read_or_refused),
	    cmocka_unit_test(test_A13_a_refused_reader_stays_refused),
	    cmocka_unit_test(test_A13_a_line_without_end_is_not_kept_for_ever),
	    cmocka_unit_test(test_A13_many_strings_have_a_bound_together),
	    cmocka_unit_test(errors_are_known_by_their_first_word),
	    cmocka_unit_test(commands_are_arrays_of_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
