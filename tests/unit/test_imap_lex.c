/*
 * test_imap_lex.c - the words, strings and literals of IMAP
 */
#include "front/imap_lex.h"

#include "base/mem.h"
#include "cuts.h"
#include "unit.h"

/* ---- heads */

static const struct {
	const char *name;
	struct str line;
	const char *tag, *word, *rest; /* tag NULL: no command */
} heads[] = {
    {"a command", STR("a1 NOOP"), "a1", "NOOP", ""},
    {"with arguments", STR("a1 LOGIN x y"), "a1", "LOGIN", " x y"},
    {"odd characters in a tag", STR("A]-.#=! noop"), "A]-.#=!", "noop", ""},
    {"a space behind it", STR("a NOOP "), "a", "NOOP", " "},
    {"nothing", STR(""), NULL, NULL, NULL},
    {"a tag alone", STR("a1"), NULL, NULL, NULL},
    {"a tag and a space", STR("a1 "), NULL, NULL, NULL},
    {"two spaces", STR("a  UNAUTHENTICATE"), NULL, NULL, NULL},
    {"a space first", STR(" a NOOP"), NULL, NULL, NULL},
    {"a plus in the tag", STR("a+ NOOP"), NULL, NULL, NULL},
    {"an asterisk for a tag", STR("* NOOP"), NULL, NULL, NULL},
    {"C4 a literal as a tag", STR("{3}"), NULL, NULL, NULL},
    {"C4 a literal as a word", STR("a {3}"), NULL, NULL, NULL},
    {"a tab behind the word", STR("a NOOP\tx"), NULL, NULL, NULL},
    {"a parenthesis behind the word", STR("a NOOP(x"), NULL, NULL, NULL},
    {"a CR behind the word", STR("a NOOP\rb NOOP"), NULL, NULL, NULL},
    {"a NUL in the word", STR("a NO\0OP"), NULL, NULL, NULL},
    {"a NUL in the tag", STR("\0 NOOP"), NULL, NULL, NULL},
    {"8 bits in the word", STR("a NO\xc3\xb6P"), NULL, NULL, NULL},
};

static void
a_command_begins_with_a_tag_and_a_word(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct str tag, word, rest;
		bool is_command = imap_head(heads[i].line, &tag, &word, &rest);

		if (is_command != (heads[i].tag != NULL) ||
		    (is_command && (!str_is(tag, heads[i].tag) || !str_is(word, heads[i].word) ||
				       !str_is(rest, heads[i].rest))))
			fail_msg("%s", heads[i].name);
	}
}

static void
tags_and_words_have_a_limit(void **state)
{
	char line[IMAP_TAG_MOST + IMAP_WORD_MOST + 8];
	struct str tag, word, rest;

	memset(line, 'x', sizeof(line));
	line[IMAP_TAG_MOST] = ' ';
	line[IMAP_TAG_MOST + 1 + IMAP_WORD_MOST] = ' ';
	assert_true(imap_head(str_make(line, sizeof(line)), &tag, &word, &rest));
	line[IMAP_TAG_MOST + 1 + IMAP_WORD_MOST] = 'x';
	assert_false(imap_head(str_make(line, sizeof(line)), &tag, &word, &rest));
	line[IMAP_TAG_MOST] = 'x';
	line[IMAP_TAG_MOST + 1] = ' ';
	line[IMAP_TAG_MOST + 8] = ' ';
	assert_false(imap_head(str_make(line, sizeof(line)), &tag, &word, &rest));
}

/* ---- literals */

