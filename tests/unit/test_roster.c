/*
 * test_roster.c - what a node says of itself in the map
 */
#include "map/roster.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void
an_entry_is_read_as_it_was_written(void **state)
{
	static const struct roster_entry entry = {.host = "mx1.example",
	    .role = "policyd",
	    .version = "0.1.0",
	    .since = "2026-11-21T13:00:00Z",
	    .run = "0123456789abcdef",
	    .pid = 4711,
	    .schema_least = 1,
	    .schema_most = 2,
	    .grace_ms = GRACE_MOST_MS,
	    .drain_ms = 5000};
	char *text = roster_entry_text(&entry);
	struct roster_entry read;
	struct fault fault;

	assert_int_equal(roster_entry_read(str_of(text), &read, &fault), 0);
	assert_memory_equal(&read, &entry, sizeof(read));
	free(text);
}

static void
a_beat_is_read_as_it_was_written(void **state)
{
	static const struct roster_beat beat = {.run = "0123456789abcdef",
	    .beat = 7,
	    .epoch = 1ULL << 40,
	    .lease_left_ms = 14990,
	    .phase = "live",
	    .answers = 1,
	    .entries = 2,
	    .alarm = "a \"quoted\" one",
	    .refuses = "schema 2"};
	char *text = roster_beat_text(&beat);
	struct roster_beat read;
	struct fault fault;

	assert_int_equal(roster_beat_read(str_of(text), &read, &fault), 0);
	assert_memory_equal(&read, &beat, sizeof(read));
	free(text);
}

static void
what_is_cut_inside_a_character_is_still_json(void **state)
{
	struct roster_beat beat = {.alarm = "\xc3"}, read;
	char *text = roster_beat_text(&beat);
	struct fault fault;

	assert_int_equal(roster_beat_read(str_of(text), &read, &fault), 0);
	assert_string_equal(read.alarm, "(not UTF-8)");
	free(text);
}

static const struct {
	const char *text;
	bool taken;
} entries[] = {
    {"{\"grace_ms\":0,\"drain_ms\":0}", true},
    {"{\"grace_ms\":86400000,\"drain_ms\":3600000,\"more\":[1,{}]}", true},
    {"{\"grace_ms\":0,\"drain_ms\":0,\"host\":7,\"schema\":\"x\",\"pid\":-1}", true},
    {"{\"grace_ms\":0}", false},
    {"{\"drain_ms\":0}", false},
    {"{\"grace_ms\":\"0\",\"drain_ms\":0}", false},
    {"{\"grace_ms\":-1,\"drain_ms\":0}", false},
    {"{\"grace_ms\":86400001,\"drain_ms\":0}", false},
    {"{\"grace_ms\":0,\"drain_ms\":3600001}", false},
    {"{\"grace_ms\":1e3,\"drain_ms\":0}", false},
    {"[]", false},
    {"0", false},
    {"", false},
    {"{\"grace_ms\":0,\"drain_ms\":0", false},
    {"{\"grace_ms\":0,\"drain_ms\":0}x", false},
};

static void
nobody_guesses_how_long_to_wait(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		struct roster_entry entry;
		struct fault fault = {.text = ""};
		int rc = roster_entry_read(str_of(entries[i].text), &entry, &fault);

		if (rc != (entries[i].taken ? 0 : -1) || (rc == -1 && fault.text[0] == '\0'))
			fail_msg("%s", entries[i].text);
	}
}

static void
too_long_is_not_read(void **state)
{
	char *text = xcalloc(1, ROSTER_TEXT_MAX_BYTES + 2);
	struct roster_beat beat;
	struct fault fault;

	memset(text, ' ', ROSTER_TEXT_MAX_BYTES + 1);
	memcpy(text, "{}", 2);
	assert_int_equal(roster_beat_read(str_make(text, ROSTER_TEXT_MAX_BYTES), &beat, &fault), 0);
	assert_int_equal(roster_beat_read(str_make(text, ROSTER_TEXT_MAX_BYTES + 1), &beat, &fault),
	    -1);
	free(text);
}

static void
no_cut_is_taken_for_the_whole(void **state)
{
	static const struct roster_entry entry = {.host = "mx1", .run = "00", .since = "then"};
	char *text = roster_entry_text(&entry);

	for (size_t len = 0; len < strlen(text); len++) {
		char *copy = xstrndup(text, len);
		struct roster_entry read;
		struct fault fault;

		assert_int_equal(roster_entry_read(str_make(copy, len), &read, &fault), -1);
		free(copy);
	}
	free(text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_is_read_as_it_was_written),
	    cmocka_unit_test(a_beat_is_read_as_it_was_written),
	    cmocka_unit_test(what_is_cut_inside_a_character_is_still_json),
	    cmocka_unit_test(nobody_guesses_how_long_to_wait),
	    cmocka_unit_test(too_long_is_not_read),
	    cmocka_unit_test(no_cut_is_taken_for_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
