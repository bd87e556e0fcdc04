/*
 * master.c - the process that owns the sockets                        (driver)
 */
#include "net/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/channel.h"
#include "net/crew.h"
#include "net/master_settings.h"
#include "net/notify.h"
#include "net/plan.h"
#include "net/tls_tickets.h"
#include "net/upgrade.h"

enum {
	BIND_PATIENCE_MS = 3000, /* a predecessor that was killed may just be closing */
	WATCHDOG_LEAST_MS = 10,
};

static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGUSR2};

struct master {
	const struct daemon_program *program;
	char **argv;
	char *binary; /* what an upgrade runs */
	struct settings *first; /* what needs a restart to change stays as in these */
	struct settings *settings; /* the newest good ones; may be first */
	struct buf text; /* of settings, for the workers */
	struct daemon_plan plan;
	struct identity identity;
	struct inheritance inheritance; /* until we serve */
	struct sockets sockets; /* listeners as planned, then control sockets */
	struct tls_ticket_root *tickets;
	struct crew crew;
	struct upgrade upgrade;
	uint64_t ping_every_ms, ping_at_ms; /* 0: no watchdog */
	int signal_fd;
	int old_fd; /* the pipe to the master that we replace, -1 = none */
	sigset_t mask_before;
	bool was_ready, reloading, stopping;
	int exit_code;
};

/* ---- plan and sockets */

static void
plan_fini(struct daemon_plan *plan)
{
	free(plan->binds);
	memset(plan, 0, sizeof(*plan));
}

/* Listeners as the program plans them, and a control socket for each worker. */
static struct bind_request *
requests_make(const struct master *master, const struct daemon_plan *plan, unsigned workers)
{
	size_t count = plan->bind_count;
	struct bind_request *requests = xnew_array(struct bind_request, count + workers);

	if (count > 0)
		memcpy(requests, plan->binds, count * sizeof(*requests));
	for (unsigned i = 0; i < workers; i++) {
		requests[count + i] = (struct bind_request){
		    .address = xasprintf("unix:%s/%s-%u.ctl", master->first->run_dir,
			master->program->service, i),
		    .mode = "0660",
		    .group = geteuid() == 0 ? master->first->group : NULL,
		};
	}
	return requests;
}

static void
requests_free(struct bind_request *requests, size_t listeners, unsigned workers)
{
	for (unsigned i = 0; i < workers; i++)
		free((char *)(uintptr_t)requests[listeners + i].address);
	free(requests);
}

static void
socket_problem(void *ctx, int line, const struct fault *fault)
{
	const struct settings *settings = ctx;

	log_error("socket_failed", "settings=%s line=%d why=%s", log_quote_text(settings->path),
	    line, log_quote_text(fault->text));
}

static int
change_sockets(struct master *master, const struct settings *settings,
    const struct daemon_plan *plan, uint64_t patience_ms)
{
	struct bind_request *requests;
	struct sockets next;
	int rc;

	requests = requests_make(master, plan, master->plan.workers);
	rc = sockets_prepare(&master->sockets, requests, plan->bind_count + master->plan.workers,
	    &master->inheritance, patience_ms, socket_problem, (void *)(uintptr_t)settings, &next);
	if (rc == 0)
		sockets_commit(&master->sockets, &next);
	requests_free(requests, plan->bind_count, master->plan.workers);
	return rc;
}

/* ---- workers */

static void
bear(void *ctx, unsigned slot, struct worker_birth *birth_r)
{
	struct master *master = ctx;

	close(master->signal_fd);
	if (master->old_fd != -1)
		close(master->old_fd);
	if (master->upgrade.pid != 0)
		close(master->upgrade.fd);
	inheritance_fini(&master->inheritance);
	buf_fini(&master->text);
	if (master->first != master->settings)
		settings_free(&master->first);
	birth_r->program = master->program;
	birth_r->settings = master->settings;
	birth_r->identity = &master->identity;
	birth_r->tickets = master->tickets;
	birth_r->sockets = &master->sockets;
	birth_r->listener_count = master->plan.bind_count;
	birth_r->metrics_count = master->plan.metrics_count;
	birth_r->drain_ms = master->plan.drain_ms;
}

static int
brief(void *ctx, int channel)
{
	struct master *master = ctx;
	struct channel_message message = {.what = CHANNEL_RELOAD};
	struct str text = buf_str(&master->text);
	int fds[CHANNEL_FDS_MOST], rc;
	struct fault fault;

	fds[0] = channel_text_fd(text.ptr, text.len, &fault);
	if (fds[0] == -1) {
		log_error("reload_unsent", "why=%s", log_quote_text(fault.text));
		errno = EAGAIN;
		return -1;
	}
	message.number = (uint32_t)master->plan.bind_count;
	for (uint32_t i = 0; i < message.number; i++) {
		message.serials[i] = master->sockets.rows[i].serial;
		fds[i + 1] = master->sockets.rows[i].fd;
	}
	rc = channel_send(channel, &message, fds, message.number + 1);
	close(fds[0]);
	return rc;
}

/* ---- reload */

