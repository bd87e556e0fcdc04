/*
 * test_template.c - a text of the settings with the account's parts in it
 */
#include "rules/template.h"

#include "base/mem.h"

#include <stdlib.h>

#include "unit.h"

static void
good_texts_are_expanded(void **state)
{
	static const struct {
		const char *name, *text, *account, *out;
	} rows[] = {
	    {"nothing at all", "", "ann@example.org", ""},
	    {"plain text", "relay:[old]:25", "ann@example.org", "relay:[old]:25"},
	    {"account", "%a", "ann@example.org", "ann@example.org"},
	    {"the parts", "%u at %d on %o", "ann@example.org", "ann at example.org on new"},
	    {"percent signs", "%%a %% 100%%", "ann@example.org", "%a % 100%"},
	    {"split at the last @", "%u|%d", "\"a@b\"@example.org", "\"a@b\"|example.org"},
	    {"peer bytes are never expanded again", "%u", "%d%n@example.org", "%d%n"},
	    {"beside each other", "%u%u%%%d", "a@b.c", "aa%b.c"},
	    {"UTF-8", "%u", "j\xc3\xbcrg@example.org", "j\xc3\xbcrg"},
	};
	struct buf out = BUF_INIT;
	struct template *template;
	struct template_words words;
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		template = template_new(rows[i].text, &fault);
		assert_non_null(template);
		assert_int_equal(template_is_empty(template), rows[i].text[0] == '\0');
		words = (struct template_words){str_of(rows[i].account), STR("new")};
		buf_clear(&out);
		buf_add_text(&out, "before ");
		assert_true(template_expand(template, &words, &out));
		if (strcmp(buf_cstr(&out) + 7, rows[i].out) != 0)
			fail_msg("%s: \"%s\"", rows[i].name, buf_cstr(&out));
		template_free(&template);
	}
	buf_fini(&out);
}

static void
bad_texts_are_refused_when_they_are_loaded(void **state)
{
	static const char *const rows[] = {
	    /* clang-format off */
	    "%", "100%", "%%%", "%x", "%A", "% a", "%n", "%s", "a\nb", "a\r", "\t", "\x7f",
	    /* clang-format on */
	};
	char long_text[TEMPLATE_TEXT_MOST + 2];
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fault.verdict = VERDICT_FOUND;
		if (template_new(rows[i], &fault) != NULL)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(fault.verdict, VERDICT_PERM);
	}
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	assert_null(template_new(long_text, &fault));
}

static void
an_expansion_never_holds_a_control_character(void **state)
{
	static const struct str rows[] = {
	    /* clang-format off */
	    STR("a\0b@example.org"), STR("a\nb@example.org"), STR("a\rb@example.org"),
	    STR("\"a\tb\"@example.org"), STR("a\x7f@example.org"), STR("a@exa\0mple.org"),
	    /* clang-format on */
	};
	struct fault fault;
	struct template *template = template_new("x %a", &fault);
	struct template *plain = template_new("x", &fault);
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct template_words words = {rows[i], STR("new")};

		assert_false(template_expand(template, &words, &out));
		assert_int_equal(buf_len(&out), 0);
		assert_true(template_expand(plain, &words, &out)); /* it is not in there */
		buf_clear(&out);
	}
	template_free(&template);
	template_free(&plain);
	buf_fini(&out);
}

static void
an_expansion_is_never_longer_than_a_reply(void **state)
{
	struct fault fault;
	struct template *template = template_new("%a%a%a%a%a%a%a%a%a%a", &fault);
	char *name = xcalloc(1, 10000);
	struct template_words words = {str_make(name, 9900), STR("new")};
	struct buf out = BUF_INIT;

	memset(name, 'x', 10000);
	assert_true(template_expand(template, &words, &out));
	assert_int_equal(buf_len(&out), 99000);
	buf_clear(&out);
	words.account.len++;
	assert_false(template_expand(template, &words, &out));
	assert_int_equal(buf_len(&out), 0);
	free(name);
	template_free(&template);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_texts_are_expanded),
	    cmocka_unit_test(bad_texts_are_refused_when_they_are_loaded),
	    cmocka_unit_test(an_expansion_never_holds_a_control_character),
	    cmocka_unit_test(an_expansion_is_never_longer_than_a_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
