/*
 * test_line.c - one line after the other, however the bytes arrive
 */
#include "base/line.h"

#include "base/mem.h"

#include "unit.h"

enum { LEAST = 8 };

static const struct {
	const char *name, *bytes, *lines; /* lines, each with '|' behind it; '!' = too long */
} rows[] = {
    {"nothing", "", ""},
    {"no end yet", "abc", ""},
    {"one line", "abc\n", "abc|"},
    {"an empty line", "\n", "|"},
    {"two in one piece", "a\nb\n", "a|b|"},
    {"CR LF", "a\r\n\r\n", "a||"},
    {"only one CR goes", "a\r\r\n", "a\r|"},
    {"a CR inside stays", "a\rb\n", "a\rb|"},
    {"just fits", "12345678\n", "12345678|"},
    {"just fits with CR", "12345678\r\n", "12345678|"},
    {"one too long", "123456789\n", "!"},
    {"one too long with CR", "123456789\r\n", "!"},
    {"too long and without end", "1234567890", "!"},
    {"after a good one", "ok\n1234567890", "ok|!"},
};

/* Feed the bytes in pieces of at most step bytes; write what came out. */
static void
feed(const char *bytes, size_t step, struct buf *lines)
{
	struct line_reader reader = {.max_bytes = LEAST};
	struct buf in = BUF_INIT;
	size_t len = strlen(bytes);
	enum line_result result = LINE_WAIT;
	struct str line;

	for (size_t at = 0; at < len && result != LINE_TOO_LONG; at += step) {
		buf_add(&in, bytes + at, len - at < step ? len - at : step);
		while ((result = line_next(&reader, &in, &line)) == LINE_HERE) {
			buf_add_str(lines, line);
			buf_add_byte(lines, '|');
		}
	}
	if (result == LINE_TOO_LONG)
		buf_add_byte(lines, '!');
	buf_fini(&in);
}

static void
lines_come_out_however_the_bytes_are_cut(void **state)
{
	struct buf lines = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= strlen(rows[i].bytes) + 1; step++) {
			buf_clear(&lines);
			feed(rows[i].bytes, step, &lines);
			if (strcmp(buf_cstr(&lines), rows[i].lines) != 0)
				fail_msg("%s, in pieces of %zu: \"%s\"", rows[i].name, step,
				    buf_cstr(&lines));
		}
	}
	buf_fini(&lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_come_out_however_the_bytes_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
