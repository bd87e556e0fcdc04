/*
 * test_rehearsed.c - what a login that was tried elsewhere came to, as it is kept
 */
#include "map/rehearsed.h"

#include "base/mem.h"

#include <inttypes.h>

#include "unit.h"

enum { NOW_S = 1795290005, HOUR_S = 3600, DAY_S = 24 * HOUR_S }; /* 2026-11-21T19:40:05Z */

static const struct {
	const char *name, *value;
	bool is_one, works;
	int64_t at_s;
} values[] = {
    {"it works", "yes 2026-11-21T19:40:05Z", true, true, NOW_S},
    {"it does not", "no 2026-11-21T19:40:05Z", true, false, NOW_S},
    {"a leap day", "no 2028-02-29T23:59:59Z", true, false, 1835481599},
    {"the first second", "yes 1970-01-01T00:00:00Z", true, true, 0},
    {"empty", "", false, false, 0},
    {"no time", "yes", false, false, 0},
    {"no word", "2026-11-21T19:40:05Z", false, false, 0},
    {"another word", "perhaps 2026-11-21T19:40:05Z", false, false, 0},
    {"capitals", "YES 2026-11-21T19:40:05Z", false, false, 0},
    {"two spaces", "yes  2026-11-21T19:40:05Z", false, false, 0},
    {"a line feed behind it", "yes 2026-11-21T19:40:05Z\n", false, false, 0},
    {"local time", "yes 2026-11-21T19:40:05+", false, false, 0},
    {"other separators", "yes 2026/11/21T19:40:05Z", false, false, 0},
    {"the 31st of June", "yes 2026-06-31T00:00:00Z", false, false, 0},
    {"no leap year", "yes 2027-02-29T00:00:00Z", false, false, 0},
    {"month 13", "yes 2026-13-01T00:00:00Z", false, false, 0},
    {"24 o'clock", "yes 2026-01-01T24:00:00Z", false, false, 0},
    {"a sign", "yes 2026-01-01T-1:00:00Z", false, false, 0},
    {"before 1970", "yes 1969-12-31T23:59:59Z", false, false, 0},
};

static void
test_a_value_is_read_strictly_and_written_as_it_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct rehearsed got = {.at_s = -1};
		struct buf again = BUF_INIT;

		if (rehearsed_read(str_of(values[i].value), &got) != values[i].is_one)
			fail_msg("%s", values[i].name);
		if (!values[i].is_one)
			continue;
		if (got.works != values[i].works || got.at_s != values[i].at_s)
			fail_msg("%s: %d at %" PRId64, values[i].name, got.works, got.at_s);
		rehearsed_add(&again, &got);
		assert_string_equal(buf_cstr(&again), values[i].value);
		buf_fini(&again);
	}
}

static void
test_the_key_and_the_field_of_a_trial(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	rehearsed_key(&text, "splitmx", STR("ann@example.org"));
	assert_string_equal(buf_cstr(&text), "splitmx.rehearsal:ann@example.org");
	buf_clear(&text);
	rehearsed_trying(&text, STR("new"));
	assert_string_equal(buf_cstr(&text), "trying:new");
	buf_fini(&text);
}

static const struct {
	const char *name;
	const char *fields[7]; /* field, value ... */
	int64_t wait_s; /* at new, once a day */
} hashes[] = {
    {"nothing is known", {NULL}, 0},
    {"just now", {"new", "yes 2026-11-21T19:40:05Z"}, DAY_S},
    {"a wrong one is not tried again either", {"new", "no 2026-11-21T18:40:05Z"}, 23 * HOUR_S},
    {"a day ago", {"new", "yes 2026-11-20T19:40:05Z"}, 0},
    {"long ago", {"new", "no 2020-01-01T00:00:00Z"}, 0},
    {"elsewhere", {"newer", "yes 2026-11-21T19:40:05Z", "trying:newer", "2026-11-21T19:40:05Z"}, 0},
    {"another one tries", {"trying:new", "2026-11-21T19:39:05Z"}, REHEARSED_TRYING_S - 60},
    {"he has gone", {"trying:new", "2026-11-21T19:38:05Z"}, 0},
    {"both: the longer one",
	{"trying:new", "2026-11-21T19:40:05Z", "new", "yes 2026-11-21T18:40:05Z"}, 23 * HOUR_S},
    {"old, and tried", {"new", "no 2020-01-01T00:00:00Z", "trying:new", "2026-11-21T19:40:05Z"},
	REHEARSED_TRYING_S},
    {"no value", {"new", "garbage", "trying:new", "soon"}, 0},
    {"a clock that is ahead", {"new", "yes 2026-11-21T19:45:00Z"}, DAY_S},
    {"one that is wrong", {"new", "yes 2099-01-01T00:00:00Z"}, 0},
};

static void
test_when_it_may_be_tried_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		struct rehearsals_known known = {0};
		int64_t wait_s;

		for (const char *const *field = hashes[i].fields; *field != NULL; field += 2)
			rehearsed_take(&known, STR("new"), str_of(field[0]), str_of(field[1]));
		wait_s = rehearsed_wait_s(&known, DAY_S, NOW_S);
		if (wait_s != hashes[i].wait_s)
			fail_msg("%s: %" PRId64, hashes[i].name, wait_s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_value_is_read_strictly_and_written_as_it_is_read),
	    cmocka_unit_test(test_the_key_and_the_field_of_a_trial),
	    cmocka_unit_test(test_when_it_may_be_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
