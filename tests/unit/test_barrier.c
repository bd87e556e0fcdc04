/*
 * test_barrier.c - what writers and nodes say to each other about a change
 */
#include "map/barrier.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const struct {
	const char *text;
	bool taken;
	uint64_t epoch;
	size_t count; /* 0: everything */
	const char *last; /* name */
} barriers[] = {
    {"7 abc *", true, 7, 0, NULL}, {"7 abc alice@example.org", true, 7, 1, "alice@example.org"},
    {"7 abc a@x @y", true, 7, 2, "@y"}, {"7 abc \"a%20b\"@x", true, 7, 1, "\"a b\"@x"},
    {"7 abc %25%0d%0A", true, 7, 1, "%\r\n"}, {"", false, 0, 0, NULL}, {"7", false, 0, 0, NULL},
    {"7 abc", false, 0, 0, NULL}, {"7 abc ", false, 0, 0, NULL}, {"7  abc *", false, 0, 0, NULL},
    {"7 abc  a@x", false, 0, 0, NULL}, {"7 abc a@x ", false, 0, 0, NULL},
    {"-7 abc *", false, 0, 0, NULL}, {"99999999999999999999 abc *", false, 0, 0, NULL},
    {"7 a_c *", false, 0, 0, NULL}, {"7 012345678901234567890123456789012 *", false, 0, 0, NULL},
    {"7 abc a%2", false, 0, 0, NULL}, {"7 abc a%zz", false, 0, 0, NULL},
    {"7 abc a\tb", false, 0, 0, NULL}, {"7 abc alice", true, 7, 1, "alice"},
    {"7 abc @y %2A", true, 7, 2, "*"},
    {"7 abc * a@x", true, 7, 2, "a@x"}, /* a name of its own: forgets too little of nothing */
};

static void
barriers_are_read_or_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(barriers); i++) {
		struct barrier barrier;

		if (barrier_read(str_of(barriers[i].text), &barrier) != barriers[i].taken)
			fail_msg("%s", barriers[i].text);
		if (!barriers[i].taken)
			continue;
		if (barrier.epoch != barriers[i].epoch || barrier.count != barriers[i].count ||
		    strcmp(barrier.nonce, "abc") != 0 || barrier.everything != (barrier.count == 0))
			fail_msg("%s", barriers[i].text);
		if (barrier.count > 0)
			assert_true(str_is(barrier.names[barrier.count - 1], barriers[i].last));
		barrier_fini(&barrier);
	}
}

/* However it is cut: all or nothing, and never a byte behind the end. */
static void
no_cut_confuses_it(void **state)
{
	static const char text[] = "12 abc \"a%20b\"@x @y %25";

	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = xstrndup(text, len);
		struct barrier barrier;

		if (barrier_read(str_make(copy, len), &barrier)) {
			assert_true(barrier.epoch == 12 && barrier.count >= 1);
			barrier_fini(&barrier);
		}
		free(copy);
	}
}

static void
what_is_written_is_read(void **state)
{
	static const char *const names[] = {
	    "alice@example.org", "@example.org", "\"a b\"@x", "50%@x", "\xc3\xa4@x", "\x7f@x"};
	struct str list[ARRAY_LEN(names)];
	struct barrier barrier;
	struct buf out = BUF_INIT;
	char nonce[HEAD_NONCE_BYTES];

	barrier_nonce_new(nonce);
	assert_int_equal(strlen(nonce), 16);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		list[i] = str_of(names[i]);
	barrier_write(&out, 9, nonce, list, ARRAY_LEN(list));
	assert_true(barrier_read(buf_str(&out), &barrier));
	assert_string_equal(barrier.nonce, nonce);
	assert_int_equal(barrier.count, ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(str_eq(barrier.names[i], list[i]));
	barrier_fini(&barrier);
	buf_fini(&out);
}

static void
a_login_that_looks_like_everything_is_itself(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {{"*", "1 n %2A"}, {"**", "1 n **"}, {"alice", "1 n alice"}, {"*@x", "1 n *@x"},
	    {"dom\\alice", "1 n dom\\alice"}, {"a b", "1 n a%20b"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str name = str_of(rows[i].name);
		struct barrier barrier;
		struct buf out = BUF_INIT;

		barrier_write(&out, 1, "n", &name, 1);
		assert_string_equal(buf_cstr(&out), rows[i].text);
		assert_true(barrier_read(buf_str(&out), &barrier));
		assert_false(barrier.everything);
		assert_true(str_eq(barrier.names[0], name));
		barrier_fini(&barrier);
		buf_fini(&out);
	}
}

static void
too_many_names_are_everything(void **state)
{
	struct str names[BARRIER_NAMES_MOST + 1];
	char *name = xcalloc(1, 1000);
	struct barrier barrier;

	memset(name, 'a', 999);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		names[i] = STR("a@x");
	for (size_t count = BARRIER_NAMES_MOST; count <= ARRAY_LEN(names); count++) {
		struct buf out = BUF_INIT;

		barrier_write(&out, 1, "n", names, count);
		assert_true(barrier_read(buf_str(&out), &barrier));
		assert_int_equal(barrier.count, count > BARRIER_NAMES_MOST ? 0 : count);
		barrier_fini(&barrier);
		buf_fini(&out);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		names[i] = str_of(name); /* a thousand of them are too long */
	struct buf out = BUF_INIT;
	barrier_write(&out, 1, "n", names, BARRIER_NAMES_MOST);
	assert_true(str_is(buf_str(&out), "1 n *"));
	buf_fini(&out);
	free(name);
}

static void
acknowledgements_name_a_node_and_its_process(void **state)
{
	static const struct {
		const char *text, *node, *run; /* NULL: refused */
	} rows[] = {
	    {"7 abc mx1/policyd/0 0123456789abcdef", "mx1/policyd/0", "0123456789abcdef"},
	    {"7 abc x r", "x", "r"},
	    {"7 abc x", NULL, NULL},
	    {"7 abc x ", NULL, NULL},
	    {"7 abc  r", NULL, NULL},
	    {"7 abc x r ", NULL, NULL},
	    {"7 abc x  r", NULL, NULL},
	    {"7 abc x r s", NULL, NULL},
	    {"7 abc x r_s", NULL, NULL},
	    {"7 abc x 0123456789abcdef0", NULL, NULL},
	    {"7 abc ", NULL, NULL},
	    {"7 abc", NULL, NULL},
	    {"7 abc \"quoted\" r", NULL, NULL},
	    {"x abc node r", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct barrier_ack ack;
		struct buf out = BUF_INIT;

		if (barrier_ack_read(str_of(rows[i].text), &ack) != (rows[i].node != NULL))
			fail_msg("%s", rows[i].text);
		if (rows[i].node == NULL)
			continue;
		assert_true(str_is(ack.node, rows[i].node));
		assert_string_equal(ack.run, rows[i].run);
		barrier_ack_write(&out, ack.epoch, ack.nonce, rows[i].node, ack.run);
		assert_true(str_is(buf_str(&out), rows[i].text));
		buf_fini(&out);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(barriers_are_read_or_refused),
	    cmocka_unit_test(no_cut_confuses_it),
	    cmocka_unit_test(what_is_written_is_read),
	    cmocka_unit_test(a_login_that_looks_like_everything_is_itself),
	    cmocka_unit_test(too_many_names_are_everything),
	    cmocka_unit_test(acknowledgements_name_a_node_and_its_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
