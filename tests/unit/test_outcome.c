/*
 * test_outcome.c - what a command of the settings says
 */
#include "admin/outcome.h"

#include "base/mem.h"

#include "unit.h"

static const struct template_words ann = {.account = {"ann@example.org", 15}, .owner = {"old", 3}};

static const struct {
	const char *name;
	const char *words[5];
	const char *said; /* or, where it fails, the fault */
	bool fails;
} rows[] = {
    {"arguments", {"/bin/echo", "%a", "%u", "%d;%o%%"}, "ann@example.org ann example.org;old%\n",
	false},
    {"no shell", {"/bin/echo", "$HOME `id` > /x"}, "$HOME `id` > /x\n", false},
    {"errors, too", {"/bin/sh", "-c", "echo out; echo err >&2"}, "out\nerr\n", false},
    {"nothing", {"/bin/true"}, "", false},
    {"it fails", {"/bin/sh", "-c", "echo one; echo two; exit 3"}, "/bin/sh fails and says two",
	true},
    {"it is not there", {"/nonexistent/who"}, "/nonexistent/who cannot be run", true},
    {"it says too much", {"/usr/bin/yes"}, "/usr/bin/yes says too much", true},
};

static void
test_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf said = BUF_INIT;
		struct fault fault = {.text = ""};
		size_t count = 0;
		int rc;

		while (rows[i].words[count] != NULL)
			count++;
		rc = outcome_of(rows[i].words, count, &ann, &said, &fault);
		if ((rc == -1) != rows[i].fails ||
		    strcmp(rc == -1 ? fault.text : buf_cstr(&said), rows[i].said) != 0)
			fail_msg("%s: %d, %s, %.80s", rows[i].name, rc, fault.text,
			    buf_cstr(&said));
		buf_fini(&said);
	}
}

static void
test_an_expansion_that_is_none(void **state)
{
	const char *words[] = {"/bin/echo", "%x"};
	struct buf said = BUF_INIT;
	struct fault fault;

	(void)state;
	assert_int_equal(-1, outcome_of(words, ARRAY_LEN(words), &ann, &said, &fault));
	assert_int_equal(0, buf_len(&said));
	buf_fini(&said);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_it_says),
	    cmocka_unit_test(test_an_expansion_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
