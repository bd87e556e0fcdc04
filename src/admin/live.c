/*
 * live.c - splitmx check --live: is what the settings describe there? (driver)
 */
#include "admin/live.h"

#include "admin/postfix.h"
#include "admin/probe.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/endpoint.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const protocol_names[] = {
    [LISTEN_SOCKETMAP] = "socketmap",
    [LISTEN_TCP_TABLE] = "tcp_table",
    [LISTEN_POLICY] = "policy",
    [LISTEN_SINK] = "sink",
};

void
live_say(struct live *live, enum live_state state, const char *what, const char *fix,
    const char *format, ...)
{
	static const char *const words[] = {
	    [LIVE_BAD] = "FAILS", [LIVE_GOOD] = "ok", [LIVE_OPEN] = "open"};
	struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	live->good += state == LIVE_GOOD;
	live->bad += state == LIVE_BAD;
	if (live->admin->json) {
		admin_print_json(json_pack("{s:s, s:o, s:o, s:s*}", "check", what, "ok",
		    state == LIVE_OPEN ? json_null() : json_boolean(state == LIVE_GOOD), "detail",
		    admin_json_text(buf_str(&text)), "fix", fix));
	} else {
		printf("%-6s %-9s ", words[state], what);
		admin_print_text(stdout, buf_str(&text));
		putchar('\n');
		if (fix != NULL)
			printf("                 fix: %s\n", fix);
		fflush(stdout); /* some steps take long */
	}
	buf_fini(&text);
}

/* What is good or bad. */
#define say(live, good, ...) live_say(live, (good) ? LIVE_GOOD : LIVE_BAD, __VA_ARGS__)

void
live_redis(struct live *live)
{
	struct admin *admin = live->admin;
	const struct client_map *map;
	struct fault fault;

	admin->client = client_open(admin->settings, CLIENT_LOOKS, &fault);
	if (admin->client == NULL) {
		say(live, false, "redis", NULL, "%s", fault.text);
		return;
	}
	map = client_map(admin->client);
	say(live, true, "redis", NULL,
	    "%s: map %s, epoch %" PRIu64 ", lease %" PRIu32 " ms, members %u",
	    client_target(admin->client), map->head.id, map->head.epoch, map->head.lease_ms,
	    map->head.members);
}

void
live_listeners(struct live *live)
{
	const struct settings *settings = live->admin->settings;
	const char *map = settings->map_count > 0 ? settings->maps[0].name : "";

	for (size_t i = 0; i < settings->policyd.listen_count; i++) {
		const struct listen_settings *listen = &settings->policyd.listen[i];
		struct endpoint endpoint;
		struct fault fault;
		bool good = endpoint_parse(listen->address, &endpoint, &fault) == 0 &&
			    probe_ask(&endpoint, listen->protocol, map, &fault) == 0;

		say(live, good, "listener",
		    good ? NULL : "is splitmx-policyd running? see \"splitmx status\" and its log",
		    "%s at %s%s%s", protocol_names[listen->protocol], listen->address,
		    good ? "" : ": ", good ? "" : fault.text);
	}
}

/* ---- Postfix */

