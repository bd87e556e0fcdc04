/*
 * main.c - splitmx-frontd, wired together                             (driver)
 *
 * The map, and the server that asks it. Nothing else.
 */
#include "base/mem.h"
#include "front/server.h"
#include "map/map.h"
#include "net/daemon.h"

#include <stdlib.h>
#include <sys/prctl.h>

enum { DRAIN_SPARE_MS = 2500 };

struct frontd {
	struct worker *worker;
	struct map *map;
	struct server *server;
};

static void
frontd_check(struct settings *settings)
{
	server_check(settings);
	if (settings->frontd.listen_count == 0)
		settings_problem(settings, 0, "frontd.listen", "nothing to listen on");
}

static void
frontd_plan(const struct settings *settings, struct daemon_plan *plan_r)
{
	size_t count = settings->frontd.listen_count;

	plan_r->binds = xnew_array(struct bind_request, count);
	plan_r->bind_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct front_listen_settings *row = &settings->frontd.listen[i];

		plan_r->binds[i] = (struct bind_request){
		    .address = row->address, .backlog = (int)row->backlog, .line = row->line};
	}
	plan_r->workers = (unsigned)settings->frontd.workers;
	plan_r->drain_ms = (uint64_t)settings->frontd.drain_timeout_ms;
	plan_r->metrics = settings->frontd.metrics;
	plan_r->metrics_line = settings_line(settings, &settings->frontd.metrics);
}

static void
frontd_stop(void *ctx)
{
	struct frontd *frontd = ctx;

	if (frontd == NULL)
		return;
	server_free(&frontd->server);
	map_free(&frontd->map);
	free(frontd);
}

static int
frontd_start(struct worker *worker, const struct settings *settings, const int *fds, void **ctx_r,
    struct fault *fault_r)
{
	/* A little more than is given to the sessions, whose last words have 2 s of their own. */
	const struct map_role role = {.name = "frontd",
	    .drain_ms = (uint32_t)settings->frontd.end_timeout_ms + DRAIN_SPARE_MS};
	struct frontd *frontd = xnew(struct frontd);
	struct loop *loop = worker_loop(worker);

	must(prctl(PR_SET_DUMPABLE, 0) == 0); /* passwords pass here: no core, no ptrace */
	frontd->worker = worker;
	if ((frontd->map = map_new(loop, settings, &role, fault_r)) == NULL)
		goto failed;
	frontd->server =
	    server_new(loop, frontd->map, worker_tickets(worker), settings, fds, fault_r);
	if (frontd->server == NULL)
		goto failed;
	worker_ready(worker);
	*ctx_r = frontd;
	return 0;
failed:
	frontd_stop(frontd);
	return -1;
}

static int
frontd_reload(void *ctx, const struct settings *settings, const int *fds, struct fault *fault_r)
{
	struct frontd *frontd = ctx;

	if (server_reload(frontd->server, settings, fds, fault_r) == -1)
		return -1;
	map_reload(frontd->map, settings);
	return 0;
}

static void
left(void *ctx)
{
	struct frontd *frontd = ctx;

	worker_drained(frontd->worker);
}

static void
drained(void *ctx)
{
	struct frontd *frontd = ctx;

	map_leave(frontd->map, left, frontd);
}

static void
frontd_drain(void *ctx)
{
	struct frontd *frontd = ctx;

	server_drain(frontd->server, drained, frontd);
	worker_close_listeners(frontd->worker); /* sessions may go on for an hour */
}

static json_t *
frontd_status(void *ctx)
{
	struct frontd *frontd = ctx;
	json_t *status = server_status(frontd->server);

	json_object_set_new(status, "map", map_status(frontd->map));
	return status;
}

static void
frontd_numbers(void *ctx, struct openmetrics *text)
{
	struct frontd *frontd = ctx;

	server_numbers(frontd->server, text);
	map_numbers(frontd->map, text);
}

/* ---- commands of the control socket */

static json_t *
do_sessions(void *ctx, const json_t *request, struct fault *fault_r)
{
	struct frontd *frontd = ctx;

	return json_pack("{s:o}", "sessions", server_sessions(frontd->server, request));
}

static json_t *
do_kick(void *ctx, const json_t *request, struct fault *fault_r)
{
	struct frontd *frontd = ctx;
	const char *account = json_string_value(json_object_get(request, "account"));
	const char *session = json_string_value(json_object_get(request, "session"));

	if (account == NULL && session == NULL) {
		fault_set(fault_r, VERDICT_PERM, "kick needs an account or a session");
		return NULL;
	}
	return json_pack("{s:I}", "ended",
	    (json_int_t)server_kick(frontd->server, account, session));
}

static const struct control_command commands[] = {
    {"sessions", do_sessions},
    {"kick", do_kick},
    {NULL, NULL},
};

static const struct daemon_program program = {
    .name = "splitmx-frontd",
    .service = "frontd",
    .summary = "the login front: IMAP, POP3, submission and ManageSieve",
    .check = frontd_check,
    .plan = frontd_plan,
    .start = frontd_start,
    .reload = frontd_reload,
    .drain = frontd_drain,
    .status = frontd_status,
    .numbers = frontd_numbers,
    .commands = commands,
    .stop = frontd_stop,
};

int
main(int argc, char **argv)
{
	return daemon_main(&program, argc, argv);
}