static void
log_problem(const char *sentence)
{
	log_error("settings_refused", "why=%s", log_quote_text(sentence));
}

static void
log_unchanged(void *ctx, const char *setting)
{
	log_warning("setting_needs_restart", "setting=%s why=%s", log_quote_text(setting),
	    log_quote_text("keeps its old value until then"));
}

static void
adopt(struct master *master, struct settings *settings, struct buf *text, struct daemon_plan *plan)
{
	plan->workers = master->plan.workers;
	plan_fini(&master->plan);
	master->plan = *plan;
	if (master->settings != master->first)
		settings_free(&master->settings);
	master->settings = settings;
	buf_fini(&master->text);
	master->text = *text;
	log_open(master->program->name, settings->log_to, settings->log_level);
}

static void
reload(struct master *master)
{
	struct daemon_plan plan = {0};
	struct settings *settings;
	struct buf text;

	settings =
	    master_settings_read(master->program, master->settings->path, &text, log_problem);
	if (settings == NULL) {
		log_error("reload_refused", "settings=%s why=%s",
		    log_quote_text(master->settings->path),
		    log_quote_text("the old settings stay in force"));
		return;
	}
	settings_unreloadable(master->first, settings, log_unchanged, NULL);
	settings_keep(settings, master->first); /* for the sockets, and workers born later */
	plan_make(master->program, settings, master->plan.workers, &plan);
	if (change_sockets(master, settings, &plan, 0) == -1) {
		log_error("reload_refused", "settings=%s why=%s", log_quote_text(settings->path),
		    log_quote_text("a listener cannot be opened; the old settings stay in force"));
		plan_fini(&plan);
		settings_free(&settings);
		buf_fini(&text);
		return;
	}
	adopt(master, settings, &text, &plan);
	master->reloading = true;
	crew_reload(&master->crew);
}

static void
on_hup(struct master *master)
{
	struct timespec now;

	if (master->stopping || !master->was_ready)
		return; /* a start or an end; both read the file anew */
	clock_gettime(CLOCK_MONOTONIC, &now);
	notify_say("RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	reload(master);
	if (!master->reloading)
		notify_say("READY=1");
}

/* ---- end and upgrade */

/* Clients find nobody any more; what they sent before is still answered. */
static void
stop(struct master *master, bool succeeded)
{
	master->stopping = true;
	if (!succeeded) {
		notify_say("STOPPING=1");
		sockets_remove_files(&master->sockets);
	}
	crew_drain(&master->crew, succeeded, master->plan.drain_ms);
	sockets_close(&master->sockets);
}

static void
on_term(struct master *master, int signo)
{
	if (master->stopping) {
		log_warning("stopping_at_once", "signal=%d", signo);
		crew_kill(&master->crew);
		return;
	}
	log_info("stopping", "signal=%d", signo);
	upgrade_cancel(&master->upgrade);
	stop(master, false);
}

static void
on_upgrade(struct master *master)
{
	struct fault fault;

	if (master->stopping || !master->was_ready || master->upgrade.pid != 0) {
		log_warning("upgrade_ignored", "why=%s",
		    log_quote_text(master->upgrade.pid != 0 ? "one is under way" : "not now"));
		return;
	}
	if (upgrade_start(&master->upgrade, master->binary, master->argv, &master->sockets,
		&master->mask_before, &fault) == -1) {
		log_error("upgrade_failed", "why=%s", log_quote_text(fault.text));
		return;
	}
	log_info("upgrading", "binary=%s pid=%ld", log_quote_text(master->binary),
	    (long)master->upgrade.pid);
}

static void
look_at_upgrade(struct master *master)
{
	pid_t pid = master->upgrade.pid;
	struct fault fault;

	switch (upgrade_look(&master->upgrade, &fault)) {
	case UPGRADE_NOTHING:
		return;
	case UPGRADE_FAILED:
		log_error("upgrade_failed", "pid=%ld why=%s", (long)pid,
		    log_quote_text(fault.text));
		return;
	case UPGRADE_SERVES:
		log_info("upgraded", "pid=%ld", (long)pid);
		notify_say("MAINPID=%ld", (long)pid);
		stop(master, true);
		return;
	}
}

/* ---- the loop */

static void
on_signals(struct master *master)
{
	struct signalfd_siginfo info;

	while (read(master->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGHUP:
			on_hup(master);
			break;
		case SIGUSR2:
			on_upgrade(master);
			break;
		case SIGCHLD:
			crew_reap(&master->crew);
			break;
		default:
			on_term(master, (int)info.ssi_signo);
		}
	}
}

/* What follows from what the workers said. */
static void
settle(struct master *master)
{
	if (!master->was_ready && crew_is_ready(&master->crew)) {
		master->was_ready = true;
		log_info("ready", "workers=%u listeners=%zu version=%s", master->crew.count,
		    master->plan.bind_count, PACKAGE_VERSION);
		inheritance_settle(&master->inheritance);
		upgrade_report(&master->old_fd);
		notify_say("READY=1\nMAINPID=%ld", (long)getpid());
	}
	if (master->reloading && crew_is_settled(&master->crew)) {
		master->reloading = false;
		log_info("reloaded", "settings=%s listeners=%zu",
		    log_quote_text(master->settings->path), master->plan.bind_count);
		notify_say("READY=1");
	}
	if (master->crew.failed_code != 0 && !master->stopping) {
		master->exit_code = master->crew.failed_code;
		log_error("not_started", "code=%d", master->exit_code);
		stop(master, master->old_fd != -1);
	}
}

/* systemd hears from us only while every worker's loop still turns. */
static int
watchdog(struct master *master, int wait_ms)
{
	uint64_t now = clock_ms();
	int left;

	if (master->ping_every_ms == 0)
		return wait_ms;
	if (now >= master->ping_at_ms) {
		if (crew_ping(&master->crew))
			notify_say("WATCHDOG=1");
		master->ping_at_ms = now + master->ping_every_ms;
	}
	left = (int)(master->ping_at_ms - now);
	return wait_ms == -1 || left < wait_ms ? left : wait_ms;
}

/* A key that is over is to be nowhere, in a master that sleeps neither. */
static int
turn_tickets(struct master *master, int wait_ms)
{
	uint64_t now_ms = clock_ms(), left_ms = tls_ticket_root_left_ms(now_ms);

	tls_ticket_root_turn(master->tickets, now_ms);
	return wait_ms == -1 || left_ms < (uint64_t)wait_ms ? (int)left_ms : wait_ms;
}

static void
turn(struct master *master)
{
	struct pollfd fds[CREW_MOST + 2];
	int wait_ms = turn_tickets(master, watchdog(master, crew_tick(&master->crew)));
	unsigned count = crew_poll_fds(&master->crew, fds);

	fds[count++] = (struct pollfd){master->signal_fd, POLLIN, 0};
	if (master->upgrade.pid != 0) {
		int left = master->upgrade.until_ms > clock_ms()
			       ? (int)(master->upgrade.until_ms - clock_ms())
			       : 0;

		fds[count++] = (struct pollfd){master->upgrade.fd, POLLIN, 0};
		wait_ms = wait_ms == -1 || left < wait_ms ? left : wait_ms;
	}
	if (poll(fds, count, wait_ms) == -1 && errno != EINTR)
		log_error("poll_failed", "why=%s", log_quote_text(strerror(errno)));
	on_signals(master);
	crew_listen(&master->crew);
	look_at_upgrade(master);
	settle(master);
}

/* ---- beginning and end */

static void
block_signals(struct master *master)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, &master->mask_before);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would reap our workers unseen */
	master->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	must(master->signal_fd != -1);
}

