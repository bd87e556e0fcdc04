/*
 * test_openmetrics.c - numbers, in the words of OpenMetrics 1.0
 */
#include "base/openmetrics.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* ---- what is written, and how it reads */

static void
counters(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_COUNTER, "doors_opened", NULL,
	    "Doors that were opened.");
	openmetrics_sample(text, NULL, 0);
	openmetrics_sample(text, OPENMETRICS_LABELS({"side", "north"}), UINT64_MAX);
	openmetrics_sample(text, OPENMETRICS_LABELS({"side", "south"}, {"key", "yes"}), 7);
}

static void
units(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_COUNTER, "moved_bytes", "bytes", "Bytes.");
	openmetrics_sample(text, NULL, 12);
	openmetrics_family(text, OPENMETRICS_GAUGE, "left_seconds", "seconds", "Time.");
	openmetrics_sample_us(text, NULL, 1500000);
}

static void
a_gauge_and_an_info(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_GAUGE, "people", NULL, "In the room.");
	openmetrics_sample(text, NULL, 3);
	openmetrics_family(text, OPENMETRICS_INFO, "house", NULL, "Of the house.");
	openmetrics_sample(text, OPENMETRICS_LABELS({"colour", "red"}), 1);
}

static void
escapes(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_GAUGE, "x", NULL, "A \"b\"\\c\nd.");
	openmetrics_sample(text, OPENMETRICS_LABELS({"a", "\"\\\n"}), 1);
	openmetrics_sample(text, OPENMETRICS_LABELS({"a", "\n# EOF\n"}), 2);
	openmetrics_sample(text, OPENMETRICS_LABELS({"a", "caf\xc3\xa9"}), 3);
	openmetrics_sample(text, OPENMETRICS_LABELS({"a", "caf\xe9 \"\xc3"}), 4);
	openmetrics_sample(text, OPENMETRICS_LABELS({"a", ""}), 5);
}

static void
a_histogram(struct openmetrics *text)
{
	static const uint64_t bounds[] = {1000, 250000, 1000000}, counts[] = {1, 0, 2, 4};

	openmetrics_family(text, OPENMETRICS_HISTOGRAM, "wait_seconds", "seconds", "Waits.");
	openmetrics_histogram(text, OPENMETRICS_LABELS({"who", "me"}), bounds, 3, counts, 8000001);
}

static void
a_histogram_of_one(struct openmetrics *text)
{
	static const uint64_t counts[] = {9};

	openmetrics_family(text, OPENMETRICS_HISTOGRAM, "h", NULL, "All in one.");
	openmetrics_histogram(text, NULL, NULL, 0, counts, 0);
}

static void
nothing(struct openmetrics *text)
{
}

static const struct {
	const char *title;
	void (*write)(struct openmetrics *text);
	const char *reads;
} rows[] = {
    {"nothing", nothing, ""},
    {"counters have _total, their family has not", counters,
	"# TYPE doors_opened counter\n"
	"# HELP doors_opened Doors that were opened.\n"
	"doors_opened_total 0\n"
	"doors_opened_total{side=\"north\"} 18446744073709551615\n"
	"doors_opened_total{side=\"south\",key=\"yes\"} 7\n"},
    {"a unit ends the family's name", units,
	"# TYPE moved_bytes counter\n"
	"# UNIT moved_bytes bytes\n"
	"# HELP moved_bytes Bytes.\n"
	"moved_bytes_total 12\n"
	"# TYPE left_seconds gauge\n"
	"# UNIT left_seconds seconds\n"
	"# HELP left_seconds Time.\n"
	"left_seconds 1.5\n"},
    {"a gauge, and an info", a_gauge_and_an_info,
	"# TYPE people gauge\n"
	"# HELP people In the room.\n"
	"people 3\n"
	"# TYPE house info\n"
	"# HELP house Of the house.\n"
	"house_info{colour=\"red\"} 1\n"},
    {"C21: nothing in a value ends it", escapes,
	"# TYPE x gauge\n"
	"# HELP x A \\\"b\\\"\\\\c\\nd.\n"
	"x{a=\"\\\"\\\\\\n\"} 1\n"
	"x{a=\"\\n# EOF\\n\"} 2\n"
	"x{a=\"caf\xc3\xa9\"} 3\n"
	"x{a=\"caf? \\\"?\"} 4\n"
	"x{a=\"\"} 5\n"},
    {"buckets add up, in order, to +Inf", a_histogram,
	"# TYPE wait_seconds histogram\n"
	"# UNIT wait_seconds seconds\n"
	"# HELP wait_seconds Waits.\n"
	"wait_seconds_bucket{who=\"me\",le=\"0.001\"} 1\n"
	"wait_seconds_bucket{who=\"me\",le=\"0.25\"} 1\n"
	"wait_seconds_bucket{who=\"me\",le=\"1.0\"} 3\n"
	"wait_seconds_bucket{who=\"me\",le=\"+Inf\"} 7\n"
	"wait_seconds_sum{who=\"me\"} 8.000001\n"
	"wait_seconds_count{who=\"me\"} 7\n"},
    {"a histogram without bounds", a_histogram_of_one,
	"# TYPE h histogram\n"
	"# HELP h All in one.\n"
	"h_bucket{le=\"+Inf\"} 9\n"
	"h_sum 0.0\n"
	"h_count 9\n"},
};

static void
test_C21_each_kind_reads_as_the_rules_say(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT;
		struct openmetrics text;
		char *expected = xasprintf("%s# EOF\n", rows[i].reads);

		openmetrics_begin(&text, &out, NULL);
		rows[i].write(&text);
		openmetrics_end(&text);
		if (!str_is(buf_str(&out), expected))
			fail_msg("%s:\n%s", rows[i].title, buf_cstr(&out));
		free(expected);
		buf_fini(&out);
	}
}

