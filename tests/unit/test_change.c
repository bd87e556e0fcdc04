/*
 * test_change.c - what a change means before it is written
 */
#include "map/change.h"

#include "base/mem.h"

#include "unit.h"

static const struct change_value none = {false, {"", 0}};
static const struct change_value a_text = {true, {"a", 1}};
static const struct change_value b_text = {true, {"b", 1}};

static void
an_own_key_wins_over_the_domains(void **state)
{
	struct change change = {.seen = {a_text, none, b_text, b_text, none}};

	assert_true(str_is(change_owner_before(&change).text, "a"));
	assert_false(change_hold_before(&change).there);
	change.seen.owner = none;
	assert_true(str_is(change_owner_before(&change).text, "b"));
	assert_true(str_is(change_hold_before(&change).text, "b"));
	change.seen.hold = a_text;
	assert_true(str_is(change_hold_before(&change).text, "a"));
}

static void
the_audit_names_what_was_written_and_nothing_else(void **state)
{
	struct change changes[] = {
	    /* clang-format off */
	    {.name = STR("x@d"), .writes = CHANGE_OWNER, .owner = STR("new"), .seen = {.owner = none},
		.result = CHANGE_DONE},
	    {.name = STR("y@d"), .writes = CHANGE_OWNER, .owner = STR("new"), .result = CHANGE_REFUSED},
	    {.name = STR("z@d"), .writes = CHANGE_OWNER, .owner = STR(""), .seen = {.owner = a_text},
		.result = CHANGE_DONE},
	    {.name = STR("u@d"), .writes = CHANGE_OWNER, .owner = STR("a"), .result = CHANGE_UNCHANGED},
	    {.name = STR("h@d"), .writes = CHANGE_HOLD, .seen = {.owner = b_text},
		.result = CHANGE_DONE},
	    /* clang-format on */
	};
	struct buf out = BUF_INIT;

	change_describe(&out, changes, ARRAY_LEN(changes));
	assert_string_equal(buf_cstr(&out), "x@d - new\nz@d a -\nh@d b b\n");
	buf_fini(&out);
}

static void
what_is_known_is_no_owner_in_the_audit(void **state)
{
	struct change changes[] = {
	    {.name = STR("x@d"),
		.writes = CHANGE_COMPLETE,
		.complete = STR("alias"),
		.result = CHANGE_DONE},
	    {.name = STR("y@d"),
		.writes = CHANGE_COMPLETE,
		.complete = STR("list"),
		.result = CHANGE_UNCHANGED},
	    {.name = STR("@d"),
		.writes = CHANGE_OWNER | CHANGE_COMPLETE,
		.owner = STR("new"),
		.seen = {.owner = a_text, .complete = {true, STR("y s")}},
		.result = CHANGE_DONE},
	};
	struct buf out = BUF_INIT;

	change_describe(&out, changes, ARRAY_LEN(changes));
	assert_string_equal(buf_cstr(&out), "@d a new\n");
	buf_clear(&out);
	change_describe_complete(&out, changes, ARRAY_LEN(changes));
	assert_string_equal(buf_cstr(&out), "x@d - alias\n@d \"y s\" -\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_own_key_wins_over_the_domains),
	    cmocka_unit_test(the_audit_names_what_was_written_and_nothing_else),
	    cmocka_unit_test(what_is_known_is_no_owner_in_the_audit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
