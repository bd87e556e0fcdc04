/*
 * test_breaker.c - do not run against a closed door
 *
 * A row is one thing that happens, at a time: "?" a login asks, "+" one worked,
 * "-" one failed (the trial, if there is one), "l" one failed that began before the
 * trial, "o" one was given up before anything was found out.
 */
#include "front/breaker.h"

#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#include "unit.h"

struct event {
	uint64_t at_ms;
	char what;
	bool allowed; /* for "?" */
	uint64_t pause_ms; /* after it */
	uint64_t until_ms; /* where there is a pause */
};

#define FIVE_FAILURES                                                                              \
	{1000, '-', false, 0, 0}, {1000, '-', false, 0, 0}, {1000, '-', false, 0, 0},              \
	    {1000, '-', false, 0, 0},                                                              \
	{                                                                                          \
		1000, '-', false, 250, 1250                                                        \
	}
#define TRIAL_FAILS(at, pause)                                                                     \
	{at, '?', true, (pause) / 2, at},                                                          \
	{                                                                                          \
		at, '-', false, pause, (at) + (pause)                                              \
	}

static void
play(const struct event *events, size_t count)
{
	struct breaker breaker = {0};
	bool is_trial = false, none;

	for (size_t i = 0; i < count; i++) {
		const struct event *e = &events[i];
		bool allowed = false;

		if (e->what == '?')
			allowed = breaker_allows(&breaker, e->at_ms, is_trial ? &none : &is_trial);
		else if (e->what == '+')
			breaker_worked(&breaker);
		else if (e->what == '-')
			breaker_failed(&breaker, is_trial, e->at_ms, 0);
		else if (e->what == 'l')
			breaker_failed(&breaker, false, e->at_ms, 0);
		else
			breaker_left(&breaker);
		if (strchr("+-o", e->what) != NULL)
			is_trial = false;
		if (allowed != e->allowed || breaker.pause_ms != e->pause_ms ||
		    (e->pause_ms != 0 && e->what == '-' && breaker.until_ms != e->until_ms))
			fail_msg("event %zu: allowed %d, pause %" PRIu64 ", until %" PRIu64, i,
			    allowed, breaker.pause_ms, breaker.until_ms);
	}
}

#define PLAY(...)                                                                                  \
	do {                                                                                       \
		static const struct event events[] = {__VA_ARGS__};                                \
		play(events, ARRAY_LEN(events));                                                   \
	} while (0)

static void
an_open_door_lets_everybody_through(void **state)
{
	PLAY({0, '?', true, 0, 0}, {0, '?', true, 0, 0}, {0, '+', false, 0, 0},
	    {0, '?', true, 0, 0});
}

static void
failures_count_in_a_row_only(void **state)
{
	PLAY({0, '-', false, 0, 0}, {0, '-', false, 0, 0}, {0, '-', false, 0, 0},
	    {0, '-', false, 0, 0}, {0, '+', false, 0, 0}, {0, '-', false, 0, 0},
	    {0, '-', false, 0, 0}, {0, '-', false, 0, 0}, {0, '-', false, 0, 0},
	    {0, '?', true, 0, 0}, {0, '-', false, 250, 250}, {0, '?', false, 250, 0});
}

static void
test_D3_a_closed_door_is_tried_once_when_the_pause_is_over(void **state)
{
	PLAY(FIVE_FAILURES, {1249, '?', false, 250, 0}, {1250, '?', true, 250, 0},
	    {1250, '?', false, 250, 0}, {9999, '?', false, 250, 0}, {9999, '+', false, 0, 0},
	    {9999, '?', true, 0, 0}, {9999, '?', true, 0, 0});
}

static void
test_D3_each_trial_that_fails_doubles_the_pause_up_to_the_most(void **state)
{
	PLAY(FIVE_FAILURES, TRIAL_FAILS(10000, 500), {10499, '?', false, 500, 0},
	    TRIAL_FAILS(20000, 1000), TRIAL_FAILS(30000, 2000), TRIAL_FAILS(40000, 4000),
	    TRIAL_FAILS(50000, 8000), {60000, '?', true, 8000, 0},
	    {60000, '-', false, 15000, 75000}, {80000, '?', true, 15000, 0},
	    {80000, '-', false, 15000, 95000});
}

