/*
 * test_args.c - the words of a command line
 */
#include "admin/args.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const struct option_row rows[] = {
    {"c", "FILE", "a file"},
    {"owner", "DESTINATION", "an owner"},
    {"yes", NULL, "do not ask"},
    {0},
};

static void
what_is_written_is_understood_or_named(void **state)
{
	static const struct {
		const char *name;
		const char *argv[6];
		int rc;
		const char *owner, *c, *said; /* said: part of the fault */
		bool yes;
		size_t words;
	} cases[] = {
	    {"nothing", {NULL}, 0, NULL, NULL, NULL, false, 0},
	    {"a value behind its option", {"--owner", "new", "w"}, 3, "new", NULL, NULL, false, 1},
	    {"a value behind an equals sign", {"--owner=new"}, 1, "new", NULL, NULL, false, 0},
	    {"an empty value", {"--owner="}, 1, "", NULL, NULL, false, 0},
	    {"options after words", {"w", "--yes"}, 2, NULL, NULL, NULL, true, 1},
	    {"a short option", {"-c", "f"}, 2, NULL, "f", NULL, false, 0},
	    {"a short option and its value in one", {"-cf"}, 1, NULL, "f", NULL, false, 0},
	    {"words after two dashes", {"--", "--yes", "-"}, 3, NULL, NULL, NULL, false, 2},
	    {"a dash alone is a word", {"-"}, 1, NULL, NULL, NULL, false, 1},
	    {"a value that is missing", {"--owner"}, -1, NULL, NULL, "needs a value", false, 0},
	    {"a switch with a value", {"--yes=1"}, -1, NULL, NULL, "no value", false, 0},
	    {"a slip of the pen", {"--onwer"}, -1, NULL, NULL, "do you mean --owner?", false, 0},
	    {"a long option with one dash", {"-yes"}, -1, NULL, NULL, "unknown option", false, 0},
	    {"a short option with two", {"--c"}, -1, NULL, NULL, "unknown option", false, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct args args = {0};
		struct fault fault = {0};
		char *argv[6];
		int argc = 0, rc;

		for (; cases[i].argv[argc] != NULL; argc++)
			argv[argc] = xstrdup(cases[i].argv[argc]);
		args_know(&args, rows);
		rc = args_parse(&args, argc, argv, false, &fault);
		if (rc != cases[i].rc)
			fail_msg("%s: %d, %s", cases[i].name, rc, fault.text);
		if (cases[i].said != NULL && strstr(fault.text, cases[i].said) == NULL)
			fail_msg("%s: said %s", cases[i].name, fault.text);
		if (rc != -1) {
			assert_int_equal(args.word_count, cases[i].words);
			assert_int_equal(args_has(&args, "yes"), cases[i].yes);
			assert_int_equal(args_has(&args, "owner"), cases[i].owner != NULL);
			if (cases[i].owner != NULL)
				assert_string_equal(args_value(&args, "owner"), cases[i].owner);
			if (cases[i].c != NULL)
				assert_string_equal(args_value(&args, "c"), cases[i].c);
		}
		while (argc > 0)
			free(argv[--argc]);
	}
}

static void
reading_stops_after_the_first_word_when_asked_to(void **state)
{
	char yes[] = "--yes", word[] = "list", unknown[] = "--other";
	char *argv[] = {yes, word, unknown};
	struct args args = {0};
	struct fault fault;

	args_know(&args, rows);
	assert_int_equal(args_parse(&args, 3, argv, true, &fault), 2);
	assert_string_equal(args.words[0], "list");
}

static void
too_many_words_are_refused(void **state)
{
	char word[] = "w";
	char *argv[ARGS_WORDS_MOST + 1];
	struct args args = {0};
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = word;
	assert_int_equal(args_parse(&args, (int)ARRAY_LEN(argv), argv, false, &fault), -1);
}

static void
numbers_keep_their_bounds(void **state)
{
	static const struct {
		const char *text;
		int rc;
		long long number;
	} cases[] = {
	    /* clang-format off */
	    {NULL, 0, 7}, {"1", 0, 1}, {"9", 0, 9}, {"0", -1, 0}, {"10", -1, 0}, {"", -1, 0},
	    {"3x", -1, 0}, {"99999999999999999999", -1, 0},
	    /* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct args args = {0};
		struct fault fault;
		long long number;

		args_know(&args, rows);
		args.values[1] = cases[i].text;
		assert_int_equal(args_number(&args, "owner", 1, 9, 7, &number, &fault),
		    cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(number, cases[i].number);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_understood_or_named),
	    cmocka_unit_test(reading_stops_after_the_first_word_when_asked_to),
	    cmocka_unit_test(too_many_words_are_refused),
	    cmocka_unit_test(numbers_keep_their_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
