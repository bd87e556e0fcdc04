/*
 * test_journaled.c - what was changed from here, and is it in the map?
 */
#include "admin/journaled.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define MAP "m"

static void
begin(struct journaled *journaled, const char *command, const char *nonce, const char *name,
    const char *before, const char *after)
{
	struct journal_line line = {.what = JOURNAL_BEGUN,
	    .map = MAP,
	    .command = command,
	    .name = name,
	    .before = before,
	    .after = after,
	    .accounts = name != NULL};

	snprintf(line.nonce, sizeof(line.nonce), "%s", nonce);
	assert_true(journaled_take_line(journaled, &line));
}

static void
becomes(struct journaled *journaled, const char *nonce, enum journal_what what, uint64_t epoch)
{
	struct journal_line line = {.what = what, .map = MAP, .epoch = epoch};

	snprintf(line.nonce, sizeof(line.nonce), "%s", nonce);
	assert_true(journaled_take_line(journaled, &line));
}

/* A set that was written, by its nonce. */
static void
set(struct journaled *journaled, const char *nonce, uint64_t epoch, const char *name,
    const char *after)
{
	begin(journaled, "set", nonce, name, "old", after);
	becomes(journaled, nonce, JOURNAL_WRITTEN, epoch);
}

static void
noted(struct journaled *journaled, struct entry entry)
{
	assert_true(journaled_take_entry(journaled, &entry));
}

#define SET(n, o)                                                                                  \
	(struct entry)                                                                             \
	{                                                                                          \
		.what = STR("set"), .op = STR(o), .account = STR(n), .before = STR("old"),         \
		.after = STR("new")                                                                \
	}

static void
add(void *ctx, const struct journaled_change *change)
{
	struct buf *out = ctx;

	buf_add_text(out, change->nonce);
	buf_add_byte(out, ' ');
}

/* The nonces of what is lost. */
static void
check(struct journaled *journaled, bool whole, uint64_t epoch, const char *wanted)
{
	struct buf out = BUF_INIT;

	journaled_lost(journaled, whole, epoch, add, &out);
	assert_string_equal(buf_cstr(&out), wanted);
	buf_fini(&out);
}

static void
what_the_stream_lacks_is_lost(void **state)
{
	struct journaled *journaled = journaled_new(MAP);

	set(journaled, "1", 2, "a@x", "new");
	set(journaled, "2", 3, "b@x", "new");
	becomes(journaled, "2", JOURNAL_CONFIRMED, 3);
	begin(journaled, "set", "3", "c@x", "old", "new"); /* killed before it was written */
	noted(journaled, SET("a@x", "1"));
	check(journaled, true, 9, "2 ");
	noted(journaled, SET("b@x", "2"));
	check(journaled, true, 9, "");
	assert_true(journaled_has(journaled, STR("3")));
	assert_false(journaled_has(journaled, STR("4")));
	journaled_free(&journaled);
}

static void
a_stream_that_was_shortened_accuses_nobody(void **state)
{
	struct journaled *journaled = journaled_new(MAP);

	set(journaled, "1", 2, "a@x", "new");
	set(journaled, "2", 5, "b@x", "new");
	set(journaled, "3", 7, "c@x", "new");
	check(journaled, false, 9, "");
	check(journaled, false, 6, "3 "); /* the map's epoch is below it */
	noted(journaled, SET("b@x", "2"));
	check(journaled, false, 9, "3 "); /* it reaches back to the second at least */
	check(journaled, true, 9, "1 3 ");
	journaled_free(&journaled);
}

static void
the_last_of_an_account_counts(void **state)
{
	struct journaled *journaled = journaled_new(MAP);

	set(journaled, "1", 2, "a@x", "new");
	set(journaled, "2", 3, "a@x", "third");
	check(journaled, true, 9, "2 ");
	begin(journaled, "hold", "3", "a@x", "old", "old");
	becomes(journaled, "3", JOURNAL_CONFIRMED, 4);
	noted(journaled, (struct entry){.what = STR("hold"),
			     .op = STR("3"),
			     .account = STR("a@x"),
			     .found = STR("a@x old\n")});
	check(journaled, true, 9, "2 "); /* a hold decides nothing */
	assert_true(journaled_hold_is_confirmed(journaled, STR("a@x")));
	assert_false(journaled_hold_is_confirmed(journaled, STR("b@x")));
	begin(journaled, "set", "4", "a@x", "old", "new");
	check(journaled, true, 9, "2 "); /* neither does what was not written */
	noted(journaled, SET("a@x", "4"));
	check(journaled, true, 9, "");
	journaled_free(&journaled);
}

