/*
 * test_imap_tags.c - the tags of the commands that run
 */
#include "front/imap_tags.h"

#include "front/imap_lex.h"
#include "unit.h"

#include <stdio.h>

static void
tags_are_found_in_any_order(void **state)
{
	struct imap_tags tags = {0};
	bool was_last;

	assert_true(imap_tags_is_empty(&tags));
	assert_false(imap_tags_remove(&tags, STR("a"), &was_last));
	assert_true(imap_tags_add(&tags, STR("a")));
	assert_true(imap_tags_is_single(&tags));
	assert_true(imap_tags_add(&tags, STR("bb")));
	assert_true(imap_tags_add(&tags, STR("b")));
	assert_false(imap_tags_add(&tags, STR("bb"))); /* it runs */
	assert_false(imap_tags_is_single(&tags));
	assert_true(imap_tags_remove(&tags, STR("bb"), &was_last));
	assert_false(was_last);
	assert_false(imap_tags_remove(&tags, STR("bb"), &was_last));
	assert_false(imap_tags_remove(&tags, STR("A"), &was_last));
	assert_true(imap_tags_remove(&tags, STR("b"), &was_last));
	assert_true(was_last);
	assert_true(imap_tags_is_single(&tags));
	assert_true(imap_tags_remove(&tags, STR("a"), &was_last));
	assert_false(was_last); /* the last one was answered before it */
	assert_true(imap_tags_is_empty(&tags));
}

static void
the_last_one_is_known_by_its_place(void **state)
{
	struct imap_tags tags = {0};
	bool was_last;

	for (int i = 0; i < 10000; i++) {
		assert_true(imap_tags_add(&tags, STR("first")));
		assert_true(imap_tags_add(&tags, STR("second")));
		assert_true(imap_tags_remove(&tags, STR("first"), &was_last));
		assert_false(was_last);
		assert_true(imap_tags_remove(&tags, STR("second"), &was_last));
		assert_true(was_last);
	}
}

static void
a_full_table_refuses_until_one_is_answered(void **state)
{
	struct imap_tags tags = {0};
	char longest[IMAP_TAG_MOST], text[16];
	bool was_last;
	int count = 0;

	memset(longest, 'x', sizeof(longest));
	assert_true(imap_tags_add(&tags, str_make(longest, sizeof(longest))));
	for (;; count++) {
		snprintf(text, sizeof(text), "tag%d", count);
		if (!imap_tags_add(&tags, str_of(text)))
			break;
	}
	assert_in_range(count, 20, 100);
	assert_true(imap_tags_remove(&tags, str_make(longest, sizeof(longest)), &was_last));
	assert_true(imap_tags_add(&tags, str_of(text)));
	for (int i = count; i >= 0; i--) {
		snprintf(text, sizeof(text), "tag%d", i);
		assert_true(imap_tags_remove(&tags, str_of(text), &was_last));
		assert_int_equal(was_last, i == count);
	}
	assert_true(imap_tags_is_empty(&tags));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_are_found_in_any_order),
	    cmocka_unit_test(the_last_one_is_known_by_its_place),
	    cmocka_unit_test(a_full_table_refuses_until_one_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