static const struct {
	struct str line;
	enum lex_promise promise;
	uint64_t size;
	bool waits, is_loose;
} promises[] = {
    {STR("a LOGIN {5}"), LEX_LITERAL, 5, true, false},
    {STR("a LOGIN {5+}"), LEX_LITERAL, 5, false, false},
    {STR("a APPEND x ~{5}"), LEX_LITERAL, 5, true, false},
    {STR("a APPEND x (~{5+}"), LEX_LITERAL, 5, false, false},
    {STR("a ID ({0}"), LEX_LITERAL, 0, true, false},
    {STR("x{5+}"), LEX_LITERAL, 5, false, true},
    {STR("x~{5+}"), LEX_LITERAL, 5, false, true},
    {STR("~{5+}"), LEX_LITERAL, 5, false, true},
    {STR("{5+}"), LEX_LITERAL, 5, false, true},
    {STR(" {18446744073709551614}"), LEX_LITERAL, UINT64_MAX - 1, true, false},
    {STR(" {18446744073709551615}"), LEX_LITERAL_HUGE, 0, false, false},
    {STR(" {99999999999999999999}"), LEX_LITERAL_HUGE, 0, false, false},
    {STR(" {000000000000000000005}"), LEX_LITERAL_HUGE, 0, false, false},
    {STR("000000000000000000005+}"), LEX_LITERAL_HUGE, 0, false, false},
    {STR(" {00000000000000000005}"), LEX_LITERAL, 5, true, false},
    {STR(""), LEX_NO_LITERAL, 0, false, false},
    {STR("}"), LEX_NO_LITERAL, 0, false, false},
    {STR("+}"), LEX_NO_LITERAL, 0, false, false},
    {STR("{}"), LEX_NO_LITERAL, 0, false, false},
    {STR("{+}"), LEX_NO_LITERAL, 0, false, false},
    {STR("{-1}"), LEX_NO_LITERAL, 0, false, false},
    {STR("{5-}"), LEX_NO_LITERAL, 0, false, false},
    {STR("{5} "), LEX_NO_LITERAL, 0, false, false},
    {STR("5}"), LEX_NO_LITERAL, 0, false, false},
    {STR("x5}"), LEX_NO_LITERAL, 0, false, false},
    {STR("{x5}"), LEX_NO_LITERAL, 0, false, false},
    {STR("\"{5}\""), LEX_NO_LITERAL, 0, false, false},
};

static void
C4_a_literal_is_promised_at_the_end_of_a_line(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(promises); i++) {
		struct lex_literal literal;
		enum lex_promise promise = imap_promise(promises[i].line, &literal);

		if (promise != promises[i].promise ||
		    (promise == LEX_LITERAL &&
			(literal.size != promises[i].size || literal.waits != promises[i].waits ||
			    literal.is_loose != promises[i].is_loose)))
			fail_msg("%.*s", STR_FMT(promises[i].line));
	}
}

static const struct {
	struct str line;
	bool is_open;
} quotes[] = {
    {STR("a b c"), false},
    {STR("a \"b\" c"), false},
    {STR("a \"b"), true},
    {STR("a \"b\\\""), true},
    {STR("a \"b\\\\\""), false},
    {STR("a \\\"b"), true},
    {STR("\"\"\""), true},
};

static void
quotes_are_seen_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(quotes); i++) {
		struct str line = quotes[i].line;

		for (struct cuts cuts = {.len = line.len}; cuts_next(&cuts);) {
			struct imap_quotes seen = {false, false};

			for (size_t at = 0, n; at < line.len; at += n) {
				n = cuts_piece(&cuts, at);
				imap_quotes_see(&seen, str_make(line.ptr + at, n));
			}
			if (seen.is_open != quotes[i].is_open)
				fail_msg("%.*s, way %zu", STR_FMT(line), cuts.way);
		}
	}
}

/* ---- whole commands */

enum { LINE = 40, LITERALS = 10 };

