/*
 * test_entry.c - what stands in the audit stream, read back
 */
#include "admin/entry.h"

#include "base/mem.h"

#include <string.h>

#include "unit.h"

static void
a_line_is_split_from_its_end(void **state)
{
	static const struct {
		const char *changes, *found, *seen;
	} rows[] = {
	    {"a@x old new\n", "", "a@x|old|new;"},
	    {"a@x - new\nb@x old -\n", "", "a@x|-|new;b@x|old|-;"},
	    {"\"a b\"@x old new\n", "", "\"a b\"@x|old|new;"}, /* a name with a space */
	    {"a@x \"o d\" new\n", "", "a@x|\"o d\"|new;"}, /* a value that somebody typed */
	    {"a@x \"\\\" x\" new\n", "", "a@x|\"\\\" x\"|new;"},
	    {"a@x old old\n", "", ""}, /* no change of the owner */
	    {"a@x new\nb@x old new", "", "b@x|old|new;"}, /* no line of ours */
	    {"new\n\n \n\"\n\" \"\n", "", ""},
	    {"", "a@x old\n@x -\n", "a@x||old;@x||-;"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct entry entry = {
		    .changes = str_of(rows[i].changes), .found = str_of(rows[i].found)};
		struct entry_walk walk;
		struct entry_change change;
		struct buf seen = BUF_INIT;

		entry_walk_begin(&walk, &entry);
		while (entry_walk_next(&walk, &entry, &change))
			buf_addf(&seen, "%.*s|%.*s|%.*s;", STR_FMT(change.name),
			    STR_FMT(change.before), STR_FMT(change.after));
		assert_string_equal(buf_cstr(&seen), rows[i].seen);
		buf_fini(&seen);
	}
}

static void
a_single_account_stands_in_fields(void **state)
{
	struct entry entry = {.account = STR("a@x"), .before = STR("old"), .after = STR("new")};
	struct entry_walk walk;
	struct entry_change change;

	entry_walk_begin(&walk, &entry);
	assert_true(entry_walk_next(&walk, &entry, &change));
	assert_true(str_is(change.name, "a@x") && str_is(change.after, "new"));
	assert_false(entry_walk_next(&walk, &entry, &change));
	entry.after = STR("old"); /* a hold */
	entry_walk_begin(&walk, &entry);
	assert_false(entry_walk_next(&walk, &entry, &change));
}

static void
an_entry_is_read_from_redis(void **state)
{
	static const char reply[] =
	    "*2\r\n$3\r\n5-0\r\n*6\r\n$3\r\nwho\r\n$3\r\nann\r\n$2\r\nop\r\n"
	    "$2\r\nab\r\n$3\r\nodd\r\n$1\r\nx\r\n";
	struct resp_reader *reader = resp_reader_new();
	struct resp *resp = NULL;
	struct entry entry;
	struct fault fault;

	resp_feed(reader, str_of(reply));
	assert_int_equal(resp_next(reader, &resp, &fault), 1);
	assert_true(entry_read(resp, &entry));
	assert_true(str_is(entry.id, "5-0") && str_is(entry.who, "ann") && str_is(entry.op, "ab"));
	assert_int_equal(entry.changes.len, 0);
	assert_false(entry_read(resp_at(resp, 1), &entry)); /* no entry: a list of six */
	resp_free(&resp);
	resp_reader_free(&reader);
}

static void
the_id_is_a_time(void **state)
{
	static const struct {
		const char *id, *time;
	} rows[] = {
	    {"1763730000000-0", "2025-11-21 13:00:00 UTC"},
	    {"0-1", "1970-01-01 00:00:00 UTC"},
	    {"", "?"},
	    {"x", "?"},
	    {"9223372036854775807-0", "?"},
	};
	char room[ENTRY_TIME_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(entry_time(str_of(rows[i].id), room), rows[i].time);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_is_split_from_its_end),
	    cmocka_unit_test(a_single_account_stands_in_fields),
	    cmocka_unit_test(an_entry_is_read_from_redis),
	    cmocka_unit_test(the_id_is_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
