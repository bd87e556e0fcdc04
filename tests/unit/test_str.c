/*
 * test_str.c - a piece of somebody else's bytes
 */
#include "base/str.h"

#include "base/mem.h"

#include "unit.h"

static void
a_number_is_digits_and_not_above_the_limit(void **state)
{
	static const struct {
		const char *text;
		uint64_t most;
		bool good;
		uint64_t number;
	} rows[] = {
	    {"0", 0, true, 0},
	    {"1", 0, false, 0},
	    {"007", 9, true, 7},
	    {"65535", 65535, true, 65535},
	    {"65536", 65535, false, 0},
	    {"655350", 65535, false, 0},
	    {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, false, 0},
	    {"99999999999999999999999", UINT64_MAX, false, 0},
	    {"", 9, false, 0},
	    {" 1", 9, false, 0},
	    {"1 ", 9, false, 0},
	    {"+1", 9, false, 0},
	    {"-1", 9, false, 0},
	    {"0x1", 9, false, 0},
	    {"1/", 99, false, 0},
	    {"1:", 99, false, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t number = 4711;
		bool good = str_number(str_of(rows[i].text), rows[i].most, &number);

		if (good != rows[i].good || number != (good ? rows[i].number : 4711))
			fail_msg("\"%s\": %llu", rows[i].text, (unsigned long long)number);
	}
	assert_false(str_number(str_make("1\0", 2), 9, &(uint64_t){0}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_number_is_digits_and_not_above_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
