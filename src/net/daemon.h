/*
 * daemon.h - what a daemon must say to become one                     (driver)
 *
 * Each daemon is a master and its workers. The master (often root) reads the
 * settings, opens the sockets, keeps them, and starts a worker again when it
 * dies. Workers have no privileges, one loop each, and do the work. A program
 * fills a struct daemon_program; its main() returns daemon_main().
 *
 *	SIGTERM, SIGINT  drain, then leave; the second one: leave at once
 *	SIGHUP           new settings, completely or not at all; connections stay
 *	SIGUSR2          a new binary takes the sockets over, then the old one drains
 *
 * Every worker has a control socket, RUN_DIR/SERVICE-SLOT.ctl; "status" is
 * there already, and the program adds to it. Where the settings say so it has
 * another one for numbers (net/plan.h, net/metrics.h).
 */
#ifndef NET_DAEMON_H
#define NET_DAEMON_H

#include "base/fault.h"
#include "base/openmetrics.h"
#include "base/settings.h"
#include "net/bind.h"
#include "net/control.h"
#include "net/loop.h"

#include <jansson.h>
#include <stdint.h>

struct tls_ticket_root; /* net/tls_tickets.h */
struct worker; /* one process that works */

/* What the settings ask of the master. */
struct daemon_plan {
	struct bind_request *binds; /* allocated, the frame's from now on; texts are lent */
	size_t bind_count;
	unsigned workers; /* as at the start: changing it needs a restart */
	uint64_t drain_ms;
	const char *metrics; /* where worker 0 answers for OpenMetrics; NULL: none does */
	int metrics_line; /* of that in the settings file */
	size_t metrics_count; /* the frame's: so many of the binds, the last ones, are for that */
};

struct daemon_program {
	const char *name; /* "splitmx-policyd" */
	const char *service; /* "policyd" */
	const char *summary; /* one line for --help */

	/* ---- in the master: no threads, no loop, nothing that blocks for long */

	/* Add what only this program can see with settings_problem(). May be NULL. */
	void (*check)(struct settings *settings);
	void (*plan)(const struct settings *settings, struct daemon_plan *plan_r);

	/* ---- in each worker */

	/*
	 * Begin to serve. fds[i] listens for binds[i] and is lent: until a reload
	 * brings an array without it, or stop(). Call worker_ready() now or later.
	 * settings live until reload() has replaced them. -1: this worker ends, and
	 * with it the daemon, if it never was ready.
	 */
	int (*start)(struct worker *worker, const struct settings *settings, const int *fds,
	    void **ctx_r, struct fault *fault_r);

	/*
	 * New settings and listeners: an unchanged listener has the same number as
	 * before, a gone one is missing (stop using it; the frame closes it). On
	 * success the former settings are freed right after. -1: keep the old ones.
	 */
	int (*reload)(void *ctx, const struct settings *settings, const int *fds,
	    struct fault *fault_r);

	/*
	 * Whoever waits in the backlogs, or has sent what we have not read yet, is
	 * still served: go on for a moment, then stop accepting, close what is idle
	 * with conn_finish(), and call worker_drained() when nobody is left. What
	 * conn_finish() has to send is waited for. After drain_ms the worker ends
	 * anyway.
	 */
	void (*drain)(void *ctx);

	/* More of "status": a new object, whose members are added. May be NULL. */
	json_t *(*status)(void *ctx);
	const struct control_command *commands; /* more of them; may be NULL */

	/* More families of numbers. May be NULL. */
	void (*numbers)(void *ctx, struct openmetrics *text);

	void (*stop)(void *ctx); /* the loop has ended: free everything */
};

/* Exit codes are those of sysexits.h: 64 usage, 78 settings, 0 a normal end. */
int daemon_main(const struct daemon_program *program, int argc, char **argv);

struct loop *worker_loop(struct worker *worker);
unsigned worker_slot(const struct worker *worker); /* which of the workers, from 0 */

/* What TLS session tickets of all workers grow from; lent until stop() has returned. */
struct tls_ticket_root *worker_tickets(struct worker *worker);
void worker_ready(struct worker *worker); /* listeners accept */
void worker_drained(struct worker *worker); /* after drain(); the loop ends */

/*
 * In drain(), by a program whose drain may last: it accepts nobody any more, and
 * who connects is to be turned away, or comes to a successor, instead of waiting
 * for the end of this worker. The descriptors are closed.
 */
void worker_close_listeners(struct worker *worker);

#endif
