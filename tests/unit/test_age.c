/*
 * test_age.c - how long ago, as people say it
 */
#include "admin/age.h"

#include "base/mem.h"

#include "unit.h"

static void
people_write_ages(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: is none */
	} rows[] = {
	    {"0", 0},
	    {"90", 90000},
	    {"90s", 90000},
	    {"15m", 900000},
	    {"2h", 7200000},
	    {"3d", 259200000},
	    {"36500d", 3153600000000},
	    {"36501d", -1},
	    {"3153600000s", 3153600000000},
	    {"3153600001", -1},
	    {"18446744073709551616", -1},
	    {"", -1},
	    {"h", -1},
	    {"-1h", -1},
	    {"+1h", -1},
	    {"1.5h", -1},
	    {"1h30m", -1},
	    {"1 h", -1},
	    {"1w", -1},
	    {"1H", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault fault = {0};
		uint64_t ms = 4711;
		int rc = age_read(rows[i].text, &ms, &fault);

		if (rc != (rows[i].ms == -1 ? -1 : 0) ||
		    ms != (rows[i].ms == -1 ? 4711 : (uint64_t)rows[i].ms))
			fail_msg("\"%s\" was read as %llu", rows[i].text, (unsigned long long)ms);
		assert_true(rc == 0 || fault.verdict == VERDICT_PERM);
	}
}

static void
two_units_are_enough_to_read(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = {
	    {0, "0s"},
	    {999, "0s"},
	    {59999, "59s"},
	    {60000, "1m00s"},
	    {3599999, "59m59s"},
	    {3600000, "1h00m"},
	    {7500000, "2h05m"},
	    {86399999, "23h59m"},
	    {86400000, "1d00h"},
	    {1000 * 86400000ull + 4 * 3600000, "1000d04h"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT;

		age_write(&out, rows[i].ms);
		assert_string_equal(buf_cstr(&out), rows[i].text);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(people_write_ages),
	    cmocka_unit_test(two_units_are_enough_to_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
