/*
 * cmd_check.c - splitmx check                                         (driver)
 */
#include "admin/admin.h"

#include "admin/check_complete.h"
#include "admin/live.h"
#include "admin/secret.h"
#include "base/mem.h"

#include <stdio.h>

static const struct option_row options[] = {
    {"live", NULL,
	"also ask Redis, every listener and server, and every socketmap: of this host's Postfix"},
    {"login", "NAME", "with --live: log in by this name, at its servers and through the front"},
    {"password-file", "FILE", "its password is the first line there; else you are asked"},
    {"from", "ADDRESS", "with --login: come to the front from this address of the host"},
    {"ca-file", "FILE", "with --live: who may sign the front's certificates"},
    {"front-name", "HOST", "with --live: the name that clients connect to"},
    {"postfix", "DIRECTORY", "with --live: the configuration directory of that Postfix"},
    CHECK_COMPLETE_OPTIONS,
    {0},
};

static void
say(const char *text)
{
	admin_print_text(stdout, str_of(text));
	putchar('\n');
}

static int
check_settings(struct admin *admin)
{
	size_t count;

	admin_load(admin);
	count = settings_problem_count(admin->settings);
	for (size_t i = 0; i < count; i++) {
		const char *text = settings_problem_text(admin->settings, i);

		if (admin->json)
			admin_print_json(json_pack("{s:s, s:b, s:o}", "check", "settings", "ok", 0,
			    "detail", admin_json_text(str_of(text))));
		else
			say(text);
	}
	if (count > 0)
		return EX_CONFIG;
	if (admin->json)
		admin_print_json(json_pack("{s:s, s:b, s:o}", "check", "settings", "ok", 1,
		    "detail", admin_json_text(str_of(admin->config_path))));
	if (!admin->json) {
		printf("%-6s %-9s ", "ok", "settings");
		say(admin->config_path);
	}
	return 0;
}

/* Options that mean nothing by themselves. */
static int
check_options(const struct admin *admin)
{
	static const char *const needed[][2] = {{"postfix", "live"}, {"login", "live"},
	    {"ca-file", "live"}, {"front-name", "live"}, {"password-file", "login"},
	    {"from", "login"}, {"map", "complete"}, {"sender", "complete"},
	    {"addresses", "complete"}, {"queue-directory", "complete"}};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (args_has(&admin->args, needed[i][0]) && !args_has(&admin->args, needed[i][1]))
			return admin_usage(admin, "--%s is for use with --%s", needed[i][0],
			    needed[i][1]);
	return 0;
}

static int
take_password(struct live *live)
{
	struct fault fault;

	if (live->login == NULL || secret_read(args_value(&live->admin->args, "password-file"),
				       "Password: ", &live->password, &fault) == 0)
		return 0;
	return admin_fail(live->admin, EX_NOINPUT, "%s", fault.text);
}

static int
check_live(struct live *live)
{
	int code = take_password(live);

	if (code != 0)
		return code;
	live->loop = loop_new();
	live_redis(live);
	live_listeners(live);
	live_milter(live);
	live_postfix(live);
	live_servers(live);
	live_front(live);
	if (live->login != NULL)
		live_login(live);
	loop_free(&live->loop);
	return live->bad > 0 ? EX_UNAVAILABLE : 0;
}

static int
run(struct admin *admin)
{
	const struct args *args = &admin->args;
	struct live live = {.admin = admin,
	    .postfix_config = args_value(args, "postfix"),
	    .login = args_value(args, "login"),
	    .from = args_value(args, "from"),
	    .ca_file = args_value(args, "ca-file"),
	    .front_name = args_value(args, "front-name")};
	int code = check_options(admin);

	if (code == 0)
		code = check_settings(admin);
	if (code == 0 && args_has(args, "live"))
		code = check_live(&live);
	if (code == 0 && args_has(args, "complete"))
		code = check_complete(admin);
	buf_wipe(&live.password);
	return code;
}

const struct command cmd_check = {
    .name = "check",
    .usage = "[--live [--postfix DIRECTORY] [--login NAME [--password-file FILE] [--from "
	     "ADDRESS]] [--ca-file FILE] [--front-name HOST]] [--complete DOMAIN [--map NAME] "
	     "[--sender ADDRESS] [--addresses FILE] [--queue-directory DIRECTORY]]",
    .sentence = "Reads the settings and names every problem; with --live asks everybody too, with "
		"--complete compares a domain with its servers.",
    .options = options,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
