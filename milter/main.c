/*
 * main.c - splitmx-milter, wired together                             (driver)
 *
 * The settings, and libmilter. Nothing else.
 */
#include "base/mem.h"
#include "milter/driver.h"
#include "milter/terms.h"
#include "net/daemon.h"

#include <stdlib.h>
#include <sys/prctl.h>

enum {
	MOMENT_MS = 100, /* who has connected is still served */
	LOOK_MS = 20 /* are there sessions? */
};

struct milter {
	struct worker *worker;
	struct timer *moment, *look;
};

static void
milter_check(struct settings *settings)
{
	const struct milter_settings *m = &settings->milter;

	if (m->listen_count == 0 && settings_line(settings, &m->listen) == 0)
		settings_problem(settings, 0, "milter.listen", "nothing to listen on");
	if (m->trace_keys == NULL && settings_line(settings, &m->trace_keys) == 0)
		settings_problem(settings, 0, "milter.trace_keys",
		    "is missing: a file with a line \"ID DIGITS\", the digits by \"openssl rand "
		    "-hex 32\"");
	if (terms_instance(settings) == NULL)
		settings_problem(settings, settings_line(settings, &m->instance), "milter.instance",
		    "is too long for a header: %d characters at most", TRACE_INSTANCE_MOST);
}

static void
milter_plan(const struct settings *settings, struct daemon_plan *plan_r)
{
	const struct milter_settings *m = &settings->milter;

	plan_r->binds = xnew_array(struct bind_request, m->listen_count);
	plan_r->bind_count = m->listen_count;
	for (size_t i = 0; i < m->listen_count; i++)
		plan_r->binds[i] = (struct bind_request){.address = m->listen[i],
		    .mode = m->mode,
		    .owner = m->owner,
		    .group = m->group,
		    .backlog = (int)m->backlog,
		    .line = settings_line(settings, &m->listen[i])};
	plan_r->workers = (unsigned)m->listen_count;
	plan_r->drain_ms = (uint64_t)m->drain_timeout_ms;
	plan_r->metrics = m->metrics;
	plan_r->metrics_line = settings_line(settings, &m->metrics);
}

/* ---- the end */

static void
on_look(void *ctx)
{
	struct milter *milter = ctx;

	if (driver_sessions() == 0)
		worker_drained(milter->worker);
	else
		timer_start(milter->look, LOOK_MS);
}

static void
on_moment(void *ctx)
{
	struct milter *milter = ctx;

	driver_shut();
	worker_close_listeners(milter->worker);
	timer_start(milter->look, LOOK_MS);
}

static void
milter_drain(void *ctx)
{
	struct milter *milter = ctx;

	timer_start(milter->moment, MOMENT_MS);
}

static void
milter_stop(void *ctx)
{
	struct milter *milter = ctx;

	driver_stop();
	timer_free(&milter->moment);
	timer_free(&milter->look);
	free(milter);
}

/* ---- before it */

static int
milter_start(struct worker *worker, const struct settings *settings, const int *fds, void **ctx_r,
    struct fault *fault_r)
{
	unsigned slot = worker_slot(worker);
	struct milter *milter;

	must(slot < settings->milter.listen_count);
	must(prctl(PR_SET_DUMPABLE, 0) == 0); /* keys are here: no core, no ptrace */
	if (driver_start(settings, fds[slot], slot, fault_r) == -1)
		return -1;
	milter = xnew(struct milter);
	milter->worker = worker;
	milter->moment = timer_new(worker_loop(worker), on_moment, milter);
	milter->look = timer_new(worker_loop(worker), on_look, milter);
	worker_ready(worker);
	*ctx_r = milter;
	return 0;
}

static int
milter_reload(void *ctx, const struct settings *settings, const int *fds, struct fault *fault_r)
{
	return driver_reload(settings,
	    fault_r); /* listeners need a restart, so they are the same */
}

static json_t *
milter_status(void *ctx)
{
	return driver_status();
}

static void
milter_numbers(void *ctx, struct openmetrics *text)
{
	driver_numbers(text);
}

static const struct daemon_program program = {
    .name = "splitmx-milter",
    .service = "milter",
    .summary = "takes part in Postfix's SMTP sessions, by the ownership map",
    .check = milter_check,
    .plan = milter_plan,
    .start = milter_start,
    .reload = milter_reload,
    .drain = milter_drain,
    .status = milter_status,
    .numbers = milter_numbers,
    .stop = milter_stop,
};

int
main(int argc, char **argv)
{
	return daemon_main(&program, argc, argv);
}
