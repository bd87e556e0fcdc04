/*
 * test_imap_caps.c - capability lists that pass through us
 */
#include "front/imap_caps.h"

#include "base/mem.h"
#include "unit.h"

static const struct {
	const char *name, *text, *passed;
} rows[] = {
    {"nothing", "", ""},
    {"no list", "OK done", "OK done"},
    {"a line", "CAPABILITY IMAP4rev1 COMPRESS=DEFLATE IDLE", "CAPABILITY IMAP4rev1 IDLE"},
    {"a code", "OK [CAPABILITY AUTH=PLAIN IDLE STARTTLS] AUTH=PLAIN stays here",
	"OK [CAPABILITY IDLE] AUTH=PLAIN stays here"},
    {"in any case", "ok [capability compress=x Unauthenticate IDLE]", "ok [capability IDLE]"},
    {"other codes", "OK [READ-WRITE] STARTTLS", "OK [READ-WRITE] STARTTLS"},
    {"a code without its end", "OK [CAPABILITY STARTTLS X", "OK [CAPABILITY X"},
    {"words that only begin so", "CAPABILITY STARTTLS2 AUTH UNAUTHENTICATED LOGINDISABLED-NOT",
	"CAPABILITY STARTTLS2 AUTH UNAUTHENTICATED LOGINDISABLED-NOT"},
    {"any way to compress", "CAPABILITY COMPRESS COMPRESS=ZSTD COMPRESSION X", "CAPABILITY X"},
    {"refusals too", "NO [CAPABILITY STARTTLS X] y", "NO [CAPABILITY X] y"},
    {"many spaces", "CAPABILITY   A  B ", "CAPABILITY A B"},
};

static void
what_hides_boundaries_is_taken_out(void **state)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		imap_caps_pass(str_of(rows[i].text), &out);
		if (strcmp(buf_cstr(&out), rows[i].passed) != 0)
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
	}
	buf_fini(&out);
}

static void
words_are_found_one_by_one(void **state)
{
	struct str list, word;

	assert_false(imap_caps_find(STR("OK done"), &list));
	assert_false(imap_caps_find(STR("CAPABILITY"), &list));
	assert_true(imap_caps_find(STR("OK [CAPABILITY  A B=C] D"), &list));
	assert_true(imap_caps_next(&list, &word) && str_is(word, "A"));
	assert_true(imap_caps_next(&list, &word) && str_is(word, "B=C"));
	assert_false(imap_caps_next(&list, &word));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_hides_boundaries_is_taken_out),
	    cmocka_unit_test(words_are_found_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
