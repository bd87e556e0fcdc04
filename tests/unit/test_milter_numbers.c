/*
 * test_milter_numbers.c - what the milter has done, counted from any thread
 */
#include "milter/numbers.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#include "unit.h"

static struct numbers numbers;

/* ---- how much of trouble is said */

static void
the_first_trouble_is_said_and_the_next_ones_are_counted(void **state)
{
	uint64_t more = 99;

	numbers = (struct numbers){0};
	assert_true(numbers_say(&numbers, TROUBLE_QUESTION, 1000, &more));
	assert_int_equal(more, 0);
	for (uint64_t ms = 1000; ms < 1000 + NUMBERS_QUIET_MS; ms += 1000)
		assert_false(numbers_say(&numbers, TROUBLE_QUESTION, ms, &more));
	assert_true(numbers_say(&numbers, TROUBLE_REPORT, 1001, &more)); /* another kind */
	assert_int_equal(more, 0);
	assert_true(numbers_say(&numbers, TROUBLE_QUESTION, 1000 + NUMBERS_QUIET_MS, &more));
	assert_int_equal(more, 10);
}

enum { THREADS = 8, TROUBLES = 1000 };

static atomic_uint said, counted;

static void *
have_trouble(void *arg)
{
	uint64_t more;

	for (int i = 0; i < TROUBLES; i++) {
		if (numbers_say(&numbers, TROUBLE_QUESTION, 5000, &more)) {
			said++;
			counted += (unsigned)more;
		}
	}
	return NULL;
}

static void
of_many_threads_one_says_it(void **state)
{
	pthread_t threads[THREADS];
	uint64_t more;

	numbers = (struct numbers){0};
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, have_trouble, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(said, 1);
	assert_true(numbers_say(&numbers, TROUBLE_QUESTION, 5000 + NUMBERS_QUIET_MS, &more));
	assert_int_equal(counted + more, THREADS * TROUBLES - 1);
}

/* ---- what is counted */

static void
each_reason_has_its_number(void **state)
{
	static const char *const whys[] = {
	    "unknown", "held", "trouble", "too_many", "loop_young", "loop_endless", "disorder"};
	struct session_reply reply = {.verdict = SESSION_GO_ON, .why = "go_on"};
	struct policyd_numbers policyd = {0};
	json_t *status;

	numbers = (struct numbers){0};
	numbers_reply(&numbers, &reply); /* is no refusal */
	reply.verdict = SESSION_LATER;
	for (size_t i = 0; i < ARRAY_LEN(whys); i++) {
		reply.why = whys[i];
		for (size_t k = 0; k <= i; k++)
			numbers_reply(&numbers, &reply);
	}
	status = numbers_json(&numbers, &policyd);
	assert_int_equal(json_object_size(json_object_get(status, "refusals")), ARRAY_LEN(whys));
	for (size_t i = 0; i < ARRAY_LEN(whys); i++)
		assert_int_equal(json_integer_value(json_object_get(json_object_get(status,
									"refusals"),
				     whys[i])),
		    i + 1);
	json_decref(status);
}

static void
numbers_are_a_text_of_openmetrics(void **state)
{
	struct policyd_numbers policyd = {.asked = 7, .lost = 2, .connections = 3};
	struct buf out = BUF_INIT;
	struct openmetrics text;

	numbers = (struct numbers){.sessions = 4, .accepted = 5};
	openmetrics_begin(&text, &out, NULL);
	numbers_write(&numbers, &policyd, &text);
	openmetrics_end(&text);
	assert_non_null(strstr(buf_cstr(&out), "\nsplitmx_milter_sessions 4\n"));
	assert_non_null(strstr(buf_cstr(&out), "\nsplitmx_milter_sessions_accepted_total 5\n"));
	assert_non_null(strstr(buf_cstr(&out), "\nsplitmx_milter_policyd_questions_total 7\n"));
	assert_non_null(strstr(buf_cstr(&out), "\nsplitmx_milter_policyd_connections 3\n"));
	assert_non_null(strstr(buf_cstr(&out),
	    "\nsplitmx_milter_reports_total{result=\"lost\"} 2\n"));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_trouble_is_said_and_the_next_ones_are_counted),
	    cmocka_unit_test(of_many_threads_one_says_it),
	    cmocka_unit_test(each_reason_has_its_number),
	    cmocka_unit_test(numbers_are_a_text_of_openmetrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
