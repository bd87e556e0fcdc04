/*
 * test_noted.c - what the audit stream says of each account, at its end
 */
#include "admin/noted.h"

#include "base/mem.h"

#include "unit.h"

static void
take(struct noted *noted, struct entry entry)
{
	assert_true(noted_take(noted, &entry));
}

#define SET(n, b, a, o)                                                                            \
	(struct entry)                                                                             \
	{                                                                                          \
		.what = STR("set"), .op = STR(o), .account = STR(n), .before = STR(b),             \
		.after = STR(a)                                                                    \
	}
#define CONFIRMED(o)                                                                               \
	(struct entry)                                                                             \
	{                                                                                          \
		.what = STR("confirmed"), .op = STR(o)                                             \
	}

static void
check(struct noted *noted, const char *name, const char *after, bool confirmed)
{
	struct noted_owner owner;

	assert_true(noted_find(noted, str_of(name), &owner));
	assert_true(str_is(owner.after, after));
	assert_int_equal(owner.confirmed, confirmed);
}

static void
the_last_change_counts(void **state)
{
	struct noted *noted = noted_new();
	struct noted_owner owner;

	take(noted, SET("a@x", "-", "old", "1"));
	take(noted, CONFIRMED("1"));
	check(noted, "a@x", "old", true);
	take(noted, SET("a@x", "old", "new", "2"));
	check(noted, "a@x", "new", false);
	take(noted, CONFIRMED("1")); /* of what is not the last any more */
	check(noted, "a@x", "new", false);
	take(noted, CONFIRMED("2"));
	check(noted, "a@x", "new", true);
	assert_false(noted_find(noted, STR("b@x"), &owner));
	noted_free(&noted);
}

static void
a_batch_is_confirmed_as_one(void **state)
{
	struct noted *noted = noted_new();

	take(noted, (struct entry){.what = STR("import"),
			.op = STR("1"),
			.accounts = STR("2"),
			.changes = STR("a@x - new\nb@x - new\n")});
	take(noted, SET("a@x", "new", "old", "2"));
	take(noted, CONFIRMED("1"));
	check(noted, "a@x", "old", false);
	check(noted, "b@x", "new", true);
	noted_free(&noted);
}

static void
a_barrier_for_everything_confirms_what_was_before_it(void **state)
{
	struct noted *noted = noted_new();

	take(noted, SET("a@x", "-", "new", "1"));
	take(noted, (struct entry){.what = STR("barrier"), .op = STR("2"), .accounts = STR("*")});
	take(noted, SET("b@x", "-", "new", "3"));
	check(noted, "a@x", "new", false);
	take(noted, CONFIRMED("2"));
	check(noted, "a@x", "new", true);
	check(noted, "b@x", "new", false);
	noted_free(&noted);
}

static void
a_barrier_notes_what_it_found(void **state)
{
	struct noted *noted = noted_new();

	take(noted, SET("a@x", "-", "new", "1"));
	take(noted, (struct entry){.what = STR("barrier"),
			.op = STR("2"),
			.account = STR("a@x"),
			.found = STR("a@x old\n")});
	take(noted, CONFIRMED("2"));
	check(noted, "a@x", "old", true);
	noted_free(&noted);
}

static void
count(void *ctx, const struct noted_owner *owner)
{
	++*(size_t *)ctx;
	assert_true(str_is(owner->name, "b@x"));
}

static void
the_rest_was_never_asked_for(void **state)
{
	struct noted *noted = noted_new();
	size_t rest = 0;

	take(noted, (struct entry){.what = STR("init")});
	assert_true(noted_is_whole(noted));
	take(noted, SET("a@x", "-", "new", "1"));
	take(noted, SET("b@x", "-", "new", "2"));
	check(noted, "a@x", "new", false);
	noted_rest(noted, count, &rest);
	assert_int_equal(rest, 1);
	noted_free(&noted);
	noted = noted_new();
	take(noted, SET("a@x", "-", "new", "1")); /* of a stream that was shortened */
	assert_false(noted_is_whole(noted));
	noted_free(&noted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_change_counts),
	    cmocka_unit_test(a_batch_is_confirmed_as_one),
	    cmocka_unit_test(a_barrier_for_everything_confirms_what_was_before_it),
	    cmocka_unit_test(a_barrier_notes_what_it_found),
	    cmocka_unit_test(the_rest_was_never_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
