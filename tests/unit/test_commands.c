/*
 * test_commands.c - every command says what an operator must know before running it
 */
#include "admin/command.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#ifndef MANUAL
#define MANUAL "doc/man/splitmx.1"
#endif

static bool
has_option(const struct command *command, const char *name)
{
	for (const struct option_row *row = command->options; row != NULL && row->name != NULL;
	     row++) {
		if (strcmp(row->name, name) == 0)
			return true;
	}
	return false;
}

static void
no_column_is_left_to_chance(void **state)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		const struct command *command = commands[i];
		size_t len = strlen(command->sentence);

		assert_non_null(command->name);
		assert_non_null(command->usage);
		assert_non_null(command->run);
		assert_true(command->asks == ASKS_NEVER || command->asks == ASKS_FIRST ||
			    command->asks == ASKS_WHERE_MANY);
		assert_true(command->writes == WRITES_NOTHING || command->writes == WRITES_MAP);
		assert_true(command->words_least <= command->words_most);
		assert_true(len > 0 && command->sentence[len - 1] == '.');
		assert_ptr_equal(command_find(command->name), command);
	}
	assert_null(command_find("no-such-command"));
}

/* Who asks can be answered in advance, and who writes says who and why. */
static void
what_writes_can_be_told_who_and_why(void **state)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		const struct command *command = commands[i];
		bool writes = command->writes == WRITES_MAP;

		assert_int_equal(has_option(command, "reason"), writes);
		assert_int_equal(has_option(command, "by"), writes);
		assert_int_equal(has_option(command, "yes"), command->asks != ASKS_NEVER);
	}
}

static char *
manual(void)
{
	const char *top = getenv("srcdir");
	char *path = xasprintf("%s/%s", top != NULL ? top : ".", MANUAL), *text;
	FILE *file = fopen(path, "re");
	size_t len;

	if (file == NULL)
		fail_msg("%s is not there", path);
	text = xcalloc(1, 200000);
	len = fread(text, 1, 199999, file);
	assert_true(len > 0 && len < 199999);
	fclose(file);
	free(path);
	return text;
}

static void
the_manual_knows_every_command_and_option(void **state)
{
	char *text = manual();

	for (size_t i = 0; commands[i] != NULL; i++) {
		char *head = xasprintf("\n.It Cm %s", commands[i]->name);

		if (strstr(text, head) == NULL)
			fail_msg("splitmx(1) has no \".It Cm %s\"", commands[i]->name);
		free(head);
		for (const struct option_row *row = commands[i]->options;
		     row != NULL && row->name != NULL; row++) {
			char *option = xasprintf("Fl -%s", row->name);

			if (strstr(text, option) == NULL)
				fail_msg("splitmx(1) has no \"%s\"", option);
			free(option);
		}
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_column_is_left_to_chance),
	    cmocka_unit_test(what_writes_can_be_told_who_and_why),
	    cmocka_unit_test(the_manual_knows_every_command_and_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
