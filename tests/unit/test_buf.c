/*
 * test_buf.c - bytes that are being built or waited for
 */
#include "base/buf.h"

#include "base/mem.h"

#include "unit.h"

static void
numbers_are_written_in_decimal(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} rows[] = {
	    {0, "0"},
	    {9, "9"},
	    {10, "10"},
	    {UINT64_MAX, "18446744073709551615"},
	};
	struct buf buf = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&buf);
		buf_add_u64(&buf, rows[i].n);
		assert_string_equal(buf_cstr(&buf), rows[i].text);
	}
	buf_fini(&buf);
}

static void
beyond_the_limit_the_error_sticks_until_cleared(void **state)
{
	struct buf buf;

	buf_init(&buf, 4);
	buf_add_text(&buf, "abcd");
	assert_false(buf.failed);
	buf_add_text(&buf, "e");
	buf_consume(&buf, 4);
	buf_add_text(&buf, "f");
	assert_true(buf.failed);
	assert_int_equal(buf_len(&buf), 0);
	buf_clear(&buf);
	buf_addf(&buf, "%d", 123);
	assert_string_equal(buf_cstr(&buf), "123");
	buf_fini(&buf);
}

static void
consumed_room_is_used_again(void **state)
{
	struct buf buf = BUF_INIT;

	for (int i = 0; i < 100000; i++) {
		buf_add_text(&buf, "0123456789");
		buf_consume(&buf, 9);
		buf_consume(&buf, 1);
	}
	assert_true(buf.size <= 256);
	buf_release(&buf);
	assert_null(buf.mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_written_in_decimal),
	    cmocka_unit_test(beyond_the_limit_the_error_sticks_until_cleared),
	    cmocka_unit_test(consumed_room_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
