/*
 * test_sieve_back.c - ManageSieve with a backend, until the login stands
 */
#include "front/sieve_back.h"

#include "back_house.h"
#include "front/sieve.h"

#define HELLO(sasl, more)                                                                          \
	"\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"SIEVE\" \"fileinto\"\r\n"                  \
	"\"SASL\" \"" sasl "\"\r\n" more "\"VERSION\" \"1.0\"\r\nOK \"Dovecot ready.\"\r\n"
#define PLAIN HELLO("PLAIN LOGIN", "")
#define SAID "AUTHENTICATE \"PLAIN\" \"" PLAIN_ANN "\"\r\n"
#define IN "OK \"Logged in.\"\r\n"
#define ACCEPTED "<accepted OK \"Logged in.\">"

static const struct back_row_case rows[] = {
    {"a login", 0, PASSWORD, STR(PLAIN IN "\"x\"\r\n"), STR(SAID ACCEPTED "<left \"x\"\r\n>")},
    {"lines with LF alone", 0, PASSWORD, STR("\"SASL\" \"plain\"\nOK\nOK\n"),
	STR(SAID "<accepted OK>")},
    {"literals in capabilities", 0, PASSWORD, STR("{4}\r\nSASL {9}\r\nXYZ PLAIN\r\nok\r\n" IN),
	STR(SAID ACCEPTED)},
    {"LOGIN is said as PLAIN", 0, WORDS("ann", "secret"), STR(PLAIN IN), STR(SAID ACCEPTED)},
    {"as somebody else", 0, AS_BOB, STR(PLAIN IN),
	STR("AUTHENTICATE \"PLAIN\" \"" PLAIN_BOB "\"\r\n" ACCEPTED)},
    {"another name", OTHER_NAME, PASSWORD, STR(PLAIN IN),
	STR("AUTHENTICATE \"PLAIN\" \"" PLAIN_OTHER "\"\r\n" ACCEPTED)},
    {"no way to log in", 0, PASSWORD, STR(HELLO("", "\"STARTTLS\"\r\n")), STR("<broken>")},
    {"no way at all", 0, PASSWORD, STR("OK\r\n"), STR("<broken>")},
    {"SCRAM where there is none", 0, SCRAM, STR(PLAIN),
	STR("<later NO \"This login is not possible here\">")},

    /* who is calling */
    {"XCLIENT", XCLIENT, PASSWORD, STR(HELLO("PLAIN", "\"XCLIENT\"\r\n") "OK \"Updated\"\r\n" IN),
	STR("XCLIENT " CALLER "\r\n" SAID ACCEPTED)},
    {"XCLIENT where it is not announced", XCLIENT, PASSWORD, STR(PLAIN), STR("<broken>")},
    {"XCLIENT refused", XCLIENT, PASSWORD,
	STR(HELLO("PLAIN", "\"XCLIENT\" \"ADDR\"\r\n") "NO \"You are not from trusted IP\"\r\n"),
	STR("XCLIENT " CALLER "\r\n<broken>")},
    {"XCLIENT where it is not wanted", 0, PASSWORD, STR(HELLO("PLAIN", "\"XCLIENT\"\r\n") IN),
	STR(SAID ACCEPTED)},

    /* other mechanisms */
    {"SCRAM passes through, and its last word comes with OK", 0, SCRAM,
	STR(HELLO("SCRAM-SHA-256", "") "\"c2VydmVy\"\r\n{4}\r\nZW5k\r\n"
				       "OK (SASL {12}\r\ndj1hYmMgKSB4) \"In\"\r\nx"),
	STR("AUTHENTICATE \"SCRAM-SHA-256\" \"" SCRAM_ANN "\"\r\n<challenge c2VydmVy>\"Y2xpZW50\""
	    "\r\n<challenge ZW5k>\"Y2xpZW50\"\r\n"
	    "<accepted OK (SASL {12}\r\ndj1hYmMgKSB4) \"In\"><left x>")},
    {"SCRAM needs no safe leg", UNSAFE, SCRAM, STR(HELLO("SCRAM-SHA-256", "") IN),
	STR("AUTHENTICATE \"SCRAM-SHA-256\" \"" SCRAM_ANN "\"\r\n" ACCEPTED)},
    {"a token refused with a reason", 0, TOKEN,
	STR(HELLO("XOAUTH2", "") "\"eyJ9\"\r\nNO \"no\"\r\n"),
	STR("AUTHENTICATE \"XOAUTH2\" \"" TOKEN_ANN
	    "\"\r\n<challenge eyJ9>\"Y2xpZW50\"\r\n<wrong>")},
    {"a challenge that is no base64", 0, SCRAM, STR(HELLO("SCRAM-SHA-256", "") "\"a b\"\r\n"),
	STR("AUTHENTICATE \"SCRAM-SHA-256\" \"" SCRAM_ANN "\"\r\n<broken>")},
    {"PLAIN, asked for more", 0, PASSWORD, STR(PLAIN "\"\"\r\n"), STR(SAID "<broken>")},

    /* refusals: the table of the issue */
    {"wrong password", 0, PASSWORD, STR(PLAIN "NO \"Authentication failed.\"\r\n"),
	STR(SAID "<wrong>")},
    {"wrong password, and no more", 0, PASSWORD, STR(PLAIN "no\r\n"), STR(SAID "<wrong>")},
    {"TRYLATER", 0, PASSWORD, STR(PLAIN "NO (TRYLATER) \"Soon (really).\"\r\n"),
	STR(SAID "<later NO (TRYLATER) \"Soon (really).\">")},
    {"TRYLATER with a literal", 0, PASSWORD, STR(PLAIN "NO (trylater/x) {4}\r\nSoon\r\n"),
	STR(SAID "<later NO (trylater/x) {4}\r\nSoon>")},
    {"only with encryption", 0, PASSWORD, STR(PLAIN "NO (ENCRYPT-NEEDED) \"x\"\r\n"),
	STR(SAID "<later>")},
    {"a referral is not passed on", 0, PASSWORD,
	STR(PLAIN "NO (REFERRAL \"sieve://b2\") \"x\"\r\n"), STR(SAID "<later>")},
    {"a code that nobody knows", 0, PASSWORD, STR(PLAIN "NO (TRYLATERX) \"secret\"\r\n"),
	STR(SAID "<wrong>")},
    {"BYE", 0, PASSWORD, STR(PLAIN "BYE (TRYLATER) \"secret\"\r\n"), STR(SAID "<broken>")},

    /* TLS */
    {"C3 STARTTLS is not offered", START_TLS, PASSWORD, STR(PLAIN), STR("<broken>")},
    {"C3 STARTTLS refused", START_TLS, PASSWORD,
	STR(HELLO("PLAIN", "\"STARTTLS\"\r\n") "NO \"not now\"\r\n"), STR("STARTTLS\r\n<broken>")},
    {"C3 no password on an unsafe leg", UNSAFE, PASSWORD, STR(PLAIN), STR("<broken>")},
    {"C3 nor a token", UNSAFE, TOKEN, STR(HELLO("XOAUTH2", "")), STR("<broken>")},

    /* no ManageSieve */
    {"D1 it does not want to talk", 0, PASSWORD, STR("BYE (TRYLATER) \"busy\"\r\n"),
	STR("<broken>")},
    {"D1 nor this way", 0, PASSWORD, STR("NO\r\n"), STR("<broken>")},
    {"D1 another protocol", 0, PASSWORD, STR("* OK IMAP4rev1\r\n"), STR("<broken>")},
    {"D1 another protocol, without lines", 0, PASSWORD, STR("\x16\x03\x01"), STR("<broken>")},
    {"D1 formats are text", 0, PASSWORD, STR("\"%n%s\" %n\r\n"), STR("<broken>")},
    {"C4 a literal that is too large", 0, PASSWORD, STR("{4294967295}\r\n"), STR("<broken>")},
    {"no capability", 0, PASSWORD, STR("\"SASL\" PLAIN\r\n"), STR("<broken>")},
    {"OKAY is no answer", 0, PASSWORD, STR("OKAY\r\n"), STR("<broken>")},
    {"no answer to AUTHENTICATE, but the password", 0, PASSWORD, STR(PLAIN "secret\r\n"),
	STR(SAID "<broken>")},
};