/* The output of a command, in out; false when it could not be run or failed. */
static bool
output_of(struct buf *out, const char *config, const char *option, const char *name)
{
	const char *argv[6] = {"postconf", NULL};
	size_t argc = 1;
	int fds[2], status = -1;
	ssize_t got;
	pid_t child;

	if (config != NULL) {
		argv[argc++] = "-c";
		argv[argc++] = config;
	}
	argv[argc++] = option;
	if (name != NULL)
		argv[argc++] = name;
	argv[argc] = NULL;
	if (pipe(fds) == -1)
		return false;
	if ((child = fork()) == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(fds[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO); /* whether it works is all we want to know */
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	while (child != -1 && (got = read(fds[0], buf_room(out, 4096), 4096)) > 0)
		buf_added(out, (size_t)got);
	close(fds[0]);
	return child != -1 && waitpid(child, &status, 0) == child && status == 0;
}

/* One value of postconf -h; the caller's, "" when it cannot be had. */
static char *
value_of(const struct live *live, const char *name)
{
	struct buf out = BUF_INIT;
	char *value;

	output_of(&out, live->postfix_config, "-xh", name);
	value = xstrndup(buf_str(&out).ptr, str_find(buf_str(&out), '\n'));
	buf_fini(&out);
	return value;
}

/* As Postfix means it: a path may be relative, to the queue directory. */
static int
read_endpoint(const char *text, struct endpoint *endpoint_r, struct fault *fault_r)
{
	const char *path = text + strlen("unix:");

	if (!str_starts(str_of(text), "unix:"))
		return endpoint_parse(text, endpoint_r, fault_r);
	*endpoint_r = (struct endpoint){.kind = ENDPOINT_UNIX};
	if (strlen(path) >= sizeof(endpoint_r->path))
		return fault_set(fault_r, VERDICT_PERM, "%s is too long for a socket", path);
	memcpy(endpoint_r->path, path, strlen(path) + 1);
	return 0;
}

static void
check_lookup(struct live *live, const struct postfix_lookup *lookup, const char *queue_directory,
    const char *user)
{
	struct endpoint endpoint = {0};
	struct fault fault;
	const char *fix = NULL;
	bool good = false;

	if (lookup->malformed) {
		say(live, false, "postfix",
		    "write socketmap:unix:PATH:MAP or socketmap:inet:HOST:PORT:MAP",
		    "%s: %s is no socketmap", lookup->parameter, lookup->table);
		return;
	}
	if (ruleset_view(live->admin->rules, str_of(lookup->map)) == NULL) {
		say(live, false, "postfix", "name a map of the settings, or add it to \"maps\"",
		    "%s: %s: there is no map \"%s\"", lookup->parameter, lookup->table,
		    lookup->map);
		return;
	}
	if (read_endpoint(lookup->endpoint, &endpoint, &fault) == 0)
		good = probe_ask_as_postfix(&endpoint, lookup->map, queue_directory, user,
			   lookup->chrooted, &fault) == 0;
	if (!good && endpoint.kind == ENDPOINT_UNIX && endpoint.path[0] == '/' && lookup->chrooted)
		fix =
		    "this daemon is chrooted: let splitmx-policyd listen below the queue directory "
		    "too, and name the path relative to it";
	else if (!good)
		fix =
		    "let splitmx-policyd listen there, with a mode and group that Postfix's user may "
		    "use";
	say(live, good, "postfix", fix, "%s: %s, asked as %s%s by %s%s%s", lookup->parameter,
	    lookup->table, user, lookup->chrooted ? " in the chroot" : "", lookup->daemon,
	    good ? "" : ": ", good ? "" : fault.text);
}

static void
check_lookups(struct live *live, struct postfix *postfix)
{
	char *queue_directory = value_of(live, "queue_directory");
	char *user = value_of(live, "mail_owner");

	for (size_t i = 0; i < postfix_count(postfix); i++)
		check_lookup(live, postfix_at(postfix, i), queue_directory, user);
	if (postfix_count(postfix) == 0)
		say(live, true, "postfix", NULL,
		    "no parameter of this Postfix asks a socketmap (see contrib/postfix)");
	free(queue_directory);
	free(user);
}

void
live_postfix(struct live *live)
{
	struct postfix *postfix;
	struct buf services = BUF_INIT, parameters = BUF_INIT;
	char *level;

	if (!output_of(&services, live->postfix_config, "-M", NULL)) {
		say(live, live->postfix_config == NULL, "postfix", NULL,
		    "not asked: there is no Postfix, or it has no main.cf and master.cf "
		    "(\"postconf -M\" fails); --postfix DIRECTORY names another one");
		buf_fini(&services);
		return;
	}
	level = value_of(live, "compatibility_level");
	postfix = postfix_new();
	/* Before level 1 a "-" in master.cf means chrooted. */
	postfix_take_services(postfix, buf_str(&services), strtol(level, NULL, 10) < 1);
	if (output_of(&parameters, live->postfix_config, "-nx", NULL))
		postfix_take_parameters(postfix, buf_str(&parameters));
	buf_clear(&parameters);
	if (output_of(&parameters, live->postfix_config, "-P", NULL))
		postfix_take_parameters(postfix, buf_str(&parameters));
	check_lookups(live, postfix);
	postfix_free(&postfix);
	free(level);
	buf_fini(&services);
	buf_fini(&parameters);
}
