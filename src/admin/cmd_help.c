/*
 * cmd_help.c - splitmx help [COMMAND]                                 (driver)
 */
#include "admin/admin.h"

#include <stdio.h>

static json_t *
command_json(const struct command *command)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:b}", "name", command->name, "usage",
	    command->usage, "sentence", command->sentence, "asks", command->asks != ASKS_NEVER,
	    "writes", command->writes == WRITES_MAP);
}

static void
show_one(const struct command *command)
{
	printf("usage: splitmx [-c FILE] [--json] %s %s\n\n%s\n", command->name, command->usage,
	    command->sentence);
	if (command->asks == ASKS_WHERE_MANY)
		puts("Asks before more than one account changes; --yes answers.");
	if (command->asks == ASKS_FIRST)
		puts("Asks for what only you can know; --yes answers.");
	if (command->writes == WRITES_MAP)
		puts("Changes the ownership map, and says so in its audit stream.");
	if (command->options != NULL)
		putchar('\n');
	for (const struct option_row *row = command->options; row != NULL && row->name != NULL;
	     row++) {
		char head[64];

		snprintf(head, sizeof(head), "--%s%s%s", row->name, row->value ? " " : "",
		    row->value ? row->value : "");
		printf("  %-20s %s\n", head, row->sentence);
	}
}

static void
show_all(void)
{
	puts("usage: splitmx [-c FILE] [--json] COMMAND ...\n");
	for (size_t i = 0; commands[i] != NULL; i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->sentence);
	puts("\n\"splitmx help COMMAND\" shows one; splitmx(1) tells everything.");
}

static int
run(struct admin *admin)
{
	const struct command *command = NULL;

	if (admin->args.word_count > 0 && (command = command_find(admin->args.words[0])) == NULL)
		return command_unknown(admin, admin->args.words[0]);
	if (command != NULL && admin->json)
		admin_print_json(command_json(command));
	else if (command != NULL)
		show_one(command);
	else if (!admin->json)
		show_all();
	for (size_t i = 0; command == NULL && admin->json && commands[i] != NULL; i++)
		admin_print_json(command_json(commands[i]));
	return 0;
}

const struct command cmd_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .sentence = "Shows the commands, or one with its options.",
    .options = NULL,
    .words_least = 0,
    .words_most = 1,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
