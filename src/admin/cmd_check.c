/*
 * cmd_check.c - splitmx check                                         (driver)
 */
#include "admin/admin.h"

#include "admin/live.h"

#include <stdio.h>

static const struct option_row options[] = {
    {"live", NULL, "also ask Redis, every listener, and every socketmap: of this host's Postfix"},
    {"postfix", "DIRECTORY", "with --live: the configuration directory of that Postfix"},
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

static int
run(struct admin *admin)
{
	struct live live = {.admin = admin, .postfix_config = args_value(&admin->args, "postfix")};
	int code = check_settings(admin);

	if (code != 0 || !args_has(&admin->args, "live"))
		return code;
	live_redis(&live);
	live_listeners(&live);
	live_postfix(&live);
	return live.bad > 0 ? EX_UNAVAILABLE : 0;
}

const struct command cmd_check = {
    .name = "check",
    .usage = "[--live [--postfix DIRECTORY]]",
    .sentence = "Reads the settings and names every problem; with --live asks everybody too.",
    .options = options,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