static int
open_everything(struct master *master)
{
	struct fault fault;
	int rc;

	master->old_fd = upgrade_inherit();
	inheritance_init(&master->inheritance);
	if (identity_find(master->first->user, master->first->group, &master->identity, &fault) ==
	    -1) {
		log_error("not_started", "settings=%s why=%s", log_quote_text(master->first->path),
		    log_quote_text(fault.text));
		return EX_CONFIG;
	}
	privilege_raise_files();
	rc = change_sockets(master, master->first, &master->plan, BIND_PATIENCE_MS);
	if (rc == -1)
		log_error("not_started", "why=%s", log_quote_text("a listener cannot be opened"));
	return rc == -1 ? EX_UNAVAILABLE : EX_OK;
}

static void
master_fini(struct master *master)
{
	inheritance_fini(&master->inheritance);
	sockets_close(&master->sockets);
	crew_fini(&master->crew);
	plan_fini(&master->plan);
	if (master->settings != master->first)
		settings_free(&master->settings);
	settings_free(&master->first);
	buf_fini(&master->text);
	free(master->binary);
	tls_ticket_root_free(&master->tickets);
	if (master->old_fd != -1)
		close(master->old_fd);
	close(master->signal_fd);
}

int
master_run(const struct daemon_program *program, struct settings *settings, struct buf *text,
    char **argv)
{
	struct master master = {.program = program,
	    .argv = argv,
	    .first = settings,
	    .settings = settings,
	    .text = *text,
	    .upgrade = {.fd = -1},
	    .old_fd = -1};

	*text = (struct buf)BUF_INIT;
	log_open(program->name, settings->log_to, settings->log_level);
	block_signals(&master);
	master.binary = upgrade_binary(argv[0]);
	plan_make(program, settings, 0, &master.plan);
	crew_init(&master.crew, master.plan.workers);
	master.crew.bear = bear;
	master.crew.brief = brief;
	master.crew.ctx = &master;
	master.ping_every_ms = notify_watchdog_ms() / 2;
	if (master.ping_every_ms != 0 && master.ping_every_ms < WATCHDOG_LEAST_MS)
		master.ping_every_ms = WATCHDOG_LEAST_MS;
	master.tickets = tls_ticket_root_new(clock_ms());
	master.exit_code = open_everything(&master);
	if (master.exit_code == EX_OK) {
		while (!crew_is_gone(&master.crew))
			turn(&master);
		log_info("stopped", "code=%d", master.exit_code);
	}
	master_fini(&master);
	return master.exit_code;
}