static void
a_barrier_accepts_what_is_there(void **state)
{
	struct journaled *journaled = journaled_new(MAP);

	set(journaled, "1", 2, "a@x", "new");
	set(journaled, "2", 3, "b@x", "new");
	set(journaled, "3", 4, "c@x", "new");
	begin(journaled, "barrier", "4", NULL, NULL, NULL);
	check(journaled, true, 9, "1 2 3 "); /* not written */
	noted(journaled, (struct entry){.what = STR("barrier"),
			     .op = STR("4"),
			     .accounts = STR("2"),
			     .found = STR("a@x old\nb@x -\n")});
	check(journaled, true, 9, "3 ");
	begin(journaled, "barrier", "5", NULL, NULL, NULL);
	noted(journaled,
	    (struct entry){.what = STR("barrier"), .op = STR("5"), .accounts = STR("*")});
	check(journaled, true, 9, "");
	set(journaled, "6", 7, "c@x", "new");
	check(journaled, true, 9, "6 ");
	journaled_free(&journaled);
}

/* What a repeated set found as it should be is decided; a repeated import says nothing of others.
 */
static void
a_confirmation_decides_what_it_names(void **state)
{
	struct journaled *journaled = journaled_new(MAP);

	set(journaled, "1", 2, "a@x", "new");
	set(journaled, "2", 3, "b@x", "new");
	begin(journaled, "confirm", "3", NULL, NULL, NULL);
	becomes(journaled, "3", JOURNAL_CONFIRMED, 4);
	noted(journaled,
	    (struct entry){.what = STR("confirm"), .op = STR("3"), .accounts = STR("*")});
	check(journaled, true, 9, "1 2 ");
	begin(journaled, "confirm", "4", "a@x", NULL, NULL);
	becomes(journaled, "4", JOURNAL_WRITTEN, 5);
	check(journaled, true, 9, "1 2 "); /* it is lost itself */
	noted(journaled, (struct entry){.what = STR("confirm"),
			     .op = STR("4"),
			     .account = STR("a@x"),
			     .found = STR("a@x old\n")});
	check(journaled, true, 9, "2 ");
	journaled_free(&journaled);
}

static void
many_accounts_at_once(void **state)
{
	struct journal_line line = {.what = JOURNAL_BEGUN,
	    .map = MAP,
	    .nonce = "2",
	    .command = "import",
	    .name = "b@x",
	    .digest = "d1",
	    .accounts = 2};
	struct journaled *journaled = journaled_new(MAP);

	set(journaled, "1", 2, "a@x", "new");
	assert_true(journaled_take_line(journaled, &line));
	becomes(journaled, "2", JOURNAL_WRITTEN, 3);
	check(journaled, true, 9, "1 2 ");
	strcpy(line.nonce, "3"); /* the same again */
	assert_true(journaled_take_line(journaled, &line));
	noted(journaled, (struct entry){.what = STR("import"),
			     .op = STR("3"),
			     .accounts = STR("2"),
			     .changes = STR("a@x old new\nb@x old new\n")});
	check(journaled, true, 9, "");
	journaled_free(&journaled);
}

static void
what_is_known_is_decided_beside_the_owner(void **state)
{
	struct journal_line line = {.what = JOURNAL_BEGUN,
	    .map = MAP,
	    .nonce = "2",
	    .command = "set",
	    .name = "@x",
	    .before = "old",
	    .after = "old",
	    .complete = "yes",
	    .accounts = 1};
	struct journaled *journaled = journaled_new(MAP);

	set(journaled, "1", 2, "@x", "old");
	assert_true(journaled_take_line(journaled, &line));
	becomes(journaled, "2", JOURNAL_WRITTEN, 3);
	check(journaled, true, 9, "1 2 "); /* neither hides the other */
	set(journaled, "3", 4, "@x", "new");
	noted(journaled, SET("@x", "3"));
	check(journaled, true, 9, "2 ");
	begin(journaled, "barrier", "4", "@x", NULL, NULL);
	noted(journaled, (struct entry){.what = STR("barrier"),
			     .op = STR("4"),
			     .account = STR("@x"),
			     .found = STR("@x new\n")});
	check(journaled, true, 9, "");
	journaled_free(&journaled);
}

static void
another_map_is_none_of_ours(void **state)
{
	struct journaled *journaled = journaled_new("other");

	set(journaled, "1", 2, "a@x", "new");
	check(journaled, true, 0, "");
	assert_false(journaled_has(journaled, STR("1")));
	journaled_free(&journaled);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_stream_lacks_is_lost),
	    cmocka_unit_test(a_stream_that_was_shortened_accuses_nobody),
	    cmocka_unit_test(the_last_of_an_account_counts),
	    cmocka_unit_test(a_barrier_accepts_what_is_there),
	    cmocka_unit_test(a_confirmation_decides_what_it_names),
	    cmocka_unit_test(many_accounts_at_once),
	    cmocka_unit_test(what_is_known_is_decided_beside_the_owner),
	    cmocka_unit_test(another_map_is_none_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