static void
C2_C3_D1_dialogues_are_held_however_they_are_cut(void **state)
{
	house_hold_all(&dialect_sieve, rows, ARRAY_LEN(rows));
}

static const struct credentials password = PASSWORD;
static const struct credentials scram = SCRAM;

static void
C2_capabilities_are_read_again_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, &dialect_sieve, START_TLS | UNSAFE, &password);
	house_feed(&house, STR(HELLO("", "\"STARTTLS\"\r\n")));
	house_feed(&house, STR("OK \"go\"\r\n"));
	assert_int_equal(offer_count(house.back->offer), 0);
	house_feed(&house, STR(PLAIN IN));
	assert_string_equal(buf_cstr(&house.out), "STARTTLS\r\n<tls>" SAID ACCEPTED);
	house_fini(&house);
}

static void
C2_what_was_announced_in_clear_does_not_count_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, &dialect_sieve, START_TLS, &password);
	house_feed(&house, STR(HELLO("PLAIN", "\"STARTTLS\"\r\n")));
	house_feed(&house, STR("OK\r\n"));
	assert_int_equal(house_feed(&house, STR("OK\r\n")), BACK_BROKEN);
	assert_string_equal(buf_cstr(&house.out), "STARTTLS\r\n<tls><broken>");
	house_fini(&house);
}

