/*
 * main.c - splitmx, the operator's command                            (driver)
 */
#include "admin/admin.h"

#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

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
	*help_r = *help_r || args_has(args, "help") || args_has(args, "h");
}

/* What goes into the audit stream as it is: a line feed there would look like another field. */
static int
check_notes(const struct admin *admin)
{
	static const char *const names[] = {"reason", "by"};

	for (size_t i = 0; admin->command->writes == WRITES_MAP && i < ARRAY_LEN(names); i++) {
		const char *text = args_value(&admin->args, names[i]);
		struct buf visible = BUF_INIT;
		bool same = true;

		if (text != NULL) {
			log_visible(&visible, str_of(text));
			same = str_is(buf_str(&visible), text);
		}
		buf_fini(&visible);
		if (!same)
			return admin_usage(admin,
			    "--%s holds a control character, or bytes that are not UTF-8",
			    names[i]);
	}
	return 0;
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
		return *help_r ? 0 : admin_usage(admin, "a command is missing");
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
	return check_notes(admin);
}

/*
 * Where 0, 1 or 2 is closed, the next file that is opened would get its number,
 * and what we print would go to Redis. These can neither be read nor written.
 */
static void
fill_standard_files(void)
{
	static const int useless[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) == -1)
			open("/dev/null", useless[fd]); /* takes the lowest: this one */
	}
}

/* Before the words are read, so that what is wrong with them is said in JSON too. */
static bool
wants_json(int argc, char *const argv[])
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}

int
main(int argc, char *argv[])
{
	struct admin admin;
	bool help = false;
	int code;

	fill_standard_files();
	log_open("splitmx", LOG_TO_STDERR, LOG_LEVEL_WARNING);
	if (sodium_init() == -1)
		log_fatal(EX_OSERR, "random_numbers", "why=%s", "unavailable");
	admin_init(&admin);
	admin.json = wants_json(argc, argv);
	code = read_words(&admin, argc, argv, &help);
	if (code == EX_USAGE && admin.command == &cmd_help && !admin.json)
		cmd_help.run(&admin);
	if (code == 0 && help) {
		admin.args.words[0] = admin.command->name;
		admin.args.word_count = admin.command != &cmd_help;
		cmd_help.run(&admin);
	} else if (code == 0) {
		code = admin.command->run(&admin);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		code = admin_fail(&admin, EX_IOERR, "the output could not be written");
	admin_fini(&admin);
	return code;
}
