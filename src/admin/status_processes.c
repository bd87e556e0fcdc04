/*
 * status_processes.c - the processes of this host, by their control sockets (driver)
 */
#include "admin/status_processes.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/control.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_TIMEOUT_MS = 3000 };

struct counts {
	size_t answered, silent;
	bool everything;
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
		snprintf(room, size, "%s",
		    json_is_true(value)    ? "yes"
		    : json_is_false(value) ? "no"
					   : "-");
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

/* The columns of the table: where in the answer, and how wide. */
static const struct {
	const char *head, *path; /* "map.link.state" */
	int width;
} columns[] = {
    {"PROGRAM", "program", 17},
    {"VERSION", "version", 8},
    {"PID", "pid", 8},
    {"READY", "ready", 6},
    {"CLIENTS", "connections", 8},
    {"REDIS", "map.link.state", 8},
    {"LEASE_MS", "map.link.lease_left_ms", 9},
    {"EPOCH", "map.link.epoch", 10},
    {"REMEMBERED", "map.cache.entries", 10},
};

static const json_t *
find(const json_t *reply, const char *path)
{
	char name[32];
	size_t len;

	for (;;) {
		len = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		reply = json_object_get(reply, name);
		if (path[len] == '\0')
			return reply;
		path += len + 1;
	}
}

static void
print_heads(void)
{
	printf("%-16s", "PROCESS");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		printf(" %-*s", columns[i].width, columns[i].head);
	putchar('\n');
}

/* What an operator must look at: why Redis is away, and every alarm. */
static void
print_trouble(const json_t *reply)
{
	const char *state = json_string_value(find(reply, "map.link.state"));
	const char *trouble = json_string_value(find(reply, "map.link.trouble"));
	const json_t *alarms = find(reply, "map.alarms");
	char room[64];

	if (state != NULL && strcmp(state, "live") != 0 && trouble != NULL && trouble[0] != '\0')
		printf("  Redis: %s\n", log_quote_text(trouble));
	for (size_t i = 0; i < json_array_size(alarms); i++)
		printf("  alarm: %s\n", text_of(json_array_get(alarms, i), room, sizeof(room)));
}

static void
print_row(const char *id, const json_t *reply)
{
	char room[64];

	printf("%-16s", id);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		printf(" %-*s", columns[i].width,
		    text_of(find(reply, columns[i].path), room, sizeof(room)));
	putchar('\n');
	print_trouble(reply);
}

static void
print_one(struct admin *admin, const char *id, json_t *reply, bool everything)
{
	if (admin->json) {
		json_object_set_new(reply, "id", admin_json_text(str_of(id)));
		admin_print_json(json_pack("{s:O}", "process", reply));
	} else if (everything) {
		printf("%s\n", id);
		print_tree(reply, "");
	} else {
		print_row(id, reply);
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
		print_one(admin, id, reply, counts->everything);
	}
	json_decref(request);
	json_decref(reply);
	free(id);
}

int
status_processes(struct admin *admin, bool everything)
{
	struct counts counts = {.everything = everything};
	char *pattern = xasprintf("%s/*.ctl", admin->settings->run_dir);
	glob_t paths;
	int code = 0;

	if (glob(pattern, 0, NULL, &paths) == 0) {
		if (!admin->json && !everything)
			print_heads();
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
