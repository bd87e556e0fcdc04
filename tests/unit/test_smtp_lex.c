/*
 * test_smtp_lex.c - lines of SMTP, taken apart and put together
 */
#include "front/smtp_lex.h"

#include "base/mem.h"
#include "unit.h"

static void
lines_of_replies(void **state)
{
	static const struct {
		struct str line;
		unsigned code; /* 0: it is none */
		bool is_last;
		const char *text;
	} rows[] = {
	    {STR("250 Fine"), 250, true, "Fine"},
	    {STR("250-SIZE 10"), 250, false, "SIZE 10"},
	    {STR("250"), 250, true, ""},
	    {STR("250 "), 250, true, ""},
	    {STR("250-"), 250, false, ""},
	    {STR("599 x"), 599, true, "x"},
	    {STR(""), 0, false, ""},
	    {STR("25"), 0, false, ""},
	    {STR("25 0"), 0, false, ""},
	    {STR("2500"), 0, false, ""},
	    {STR("250\tx"), 0, false, ""},
	    {STR("150 x"), 0, false, ""},
	    {STR("650 x"), 0, false, ""},
	    {STR("2x0 x"), 0, false, ""},
	    {STR("+OK"), 0, false, ""},
	    {STR("\0\0\0"), 0, false, ""},
	};
	struct smtp_line line;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_line = smtp_line(rows[i].line, &line);

		if (is_line != (rows[i].code != 0) ||
		    (is_line && (line.code != rows[i].code || line.is_last != rows[i].is_last ||
				    !str_is(line.text, rows[i].text))))
			fail_msg("%.*s", STR_FMT(rows[i].line));
	}
}

static void
words(void **state)
{
	struct str rest;

	assert_true(str_is(smtp_word(STR("MAIL FROM:<> x"), &rest), "MAIL"));
	assert_true(str_is(rest, "FROM:<> x"));
	assert_true(str_is(smtp_word(STR("NOOP"), &rest), "NOOP"));
	assert_int_equal(rest.len, 0);
	assert_true(str_is(smtp_word(STR(" NOOP"), &rest), ""));
	assert_true(str_is(rest, "NOOP"));
	assert_true(str_is(smtp_word(STR(""), &rest), ""));
	assert_int_equal(rest.len, 0);
}

static void
chunks_have_one_reading(void **state)
{
	static const struct {
		struct str args;
		bool is_one, is_last;
		uint64_t size;
	} rows[] = {
	    {STR("0"), true, false, 0},
	    {STR("86"), true, false, 86},
	    {STR("86 LAST"), true, true, 86},
	    {STR("0 last"), true, true, 0},
	    {STR("2147483647"), true, false, 2147483647},
	    {STR("2147483648"), false, false, 0},
	    {STR("4294967297 LAST"), false, false, 0},
	    {STR("99999999999999999999"), false, false, 0},
	    {STR("010"), false, false, 0},
	    {STR("00"), false, false, 0},
	    {STR("0x10"), false, false, 0},
	    {STR("+1"), false, false, 0},
	    {STR("-1"), false, false, 0},
	    {STR(""), false, false, 0},
	    {STR(" 1"), false, false, 0},
	    {STR("1 "), false, false, 0},
	    {STR("1  LAST"), false, false, 0},
	    {STR("1 LAST "), false, false, 0},
	    {STR("1 LAST x"), false, false, 0},
	    {STR("1\tLAST"), false, false, 0},
	    {STR("1\0"), false, false, 0},
	    {STR("LAST"), false, false, 0},
	};
	uint64_t size;
	bool is_last;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_one = smtp_chunk(rows[i].args, &size, &is_last);

		if (is_one != rows[i].is_one ||
		    (is_one && (size != rows[i].size || is_last != rows[i].is_last)))
			fail_msg("%.*s", STR_FMT(rows[i].args));
	}
}

static void
what_hides_commands_is_not_announced(void **state)
{
	static const char *const never[] = {"XCLIENT", "XFORWARD", "VRFY", "ETRN", "BURL", "TURN",
	    "STARTTLS", "AUTH", "AUTH=PLAIN", "XEXCH50", "HELP", "", "SIZES"};

	assert_true(smtp_may_announce(STR("pipelining")));
	assert_true(smtp_may_announce(STR("CHUNKING")));
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		assert_false(smtp_may_announce(str_of(never[i])));
}

static void
several_lines_are_one_reply(void **state)
{
	struct buf out = BUF_INIT;

	smtp_say_lines(250, STR("mx.test\nSIZE 10\nDSN\n"), &out);
	assert_string_equal(buf_cstr(&out), "250-mx.test\r\n250-SIZE 10\r\n250 DSN\r\n");
	buf_clear(&out);
	smtp_say_lines(250, STR("mx.test\n"), &out);
	assert_string_equal(buf_cstr(&out), "250 mx.test\r\n");
	buf_clear(&out);
	smtp_say_lines(250, STR("a\nb"), &out);
	assert_string_equal(buf_cstr(&out), "250-a\r\n250 b\r\n");
	buf_fini(&out);
}

static void
names_and_xtext(void **state)
{
	struct buf out = BUF_INIT;

	assert_true(smtp_is_plain_name(STR("pc_1.example.org")));
	assert_true(smtp_is_plain_name(STR("[IPv6:2001:db8::1]")));
	assert_false(smtp_is_plain_name(STR("")));
	assert_false(smtp_is_plain_name(STR("a b")));
	assert_false(smtp_is_plain_name(STR("a\0")));
	assert_false(smtp_is_plain_name(STR("a+b")));
	assert_false(smtp_is_plain_name(STR("j\xc3\xb6rg")));
	smtp_add_xtext(STR("a+b=c d\r\n\x7f\xff~!"), &out);
	assert_string_equal(buf_cstr(&out), "a+2Bb+3Dc+20d+0D+0A+7F+FF~!");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_of_replies),
	    cmocka_unit_test(words),
	    cmocka_unit_test(chunks_have_one_reading),
	    cmocka_unit_test(what_hides_commands_is_not_announced),
	    cmocka_unit_test(several_lines_are_one_reply),
	    cmocka_unit_test(names_and_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
