/*
 * test_trace_keys.c - the keys of the trace header
 */
#include "milter/trace_keys.h"

#include "base/mem.h"

#include "trace_case.h"

#define DIGITS SECRET_A

static const struct {
	const char *what, *file;
	const char *first; /* NULL: refused */
	const char *why; /* in the sentence, where it is refused */
} rows[] = {
    {"one key", "a " DIGITS "\n", "a", NULL},
    {"without a line feed at the end", "a " DIGITS, "a", NULL},
    {"tabs, CR, comments, empty lines", "# x\n\r\n \t\n\t2026-b\t" DIGITS " \r\nz " DIGITS "\n",
	"2026-b", NULL},
    {"capital digits", "a 88D0AA01020304050607080910111213141516171819202122232425262728FF", "a",
	NULL},
    {"an id of 16", "abcdefghijklmnop " DIGITS, "abcdefghijklmnop", NULL},
    {"eight keys",
	"a " DIGITS "\nb " DIGITS "\nc " DIGITS "\nd " DIGITS "\ne " DIGITS "\nf " DIGITS
	"\ng " DIGITS "\nh " DIGITS,
	"a", NULL},
    {"nine",
	"a " DIGITS "\nb " DIGITS "\nc " DIGITS "\nd " DIGITS "\ne " DIGITS "\nf " DIGITS
	"\ng " DIGITS "\nh " DIGITS "\ni " DIGITS,
	NULL, "k:9: more than 8"},
    {"nothing", "", NULL, "k: no key"},
    {"only a comment", "# a " DIGITS "\n", NULL, "k: no key"},
    {"no secret", "a\n", NULL, "k:1: behind the id"},
    {"a digit less", "#\na 88d0aa01020304050607080910111213141516171819202122232425262728f", NULL,
	"k:2: behind the id"},
    {"a digit more", "a " DIGITS "0", NULL, "behind the id"},
    {"no digit", "a g8d0aa01020304050607080910111213141516171819202122232425262728ff", NULL,
	"behind the id"},
    {"more words", "a " DIGITS " b", NULL, "behind the id"},
    {"an id of 17", "abcdefghijklmnopq " DIGITS, NULL, "k:1: a key's id"},
    {"an id in capitals", "A " DIGITS, NULL, "k:1: a key's id"},
    {"an id that would end a field", "a;b " DIGITS, NULL, "k:1: a key's id"},
    {"an id twice", "a " DIGITS "\nb " DIGITS "\na " SECRET_B, NULL, "k:3: this id"},
    {"no secret but zeros", "a 0000000000000000000000000000000000000000000000000000000000000000",
	NULL, "k:1: this is no secret"},
    {"a good key and a bad line", "a " DIGITS "\nb\n", NULL, "k:2: behind the id"},
};

static void
files_are_read_or_refused_with_their_line(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trace_keys *keys = NULL;
		struct fault fault = {.text = ""};
		int rc = trace_keys_read(&keys, str_of(rows[i].file), "k", &fault);

		if ((rc == 0) != (rows[i].first != NULL))
			fail_msg("%s: %d %s", rows[i].what, rc, fault.text);
		if (rc == 0) {
			assert_string_equal(trace_keys_first(keys)->id, rows[i].first);
		} else {
			assert_null(keys);
			assert_int_equal(fault.verdict, VERDICT_PERM);
			if (strstr(fault.text, rows[i].why) == NULL)
				fail_msg("%s: %s", rows[i].what, fault.text);
			/* Nothing of a secret, however it was mistyped. */
			assert_null(strstr(fault.text, "0304050607"));
		}
		trace_keys_free(&keys);
		assert_null(keys);
	}
}

static void
a_nul_is_no_end(void **state)
{
	struct trace_keys *keys;
	struct fault fault;

	assert_int_equal(trace_keys_read(&keys, STR("a " DIGITS "\n\0\n"), "k", &fault), -1);
	assert_int_equal(trace_keys_read(&keys, STR("a\0 " DIGITS "\n"), "k", &fault), -1);
}

static void
keys_are_found_by_their_whole_id(void **state)
{
	struct trace_keys *keys = case_keys(FILE_BOTH);

	assert_ptr_equal(trace_keys_find(keys, STR("2026b")), trace_keys_first(keys));
	assert_string_equal(trace_keys_find(keys, STR("2026a"))->id, "2026a");
	assert_null(trace_keys_find(keys, STR("2026")));
	assert_null(trace_keys_find(keys, STR("2026a\0")));
	assert_null(trace_keys_find(keys, STR("")));
	trace_keys_free(&keys);
}

static void
what_is_used_is_not_the_secret_itself(void **state)
{
	struct trace_keys *keys = case_keys(FILE_BOTH);
	const struct trace_key *b = trace_keys_first(keys),
			       *a = trace_keys_find(keys, STR("2026a"));

	assert_memory_not_equal(b->sign, b->hide, TRACE_SECRET_BYTES);
	assert_memory_not_equal(b->sign, a->sign, TRACE_SECRET_BYTES);
	assert_memory_not_equal(b->hide, a->hide, TRACE_SECRET_BYTES);
	assert_memory_not_equal(b->sign, "\x3f\x1c\x09\xd2", 4);
	trace_keys_free(&keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_are_read_or_refused_with_their_line),
	    cmocka_unit_test(a_nul_is_no_end),
	    cmocka_unit_test(keys_are_found_by_their_whole_id),
	    cmocka_unit_test(what_is_used_is_not_the_secret_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
