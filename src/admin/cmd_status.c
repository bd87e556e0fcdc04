/*
 * cmd_status.c - splitmx status                                       (driver)
 *
 * Asks every process of this host that has a control socket in run_dir.
 */
#include "admin/admin.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/control.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
    {"all", NULL, "show everything that each process says, not only the table"},
    {0},
};

enum { STATUS_TIMEOUT_MS = 3000 };

struct counts {
	size_t answered, silent;
};

/* "/run/splitmx/policyd.ctl" -> "policyd"; the caller's. */
static char *
id_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	slash = slash != NULL ? slash + 1 : path;
	return xstrndup(slash, strlen(slash) - strlen(".ctl"));
}

static const char *
text_of(const json_t *value, char *room, size_t size)
{
	if (json_is_string(value))
		return log_quote_text(json_string_value(value));
	if (json_is_integer(value))
		snprintf(room, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(room, size, "%.3f", json_real_value(value));
	else
		snprintf(room, size, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
	return room;
}

/* "map.lease.left_ms  1234", one line for each value, groups and lists by their path. */
static void
print_tree(const json_t *value, const char *path)
{
	char room[64];
	const char *name;
	json_t *member;
	size_t i;

	if (json_is_object(value)) {
		/* jansson's iteration macros want an object that could change. */
		json_t *object = json_deep_copy(value);

		json_object_foreach (object, name, member) {
			char *deeper = xasprintf("%s%s%s", path, path[0] ? "." : "", name);

			print_tree(member, deeper);
			free(deeper);
		}
		json_decref(object);
	} else if (json_is_array(value)) {
		json_array_foreach (value, i, member) {
			char *deeper = xasprintf("%s[%zu]", path, i);

			print_tree(member, deeper);
			free(deeper);
		}
	} else {
		printf("  %-36s %s\n", path, text_of(value, room, sizeof(room)));
	}
}

static const char *
field(const json_t *reply, const char *name)
{
	static char rooms[4][64];
	static unsigned next;
	char *room = rooms[next++ % ARRAY_LEN(rooms)];
	const json_t *value = json_object_get(reply, name);

	return value == NULL ? "-" : text_of(value, room, sizeof(rooms[0]));
}

static void
print_one(struct admin *admin, const char *id, json_t *reply)
{
	if (admin->json) {
		json_object_set_new(reply, "id", json_string(id));
		json_dumpf(reply, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (args_has(&admin->args, "all")) {
		printf("%s\n", id);
		print_tree(reply, "");
	} else {
		printf("%-16s %-18s %-8s %-8s %s\n", id, field(reply, "program"),
		    field(reply, "version"), field(reply, "pid"), field(reply, "state"));
	}
}

static void
ask_one(struct admin *admin, const char *path, struct counts *counts)
{
	json_t *request = json_pack("{s:s}", "do", "status"), *reply = NULL;
	struct fault fault;
	char *id = id_of(path);

	if (control_ask(path, request, STATUS_TIMEOUT_MS, &reply, &fault) == -1) {
		counts->silent++;
		admin_fail(admin, EX_UNAVAILABLE, "%s does not answer: %s", id, fault.text);
	} else {
		counts->answered++;
		print_one(admin, id, reply);
	}
	json_decref(request);
	json_decref(reply);
	free(id);
}

static int
run(struct admin *admin)
{
	struct counts counts = {0};
	char *pattern;
	glob_t paths;
	int code;

	if ((code = admin_need_settings(admin)) != 0)
		return code;
	pattern = xasprintf("%s/*.ctl", admin->settings->run_dir);
	if (glob(pattern, 0, NULL, &paths) == 0) {
		if (!admin->json && !args_has(&admin->args, "all"))
			printf("%-16s %-18s %-8s %-8s %s\n", "ID", "PROGRAM", "VERSION", "PID",
			    "STATE");
		for (size_t i = 0; i < paths.gl_pathc; i++)
			ask_one(admin, paths.gl_pathv[i], &counts);
		globfree(&paths);
	}
	if (counts.answered + counts.silent == 0)
		code = admin_fail(admin, EX_UNAVAILABLE,
		    "no process of splitmx runs here (no %s); start splitmx-policyd", pattern);
	else if (counts.silent > 0)
		code = EX_UNAVAILABLE;
	free(pattern);
	return code;
}

const struct command cmd_status = {
    .name = "status",
    .usage = "[--all]",
    .sentence = "Shows the processes of this host and how they are.",
    .options = options,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