static const struct {
	const char *name;
	struct str bytes;
	bool server, agrees; /* to literals */
	const char *said; /* each result as a letter: Whole Literal Too-large lOst */
	struct str command; /* the last one */
	size_t left; /* not taken by it */
} scans[] = {
    {"nothing", STR(""), false, false, "", STR(""), 0},
    {"a line", STR("a NOOP\r\n"), false, false, "W", STR("a NOOP"), 0},
    {"a line that ends with LF", STR("a NOOP\n"), false, false, "W", STR("a NOOP"), 0},
    {"no end yet", STR("a NOOP"), false, false, "", STR(""), 6},
    {"two", STR("a NOOP\r\nb NOOP\r\n"), false, false, "WW", STR("b NOOP"), 0},
    {"an empty one", STR("\r\n"), false, false, "W", STR(""), 0},
    {"a literal that waits", STR("a X {3}\r\nabc d\r\n"), false, true, "LW",
	STR("a X {3}\r\nabc d"), 0},
    {"two of them", STR("a {3}\r\nabc {2}\r\nde\r\n"), false, true, "LLW",
	STR("a {3}\r\nabc {2}\r\nde"), 0},
    {"one that comes at once", STR("a X {3+}\r\nabc d\r\nb"), false, true, "W",
	STR("a X {3+}\r\nabc d"), 1},
    {"line ends and promises in a literal", STR("a {8+}\r\n{9+}\r\n\r\n\r\n"), false, true, "W",
	STR("a {8+}\r\n{9+}\r\n\r\n"), 0},
    {"an empty literal", STR("a {0}\r\n\r\n"), false, true, "LW", STR("a {0}\r\n"), 0},
    {"C4 a literal above the limit", STR("a {11}\r\n"), false, true, "T", STR("a {11}"), 0},
    {"C4 the sum above the limit", STR("a {6}\r\n123456 {5}\r\n"), false, true, "LT",
	STR("a {6}\r\n123456 {5}"), 0},
    {"C4 4294967295", STR("a {4294967295}\r\nb NOOP\r\n"), false, true, "TW", STR("b NOOP"), 0},
    {"C4 a huge one that comes at once", STR("a {9999999999+}\r\n"), false, true, "O",
	STR("a {9999999999+}"), 0},
    {"C4 one that no number holds", STR("a {99999999999999999999}\r\n"), false, true, "T",
	STR("a {99999999999999999999}"), 0},
    {"C4 a negative one is none", STR("a {-1}\r\n"), false, true, "W", STR("a {-1}"), 0},
    {"a line that just fits", STR("0123456789012345678901234567890123456789\r\n"), false, false,
	"W", STR("0123456789012345678901234567890123456789"), 0},
    {"C5 a line that is too long", STR("01234567890123456789012345678901234567890\r\n"), false,
	false, "O", STR("01234567890123456789012345678901234567890"), 0},
    {"lines count together", STR("a 01234567890123456789 {1+}\r\nx0123456789012345\r\n"), false,
	false, "O", STR("a 01234567890123456789 {1+}\r\nx0123456789012345"), 0},
    {"a server's literal is not asked for", STR("* ID ({3}\r\nabc)\r\n"), true, false, "W",
	STR("* ID ({3}\r\nabc)"), 0},
    {"a server's text has none", STR("* OK {3}\r\na OK {3}\r\n+ {3}\r\n* bye {3}\r\n"), true, false,
	"WWWW", STR("* bye {3}"), 0},
    {"a server's literal that is too large", STR("* ID ({11}\r\n"), true, false, "O",
	STR("* ID ({11}"), 0},
};

/* A line that is too long may be told before its end is there. */
static bool
same_command(struct str is, struct str wanted, char said)
{
	return said == 'O' ? is.len > LINE || str_eq(is, wanted) : str_eq(is, wanted);
}

static void
scan_in_pieces(size_t row, const struct cuts *cuts)
{
	struct str bytes = scans[row].bytes, command;
	enum imap_scan_result result = IMAP_SCAN_WAIT;
	struct imap_scan scan;
	struct buf in = BUF_INIT, said = BUF_INIT, last = BUF_INIT;
	size_t taken;

	imap_scan_init(&scan, LINE, LITERALS);
	for (size_t at = 0, n; at < bytes.len && result != IMAP_SCAN_LOST; at += n) {
		n = cuts_piece(cuts, at);
		buf_add(&in, bytes.ptr + at, n);
		while ((result = (scans[row].server ? imap_scan_server : imap_scan)(&scan,
			    buf_str(&in), &command, &taken)) != IMAP_SCAN_WAIT) {
			buf_add_byte(&said, "?WLTO"[result]);
			if (result == IMAP_SCAN_LITERAL && scans[row].agrees) {
				scan.was_asked = true;
				continue;
			}
			buf_clear(&last);
			buf_add_str(&last, command);
			imap_scan_over(&scan);
			buf_consume(&in, taken);
			if (result == IMAP_SCAN_LOST)
				break;
		}
	}
	if (strcmp(buf_cstr(&said), scans[row].said) != 0 ||
	    !same_command(buf_str(&last), scans[row].command,
		buf_len(&said) > 0 ? said.mem[said.end - 1] : '?') ||
	    (result != IMAP_SCAN_LOST && cuts->way == 1 && buf_len(&in) != scans[row].left))
		fail_msg("%s, way %zu: %s, %s", scans[row].name, cuts->way, buf_cstr(&said),
		    buf_cstr(&last));
	buf_fini(&in);
	buf_fini(&said);
	buf_fini(&last);
}