static void
common_labels_stand_first_in_every_sample(void **state)
{
	static const uint64_t bounds[] = {1}, counts[] = {0, 1};
	struct buf out = BUF_INIT;
	struct openmetrics text;

	openmetrics_begin(&text, &out, OPENMETRICS_LABELS({"worker", "3"}));
	openmetrics_family(&text, OPENMETRICS_GAUGE, "g", NULL, "G.");
	openmetrics_sample(&text, NULL, 1);
	openmetrics_sample(&text, OPENMETRICS_LABELS({"a", "b"}), 2);
	openmetrics_family(&text, OPENMETRICS_HISTOGRAM, "h", NULL, "H.");
	openmetrics_histogram(&text, NULL, bounds, 1, counts, 5);
	openmetrics_end(&text);
	assert_string_equal(buf_cstr(&out), "# TYPE g gauge\n# HELP g G.\n"
					    "g{worker=\"3\"} 1\n"
					    "g{worker=\"3\",a=\"b\"} 2\n"
					    "# TYPE h histogram\n# HELP h H.\n"
					    "h_bucket{worker=\"3\",le=\"0.000001\"} 0\n"
					    "h_bucket{worker=\"3\",le=\"+Inf\"} 1\n"
					    "h_sum{worker=\"3\"} 0.000005\n"
					    "h_count{worker=\"3\"} 1\n"
					    "# EOF\n");
	buf_fini(&out);
}

/* The bounds that people ask for have one spelling: Go's, with ".0" behind whole ones. */
static void
millionths_have_one_spelling(void **state)
{
	static const struct {
		uint64_t us;
		const char *reads;
	} numbers[] = {
	    {0, "0.0"},
	    {1, "0.000001"},
	    {10, "0.00001"},
	    {1000, "0.001"},
	    {4096000, "4.096"},
	    {100000, "0.1"},
	    {10000000, "10.0"},
	    {10100000, "10.1"},
	    {UINT64_MAX, "18446744073709.551615"},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct buf out = BUF_INIT;
		struct openmetrics text;
		struct str read;

		openmetrics_begin(&text, &out, NULL);
		openmetrics_family(&text, OPENMETRICS_GAUGE, "g", NULL, "G.");
		buf_clear(&out);
		openmetrics_sample_us(&text, NULL, numbers[i].us);
		read = buf_str(&out);
		read.len--;
		assert_true(str_is(str_from(read, strlen("g ")), numbers[i].reads));
		buf_fini(&out);
	}
}

static void
what_does_not_fit_is_known_to_the_buffer(void **state)
{
	struct openmetrics text;
	struct buf out;

	buf_init(&out, 100);
	openmetrics_begin(&text, &out, NULL);
	counters(&text);
	openmetrics_end(&text);
	assert_true(out.failed);
	buf_fini(&out);
}

/* ---- what would not be OpenMetrics is our own mistake */

static void
a_sample_without_a_family(struct openmetrics *text)
{
	openmetrics_sample(text, NULL, 1);
}

static void
a_name_with_the_suffix_of_samples(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_COUNTER, "doors_total", NULL, "Doors.");
}

static void
a_unit_that_is_not_in_the_name(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_GAUGE, "milliseconds", "seconds", "Time.");
}

static void
a_name_that_is_none(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_GAUGE, "0-doors", NULL, "Doors.");
}

static void
a_label_of_the_histogram_s_own(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_GAUGE, "doors", NULL, "Doors.");
	openmetrics_sample(text, OPENMETRICS_LABELS({"le", "1"}), 1);
}

static void
bounds_that_do_not_grow(struct openmetrics *text)
{
	static const uint64_t bounds[] = {2, 2}, counts[] = {0, 0, 0};

	openmetrics_family(text, OPENMETRICS_HISTOGRAM, "doors", NULL, "Doors.");
	openmetrics_histogram(text, NULL, bounds, 2, counts, 0);
}

static void
a_histogram_among_counters(struct openmetrics *text)
{
	static const uint64_t counts[] = {0};

	openmetrics_family(text, OPENMETRICS_COUNTER, "doors", NULL, "Doors.");
	openmetrics_histogram(text, NULL, NULL, 0, counts, 0);
}

static void
an_info_that_is_not_1(struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_INFO, "doors", NULL, "Doors.");
	openmetrics_sample(text, NULL, 2);
}

static void (*const mistakes[])(struct openmetrics *text) = {
    a_sample_without_a_family,
    a_name_with_the_suffix_of_samples,
    a_unit_that_is_not_in_the_name,
    a_name_that_is_none,
    a_label_of_the_histogram_s_own,
    bounds_that_do_not_grow,
    a_histogram_among_counters,
    an_info_that_is_not_1,
};

static void
what_would_be_no_openmetrics_ends_the_process(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			struct buf out = BUF_INIT;
			struct openmetrics text;

			if (freopen("/dev/null", "w", stderr) == NULL)
				_exit(0);
			openmetrics_begin(&text, &out, NULL);
			mistakes[i](&text);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			fail_msg("mistake %zu was let through", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_C21_each_kind_reads_as_the_rules_say),
	    cmocka_unit_test(common_labels_stand_first_in_every_sample),
	    cmocka_unit_test(millionths_have_one_spelling),
	    cmocka_unit_test(what_does_not_fit_is_known_to_the_buffer),
	    cmocka_unit_test(what_would_be_no_openmetrics_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
