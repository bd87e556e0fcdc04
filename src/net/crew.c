/*
 * crew.c - the workers of a master: started, watched, started again   (driver)
 */
#include "net/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/channel.h"

enum {
	LONG_LIFE_MS = 10000, /* who lived that long may be replaced at once */
	BACKOFF_LEAST_MS = 100,
	BACKOFF_MOST_MS = 10000,
	OVERTIME_MS = 2000, /* beyond drain_ms, before it is killed */
	BRIEF_AGAIN_MS = 100,
};

struct hand {
	pid_t pid; /* 0: nobody is in this place */
	int channel; /* -1: none */
	bool ready, told, brief_wanted, answered;
	uint64_t born_ms, start_at_ms, kill_at_ms; /* kill_at_ms 0: not */
	unsigned quick_deaths, restarts;
};

void
crew_init(struct crew *crew, unsigned count)
{
	must(count > 0 && count <= CREW_MOST);
	memset(crew, 0, sizeof(*crew));
	crew->count = count;
	crew->hands = xnew_array(struct hand, count);
	for (unsigned i = 0; i < count; i++)
		crew->hands[i].channel = -1;
}

static void
close_channel(struct hand *hand)
{
	if (hand->channel != -1)
		close(hand->channel);
	hand->channel = -1;
}

void
crew_fini(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		close_channel(&crew->hands[i]);
	free(crew->hands);
	memset(crew, 0, sizeof(*crew));
}

/* ---- birth and death */

static void
become_worker(struct crew *crew, unsigned slot, int channel)
{
	struct worker_birth birth;
	unsigned restarts = crew->hands[slot].restarts;

	memset(&birth, 0, sizeof(birth));
	crew->bear(crew->ctx, slot, &birth);
	birth.slot = slot;
	birth.channel = channel;
	birth.restarts = restarts;
	exit(worker_run(&birth));
}

static void
wait_longer(struct hand *hand, uint64_t now)
{
	uint64_t wait_ms = 0;

	if (hand->quick_deaths > 0) {
		unsigned doublings = hand->quick_deaths - 1 < 10 ? hand->quick_deaths - 1 : 10;

		wait_ms = (uint64_t)BACKOFF_LEAST_MS << doublings;
	}
	hand->start_at_ms = now + (wait_ms < BACKOFF_MOST_MS ? wait_ms : BACKOFF_MOST_MS);
}

static void
start(struct crew *crew, unsigned slot)
{
	struct hand *hand = &crew->hands[slot];
	struct fault fault;
	int ends[2];
	pid_t pid;

	if (channel_open(ends, &fault) == -1) {
		log_error("worker_not_started", "slot=%u why=%s", slot, log_quote_text(fault.text));
		hand->quick_deaths++;
		wait_longer(hand, clock_ms());
		return;
	}
	pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < crew->count; i++)
			close_channel(&crew->hands[i]);
		close(ends[0]);
		become_worker(crew, slot, ends[1]);
	}
	close(ends[1]);
	if (pid == -1) {
		log_error("worker_not_started", "slot=%u why=%s", slot,
		    log_quote_text(strerror(errno)));
		close(ends[0]);
		hand->quick_deaths++;
		wait_longer(hand, clock_ms());
		return;
	}
	hand->pid = pid;
	hand->channel = ends[0];
	hand->ready = hand->told = hand->brief_wanted = false;
	hand->answered = true;
	hand->born_ms = clock_ms();
	log_debug("worker_started", "slot=%u pid=%ld", slot, (long)pid);
}

static void
describe_end(int status, char *words, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(words, size, "killed by signal %d (%s)%s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(words, size, "left with code %d", WEXITSTATUS(status));
}

/* Before everybody was ready once, a code says that waiting would not help. */
static void
died(struct crew *crew, unsigned slot, int status)
{
	struct hand *hand = &crew->hands[slot];
	uint64_t now = clock_ms(), lived_ms = now - hand->born_ms;
	bool expected = crew->draining && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char words[128];

	describe_end(status, words, sizeof(words));
	log_at(expected ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, "worker_ended",
	    "slot=%u pid=%ld lived_ms=%llu why=%s", slot, (long)hand->pid,
	    (unsigned long long)lived_ms, log_quote_text(words));
	hand->pid = 0;
	hand->kill_at_ms = 0;
	hand->ready = hand->told = hand->brief_wanted = false;
	hand->restarts++;
	close_channel(hand);
	hand->quick_deaths = lived_ms >= LONG_LIFE_MS ? 0 : hand->quick_deaths + 1;
	/* The first quick death is an accident: nobody waits for it. */
	if (hand->quick_deaths == 1)
		hand->start_at_ms = now;
	else
		wait_longer(hand, now);
	if (!crew->was_ready && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		crew->failed_code = WEXITSTATUS(status);
}

void
crew_reap(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++) {
		int status;

		if (crew->hands[i].pid == 0 ||
		    waitpid(crew->hands[i].pid, &status, WNOHANG) != crew->hands[i].pid)
			continue;
		crew_listen(crew); /* its last words */
		died(crew, i, status);
	}
}

/* ---- messages */

static bool
say(struct hand *hand, enum channel_what what, uint32_t number)
{
	struct channel_message message = {.what = what, .number = number};

	return hand->channel != -1 && channel_send(hand->channel, &message, NULL, 0) == 0;
}

static void
brief(struct crew *crew, struct hand *hand)
{
	if (hand->channel == -1 || hand->told || !hand->brief_wanted)
		return;
	if (crew->brief(crew->ctx, hand->channel) == 0) {
		hand->told = true;
		hand->brief_wanted = false;
	} else if (errno != EAGAIN) {
		hand->brief_wanted = false; /* it is dying, and will be born with the news */
	}
}

void
crew_reload(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++) {
		crew->hands[i].brief_wanted = crew->hands[i].pid != 0;
		brief(crew, &crew->hands[i]);
	}
}

