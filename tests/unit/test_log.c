/*
 * test_log.c - a peer's bytes in a log line
 */
#include "base/log.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define ROW(title, input, output)                                                                  \
	{                                                                                          \
		title, {input, sizeof(input) - 1}, output                                          \
	}

static const struct {
	const char *title;
	struct str input;
	const char *output;
} rows[] = {
    ROW("plain", "ann@example.org", "ann@example.org"),
    ROW("empty", "", "\"\""),
    ROW("a space", "a b", "\"a b\""),
    ROW("an equals sign cannot fake a field", "a verdict=ok", "\"a verdict=ok\""),
    ROW("a quote", "a\"b", "\"a\\\"b\""),
    ROW("line breaks", "a\r\nb", "\"a\\x0d\\x0ab\""),
    ROW("NUL", "a\0b", "\"a\\x00b\""),
    ROW("escape sequence", "\033[2J", "\"\\x1b[2J\""),
    ROW("UTF-8 stays", "m\xc3\xbcller", "m\xc3\xbcller"),
    ROW("C1 control", "a\xc2\x85", "a\\xc2\\x85"),
    ROW("cut UTF-8", "a\xc3", "a\\xc3"),
    ROW("overlong UTF-8", "\xc0\xaf", "\\xc0\\xaf"),
    ROW("surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"),
    ROW("format characters", "%s%n", "%s%n"),
};

static void
peer_bytes_stay_on_one_line(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(log_quote(rows[i].input), rows[i].output);
}

static void
long_values_are_cut_and_say_so(void **state)
{
	char *text = xcalloc(1, 1 << 20);

	memset(text, 'x', (1 << 20) - 1);
	assert_int_equal(strlen(log_quote_text(text)), LOG_QUOTE_MOST + strlen("\"...\""));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(peer_bytes_stay_on_one_line),
	    cmocka_unit_test(long_values_are_cut_and_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
