/*
 * crew.h - the workers of a master: started, watched, started again   (driver)
 *
 * A worker that dies is replaced at once; one that dies again and again waits
 * longer each time, so a broken machine is not also a busy one. How it died is
 * logged. The sockets are not the crew's: they stay open meanwhile.
 */
#ifndef NET_CREW_H
#define NET_CREW_H

#include "net/worker.h"

#include <poll.h>

enum { CREW_MOST = 64 };

struct hand; /* one worker, or the place of one */

struct crew {
	struct hand *hands;
	unsigned count;
	bool draining; /* nobody is started any more */
	bool was_ready; /* every worker was, once */
	int failed_code; /* one gave up before that: the daemon's exit code; 0 = none */

	/* In the child: close what is the master's alone, and fill in the birth. */
	void (*bear)(void *ctx, unsigned slot, struct worker_birth *birth_r);
	/* Send the newest settings and sockets into this channel; as channel_send(). */
	int (*brief)(void *ctx, int channel);
	void *ctx;
};

void crew_init(struct crew *crew, unsigned count);
void crew_fini(struct crew *crew);

/* Starts and kills what is due; returns milliseconds until it is to be called again, -1 = never. */
int crew_tick(struct crew *crew);

/* SIGCHLD: who has died? */
void crew_reap(struct crew *crew);

/* The channels, for poll(); and what to do with the answer. Up to CREW_MOST. */
unsigned crew_poll_fds(const struct crew *crew, struct pollfd *fds_r);
void crew_listen(struct crew *crew);

void crew_reload(struct crew *crew); /* each is briefed when it has finished the last one */
bool crew_is_settled(const struct crew *crew); /* no briefing is under way or wanted */
bool crew_is_ready(const struct crew *crew);
bool crew_is_gone(const struct crew *crew);

void crew_drain(struct crew *crew, bool succeeded, uint64_t drain_ms);
void crew_kill(struct crew *crew);

/* Everybody answered the last ping (true at first); ping again. */
bool crew_ping(struct crew *crew);

#endif
