/*
 * test_plan.c - what a program asks of its master, made complete
 */
#include "net/plan.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

static const char *metrics; /* of the program below */

static void
plan(const struct settings *settings, struct daemon_plan *plan_r)
{
	plan_r->binds = xnew_array(struct bind_request, 1);
	plan_r->binds[0] = (struct bind_request){.address = "unix:/run/x", .mode = "0600"};
	plan_r->bind_count = 1;
	plan_r->workers = 3;
	plan_r->metrics = metrics;
	plan_r->metrics_line = 7;
}

static const struct daemon_program program = {.plan = plan};

static void
without_numbers_nothing_is_added(void **state)
{
	struct daemon_plan made;

	metrics = NULL;
	plan_make(&program, NULL, 0, &made);
	assert_int_equal(made.bind_count, 1);
	assert_int_equal(made.metrics_count, 0);
	free(made.binds);
}

static void
each_worker_has_a_port_of_its_own(void **state)
{
	static const struct {
		const char *metrics, *second, *third;
	} rows[] = {
	    {"inet:127.0.0.1:9850", "inet:127.0.0.1:9851", "inet:127.0.0.1:9852"},
	    {"inet:[::1]:99", "inet:[::1]:100", "inet:[::1]:101"},
	    {"inet:localhost:65534", "inet:localhost:65535", "inet:localhost:65536"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct daemon_plan made;

		metrics = rows[i].metrics;
		plan_make(&program, NULL, 0, &made);
		assert_int_equal(made.bind_count, 4);
		assert_int_equal(made.metrics_count, 3);
		assert_string_equal(made.binds[0].address, "unix:/run/x");
		assert_string_equal(made.binds[0].mode, "0600");
		assert_string_equal(made.binds[1].address, rows[i].metrics);
		assert_string_equal(made.binds[2].address, rows[i].second);
		assert_string_equal(made.binds[3].address, rows[i].third);
		assert_int_equal(made.binds[3].line, 7);
		free(made.binds);
	}
}

static void
a_port_beyond_the_last_cannot_be_bound(void **state)
{
	struct daemon_plan made;
	struct fault fault;

	metrics = "inet:127.0.0.1:65534";
	plan_make(&program, NULL, 0, &made);
	assert_int_equal(bind_check(&made.binds[2], &fault), 0);
	assert_int_equal(bind_check(&made.binds[3], &fault), -1);
	free(made.binds);
}

/* Their number needs a restart, whatever the new settings say. */
static void
workers_that_there_are_count_and_not_those_that_are_planned(void **state)
{
	struct daemon_plan made;

	metrics = "inet:127.0.0.1:9850";
	plan_make(&program, NULL, 1, &made);
	assert_int_equal(made.bind_count, 2);
	assert_int_equal(made.metrics_count, 1);
	assert_int_equal(made.workers, 3);
	free(made.binds);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_numbers_nothing_is_added),
	    cmocka_unit_test(each_worker_has_a_port_of_its_own),
	    cmocka_unit_test(a_port_beyond_the_last_cannot_be_bound),
	    cmocka_unit_test(workers_that_there_are_count_and_not_those_that_are_planned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