static void
commands_are_whole_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(scans); i++) {
		for (struct cuts cuts = {.len = scans[i].bytes.len}; cuts_next(&cuts);)
			scan_in_pieces(i, &cuts);
	}
}

/* ---- strings */

static const struct {
	struct str bytes;
	bool is_astring;
	struct str text;
	const char *rest;
} strings[] = {
    {STR("ann x"), true, STR("ann"), " x"},
    {STR("corp\\ann"), true, STR("corp\\ann"), ""},
    {STR("ann*master%x]"), true, STR("ann*master%x]"), ""},
    {STR("j\xc3\xb6rg"), true, STR("j\xc3\xb6rg"), ""},
    {STR("\"\""), true, STR(""), ""},
    {STR("\"a \\\"b\\\\\" x"), true, STR("a \"b\\"), " x"},
    {STR("{3}\r\na\0\nx"), true, STR("a\0\n"), "x"},
    {STR("{3+}\nabc"), true, STR("abc"), ""},
    {STR("{0}\r\n"), true, STR(""), ""},
    {STR(""), false, STR(""), ""},
    {STR(" x"), false, STR(""), ""},
    {STR("(x)"), false, STR(""), ""},
    {STR("\"abc"), false, STR(""), ""},
    {STR("\"abc\\"), false, STR(""), ""},
    {STR("\"abc\\\""), false, STR(""), ""},
    {STR("\"a\r\nb\""), false, STR(""), ""},
    {STR("\"a\\\nb\""), false, STR(""), ""},
    {STR("\"a\0b\""), false, STR(""), ""},
    {STR("{3}\r\nab"), false, STR(""), ""},
    {STR("{3}abc"), false, STR(""), ""},
    {STR("{3} {3}\r\nabc"), false, STR(""), ""},
    {STR("{{3}\r\nabc"), false, STR(""), ""},
    {STR("~{3}\r\nabc"), true, STR("~"), "{3}\r\nabc"},
    {STR("{18446744073709551614}\r\nabc"), false, STR(""), ""},
};

static void
strings_are_read_as_they_are_meant(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct str rest = strings[i].bytes;
		struct lex_string string;
		char room[64];

		if (imap_astring(&rest, &string) != strings[i].is_astring)
			fail_msg("%.*s", STR_FMT(strings[i].bytes));
		if (!strings[i].is_astring)
			continue;
		assert_in_range(string.raw.len, 0, sizeof(room));
		if (!str_eq(str_make(room, lex_string_copy(&string, room)), strings[i].text) ||
		    !str_is(rest, strings[i].rest))
			fail_msg("%.*s", STR_FMT(strings[i].bytes));
	}
}

static void
a_quoted_string_comes_back(void **state)
{
	struct str text = STR("a \"b\\c\" %n {3}"), rest;
	struct buf out = BUF_INIT;
	struct lex_string string;
	char room[64];

	assert_true(imap_can_quote(text));
	lex_say_quoted(&out, text);
	rest = buf_str(&out);
	assert_true(lex_string(&rest, &string));
	assert_true(str_eq(str_make(room, lex_string_copy(&string, room)), text));
	assert_int_equal(rest.len, 0);
	assert_false(imap_can_quote(STR("a\r\nb")));
	assert_false(imap_can_quote(STR("a\0b")));
	assert_false(imap_can_quote(STR("j\xc3\xb6rg")));
	assert_false(imap_can_quote(STR("\x7f")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_command_begins_with_a_tag_and_a_word),
	    cmocka_unit_test(tags_and_words_have_a_limit),
	    cmocka_unit_test(C4_a_literal_is_promised_at_the_end_of_a_line),
	    cmocka_unit_test(quotes_are_seen_however_they_are_cut),
	    cmocka_unit_test(commands_are_whole_however_they_are_cut),
	    cmocka_unit_test(strings_are_read_as_they_are_meant),
	    cmocka_unit_test(a_quoted_string_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
