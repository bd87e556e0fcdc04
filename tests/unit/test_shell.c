/*
 * test_shell.c - sh reads back what we tell people to type
 */
#include "admin/shell.h"

#include "base/mem.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a shell makes of these words, behind each a line with a dot. */
static void
read_back(const char *words, char *room, size_t size)
{
	struct buf command = BUF_INIT;
	FILE *shell;
	size_t len;

	buf_addf(&command, "printf '%%s\\n.\\n' %s", words);
	shell = popen(buf_cstr(&command), "r"); /* /bin/sh, whichever it is */
	assert_non_null(shell);
	len = fread(room, 1, size - 1, shell);
	room[len] = '\0';
	assert_int_equal(pclose(shell), 0);
	buf_fini(&command);
}

static void
words_that_need_nothing_have_nothing(void **state)
{
	static const char *const words[] = {"ann@example.org", "@example.org",
	    "ann+x=y@example.org", "100%@example.org", "/var/lib/a_b-c.ndjson"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_string_equal(shell_word(str_of(words[i])), words[i]);
	assert_string_equal(shell_name(STR("ann@example.org")), " ann@example.org");
}

static void
a_shell_reads_every_word_back(void **state)
{
	static const char *const words[] = {"", " ", "\"a b\"@example.org", "o'brien@example.org",
	    "''", "$HOME@example.org", "`id`@example.org", "a\\b@example.org",
	    "\"a\\\"b\"@example.org", "a;b", "a&b|c>d<e", "*", "?", "~", "~root", "#a", "{a,b}",
	    "a!b", "a^b", "(a)", "%41@example.org", "a%20b@example.org",
	    "m\xc3\xbcller@example.org", "a\nb", "a\tb", "\x1b[2J", "\xff\xfe@x", "\xc2\x85@x",
	    "a'\x01'b", "\\n\x01", "%s\x01", "1\0011", "-n\x01", "\x7f"};
	char room[256];

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct buf wanted = BUF_INIT;

		print_message("%zu: %s\n", i, shell_word(str_of(words[i])));
		read_back(shell_word(str_of(words[i])), room, sizeof(room));
		buf_addf(&wanted, "%s\n.\n", words[i]);
		assert_string_equal(room, buf_cstr(&wanted));
		buf_fini(&wanted);
	}
}

static void
every_byte_is_read_back(void **state)
{
	char room[64], wanted[64];

	for (int c = 1; c < 256; c++) {
		char word[4] = {'a', (char)c, 'b', '\0'};

		read_back(shell_word(str_of(word)), room, sizeof(room));
		snprintf(wanted, sizeof(wanted), "%s\n.\n", word);
		assert_string_equal(room, wanted);
	}
}

static void
nothing_in_a_word_is_an_order_to_the_terminal(void **state)
{
	for (int c = 1; c < 256; c++) {
		char word[2] = {(char)c, '\0'};

		for (const char *p = shell_word(str_of(word)); *p != '\0'; p++)
			assert_true(*p >= 0x20 && *p < 0x7f);
	}
}

static void
a_long_name_is_whole(void **state)
{
	char name[5001];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_string_equal(shell_word(str_of(name)), name);
}

static void
a_name_is_never_an_option(void **state)
{
	const struct str names[] = {STR("ann@example.org"), STR("-x@example.org"), STR("a b@x")};
	struct buf out = BUF_INIT;

	shell_add_names(&out, names, 3);
	assert_string_equal(buf_cstr(&out), " -- ann@example.org -x@example.org 'a b@x'");
	buf_clear(&out);
	shell_add_names(&out, names, 1);
	shell_add_names(&out, names, 0);
	assert_string_equal(buf_cstr(&out), " ann@example.org");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_that_need_nothing_have_nothing),
	    cmocka_unit_test(a_shell_reads_every_word_back),
	    cmocka_unit_test(every_byte_is_read_back),
	    cmocka_unit_test(nothing_in_a_word_is_an_order_to_the_terminal),
	    cmocka_unit_test(a_long_name_is_whole),
	    cmocka_unit_test(a_name_is_never_an_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
