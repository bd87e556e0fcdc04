/*
 * test_fault.c - why something failed, and whose doing it was
 */
#include "base/fault.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static void
test_D9_what_this_host_lacks_is_no_fault_of_a_peer(void **state)
{
	static const struct {
		int error;
		bool is_ours;
	} rows[] = {{EMFILE, true}, {ENFILE, true}, {ENOBUFS, true}, {ENOMEM, true},
	    {EADDRNOTAVAIL, true}, {ECONNREFUSED, false}, {ETIMEDOUT, false}, {ENETUNREACH, false},
	    {EHOSTUNREACH, false}, {ECONNRESET, false}, {EPIPE, false}};
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		errno = rows[i].error;
		assert_int_equal(fault_set_errno(&fault, VERDICT_TEMP, "door %d", 7), -1);
		assert_int_equal(fault.is_ours, rows[i].is_ours);
		assert_int_equal(fault.verdict, VERDICT_TEMP);
		assert_memory_equal(fault.text, "door 7: ", 8);
		assert_string_equal(fault.text + 8, strerror(rows[i].error));
	}
}

static void
a_fault_that_is_told_in_words_is_nobodys_lack(void **state)
{
	struct fault fault;

	memset(&fault, 0xff, sizeof(fault)); /* whatever was there before */
	assert_int_equal(fault_set(&fault, VERDICT_PERM, "%s", "no"), -1);
	assert_false(fault.is_ours);
	assert_string_equal(fault.text, "no");
}

static void
a_long_sentence_is_cut(void **state)
{
	struct fault fault;

	errno = EMFILE;
	fault_set_errno(&fault, VERDICT_TEMP, "%*s", 2 * FAULT_TEXT_BYTES, "x");
	assert_int_equal(strlen(fault.text), FAULT_TEXT_BYTES - 1);
	assert_true(fault.is_ours);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_D9_what_this_host_lacks_is_no_fault_of_a_peer),
	    cmocka_unit_test(a_fault_that_is_told_in_words_is_nobodys_lack),
	    cmocka_unit_test(a_long_sentence_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
