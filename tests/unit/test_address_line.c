/*
 * test_address_line.c - a line of import --addresses
 */
#include "admin/address_line.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void
a_line_is_an_address_and_perhaps_a_word(void **state)
{
	static const struct {
		const char *name, *line;
		int rc;
		const char *address, *word;
	} rows[] = {
	    {"an address", "a@b", 1, "a@b", ""},
	    {"and what it is", "a@b list", 1, "a@b", "list"},
	    {"tabs, spaces, a carriage return", " \ta@b \t list \r", 1, "a@b", "list"},
	    {"a space in the local part", "\"a b\"@c", 1, "\"a b\"@c", ""},
	    {"and a word", "\"a b\"@c alias", 1, "\"a b\"@c", "alias"},
	    {"a domain", "@b", 1, "@b", ""},
	    {"a domain and a word", "@b catch-all", 1, "@b", "catch-all"},
	    {"nothing", "", 0, NULL, NULL},
	    {"only space", " \t\r", 0, NULL, NULL},
	    {"a comment", " # a@b", 0, NULL, NULL},
	    {"no address", "alias", -1, NULL, NULL},
	    {"two words", "a b", -1, NULL, NULL},
	    {"a table of Postfix", "a@b c@d", -1, NULL, NULL},
	    {"and another one", "a@b c@d, e", -1, NULL, NULL},
	    {"an escaped quote", "\"a\\\" b\"@c", 1, "\"a\\\" b\"@c", ""},
	    {"space behind the quotes", "\"a b\"@c d@e", -1, NULL, NULL},
	    {"a table of owners", "a@b new", 1, "a@b", "new"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str address = STR("-"), word = STR("-");
		struct fault fault;
		int rc = address_line_read(str_of(rows[i].line), &address, &word, &fault);

		if (rc != rows[i].rc ||
		    (rc == 1 && (!str_is(address, rows[i].address) || !str_is(word, rows[i].word))))
			fail_msg("%s: %d, %.*s, %.*s", rows[i].name, rc, STR_FMT(address),
			    STR_FMT(word));
	}
}

/* Cut anywhere it is another line, read within its bounds. */
static void
a_line_is_cut(void **state)
{
	static const char line[] = " \"a \\\" b\"@example.org\tlist \r";

	for (size_t len = 0; len <= strlen(line); len++) {
		char *cut = xstrndup(line, len);
		struct str address, word;
		struct fault fault;

		if (address_line_read(str_make(cut, len), &address, &word, &fault) == 1)
			assert_true(address.ptr >= cut && address.ptr + address.len <= cut + len);
		free(cut);
	}
}

static void
a_word_is_a_value_and_a_value_a_word(void **state)
{
	static const struct {
		bool is_domain;
		const char *word, *value; /* NULL: refused */
		const char *back;
	} rows[] = {
	    {false, "", "alias", "alias"},
	    {false, "list", "list", "list"},
	    {false, "x-9", "x-9", "x-9"},
	    {false, "List", NULL, NULL},
	    {false, "catch-all", NULL, NULL},
	    {false, "complete", NULL, NULL},
	    {false, "a\nb", NULL, NULL},
	    {false, "abcdefghijabcdefghijabcdefghijab", "abcdefghijabcdefghijabcdefghijab",
		"abcdefghijabcdefghijabcdefghijab"},
	    {false, "abcdefghijabcdefghijabcdefghijabc", NULL, NULL},
	    {true, "", "catch-all", "catch-all"},
	    {true, "catch-all", "catch-all", "catch-all"},
	    {true, "complete", "yes", "complete"},
	    {true, "yes", NULL, NULL},
	    {true, "alias", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str value = STR("-");
		struct fault fault;
		int rc =
		    address_line_value(rows[i].is_domain, str_of(rows[i].word), &value, &fault);

		if (rc != (rows[i].value != NULL ? 0 : -1) ||
		    (rc == 0 && !str_is(value, rows[i].value)))
			fail_msg("%s: %d, %.*s", rows[i].word, rc, STR_FMT(value));
		if (rc == 0)
			assert_true(str_is(address_line_word(rows[i].is_domain, value),
			    rows[i].back));
	}
	assert_int_equal(address_line_word(false, STR("A b")).len, 0);
	assert_int_equal(address_line_word(true, STR("maybe")).len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_is_an_address_and_perhaps_a_word),
	    cmocka_unit_test(a_line_is_cut),
	    cmocka_unit_test(a_word_is_a_value_and_a_value_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
