/*
 * worker.c - the life of a worker, from fork to exit                  (driver)
 */
#include "net/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/channel.h"
#include "net/metrics.h"
#include "net/tls_tickets.h"
#include "net/worker_numbers.h"

enum { ORPHANS_MS = 10 };

struct listener_fd {
	uint64_t serial;
	int fd;
};

struct worker {
	const struct daemon_program *program;
	void *ctx; /* the program's */
	struct loop *loop;
	struct watch *watch; /* of the channel */
	struct timer *deadline;
	struct timer *orphans; /* looks again whether there are any */
	struct control *control;
	struct settings *settings;
	struct listener_fd *listeners;
	size_t listener_count;
	size_t metrics_count; /* the last of them, one for each worker */
	struct metrics *metrics; /* NULL: nobody is answered */
	uint64_t drain_ms, started_ms;
	struct tls_ticket_root *tickets; /* the forked copy */
	unsigned slot, restarts, reloads;
	pid_t master;
	int channel;
	bool ready, draining;
};

static int *
numbers_of(const struct listener_fd *listeners, size_t count)
{
	int *fds = xnew_array(int, count + 1);

	for (size_t i = 0; i < count; i++)
		fds[i] = listeners[i].fd;
	return fds;
}

static bool
listens(const struct listener_fd *listeners, size_t count, uint64_t serial, int *fd_r)
{
	for (size_t i = 0; i < count; i++) {
		if (listeners[i].serial == serial) {
			*fd_r = listeners[i].fd;
			return true;
		}
	}
	return false;
}

/* ---- what it says to its master */

static void
tell(struct worker *worker, enum channel_what what, uint32_t number)
{
	struct channel_message message = {.what = what, .number = number};

	if (channel_send(worker->channel, &message, NULL, 0) == -1)
		log_warning("channel_failed", "why=%s", log_quote_text(strerror(errno)));
}

struct loop *
worker_loop(struct worker *worker)
{
	return worker->loop;
}

unsigned
worker_slot(const struct worker *worker)
{
	return worker->slot;
}

struct tls_ticket_root *
worker_tickets(struct worker *worker)
{
	return worker->tickets;
}

void
worker_ready(struct worker *worker)
{
	if (worker->ready)
		return;
	worker->ready = true;
	tell(worker, CHANNEL_READY, 0);
}

/* The program has nothing left; the last bytes of its clients may be under way. */
static void
on_orphans(void *ctx)
{
	struct worker *worker = ctx;

	if (loop_has_orphans(worker->loop))
		timer_start(worker->orphans, ORPHANS_MS);
	else
		loop_stop(worker->loop);
}

void
worker_drained(struct worker *worker)
{
	on_orphans(worker);
}

/* ---- its numbers */

static void
write_numbers(void *ctx, struct buf *out)
{
	struct worker *worker = ctx;
	const struct worker_numbers numbers = {.program = worker->program->name,
	    .workers = worker->metrics_count,
	    .restarts = worker->restarts,
	    .reloads = worker->reloads,
	    .uptime_ms = clock_ms() - worker->started_ms,
	    .is_ready = worker->ready,
	    .is_draining = worker->draining};
	struct openmetrics text;
	char slot[16];

	snprintf(slot, sizeof(slot), "%u", worker->slot);
	openmetrics_begin(&text, out, OPENMETRICS_LABELS({"worker", slot}));
	worker_numbers_write(&numbers, &text);
	if (worker->program->numbers != NULL)
		worker->program->numbers(worker->ctx, &text);
	openmetrics_end(&text);
}

/* At the one of the last "count" listeners that is this worker's. */
static void
set_metrics(struct worker *worker, size_t count)
{
	metrics_free(&worker->metrics);
	worker->metrics_count = count;
	if (worker->slot < count)
		worker->metrics = metrics_new(worker->loop,
		    worker->listeners[worker->listener_count - count + worker->slot].fd,
		    write_numbers, worker);
}

void
worker_close_listeners(struct worker *worker)
{
	size_t own_count = worker->listener_count - worker->metrics_count;

	must(worker->draining); /* so no reload asks for them again */
	for (size_t i = 0; i < own_count; i++)
		close(worker->listeners[i].fd);
	memmove(worker->listeners, worker->listeners + own_count,
	    worker->metrics_count * sizeof(*worker->listeners));
	worker->listener_count = worker->metrics_count;
}

/* ---- what it is told */

static void
on_deadline(void *ctx)
{
	struct worker *worker = ctx;

	log_warning("drain_cut", "slot=%u after_ms=%llu", worker->slot,
	    (unsigned long long)worker->drain_ms);
	loop_stop(worker->loop);
}

