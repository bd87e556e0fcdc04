/*
 * worker.h - the life of a worker, from fork to exit                  (driver)
 *
 * Between the master, which speaks through a channel, and the program's
 * callbacks. When the channel ends the master is dead: the worker drains and
 * leaves, because nobody would start it again.
 */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include "base/privilege.h"
#include "net/daemon.h"
#include "net/sockets.h"

/* Everything a worker is born with; it lives in the forked copy of its master. */
struct worker_birth {
	const struct daemon_program *program;
	struct settings *settings; /* the worker's */
	const struct identity *identity;
	struct tls_ticket_root *tickets;
	const struct sockets *sockets; /* the first listener_count, then control sockets */
	size_t listener_count;
	size_t metrics_count; /* so many of the listeners, the last ones, one for each worker */
	uint64_t drain_ms;
	unsigned slot;
	unsigned restarts; /* of this slot */
	int channel;
};

/* Runs until it is drained; returns the exit code. Signals are blocked before. */
int worker_run(const struct worker_birth *birth);

#endif
