/*
 * test_ruleset.c - destinations and maps: what an owner means to an asker
 */
#include "rules/ruleset.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

#define DESTINATIONS "destinations = ( { name = \"old\"; }, { name = \"new\"; } );\n"

static const struct {
	const char *name, *maps;
	const char *problems[3]; /* parts of what is said; none: it is taken */
} rows[] = {
    {"a row for each destination", "{ name = \"m\"; owners = { old = \"a\"; new = \"\"; }; }", {0}},
    {"held", "{ name = \"m\"; owners = { old = \"\"; new = \"\"; }; held = \"h:%o\"; }", {0}},
    {"a destination without a row", "{ name = \"m\"; owners = { old = \"a\"; }; }",
	{"test:2: maps.owners: map m has no row for destination new"}},
    {"a row without a destination",
	"{ name = \"m\"; owners = { old = \"a\"; new = \"b\"; nwe = \"c\"; }; }",
	{"nwe is no destination"}},
    {"a bad expansion", "{ name = \"m\"; owners = { old = \"%x\"; new = \"\"; }; }",
	{"\"%x\" means nothing"}},
    {"an empty held text", "{ name = \"m\"; owners = { old = \"\"; new = \"\"; }; held = \"\"; }",
	{"maps.held: is empty"}},
    {"all of them at once",
	"{ name = \"m\"; owners = { new = \"%\"; gone = \"\"; }; held = \"%q\"; }",
	{"no row for destination old", "gone is no destination", "\"%q\" means nothing"}},
};

static bool
says(const struct settings *settings, const char *part)
{
	for (size_t i = 0; i < settings_problem_count(settings); i++) {
		if (strstr(settings_problem_text(settings, i), part) != NULL)
			return true;
	}
	return false;
}

static void
every_problem_of_a_map_is_said_with_its_line(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = xasprintf(DESTINATIONS "maps = ( %s );\n", rows[i].maps);
		struct settings *settings = settings_load_text(text, "test");
		struct ruleset *rules;

		if (settings_problem_count(settings) > 0)
			fail_msg("%s: %s", rows[i].name, settings_problem_text(settings, 0));
		rules = ruleset_new(settings);
		assert_int_equal(rules == NULL, rows[i].problems[0] != NULL);
		for (size_t k = 0; k < ARRAY_LEN(rows[i].problems); k++) {
			if (rows[i].problems[k] && !says(settings, rows[i].problems[k]))
				fail_msg("%s: not said: %s", rows[i].name, rows[i].problems[k]);
		}
		ruleset_free(&rules);
		settings_free(&settings);
		free(text);
	}
}

static void
maps_are_found_by_name_and_kept_in_order(void **state)
{
	struct settings *settings = settings_load_text(DESTINATIONS
	    "maps = ( { name = \"zeta\"; owners = { old = \"a\"; new = \"b\"; }; },"
	    " { name = \"alpha\"; owners = { old = \"a\"; new = \"b\"; }; } );",
	    "test");
	struct ruleset *rules = ruleset_new(settings);

	settings_free(&settings); /* everything was copied */
	assert_non_null(rules);
	assert_int_equal(ruleset_view_count(rules), 2);
	assert_string_equal(view_name(ruleset_view_at(rules, 0)), "zeta");
	assert_string_equal(view_name(ruleset_view_at(rules, 1)), "alpha");
	assert_ptr_equal(ruleset_view(rules, STR("alpha")), ruleset_view_at(rules, 1));
	assert_null(ruleset_view(rules, STR("alph")));
	assert_null(ruleset_view(rules, STR("")));
	assert_null(ruleset_view(rules, STR("alpha\0")));
	assert_true(ruleset_has_destination(rules, STR("new")));
	assert_false(ruleset_has_destination(rules, STR("New")));
	ruleset_free(&rules);
	assert_null(rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_problem_of_a_map_is_said_with_its_line),
	    cmocka_unit_test(maps_are_found_by_name_and_kept_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
