/*
 * main.c - splitmx-policyd, wired together                           (driver)
 *
 * The map, the rules that read it, the server that asks them, and the counter that
 * is told what has arrived. Nothing else.
 */
#include "base/mem.h"
#include "map/map.h"
#include "net/daemon.h"
#include "policy/counter.h"
#include "policy/server.h"
#include "rules/ask.h"

#include <stdlib.h>

struct policyd {
	struct worker *worker;
	struct map *map;
	struct asker *asker;
	struct counter *counter;
	struct server *server;
};

static void
policyd_check(struct settings *settings)
{
	struct ruleset *rules = ruleset_new(settings);

	ruleset_free(&rules);
	server_check(settings);
	if (settings->policyd.listen_count == 0)
		settings_problem(settings, 0, "policyd.listen", "nothing to listen on");
}

static void
policyd_plan(const struct settings *settings, struct daemon_plan *plan_r)
{
	size_t count = settings->policyd.listen_count;

	plan_r->binds = xnew_array(struct bind_request, count);
	plan_r->bind_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct listen_settings *row = &settings->policyd.listen[i];

		plan_r->binds[i] = (struct bind_request){.address = row->address,
		    .mode = row->mode,
		    .owner = row->owner,
		    .group = row->group,
		    .backlog = (int)row->backlog,
		    .line = row->line};
	}
	plan_r->workers = (unsigned)settings->policyd.workers;
	plan_r->drain_ms = (uint64_t)settings->policyd.drain_timeout_ms;
	plan_r->metrics = settings->policyd.metrics;
	plan_r->metrics_line = settings_line(settings, &settings->policyd.metrics);
}

static void
policyd_stop(void *ctx)
{
	struct policyd *policyd = ctx;

	if (policyd == NULL)
		return;
	server_free(&policyd->server);
	counter_free(&policyd->counter);
	asker_free(&policyd->asker);
	map_free(&policyd->map);
	free(policyd);
}

static int
policyd_start(struct worker *worker, const struct settings *settings, const int *fds, void **ctx_r,
    struct fault *fault_r)
{
	static const struct map_role role = {.name = "policyd"};
	struct policyd *policyd = xnew(struct policyd);
	struct loop *loop = worker_loop(worker);

	policyd->worker = worker;
	if ((policyd->map = map_new(loop, settings, &role, fault_r)) == NULL)
		goto failed;
	policyd->asker = asker_new(policyd->map, ruleset_of(settings), settings);
	policyd->server = server_new(loop, policyd->asker, settings, fds, fault_r);
	if (policyd->server == NULL)
		goto failed;
	policyd->counter = counter_new(loop, policyd->map, policyd->asker);
	server_set_counter(policyd->server, policyd->counter);
	worker_ready(worker);
	*ctx_r = policyd;
	return 0;
failed:
	policyd_stop(policyd);
	return -1;
}

static int
policyd_reload(void *ctx, const struct settings *settings, const int *fds, struct fault *fault_r)
{
	struct policyd *policyd = ctx;

	if (server_reload(policyd->server, settings, fds, fault_r) == -1)
		return -1;
	map_reload(policyd->map, settings);
	asker_take_rules(policyd->asker, ruleset_of(settings), settings);
	return 0;
}

static void
left(void *ctx)
{
	struct policyd *policyd = ctx;

	worker_drained(policyd->worker);
}

static void
counted(void *ctx)
{
	struct policyd *policyd = ctx;

	map_leave(policyd->map, left, policyd);
}

static void
drained(void *ctx)
{
	struct policyd *policyd = ctx;

	counter_finish(policyd->counter, counted, policyd);
}

static void
policyd_drain(void *ctx)
{
	struct policyd *policyd = ctx;

	server_drain(policyd->server, drained, policyd);
}

static json_t *
policyd_status(void *ctx)
{
	struct policyd *policyd = ctx;
	json_t *status = server_status(policyd->server);

	json_object_set_new(status, "arrivals", counter_status(policyd->counter));
	json_object_set_new(status, "map", map_status(policyd->map));
	return status;
}

static void
policyd_numbers(void *ctx, struct openmetrics *text)
{
	struct policyd *policyd = ctx;

	server_numbers(policyd->server, text);
	counter_numbers(policyd->counter, text);
	map_numbers(policyd->map, text);
}

static const struct daemon_program program = {
    .name = "splitmx-policyd",
    .service = "policyd",
    .summary = "answers Postfix from the ownership map",
    .check = policyd_check,
    .plan = policyd_plan,
    .start = policyd_start,
    .reload = policyd_reload,
    .drain = policyd_drain,
    .status = policyd_status,
    .numbers = policyd_numbers,
    .stop = policyd_stop,
};

int
main(int argc, char **argv)
{
	return daemon_main(&program, argc, argv);
}
