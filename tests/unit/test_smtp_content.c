/*
 * test_smtp_content.c - where the content of a message ends
 */
#include "front/smtp_content.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cuts.h"
#include "unit.h"

#define NONE SMTP_END_NONE
#define SURE SMTP_END_SURE
#define DOUBTFUL SMTP_END_DOUBTFUL

static const struct {
	const char *name;
	struct str content; /* and something behind its end */
	enum smtp_end end;
	size_t len; /* what has passed */
} rows[] = {
    {"a message", STR("Subject: x\r\n\r\nHello.\r\n.\r\nQUIT\r\n"), SURE, 25},
    {"an empty one", STR(".\r\nQUIT\r\n"), SURE, 3},
    {"dots that are stuffed", STR("..\r\n...\r\n.a\r\n.\r\n"), SURE, 16},
    {"dots in lines", STR("a.b\r\nc.\r\n ."), NONE, 11},
    {"a dot that may become one", STR("a\r\n."), NONE, 3},
    {"more of it", STR("a\r\n.\r"), NONE, 3},
    {"it was none", STR("a\r\n. b"), NONE, 6},
    {"line feeds alone", STR("a\n.\nQUIT\n"), DOUBTFUL, 4},
    {"one before", STR("a\n.\r\nQUIT\r\n"), DOUBTFUL, 5},
    {"one behind", STR("a\r\n.\nQUIT\r\n"), DOUBTFUL, 5},
    {"carriage returns alone", STR("a\r.\rQUIT"), DOUBTFUL, 4},
    {"one before, alone", STR("a\r.\r\nQUIT"), DOUBTFUL, 5},
    {"one behind, alone", STR("a\r\n.\rQUIT"), DOUBTFUL, 5},
    {"more of them behind", STR("a\r\n.\r\r\nQUIT"), DOUBTFUL, 7},
    {"more of them before", STR("a\r\r\n.\r\nQUIT"), SURE, 7},
    {"too many of them", STR("a\r\n.\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\nQUIT"),
	DOUBTFUL, 18},
    {"a line feed between", STR("a\n\r.\r\nQUIT"), DOUBTFUL, 6},
    {"a NUL between", STR("a\r\n\0.\r\n"), NONE, 7},
};

static void
ends_are_found_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str all = rows[i].content;

		for (struct cuts cuts = {.len = all.len}; cuts_next(&cuts);) {
			enum smtp_before before = SMTP_BEFORE_LINE;
			enum smtp_end end = SMTP_END_NONE;
			size_t arrived = 0, passed = 0, len;

			while (arrived < all.len && end == SMTP_END_NONE) {
				struct str here;

				arrived += cuts_piece(&cuts, arrived);
				here = str_make(all.ptr + passed, arrived - passed);
				end = smtp_find_end(here, before, &len);
				assert_true(end != SMTP_END_NONE ||
					    here.len - len < SMTP_HELD_MOST);
				before = smtp_behind(str_make(here.ptr, len), before);
				passed += len;
			}
			if (end != rows[i].end || passed != rows[i].len)
				fail_msg("%s, way %zu: end %d, passed %zu", rows[i].name, cuts.way,
				    end, passed);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ends_are_found_however_they_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
