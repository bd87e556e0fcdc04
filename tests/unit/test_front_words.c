/*
 * test_front_words.c - what became of a login, in each protocol's own form
 */
#include "front/words.h"

#include "base/mem.h"
#include "front/credentials.h"

#include "unit.h"

/* How a line begins, as the clients' parsers see it. */
static const char *const refusal_begins[REFUSAL_LIMIT][DIALECT_COUNT] = {
    [REFUSAL_LATER] = {"NO [UNAVAILABLE] ", "-ERR [SYS/TEMP] ", "454 4.7.0 ", "NO (TRYLATER) \""},
    [REFUSAL_WRONG] = {"NO [AUTHENTICATIONFAILED] ", "-ERR [AUTH] ", "535 5.7.8 ",
	"NO \"Authentication failed.\""},
    [REFUSAL_TOKEN] = {"NO [AUTHENTICATIONFAILED] ", "-ERR [AUTH] ", "535 5.7.8 ", "NO \""},
    [REFUSAL_UNSAFE] = {"NO [PRIVACYREQUIRED] ", "-ERR ", "538 5.7.11 ", "NO (ENCRYPT-NEEDED) \""},
};

/* NULL: nothing is said. */
static const char *const bye_begins[BYE_COUNT][DIALECT_COUNT] = {
    [BYE_MOVED] = {"* BYE [UNAVAILABLE] ", NULL, "421 4.3.2 ", "BYE (TRYLATER) \""},
    [BYE_WAITED] = {"* BYE [UNAVAILABLE] ", NULL, NULL, "BYE (TRYLATER) \""},
    [BYE_LIMIT] = {"* BYE [LIMIT] ", "-ERR [SYS/TEMP] ", "421 4.7.0 ", "BYE (TRYLATER) \""},
    [BYE_LOST] = {"* BYE [UNAVAILABLE] ", NULL, "421 4.3.2 ", "BYE (TRYLATER) \""},
    [BYE_SHUTDOWN] = {"* BYE [UNAVAILABLE] ", NULL, "421 4.3.2 ", "BYE (TRYLATER) \""},
    [BYE_SLOW] = {"* BYE ", NULL, "421 4.4.2 ", "BYE \""},
    [BYE_PROTOCOL] = {"* BYE ", "-ERR ", "421 4.7.0 ", "BYE \""},
};

/* Text behind the beginning, printable; in ManageSieve one quoted string to the end. */
static void
check_line(enum dialect_kind dialect, struct str line, const char *begin)
{
	size_t quotes = 0;

	if (begin == NULL) {
		assert_int_equal(line.len, 0);
		return;
	}
	if (!str_starts(line, begin) || line.len > 200)
		fail_msg("%.*s", STR_FMT(line));
	for (size_t i = 0; i < line.len; i++) {
		assert_true(line.ptr[i] >= 0x20 && line.ptr[i] < 0x7f);
		quotes += line.ptr[i] == '"';
	}
	assert_int_equal(quotes, dialect == DIALECT_SIEVE ? 2 : 0);
	assert_int_equal(line.ptr[line.len - 1], dialect == DIALECT_SIEVE ? '"' : '.');
}

static void
every_refusal_has_the_form_of_its_protocol(void **state)
{
	for (enum refusal i = 0; i < REFUSAL_LIMIT; i++) {
		for (enum dialect_kind dialect = 0; dialect < DIALECT_COUNT; dialect++)
			check_line(dialect, words_refusal(dialect, i), refusal_begins[i][dialect]);
	}
}

static void
every_end_has_the_form_of_its_protocol_or_is_silent(void **state)
{
	for (enum bye i = 0; i < BYE_COUNT; i++) {
		for (enum dialect_kind dialect = 0; dialect < DIALECT_COUNT; dialect++)
			check_line(dialect, words_bye(dialect, i), bye_begins[i][dialect]);
	}
}

/* ---- credentials: too small for a file of their own */

static void
mechanisms_are_known_by_name_in_any_case(void **state)
{
	for (enum mechanism i = 0; i < MECHANISM_COUNT; i++)
		assert_int_equal(mechanism_of(str_of(mechanism_names[i])), i);
	assert_int_equal(mechanism_of(STR("plain")), MECHANISM_PLAIN);
	assert_int_equal(mechanism_of(STR("Scram-Sha-256")), MECHANISM_SCRAM_SHA_256);
	assert_int_equal(mechanism_of(STR("SCRAM-SHA-256-PLUS")), MECHANISM_COUNT);
	assert_int_equal(mechanism_of(STR("SCRAM-SHA")), MECHANISM_COUNT);
	assert_int_equal(mechanism_of(STR("PLAIN\0")), MECHANISM_COUNT);
	assert_int_equal(mechanism_of(STR("CRAM-MD5")), MECHANISM_COUNT);
	assert_int_equal(mechanism_of(STR("")), MECHANISM_COUNT);
}

static void
only_scram_is_passed(void **state)
{
	for (enum mechanism i = 0; i < MECHANISM_COUNT; i++)
		assert_int_equal(mechanism_is_passed(i),
		    str_starts(str_of(mechanism_names[i]), "SCRAM-"));
}

static void
C9_the_login_is_whom_the_client_acts_as(void **state)
{
	struct credentials credentials = {.authcid = STR("root"), .authzid = STR("ann")};

	assert_true(str_is(credentials_login(&credentials), "ann"));
	credentials.authzid = STR("");
	assert_true(str_is(credentials_login(&credentials), "root"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_refusal_has_the_form_of_its_protocol),
	    cmocka_unit_test(every_end_has_the_form_of_its_protocol_or_is_silent),
	    cmocka_unit_test(mechanisms_are_known_by_name_in_any_case),
	    cmocka_unit_test(only_scram_is_passed),
	    cmocka_unit_test(C9_the_login_is_whom_the_client_acts_as),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
