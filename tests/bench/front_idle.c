/*
 * front_idle.c - sessions that are held open, and NOOPs to see how they feel
 *
 * Opens its sessions, says so, and obeys lines on its standard input:
 *
 *   mark   figures of the NOOPs since the last mark, and what became of the sessions
 *   noop N N NOOPs, one after the other, over all sessions in turn; then as mark
 *   quit   the end (as the end of the input): the sessions are dropped
 *
 * With a rate, NOOPs are also sent at that pace, whatever becomes of them; their
 * time counts from the moment when each was due, so a stall counts for all that
 * it delayed.
 */
#include "front_client.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <unistd.h>

struct idle {
	size_t next; /* whose turn it is */
	uint64_t begun_ns; /* of the ticks */
	uint64_t ticks, skipped;
	uint64_t in_a_row; /* NOOPs of "noop N" that are still to be sent */
	bool is_over;
	int timer;
};

static void
report(struct crowd *crowd, const char *what)
{
	const struct idle *idle = crowd->mode;

	printf("{\"what\": \"%s\", \"now_ns\": %" PRIu64 ", \"opened\": %" PRIu64
	       ", \"refused\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"byes\": %" PRIu64
	       ", \"last_lost_ns\": %" PRIu64 ", \"skipped\": %" PRIu64 ", ",
	    what, now_ns(), crowd->tally[NEWS_IN], crowd->tally[NEWS_REFUSED],
	    crowd->tally[NEWS_LOST], crowd->byes, crowd->last_lost_ns, idle->skipped);
	timings_print(&crowd->timings);
	printf("}\n");
	fflush(stdout);
}

/* The next session that may be asked something; NULL: none. */
static struct client *
next_free(struct crowd *crowd)
{
	struct idle *idle = crowd->mode;

	for (size_t i = 0; i < crowd->count; i++) {
		struct client *client = &crowd->clients[idle->next++ % crowd->count];

		if (client->phase == CLIENT_IN)
			return client;
	}
	return NULL;
}

static void
noop(struct crowd *crowd, uint64_t due_ns)
{
	struct idle *idle = crowd->mode;
	struct client *client = next_free(crowd);

	if (client == NULL) {
		idle->skipped++;
		return;
	}
	client_ask(client, "NOOP");
	if (due_ns > 0)
		client->began_ns = due_ns;
}

static void
idle_news(struct crowd *crowd, struct client *client, enum news news)
{
	struct idle *idle = crowd->mode;

	if (news == NEWS_ANSWER) {
		timings_add(&crowd->timings, now_ns() - client->began_ns);
		if (idle->in_a_row > 0 && --idle->in_a_row > 0)
			noop(crowd, 0);
		else if (crowd->plan->rate == 0)
			report(crowd, "noop");
	} else if ((news == NEWS_IN || news == NEWS_REFUSED) && crowd->begun < crowd->count) {
		client_dial(crowd, &crowd->clients[crowd->begun]);
	}
}

/* The timer says how many have become due. */
static void
tick(struct crowd *crowd)
{
	struct idle *idle = crowd->mode;
	uint64_t due, step_ns = 1000000000u / crowd->plan->rate;

	if (read(idle->timer, &due, sizeof(due)) != sizeof(due))
		return;
	while (due-- > 0)
		noop(crowd, idle->begun_ns + ++idle->ticks * step_ns);
}

static void
timer_start(struct crowd *crowd)
{
	struct idle *idle = crowd->mode;
	long step_ns = 1000000000L / (long)crowd->plan->rate;
	struct timespec step = {.tv_sec = step_ns / 1000000000L, .tv_nsec = step_ns % 1000000000L};
	struct itimerspec every = {.it_interval = step, .it_value = step};
	struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = &idle->timer};

	idle->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	idle->begun_ns = now_ns();
	if (idle->timer == -1 || timerfd_settime(idle->timer, 0, &every, NULL) == -1 ||
	    epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, idle->timer, &wanted) == -1)
		err(EX_OSERR, "timer");
}

static void
obey(struct crowd *crowd)
{
	struct idle *idle = crowd->mode;
	char line[64];
	ssize_t len = read(STDIN_FILENO, line, sizeof(line) - 1);

	line[len > 0 ? len : 0] = '\0';
	if (len <= 0 || strncmp(line, "quit", 4) == 0) {
		idle->is_over = true;
	} else if (strncmp(line, "mark", 4) == 0) {
		report(crowd, "mark");
	} else if (strncmp(line, "noop ", 5) == 0 && crowd->plan->rate == 0) {
		idle->in_a_row = strtoull(line + 5, NULL, 10);
		noop(crowd, 0);
	} else {
		errx(EX_USAGE, "no such command: %s", line);
	}
}

static void
idle_other(struct crowd *crowd, void *owner)
{
	const struct idle *idle = crowd->mode;

	if (owner == &idle->timer)
		tick(crowd);
	else
		obey(crowd);
}

static void
open_all(struct crowd *crowd)
{
	size_t first = crowd->plan->at_once < crowd->count ? crowd->plan->at_once : crowd->count;

	while (crowd->begun < first)
		client_dial(crowd, &crowd->clients[crowd->begun]);
	while (crowd->tally[NEWS_IN] + crowd->tally[NEWS_REFUSED] < crowd->count)
		crowd_turn(crowd);
	report(crowd, "opened");
}

int
client_idle(const struct client_plan *plan)
{
	struct idle idle = {.timer = -1};
	struct crowd crowd = {.news = idle_news, .other = idle_other, .mode = &idle};
	struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = &crowd};

	crowd_open(&crowd, plan, plan->sessions);
	open_all(&crowd);
	if (epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &wanted) == -1)
		err(EX_OSERR, "standard input");
	if (plan->rate > 0)
		timer_start(&crowd);
	while (!idle.is_over)
		crowd_turn(&crowd);
	crowd_close(&crowd);
	return 0;
}
