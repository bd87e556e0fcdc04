/*
 * test_sieve_lex.c - the words, strings and literals of ManageSieve
 */
#include "front/sieve_lex.h"

#include "base/mem.h"
#include "cuts.h"
#include "unit.h"

/* ---- lines */

static void
C4_C15_what_a_line_promises(void **state)
{
	static const struct {
		const char *line;
		enum lex_promise promise;
		uint64_t size;
		bool is_loose;
	} rows[] = {
	    {"NOOP {3+}", LEX_LITERAL, 3, false},
	    {"{3}", LEX_LITERAL, 3, false},
	    {"OK (TAG {16}", LEX_LITERAL, 16, false},
	    {"OK ({16}", LEX_LITERAL, 16, false},
	    {"{0}", LEX_LITERAL, 0, false},
	    {"{0+}", LEX_LITERAL, 0, false},
	    {"{007}", LEX_LITERAL, 7, false},
	    {"{4294967295+}", LEX_LITERAL, UINT32_MAX, false},
	    {"{4294967296+}", LEX_LITERAL_HUGE, 0, false},
	    {"{18446744073709551616}", LEX_LITERAL_HUGE, 0, false},
	    {"{000000000000000000000000000000001}", LEX_LITERAL_HUGE, 0, false},
	    {"\"a\"{3+}", LEX_LITERAL, 3, true},
	    {"x{3}", LEX_LITERAL, 3, true},
	    {"", LEX_NO_LITERAL, 0, false},
	    {"}", LEX_NO_LITERAL, 0, false},
	    {"+}", LEX_NO_LITERAL, 0, false},
	    {"3}", LEX_NO_LITERAL, 0, false},
	    {"3+}", LEX_NO_LITERAL, 0, false},
	    {"{}", LEX_NO_LITERAL, 0, false},
	    {"{+}", LEX_NO_LITERAL, 0, false},
	    {"{-1}", LEX_NO_LITERAL, 0, false},
	    {"{3-}", LEX_NO_LITERAL, 0, false},
	    {"{3++}", LEX_NO_LITERAL, 0, false},
	    {"{ 3}", LEX_NO_LITERAL, 0, false},
	    {"{3} ", LEX_NO_LITERAL, 0, false},
	    {"\"{3}\"", LEX_NO_LITERAL, 0, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lex_literal literal = {.size = 0};
		enum lex_promise promise = sieve_promise(str_of(rows[i].line), &literal);

		if (promise != rows[i].promise ||
		    (promise == LEX_LITERAL &&
			(literal.size != rows[i].size || literal.is_loose != rows[i].is_loose ||
			    rows[i].line[literal.at] != '{')))
			fail_msg("%s: %d", rows[i].line, (int)promise);
	}
}

static void
the_form_of_a_line(void **state)
{
	static const struct {
		struct str line;
		enum sieve_form form;
	} rows[] = {
	    {STR(""), SIEVE_FORM_WHOLE},
	    {STR("NOOP"), SIEVE_FORM_WHOLE},
	    {STR("LOGOUT "), SIEVE_FORM_WHOLE},
	    {STR("HAVESPACE \"my script\" 9999"), SIEVE_FORM_WHOLE},
	    {STR("RENAMESCRIPT \"a\\\"b\"  \"c\\\\\""), SIEVE_FORM_WHOLE},
	    {STR("DELETESCRIPT \"\xc3\xa4\""), SIEVE_FORM_WHOLE},
	    {STR("PUTSCRIPT \"a\" {10+}"), SIEVE_FORM_LITERAL},
	    {STR("PUTSCRIPT {1+}"), SIEVE_FORM_LITERAL},
	    {STR("{1}"), SIEVE_FORM_LITERAL},
	    {STR(" NOOP"), SIEVE_FORM_ODD},
	    {STR("NOOP \"a"), SIEVE_FORM_ODD},
	    {STR("NOOP a\""), SIEVE_FORM_ODD},
	    {STR("NOOP \"a\\\""), SIEVE_FORM_ODD},
	    {STR("NOOP \"a\"\"b\""), SIEVE_FORM_ODD},
	    {STR("NOOP \"a\rb\""), SIEVE_FORM_ODD},
	    {STR("NOOP \"a\0b\""), SIEVE_FORM_ODD},
	    {STR("NOOP (x)"), SIEVE_FORM_ODD},
	    {STR("NOOP\tx"), SIEVE_FORM_ODD},
	    {STR("NO\0OP"), SIEVE_FORM_ODD},
	    {STR("NOOP \xff"), SIEVE_FORM_ODD},
	    {STR("PUTSCRIPT {1+} x"), SIEVE_FORM_ODD},
	    {STR("PUTSCRIPT \"a {10+}"), SIEVE_FORM_LOST},
	    {STR("PUTSCRIPT \"a\"{10+}"), SIEVE_FORM_LOST},
	    {STR("PUTSCRIPT (x) {10+}"), SIEVE_FORM_LOST},
	    {STR("PUTSCRIPT \"a\" {4294967296+}"), SIEVE_FORM_LOST},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lex_literal literal;
		enum sieve_form form = sieve_form(rows[i].line, &literal);

		if (form != rows[i].form)
			fail_msg("%.*s: %d", STR_FMT(rows[i].line), (int)form);
	}
}

/* ---- whole commands */

enum { LINE_MOST = 40, LITERALS_MOST = 10 };

/* What is found, one command after the other, in brackets. */
static void
scan_all(struct str in, struct cuts *cuts, struct buf *out)
{
	enum sieve_scan_result result = SIEVE_SCAN_WAIT;
	struct sieve_scan scan;
	struct buf bytes = BUF_INIT;
	struct str command;
	size_t taken;

	sieve_scan_init(&scan, LINE_MOST, LITERALS_MOST);
	for (size_t at = 0, n; at < in.len && result != SIEVE_SCAN_LOST; at += n) {
		n = cuts_piece(cuts, at);
		buf_add(&bytes, in.ptr + at, n);
		while ((result = sieve_scan(&scan, buf_str(&bytes), &command, &taken)) ==
		       SIEVE_SCAN_WHOLE) {
			buf_add_byte(out, '[');
			buf_add_str(out, command);
			buf_add_byte(out, ']');
			buf_consume(&bytes, taken);
			sieve_scan_over(&scan);
		}
	}
	buf_add_text(out, result == SIEVE_SCAN_LOST ? "lost" : "");
	buf_fini(&bytes);
}

static void
C4_C15_commands_are_found_however_they_are_cut(void **state)
{
	static const struct {
		struct str in, found;
	} rows[] = {
	    {STR("NOOP\r\nLOGOUT\n"), STR("[NOOP][LOGOUT]")},
	    {STR("\r\n\n\r\r\n"), STR("[][][\r]")},
	    {STR("NOOP {3+}\r\na\nb\r\nX\r\n"), STR("[NOOP {3+}\r\na\nb][X]")},
	    {STR("NOOP {3}\na\nb {2+}\r\n\r\n\r\nX\r\n"), STR("[NOOP {3}\na\nb {2+}\r\n\r\n][X]")},
	    {STR("{0}\r\n\r\n{0}\r\nx"), STR("[{0}\r\n]")},
	    {STR("NOOP {5}\r\nabc"), STR("")},
	    {STR("X \"{5}\"\r\nX a{5}\r\nX {5} \r\n"), STR("[X \"{5}\"][X a{5}][X {5} ]")},
	    {STR("X {10}\r\n0123456789\r\n"), STR("[X {10}\r\n0123456789]")},
	    {STR("X {11}\r\n"), STR("lost")},
	    {STR("X {6}\r\n012345 {5}\r\n"), STR("lost")},
	    {STR("X {4294967295+}\r\n"), STR("lost")},
	    {STR("X {99999999999+}\r\n"), STR("lost")},
	    {STR("X {-1}\r\n"), STR("[X {-1}]")},
	    {STR("0123456789012345678901234567890123456789\r\n"),
		STR("[0123456789012345678901234567890123456789]")},
	    {STR("01234567890123456789012345678901234567890\r\n"), STR("lost")},
	    {STR("012345678901234567890123456789012345678901"), STR("lost")},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (struct cuts cuts = {.len = rows[i].in.len}; cuts_next(&cuts);) {
			struct buf out = BUF_INIT;

			scan_all(rows[i].in, &cuts, &out);
			if (!str_eq(buf_str(&out), rows[i].found))
				fail_msg("%.*s, way %zu: %s", STR_FMT(rows[i].in), cuts.way,
				    buf_cstr(&out));
			buf_fini(&out);
		}
	}
}

/* ---- strings */

static void
strings_are_taken_and_said(void **state)
{
	static const struct {
		struct str in;
		bool is_string;
		struct str text, rest, said;
	} rows[] = {
	    {STR("\"abc\" x"), true, STR("abc"), STR(" x"), STR("\"abc\"")},
	    {STR("\"\""), true, STR(""), STR(""), STR("\"\"")},
	    {STR("\"a\\\"b\\\\\""), true, STR("a\"b\\"), STR(""), STR("\"a\\\"b\\\\\"")},
	    {STR("\"a\\bc\""), true, STR("abc"), STR(""), STR("\"abc\"")},
	    {STR("{3}\r\na\nb) x"), true, STR("a\nb"), STR(") x"), STR("{3}\r\na\nb")},
	    {STR("{3+}\n\"\\x"), true, STR("\"\\x"), STR(""), STR("\"\\\"\\\\x\"")},
	    {STR("{1}\r\n\0"), true, STR("\0"), STR(""), STR("{1}\r\n\0")},
	    {STR("{0}\r\n"), true, STR(""), STR(""), STR("\"\"")},
	    {STR("abc"), false, STR(""), STR("abc"), STR("")},
	    {STR("\"abc"), false, STR(""), STR("\"abc"), STR("")},
	    {STR("\"abc\\\""), false, STR(""), STR("\"abc\\\""), STR("")},
	    {STR("\"abc\\"), false, STR(""), STR("\"abc\\"), STR("")},
	    {STR("{4}\r\nabc"), false, STR(""), STR("{4}\r\nabc"), STR("")},
	    {STR("{4} \r\nabcd"), false, STR(""), STR("{4} \r\nabcd"), STR("")},
	    {STR("{3}"), false, STR(""), STR("{3}"), STR("")},
	    {STR(""), false, STR(""), STR(""), STR("")},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = BUF_INIT, said = BUF_INIT;
		struct str rest = rows[i].in;
		struct lex_string string;
		bool is_string = lex_string(&rest, &string);

		if (is_string) {
			lex_string_add(&string, &text);
			sieve_say_string(&said, buf_str(&text), false);
		}
		if (is_string != rows[i].is_string || !str_eq(rest, rows[i].rest) ||
		    !str_eq(buf_str(&text), rows[i].text) || !str_eq(buf_str(&said), rows[i].said))
			fail_msg("%.*s: %s, %s", STR_FMT(rows[i].in), buf_cstr(&text),
			    buf_cstr(&said));
		buf_fini(&text);
		buf_fini(&said);
	}
}

static void
long_strings_are_literals(void **state)
{
	char bytes[1025];
	struct buf said = BUF_INIT;

	memset(bytes, 'x', sizeof(bytes));
	sieve_say_string(&said, str_make(bytes, 1024), true);
	assert_int_equal(buf_len(&said), 1026);
	buf_clear(&said);
	sieve_say_string(&said, str_make(bytes, 1025), true);
	assert_true(str_starts(buf_str(&said), "{1025+}\r\nxxx"));
	buf_clear(&said);
	sieve_say_string(&said, str_make(bytes, 1025), false);
	assert_true(str_starts(buf_str(&said), "{1025}\r\nxxx"));
	buf_fini(&said);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C4_C15_what_a_line_promises),
	    cmocka_unit_test(the_form_of_a_line),
	    cmocka_unit_test(C4_C15_commands_are_found_however_they_are_cut),
	    cmocka_unit_test(strings_are_taken_and_said),
	    cmocka_unit_test(long_strings_are_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