static void
C2_whoever_talks_on_in_clear_is_unsafe(void **state)
{
	house_goes_on_in_clear(&dialect_sieve, &password, HELLO("PLAIN", "\"STARTTLS\"\r\n"),
	    "OK \"go\"\r\n", "OK\r\n", "STARTTLS\r\n<broken>");
}

static void
a_long_initial_response_is_a_literal(void **state)
{
	struct credentials credentials = PASSWORD;
	char bytes[1000];

	memset(bytes, 'p', sizeof(bytes));
	for (size_t len = 700; len < 900; len++) {
		size_t coded = (len + 5 + 2) / 3 * 4, command = strlen("AUTHENTICATE \"PLAIN\" ");
		struct house house;
		struct str said;

		credentials.secret = str_make(bytes, len);
		house_init(&house, &dialect_sieve, 0, &credentials);
		house_feed(&house, STR(PLAIN));
		said = str_from(buf_str(&house.out), command);
		if (coded <= 1024)
			assert_int_equal(said.len, coded + strlen("\"\"\r\n"));
		else
			assert_int_equal(said.len, coded + strlen("{1028+}\r\n\r\n"));
		assert_int_equal(said.ptr[0], coded <= 1024 ? '"' : '{');
		house_feed(&house, STR(IN));
		assert_non_null(strstr(buf_cstr(&house.out), ACCEPTED));
		house_fini(&house);
	}
}

static void
D1_a_backend_that_does_not_stop(void **state)
{
	house_flood(&dialect_sieve, &password, "\"", "x");
	house_flood(&dialect_sieve, &password, "", "\"X\"\r\n");
	house_flood(&dialect_sieve, &password, "\"X\"", " {1}\r\nx");
	house_flood(&dialect_sieve, &scram, HELLO("SCRAM-SHA-256", ""), "\"eA==\"\r\n");
}

static void
what_was_announced_is_learned(void **state)
{
	struct house house;
	struct str value;

	house_init(&house, &dialect_sieve, 0, &password);
	house_feed(&house, STR("\"NOTIFY\" \"mailto \\\"x\\\"\"\r\n\"S\\IEVE\" \"\"\r\n" PLAIN));
	assert_int_equal(offer_count(house.back->offer), 5);
	assert_true(offer_value(house.back->offer, "NOTIFY", &value));
	assert_true(str_is(value, "mailto \"x\""));
	assert_true(offer_value(house.back->offer, "SIEVE", &value));
	assert_true(str_is(value, "fileinto"));
	house_fini(&house);
}

static void
it_leaves_politely(void **state)
{
	house_quits(&dialect_sieve, &password, "", "LOGOUT\r\n");
	house_quits(&dialect_sieve, &password, PLAIN, "LOGOUT\r\n");
	house_quits(&dialect_sieve, &password, PLAIN IN, "LOGOUT\r\n");
	house_quits(&dialect_sieve, &scram, HELLO("SCRAM-SHA-256", ""), "\"*\"\r\nLOGOUT\r\n");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C2_C3_D1_dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(C2_capabilities_are_read_again_behind_TLS),
	    cmocka_unit_test(C2_what_was_announced_in_clear_does_not_count_behind_TLS),
	    cmocka_unit_test(C2_whoever_talks_on_in_clear_is_unsafe),
	    cmocka_unit_test(a_long_initial_response_is_a_literal),
	    cmocka_unit_test(D1_a_backend_that_does_not_stop),
	    cmocka_unit_test(what_was_announced_is_learned),
	    cmocka_unit_test(it_leaves_politely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