/* A successor on the same control socket must not be answered for. */
static void
drain(struct worker *worker, bool succeeded)
{
	if (succeeded) {
		control_stop_accepting(worker->control);
		metrics_free(&worker->metrics);
	}
	if (worker->draining)
		return;
	worker->draining = true;
	timer_start(worker->deadline, worker->drain_ms);
	worker->program->drain(worker->ctx);
}

static void
close_unlisted(const struct listener_fd *from, size_t from_count, const struct listener_fd *keep,
    size_t keep_count)
{
	int ignored;

	for (size_t i = 0; i < from_count; i++) {
		if (!listens(keep, keep_count, from[i].serial, &ignored))
			close(from[i].fd);
	}
}

/* Sockets we have already keep their number; their copies are closed. */
static struct listener_fd *
sort_out(const struct worker *worker, const struct channel_message *message, const int *fds)
{
	struct listener_fd *next = xnew_array(struct listener_fd, message->number + 1);

	for (uint32_t i = 0; i < message->number; i++) {
		next[i].serial = message->serials[i];
		if (listens(worker->listeners, worker->listener_count, next[i].serial, &next[i].fd))
			close(fds[i]);
		else
			next[i].fd = fds[i];
	}
	return next;
}

/* The first own_count of the listeners are the program's, the others for numbers. */
static int
apply(struct worker *worker, struct settings *settings, struct listener_fd *next, size_t count,
    size_t own_count, struct fault *fault_r)
{
	int *fds = numbers_of(next, count);
	int rc = worker->program->reload(worker->ctx, settings, fds, fault_r);

	free(fds);
	if (rc == -1) {
		close_unlisted(next, count, worker->listeners, worker->listener_count);
		free(next);
		settings_free(&settings);
		return -1;
	}
	metrics_free(&worker->metrics); /* before its descriptor is closed */
	close_unlisted(worker->listeners, worker->listener_count, next, count);
	free(worker->listeners);
	worker->listeners = next;
	worker->listener_count = count;
	set_metrics(worker, count - own_count);
	settings_free(&worker->settings);
	worker->settings = settings;
	worker->reloads++;
	return 0;
}

/* The master has checked this text; what it cannot see is left to reload(). */
static void
reload(struct worker *worker, const struct channel_message *message, const int *fds, int text_fd)
{
	struct fault fault;
	struct listener_fd *next;
	struct settings *settings;
	struct daemon_plan plan;
	char *text = channel_fd_text(text_fd, &fault);

	if (text == NULL || worker->draining) {
		for (uint32_t i = 0; i < message->number; i++)
			close(fds[i]);
		tell(worker, CHANNEL_DONE, 1);
		free(text);
		return;
	}
	settings = settings_load_text(text, worker->settings->path);
	settings_keep(settings, worker->settings);
	free(text);
	memset(&plan, 0, sizeof(plan));
	worker->program->plan(settings, &plan);
	free(plan.binds);
	worker->drain_ms = plan.drain_ms;
	next = sort_out(worker, message, fds);
	if (apply(worker, settings, next, message->number, plan.bind_count, &fault) == -1) {
		log_error("reload_failed", "slot=%u why=%s", worker->slot,
		    log_quote_text(fault.text));
		tell(worker, CHANNEL_DONE, 1);
		return;
	}
	log_open(worker->program->name, settings->log_to, settings->log_level);
	tell(worker, CHANNEL_DONE, 0);
}

static void
obey(struct worker *worker, const struct channel_message *message, const int *fds, size_t count)
{
	switch ((enum channel_what)message->what) {
	case CHANNEL_RELOAD:
		must(count == (size_t)message->number + 1); /* our own master says nothing else */
		reload(worker, message, fds + 1, fds[0]);
		close(fds[0]);
		return;
	case CHANNEL_DRAIN:
		drain(worker, message->number == 1);
		return;
	case CHANNEL_PING:
		tell(worker, CHANNEL_PONG, 0);
		return;
	case CHANNEL_READY:
	case CHANNEL_DONE:
	case CHANNEL_PONG:
	case CHANNEL_COUNT:
		break;
	}
	must(!"a message that a master sends");
}

static void
on_channel(int ready, void *ctx)
{
	struct worker *worker = ctx;
	struct channel_message message;
	int fds[CHANNEL_FDS_MOST];
	size_t count;
	int got;

	while ((got = channel_receive(worker->channel, &message, fds, &count)) == 1)
		obey(worker, &message, fds, count);
	if (got == -1 && errno == EAGAIN)
		return;
	watch_set(worker->watch, 0);
	log_warning("master_lost", "slot=%u", worker->slot);
	drain(worker, true);
}

