/*
 * timer.c - one-shot timers of a loop                                 (driver)
 *
 * All timers share one timerfd, which is set anew only when an earlier one
 * comes. libevent's own timers would give every wait of the kernel a timeout,
 * and setting that up costs a tenth of a whole question and answer on a warm
 * socket; also they stand still while the machine is suspended, and ours, by
 * CLOCK_BOOTTIME, do not.
 *
 * The order is a binary heap: nothing with a header in Debian has one to embed.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop_inside.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct timers {
	struct watch *watch; /* of fd */
	int fd;
	bool firing;
	uint64_t set_us; /* when fd will be ready; it may then turn out to be for nothing */
	uint64_t serial;
	struct timer **heap;
	size_t count, size;
};

struct timer {
	struct loop *loop;
	timer_fn *fn;
	void *ctx;
	uint64_t due_us;
	uint64_t serial; /* of two that are due at once, the one started first */
	size_t place; /* in the heap, from 1; 0: not running */
};

enum { HEAP_LEAST = 16 };

/* ---- the heap; places count from 1, the parent of n is n / 2 */

static bool
is_before(const struct timer *a, const struct timer *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->serial < b->serial;
}

static struct timer *
at(const struct timers *timers, size_t place)
{
	return timers->heap[place - 1];
}

static void
put(struct timers *timers, size_t place, struct timer *timer)
{
	timers->heap[place - 1] = timer;
	timer->place = place;
}

static void
rise(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place;

	for (; place > 1 && is_before(timer, at(timers, place / 2)); place /= 2)
		put(timers, place, at(timers, place / 2));
	put(timers, place, timer);
}

static void
sink(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place, below;

	while ((below = place * 2) <= timers->count) {
		if (below < timers->count && is_before(at(timers, below + 1), at(timers, below)))
			below++;
		if (!is_before(at(timers, below), timer))
			break;
		put(timers, place, at(timers, below));
		place = below;
	}
	put(timers, place, timer);
}

static void
insert(struct timers *timers, struct timer *timer)
{
	if (timers->count == timers->size) {
		timers->size = timers->size ? timers->size * 2 : HEAP_LEAST;
		timers->heap = xrealloc(timers->heap, timers->size * sizeof(struct timer *));
	}
	put(timers, ++timers->count, timer);
	rise(timers, timer);
}

static void
take_out(struct timers *timers, struct timer *timer)
{
	struct timer *last = at(timers, timers->count--);

	if (last != timer) {
		put(timers, timer->place, last);
		rise(timers, last);
		sink(timers, last);
	}
	timer->place = 0;
}

/* ---- the timerfd */

static void
set(struct timers *timers)
{
	struct itimerspec when = {0};
	uint64_t due_us;

	if (timers->firing || timers->count == 0)
		return;
	due_us = at(timers, 1)->due_us;
	if (due_us >= timers->set_us)
		return;
	timers->set_us = due_us;
	when.it_value.tv_sec = (time_t)(due_us / 1000000);
	when.it_value.tv_nsec = (long)(due_us % 1000000) * 1000;
	must(timerfd_settime(timers->fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

/* What is started meanwhile, however soon it is due, waits for the next turn. */
static void
fire(int ready, void *ctx)
{
	struct timers *timers = ctx;
	uint64_t now_us, times;

	if (read(timers->fd, &times, sizeof(times)) == -1)
		return; /* set anew since it was ready */
	now_us = clock_us();
	timers->set_us = UINT64_MAX;
	timers->firing = true;
	while (timers->count > 0 && at(timers, 1)->due_us <= now_us) {
		struct timer *timer = at(timers, 1);

		take_out(timers, timer);
		timer->fn(timer->ctx);
	}
	timers->firing = false;
	set(timers);
}

struct timers *
timers_new(struct loop *loop)
{
	struct timers *timers = xnew(struct timers);

	timers->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	must(timers->fd != -1);
	timers->set_us = UINT64_MAX;
	timers->watch = watch_new(loop, timers->fd, fire, timers);
	watch_set(timers->watch, WATCH_READ);
	set(timers);
	return timers;
}

void
timers_free(struct timers **timers_ref)
{
	struct timers *timers = *timers_ref;

	*timers_ref = NULL;
	watch_free(&timers->watch);
	close(timers->fd);
	free(timers->heap);
	free(timers);
}

/* ---- for everybody */

struct timer *
timer_new(struct loop *loop, timer_fn *fn, void *ctx)
{
	struct timer *timer = xnew(struct timer);

	timer->loop = loop;
	timer->fn = fn;
	timer->ctx = ctx;
	return timer;
}

void
timer_start(struct timer *timer, uint64_t ms)
{
	struct timers *timers = loop_timers(timer->loop);

	must(ms < UINT64_MAX / 4000);
	timer_stop(timer);
	timer->due_us = clock_us() + ms * 1000 + 1; /* later than now, which fire() compares to */
	timer->serial = timers->serial++;
	insert(timers, timer);
	set(timers);
}

void
timer_stop(struct timer *timer)
{
	if (timer->place != 0)
		take_out(loop_timers(timer->loop), timer);
}

bool
timer_is_running(const struct timer *timer)
{
	return timer->place != 0;
}

void
timer_free(struct timer **timer_ref)
{
	struct timer *timer = *timer_ref;

	if (timer == NULL)
		return;
	*timer_ref = NULL;
	timer_stop(timer);
	loop_bury(timer->loop, timer, free);
}