static void
test_D3_those_that_were_under_way_do_not_lengthen_the_pause(void **state)
{
	PLAY(FIVE_FAILURES, {1001, '-', false, 250, 1250}, {1200, '-', false, 250, 1250},
	    {1249, '?', false, 250, 0}, {1260, '-', false, 250, 1250}, {1260, '?', true, 250, 0});
}

static void
one_that_was_under_way_and_worked_opens_the_door(void **state)
{
	PLAY(FIVE_FAILURES, {1100, '+', false, 0, 0}, {1100, '?', true, 0, 0},
	    {1100, '-', false, 0, 0}, {1100, '?', true, 0, 0});
}

static void
after_the_door_was_opened_the_pause_begins_small_again(void **state)
{
	PLAY(FIVE_FAILURES, TRIAL_FAILS(2000, 500), {3000, '?', true, 500, 0},
	    {3000, '+', false, 0, 0}, FIVE_FAILURES);
}

/* Otherwise nobody would ever come through: the one trial had no end. */
static void
test_D3_a_trial_that_was_given_up_can_be_had_by_another(void **state)
{
	PLAY(FIVE_FAILURES, {1250, '?', true, 250, 0}, {1300, '?', false, 250, 0},
	    {1300, 'o', false, 250, 0}, {1300, '?', true, 250, 0}, {1300, '?', false, 250, 0},
	    {1400, '-', false, 500, 1900});
}

static void
giving_up_says_nothing_of_an_open_door(void **state)
{
	PLAY({0, '?', true, 0, 0}, {0, 'o', false, 0, 0}, {0, '-', false, 0, 0},
	    {0, '-', false, 0, 0}, {0, '-', false, 0, 0}, {0, '-', false, 0, 0},
	    {0, 'o', false, 0, 0}, {0, '-', false, 250, 250});
}

static void
who_fails_late_does_not_end_the_trial_of_another(void **state)
{
	PLAY(FIVE_FAILURES, {1250, '?', true, 250, 1250}, {1300, 'l', false, 250, 1250},
	    {1300, '?', false, 250, 1250}, {1400, '-', false, 500, 1900});
}

static void
test_D3_the_spread_is_at_most_a_quarter(void **state)
{
	static const uint32_t drawn[] = {0, 1, 62, 63, 64, 1000000007, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_LEN(drawn); i++) {
		struct breaker breaker = {.failures = BREAKER_FAILURES - 1};
		bool is_trial;

		breaker_failed(&breaker, false, 1000, drawn[i]);
		assert_int_equal(breaker.pause_ms, BREAKER_LEAST_MS);
		assert_int_equal(breaker.until_ms, 1000 + 250 + drawn[i] % 63);
		assert_false(breaker_allows(&breaker, breaker.until_ms - 1, &is_trial));
		assert_true(breaker_allows(&breaker, breaker.until_ms, &is_trial) && is_trial);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_open_door_lets_everybody_through),
	    cmocka_unit_test(failures_count_in_a_row_only),
	    cmocka_unit_test(test_D3_a_closed_door_is_tried_once_when_the_pause_is_over),
	    cmocka_unit_test(test_D3_each_trial_that_fails_doubles_the_pause_up_to_the_most),
	    cmocka_unit_test(test_D3_those_that_were_under_way_do_not_lengthen_the_pause),
	    cmocka_unit_test(one_that_was_under_way_and_worked_opens_the_door),
	    cmocka_unit_test(after_the_door_was_opened_the_pause_begins_small_again),
	    cmocka_unit_test(test_D3_a_trial_that_was_given_up_can_be_had_by_another),
	    cmocka_unit_test(giving_up_says_nothing_of_an_open_door),
	    cmocka_unit_test(who_fails_late_does_not_end_the_trial_of_another),
	    cmocka_unit_test(test_D3_the_spread_is_at_most_a_quarter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
