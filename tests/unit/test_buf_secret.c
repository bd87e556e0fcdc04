/*
 * test_buf_secret.c - what a secret buffer leaves behind
 *
 * buf.c is compiled in once more, with a free() and a realloc() that look at the
 * memory which is given back.
 */
#include "base/buf.h"

#include "base/mem.h"

#include "unit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char secret[] = "correct horse";
static unsigned found, freed;

static void
look(void *mem)
{
	size_t size = mem != NULL ? malloc_usable_size(mem) : 0;

	if (size > 0 && memmem(mem, size, secret, sizeof(secret) - 1) != NULL)
		found++;
	freed += mem != NULL;
}

static void
look_and_free(void *mem)
{
	look(mem);
	(free)(mem);
}

/* Always moves, as the real one may. */
static void *
look_and_realloc(void *mem, size_t size)
{
	char *moved = xcalloc(1, size);
	size_t old = mem != NULL ? malloc_usable_size(mem) : 0;

	if (mem != NULL)
		memcpy(moved, mem, old < size ? old : size);
	look_and_free(mem);
	return moved;
}

#define free(mem) look_and_free(mem)
#define xrealloc(mem, size) look_and_realloc(mem, size)
#include "base/buf.c" /* NOLINT: on purpose */
#undef free
#undef xrealloc

/* Filled, made to grow, to move its content, and to give everything back. */
static void
live(struct buf *buf)
{
	found = freed = 0;
	for (int i = 0; i < 100; i++)
		buf_add_text(buf, secret);
	buf_consume(buf, 7);
	for (int i = 0; i < 100; i++)
		buf_add_text(buf, secret);
	buf_consume(buf, buf_len(buf));
	buf_release(buf);
	buf_add_text(buf, secret);
	buf_clear(buf);
	buf_release(buf);
	buf_add_text(buf, secret);
	buf_truncate(buf, 3);
	buf_fini(buf);
}

static void
C22_nothing_is_left_in_memory_that_was_given_back(void **state)
{
	struct buf buf = {.secret = true};

	live(&buf);
	assert_true(freed >= 4);
	assert_int_equal(found, 0);
	assert_true(buf.secret);
}

static void
the_test_would_have_found_it(void **state)
{
	struct buf buf = BUF_INIT;

	live(&buf);
	assert_true(found >= 4);
}

static void
C22_what_is_not_content_can_be_overwritten_at_once(void **state)
{
	struct buf buf = {.secret = true};
	const char *lent;

	buf_add_text(&buf, secret);
	buf_add_text(&buf, "rest");
	lent = buf_str(&buf).ptr;
	buf_consume(&buf, sizeof(secret) - 1);
	assert_memory_equal(lent, secret, sizeof(secret) - 1); /* whoever took it may read it */
	buf_wipe_rest(&buf);
	assert_null(memmem(buf.mem, buf.size, secret, sizeof(secret) - 1));
	assert_string_equal(buf_cstr(&buf), "rest");
	buf_truncate(&buf, 1);
	buf_wipe_rest(&buf);
	assert_null(memmem(buf.mem, buf.size, "est", 3));
	assert_string_equal(buf_cstr(&buf), "r");
	buf_fini(&buf);
	buf_wipe_rest(&buf);
}

static void
C22_room_made_by_moving_holds_no_second_copy(void **state)
{
	struct buf buf = {.secret = true};
	char *room;

	for (int i = 0; i < 15; i++)
		buf_add_text(&buf, secret);
	buf_consume(&buf, 12 * (sizeof(secret) - 1));
	room = buf_room(&buf, 100);
	assert_int_equal(buf.start, 0);
	assert_null(memmem(room, buf.size - buf.end, "horse", 5));
	buf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C22_nothing_is_left_in_memory_that_was_given_back),
	    cmocka_unit_test(the_test_would_have_found_it),
	    cmocka_unit_test(C22_what_is_not_content_can_be_overwritten_at_once),
	    cmocka_unit_test(C22_room_made_by_moving_holds_no_second_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