static void
heard(struct crew *crew, unsigned slot, const struct channel_message *message)
{
	struct hand *hand = &crew->hands[slot];

	switch (message->what) {
	case CHANNEL_READY:
		hand->ready = true;
		crew->was_ready = crew->was_ready || crew_is_ready(crew);
		return;
	case CHANNEL_DONE:
		hand->told = false;
		if (message->number == 1 && !crew->draining)
			log_error("worker_kept_old_settings", "slot=%u pid=%ld", slot,
			    (long)hand->pid);
		brief(crew, hand);
		return;
	case CHANNEL_PONG:
		hand->answered = true;
		return;
	default: /* a worker is not trusted to say only what it should */
		log_warning("worker_nonsense", "slot=%u what=%u", slot, message->what);
	}
}

static void
listen_to(struct crew *crew, unsigned slot)
{
	struct hand *hand = &crew->hands[slot];
	struct channel_message message;
	int fds[CHANNEL_FDS_MOST];
	size_t count;
	int got;

	while ((got = channel_receive(hand->channel, &message, fds, &count)) == 1) {
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
		heard(crew, slot, &message);
	}
	if (got == 0 || errno != EAGAIN)
		close_channel(hand); /* SIGCHLD tells the rest */
}

void
crew_listen(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++) {
		if (crew->hands[i].channel != -1)
			listen_to(crew, i);
	}
}

unsigned
crew_poll_fds(const struct crew *crew, struct pollfd *fds_r)
{
	unsigned count = 0;

	for (unsigned i = 0; i < crew->count; i++) {
		if (crew->hands[i].channel != -1)
			fds_r[count++] = (struct pollfd){crew->hands[i].channel, POLLIN, 0};
	}
	return count;
}

bool
crew_ping(struct crew *crew)
{
	bool all = true;

	for (unsigned i = 0; i < crew->count; i++) {
		struct hand *hand = &crew->hands[i];

		if (hand->pid == 0)
			continue; /* being replaced: no reason to kill everybody */
		all = all && hand->answered;
		if (hand->answered && say(hand, CHANNEL_PING, 0))
			hand->answered = false;
	}
	return all;
}

/* ---- what the master wants to know and to do */

bool
crew_is_settled(const struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++) {
		if (crew->hands[i].told || crew->hands[i].brief_wanted)
			return false;
	}
	return true;
}

bool
crew_is_ready(const struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++) {
		if (!crew->hands[i].ready)
			return false;
	}
	return true;
}

bool
crew_is_gone(const struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++) {
		if (crew->hands[i].pid != 0)
			return false;
	}
	return crew->draining;
}

void
crew_drain(struct crew *crew, bool succeeded, uint64_t drain_ms)
{
	crew->draining = true;
	for (unsigned i = 0; i < crew->count; i++) {
		struct hand *hand = &crew->hands[i];

		if (hand->pid == 0)
			continue;
		hand->kill_at_ms = clock_ms() + drain_ms + OVERTIME_MS;
		if (!say(hand, CHANNEL_DRAIN, succeeded))
			kill(hand->pid, SIGTERM);
	}
}

void
crew_kill(struct crew *crew)
{
	crew->draining = true;
	for (unsigned i = 0; i < crew->count; i++) {
		if (crew->hands[i].pid != 0)
			kill(crew->hands[i].pid, SIGKILL);
	}
}

static void
sooner(int *wait_ms, uint64_t at_ms, uint64_t now)
{
	int ms = at_ms > now ? (int)(at_ms - now) : 0;

	if (*wait_ms == -1 || ms < *wait_ms)
		*wait_ms = ms;
}

int
crew_tick(struct crew *crew)
{
	int wait_ms = -1;

	for (unsigned i = 0; i < crew->count; i++) {
		struct hand *hand = &crew->hands[i];
		uint64_t now = clock_ms();

		if (hand->pid == 0 && !crew->draining && now >= hand->start_at_ms)
			start(crew, i);
		if (hand->pid == 0 && !crew->draining)
			sooner(&wait_ms, hand->start_at_ms, now);
		if (hand->kill_at_ms != 0 && now >= hand->kill_at_ms) {
			log_error("worker_killed", "slot=%u pid=%ld why=%s", i, (long)hand->pid,
			    log_quote_text("not drained in time"));
			kill(hand->pid, SIGKILL);
			hand->kill_at_ms = 0;
		}
		if (hand->kill_at_ms != 0)
			sooner(&wait_ms, hand->kill_at_ms, now);
		brief(crew, hand);
		if (hand->brief_wanted && !hand->told)
			sooner(&wait_ms, now + BRIEF_AGAIN_MS, now);
	}
	return wait_ms;
}
