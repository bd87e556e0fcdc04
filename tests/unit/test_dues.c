/*
 * test_dues.c - what is not to be done again before its time
 */
#include "front/dues.h"

#include <stdio.h>

#include "unit.h"

static void
test_what_was_noted_is_not_due_before_its_time(void **state)
{
	struct dues *dues = dues_new(10);

	(void)state;
	assert_true(dues_are(dues, STR("ann"), STR("new"), 0));
	dues_note(dues, STR("ann"), STR("new"), 1000);
	assert_false(dues_are(dues, STR("ann"), STR("new"), 999));
	assert_true(dues_are(dues, STR("ann"), STR("new"), 1000));
	assert_true(dues_are(dues, STR("ann"), STR("old"), 999));
	assert_true(dues_are(dues, STR("new"), STR("ann"), 999));
	assert_true(dues_are(dues, STR("annn"), STR("ew"), 999));
	dues_free(&dues);
	assert_null(dues);
}

static void
test_the_last_note_counts(void **state)
{
	struct dues *dues = dues_new(1);

	(void)state;
	dues_note(dues, STR("ann"), STR("new"), 1000);
	dues_note(dues, STR("ann"), STR("new"), 500);
	assert_true(dues_are(dues, STR("ann"), STR("new"), 600));
	dues_note(dues, STR("ann"), STR("new"), 2000);
	assert_false(dues_are(dues, STR("ann"), STR("new"), 600));
	dues_free(&dues);
}

static void
test_too_many_and_the_first_is_forgotten(void **state)
{
	struct dues *dues = dues_new(3);
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		dues_note(dues, str_of(name), STR("new"), 1000);
		dues_note(dues, STR("ann"), STR("new"), 1000); /* noted again: the newest */
	}
	assert_false(dues_are(dues, STR("ann"), STR("new"), 0));
	assert_false(dues_are(dues, STR("user999"), STR("new"), 0));
	assert_false(dues_are(dues, STR("user998"), STR("new"), 0));
	assert_true(dues_are(dues, STR("user997"), STR("new"), 0));
	dues_free(&dues);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_was_noted_is_not_due_before_its_time),
	    cmocka_unit_test(test_the_last_note_counts),
	    cmocka_unit_test(test_too_many_and_the_first_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
