/*
 * main.c - splitmx, the operator's command                            (driver)
 */
#include "admin/admin.h"

#include "base/log.h"

#include <sodium.h>
#include <stdio.h>

static const struct option_row global_options[] = {
    {"c", "FILE", "read these settings instead of " SYSCONFDIR "/splitmx/splitmx.conf"},
    {"json", NULL, "say everything in JSON, one object in a line"},
    {"help", NULL, "show what can be said"},
    {"h", NULL, "the same"},
    {0},
};

/* Without a command. */
static const struct option_row lone_options[] = {
    {"version", NULL, "show the version"},
    {0},
};

static void
take_globals(struct admin *admin, const struct args *args, bool *help_r)
{
	if (args_has(args, "c"))
		admin->config_path = args_value(args, "c");
	admin->json = admin->json || args_has(args, "json");
	*help_r = *help_r || args_has(args, "help") || args_has(args, "h");
}

/* The command's name, then its own words; what is wrong was said when it returns not 0. */
static int
read_words(struct admin *admin, int argc, char *argv[], bool *help_r)
{
	struct args first = {0};
	struct fault fault;
	int used;

	args_know(&first, global_options);
	args_know(&first, lone_options);
	if ((used = args_parse(&first, argc - 1, argv + 1, true, &fault)) == -1)
		return admin_usage(admin, "%s", fault.text);
	take_globals(admin, &first, help_r);
	if (first.word_count == 0 && args_has(&first, "version")) {
		admin->command = &cmd_version;
		return 0;
	}
	if (first.word_count == 0) {
		admin->command = &cmd_help;
		return *help_r ? 0 : EX_USAGE;
	}
	if ((admin->command = command_find(first.words[0])) == NULL)
		return command_unknown(admin, first.words[0]);
	args_know(&admin->args, global_options);
	args_know(&admin->args, admin->command->options);
	if (args_parse(&admin->args, argc - 1 - used, argv + 1 + used, false, &fault) == -1)
		return admin_usage(admin, "%s", fault.text);
	take_globals(admin, &admin->args, help_r);
	if (!*help_r && (admin->args.word_count < admin->command->words_least ||
			    admin->args.word_count > admin->command->words_most))
		return admin_usage(admin, "%s",
		    admin->args.word_count < admin->command->words_least ? "a word is missing"
									 : "too many words");
	return 0;
}

int
main(int argc, char *argv[])
{
	struct admin admin;
	bool help = false;
	int code;

	log_open("splitmx", LOG_TO_STDERR, LOG_LEVEL_WARNING);
	if (sodium_init() == -1)
		log_fatal(EX_OSERR, "random_numbers", "why=%s", "unavailable");
	admin_init(&admin);
	code = read_words(&admin, argc, argv, &help);
	if (code == EX_USAGE && admin.command == &cmd_help)
		cmd_help.run(&admin);
	if (code == 0 && help) {
		admin.args.words[0] = admin.command->name;
		admin.args.word_count = admin.command != &cmd_help;
		cmd_help.run(&admin);
	} else if (code == 0) {
		code = admin.command->run(&admin);
	}
	admin_fini(&admin);
	if (fflush(stdout) != 0 && code == 0)
		code = EX_IOERR;
	return code;
}