static void
on_signal(int signo, void *ctx)
{
	drain(ctx, false);
}

/* ---- its control socket */

static json_t *
do_status(void *ctx, const json_t *request, struct fault *fault_r)
{
	struct worker *worker = ctx;
	json_t *more =
	    worker->program->status != NULL ? worker->program->status(worker->ctx) : NULL;
	json_t *reply = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:i, s:i, s:s, s:b, s:b}",
	    "program", worker->program->name, "version", PACKAGE_VERSION, "instance",
	    worker->settings->instance, "slot", (int)worker->slot, "pid", (int)getpid(), "master",
	    (int)worker->master, "uptime_ms", (json_int_t)(clock_ms() - worker->started_ms),
	    "restarts", (int)worker->restarts, "reloads", (int)worker->reloads, "settings",
	    worker->settings->path, "ready", worker->ready, "draining", worker->draining);

	if (reply == NULL)
		fault_set(fault_r, VERDICT_TEMP, "the status has bytes that are not UTF-8");
	else if (more != NULL)
		json_object_update_missing(reply, more);
	json_decref(more);
	return reply;
}

static const struct control_command own_commands[] = {
    {"status", do_status},
    {NULL, NULL},
};

/* ---- birth and death */

static void
keep_sockets(struct worker *worker, const struct worker_birth *birth)
{
	worker->listeners = xnew_array(struct listener_fd, birth->listener_count + 1);
	worker->listener_count = birth->listener_count;
	for (size_t i = 0; i < birth->sockets->count; i++) {
		const struct socket *socket = &birth->sockets->rows[i];

		if (i < birth->listener_count)
			worker->listeners[i] = (struct listener_fd){socket->serial, socket->fd};
		else if (i != birth->listener_count + birth->slot)
			close(socket->fd); /* another worker's control socket */
	}
	worker->control =
	    control_new(worker->loop, birth->sockets->rows[birth->listener_count + birth->slot].fd);
	control_add(worker->control, own_commands, worker);
}

static void
listen_to_signals(struct worker *worker)
{
	static const int deaf[] = {SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LEN(deaf); i++)
		signal(deaf[i], SIG_IGN);
	loop_on_signal(worker->loop, SIGTERM, on_signal, worker);
	loop_on_signal(worker->loop, SIGINT, on_signal, worker);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static struct worker *
worker_new(const struct worker_birth *birth)
{
	struct worker *worker = xnew(struct worker);

	worker->program = birth->program;
	worker->settings = birth->settings;
	worker->drain_ms = birth->drain_ms;
	worker->slot = birth->slot;
	worker->restarts = birth->restarts;
	worker->channel = birth->channel;
	worker->tickets = birth->tickets;
	worker->master = getppid();
	worker->started_ms = clock_ms();
	worker->loop = loop_new();
	worker->deadline = timer_new(worker->loop, on_deadline, worker);
	worker->orphans = timer_new(worker->loop, on_orphans, worker);
	keep_sockets(worker, birth);
	return worker;
}

static void
worker_free(struct worker *worker)
{
	if (worker->ctx != NULL)
		worker->program->stop(worker->ctx);
	metrics_free(&worker->metrics);
	control_free(&worker->control);
	watch_free(&worker->watch);
	timer_free(&worker->deadline);
	timer_free(&worker->orphans);
	loop_free(&worker->loop);
	for (size_t i = 0; i < worker->listener_count; i++)
		close(worker->listeners[i].fd);
	free(worker->listeners);
	settings_free(&worker->settings);
	tls_ticket_root_free(&worker->tickets);
	free(worker);
}

int
worker_run(const struct worker_birth *birth)
{
	struct worker *worker;
	struct fault fault;
	int *fds, rc;

	if (privilege_drop(birth->identity, &fault) == -1) {
		log_error("privileges_kept", "why=%s", log_quote_text(fault.text));
		return EX_NOPERM;
	}
	worker = worker_new(birth);
	fds = numbers_of(worker->listeners, worker->listener_count);
	rc = worker->program->start(worker, worker->settings, fds, &worker->ctx, &fault);
	free(fds);
	if (rc == -1) {
		log_error("start_failed", "slot=%u why=%s", worker->slot,
		    log_quote_text(fault.text));
		worker_free(worker);
		return EX_UNAVAILABLE;
	}
	if (birth->program->commands != NULL)
		control_add(worker->control, birth->program->commands, worker->ctx);
	set_metrics(worker, birth->metrics_count);
	worker->watch = watch_new(worker->loop, worker->channel, on_channel, worker);
	watch_set(worker->watch, WATCH_READ);
	listen_to_signals(worker);
	loop_run(worker->loop);
	worker_free(worker);
	return EX_OK;
}
