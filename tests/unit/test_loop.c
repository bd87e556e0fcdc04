/*
 * test_loop.c - timers, signals, descriptors, burials
 */
#include "net/loop.h"

#include "base/clock.h"
#include "base/mem.h"

#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 300 };

struct alarm_clock {
	struct loop *loop;
	struct timer *timer;
	uint64_t due_ms;
	bool may_not_ring;
	unsigned *rung; /* how many did, together */
};

static void
on_ring(void *ctx)
{
	struct alarm_clock *clock = ctx;

	assert_false(clock->may_not_ring);
	assert_true(clock_ms() >= clock->due_ms);

	++*clock->rung;
}

static bool
never(void *ctx)
{
	return false;
}

static bool
all_rang(void *ctx)
{
	return *(unsigned *)ctx >= MANY / 2;
}

static void
timers_ring_when_due_and_never_early(void **state)
{
	static struct alarm_clock clocks[MANY];
	struct loop *loop = loop_new();
	unsigned rung = 0, random = 1;

	for (size_t i = 0; i < MANY; i++) {
		random = random * 1103515245 + 12345;
		clocks[i] = (struct alarm_clock){.loop = loop, .rung = &rung};
		clocks[i].timer = timer_new(loop, on_ring, &clocks[i]);
		timer_start(clocks[i].timer, (random >> 16) % 100);
		clocks[i].due_ms = clock_ms() + (random >> 8) % 120;
		timer_start(clocks[i].timer, (random >> 8) % 120); /* moves it */
	}
	for (size_t i = 0; i < MANY; i += 2) {
		clocks[i].may_not_ring = true;
		if (i % 4 == 0)
			timer_stop(clocks[i].timer);
		else
			timer_free(&clocks[i].timer);
		assert_true(i % 4 != 0 || !timer_is_running(clocks[i].timer));
	}
	assert_true(loop_run_until(loop, all_rang, &rung, 5000));
	assert_false(loop_run_until(loop, never, NULL, 30));
	assert_int_equal(rung, MANY / 2);
	for (size_t i = 0; i < MANY; i++)
		timer_free(&clocks[i].timer);
	loop_free(&loop);
}

struct chain {
	struct timer *timer;
	struct loop *loop;
	unsigned turns, rings;
};

static void
ring_again(void *ctx)
{
	struct chain *chain = ctx;

	if (++chain->rings < 5)
		timer_start(chain->timer, 0);
	else
		timer_free(&chain->timer);
}

static bool
count_turns(void *ctx)
{
	struct chain *chain = ctx;

	chain->turns++;
	return chain->timer == NULL;
}

static void
a_timer_of_zero_waits_for_the_next_turn(void **state)
{
	struct chain chain = {.loop = loop_new()};

	chain.timer = timer_new(chain.loop, ring_again, &chain);
	timer_start(chain.timer, 0);
	assert_true(loop_run_until(chain.loop, count_turns, &chain, 5000));
	assert_int_equal(chain.rings, 5);
	assert_true(chain.turns >= 6); /* it is asked before the first one too */
	loop_free(&chain.loop);
}

static void
note_order(void *ctx)
{
	char **next = ctx;

	*(*next)++ = 'x';
}

static void
note_a(void *ctx)
{
	char **next = ctx;

	*(*next)++ = 'a';
}

static bool
three_are_noted(void *ctx)
{
	return strlen(ctx) == 3;
}

static void
timers_ring_in_the_order_of_their_times(void **state)
{
	char order[8] = "", *next = order;
	struct loop *loop = loop_new();
	struct timer *late = timer_new(loop, note_order, &next);
	struct timer *soon = timer_new(loop, note_a, &next);
	struct timer *later = timer_new(loop, note_a, &next);
	uint64_t now_ms;

	do { /* in one millisecond, or the times are others */
		now_ms = clock_ms();
		timer_start(later, 3);
		timer_start(late, 2);
		timer_start(soon, 1);
	} while (clock_ms() != now_ms);
	usleep(10000); /* all are due at once */
	assert_true(loop_run_until(loop, three_are_noted, order, 5000));
	assert_string_equal(order, "axa");
	timer_free(&late);
	timer_free(&soon);
	timer_free(&later);
	loop_free(&loop);
}

static void
on_signal(int signo, void *ctx)
{
	assert_int_equal(signo, SIGUSR1);
	loop_stop(ctx);
}

static void
raise_it(void *ctx)
{
	raise(SIGUSR1);
}

static void
a_signal_is_handled_in_the_loop(void **state)
{
	struct loop *loop = loop_new();
	struct timer *timer = timer_new(loop, raise_it, NULL);

	loop_on_signal(loop, SIGUSR1, on_signal, loop);
	timer_start(timer, 1);
	loop_run(loop); /* returns, because the handler stops it */
	timer_free(&timer);
	loop_free(&loop);
}

struct pipe_end {
	struct watch *watch;
	int ready, calls;
};

static void
on_ready(int ready, void *ctx)
{
	struct pipe_end *end = ctx;

	end->ready = ready;
	if (++end->calls == 2)
		watch_free(&end->watch);
}

static void
a_watch_calls_as_long_as_it_is_ready_and_may_free_itself(void **state)
{
	struct loop *loop = loop_new();
	struct pipe_end end = {0};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	end.watch = watch_new(loop, fds[0], on_ready, &end);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_run_until(loop, never, NULL, 10);
	assert_int_equal(end.calls, 0); /* nobody asked */
	watch_set(end.watch, WATCH_READ | WATCH_WRITE);
	watch_set(end.watch, WATCH_READ);
	loop_run_until(loop, never, NULL, 10);
	assert_int_equal(end.calls, 2);
	assert_int_equal(end.ready, WATCH_READ);
	assert_null(end.watch);
	close(fds[0]);
	close(fds[1]);
	loop_free(&loop);
}

struct corpse {
	struct loop *loop;
	unsigned *buried;
	bool has_heir;
};

static void
bury(void *object)
{
	struct corpse *corpse = object;
	struct corpse *heir;

	++*corpse->buried;
	if (corpse->has_heir) {
		heir = xnew(struct corpse);
		heir->buried = corpse->buried;
		loop_bury(corpse->loop, heir, bury);
	}
	free(corpse);
}

static void
what_is_buried_goes_after_the_turn_and_with_the_loop(void **state)
{
	struct loop *loop = loop_new();
	struct corpse *corpse;
	unsigned buried = 0;

	for (int i = 0; i < 2; i++) {
		corpse = xnew(struct corpse);
		*corpse = (struct corpse){.loop = loop, .buried = &buried, .has_heir = true};
		loop_bury(loop, corpse, bury);
		assert_int_equal(buried, i * 2);
		if (i == 0)
			loop_run_until(loop, never, NULL, 0);
		else
			loop_free(&loop);
		assert_int_equal(buried, (i + 1) * 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timers_ring_when_due_and_never_early),
	    cmocka_unit_test(a_timer_of_zero_waits_for_the_next_turn),
	    cmocka_unit_test(timers_ring_in_the_order_of_their_times),
	    cmocka_unit_test(a_signal_is_handled_in_the_loop),
	    cmocka_unit_test(a_watch_calls_as_long_as_it_is_ready_and_may_free_itself),
	    cmocka_unit_test(what_is_buried_goes_after_the_turn_and_with_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
