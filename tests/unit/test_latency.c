/*
 * test_latency.c - how long each step of a login takes at a backend
 */
#include "front/latency.h"

#include "base/mem.h"

#include "unit.h"

static void
each_time_is_counted_once_at_the_least_bound_that_holds_it(void **state)
{
	static const struct {
		uint64_t us;
		size_t bucket;
	} rows[] = {{0, 0}, {250, 0}, {251, 1}, {10000, 5}, {10001, 6},
	    {10000000, LATENCY_BOUNDS - 1}, {10000001, LATENCY_BOUNDS},
	    {UINT32_MAX, LATENCY_BOUNDS}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct latency latency = {0};

		latency_add(&latency, LATENCY_TLS, rows[i].us);
		for (size_t step = 0; step < LATENCY_STEPS; step++)
			for (size_t j = 0; j <= LATENCY_BOUNDS; j++)
				assert_int_equal(latency.steps[step].counts[j],
				    step == LATENCY_TLS && j == rows[i].bucket);
		assert_int_equal(latency.steps[LATENCY_TLS].sum_us, rows[i].us);
	}
}

static void
sums_and_counts_add_up(void **state)
{
	struct latency latency = {0};

	for (uint64_t us = 1; us <= 1000; us++)
		latency_add(&latency, LATENCY_LOGIN, us);
	assert_int_equal(latency.steps[LATENCY_LOGIN].sum_us, 500500);
	assert_int_equal(latency.steps[LATENCY_LOGIN].counts[0], 250);
	assert_int_equal(latency.steps[LATENCY_LOGIN].counts[1], 250);
	assert_int_equal(latency.steps[LATENCY_LOGIN].counts[2], 500);
}

static void
every_step_has_a_name_and_bounds_grow(void **state)
{
	for (size_t i = 0; i < LATENCY_STEPS; i++)
		assert_non_null(latency_names[i]);
	for (size_t i = 1; i < LATENCY_BOUNDS; i++)
		assert_true(latency_bounds_us[i] > latency_bounds_us[i - 1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_time_is_counted_once_at_the_least_bound_that_holds_it),
	    cmocka_unit_test(sums_and_counts_add_up),
	    cmocka_unit_test(every_step_has_a_name_and_bounds_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
