/*
 * test_pop3_back.c - POP3 with a backend, until the login stands
 */
#include "front/pop3_back.h"

#include "back_house.h"
#include "front/pop3.h"

#define HELLO "+OK hello <1896.697170952@dbc.mtview.ca.us>\r\n"
#define CAPS(words) "+OK Capability list follows\r\n" words ".\r\n"
#define BY_SASL HELLO CAPS("TOP\r\nSASL PLAIN LOGIN\r\nUSER\r\n")
#define BY_USER HELLO CAPS("USER\r\nUIDL\r\n")
#define SAID "CAPA\r\nAUTH PLAIN " PLAIN_ANN "\r\n"
#define USER_ANN "CAPA\r\nUSER ann\r\n"
#define IN "+OK Logged in.\r\n"
#define TRUSTED "+OK [XCLIENT] Dovecot ready.\r\n"

static const struct back_row_case rows[] = {
    {"AUTH PLAIN", 0, PASSWORD, STR(BY_SASL IN "+OK 3 120\r\n"),
	STR(SAID "<accepted +OK Logged in.><left +OK 3 120\r\n>")},
    {"lines with LF alone", 0, PASSWORD, STR("+OK\n+OK\nSASL PLAIN\n.\n+OK\n"),
	STR(SAID "<accepted +OK>")},
    {"LOGIN is said as PLAIN", 0, WORDS("ann", "secret"), STR(BY_SASL IN),
	STR(SAID "<accepted +OK Logged in.>")},
    {"as somebody else", 0, AS_BOB, STR(BY_SASL IN),
	STR("CAPA\r\nAUTH PLAIN " PLAIN_BOB "\r\n<accepted +OK Logged in.>")},
    {"another name", OTHER_NAME, PASSWORD, STR(BY_SASL IN),
	STR("CAPA\r\nAUTH PLAIN " PLAIN_OTHER "\r\n<accepted +OK Logged in.>")},
    {"USER and PASS", 0, PASSWORD, STR(BY_USER "+OK\r\n" IN),
	STR(USER_ANN "PASS secret\r\n<accepted +OK Logged in.>")},
    {"USER and PASS, with another name", OTHER_NAME, PASSWORD, STR(BY_USER "+OK\r\n" IN),
	STR("CAPA\r\nUSER ann@old\r\nPASS secret\r\n<accepted +OK Logged in.>")},
    {"C14 USER and PASS with spaces", 0, WORDS("ann smith", " a b "), STR(BY_USER "+OK\r\n" IN),
	STR("CAPA\r\nUSER ann smith\r\nPASS  a b \r\n<accepted +OK Logged in.>")},
    {"a server without CAPA", 0, PASSWORD, STR(HELLO "-ERR unknown\r\n+OK\r\n" IN),
	STR(USER_ANN "PASS secret\r\n<accepted +OK Logged in.>")},
    {"SASL without PLAIN", 0, PASSWORD,
	STR(HELLO CAPS("SASL CRAM-MD5 XPLAIN\r\nUSER\r\n") "+OK\r\n" IN),
	STR(USER_ANN "PASS secret\r\n<accepted +OK Logged in.>")},
    {"pipelined", 0, PASSWORD, STR(HELLO CAPS("USER\r\nPIPELINING\r\n") "+OK\r\n" IN),
	STR(USER_ANN "PASS secret\r\n<accepted +OK Logged in.>")},
    {"pipelined, and refused", 0, PASSWORD,
	STR(HELLO CAPS("USER\r\nPIPELINING\r\n") "-ERR who?\r\n-ERR\r\n"),
	STR(USER_ANN "PASS secret\r\n<wrong>")},
    {"stuffed dots", 0, PASSWORD, STR(HELLO CAPS("..X\r\n\r\nSASL PLAIN\r\n") IN),
	STR(SAID "<accepted +OK Logged in.>")},
    {"nothing announced", 0, PASSWORD, STR(HELLO CAPS("")), STR("CAPA\r\n<broken>")},
    {"only with TLS", 0, PASSWORD, STR(HELLO CAPS("STLS\r\nSASL\r\n")), STR("CAPA\r\n<broken>")},
    {"as somebody else, which USER cannot", 0, AS_BOB, STR(BY_USER),
	STR("CAPA\r\n<later -ERR [SYS/PERM] This login is not possible here>")},
    {"C7 no control characters in PASS", 0, WORDS("ann", "sec\r\nret"), STR(BY_USER),
	STR("CAPA\r\n<broken>")},
    {"C7 nor in USER", 0, WORDS("ann\nSTAT", "secret"), STR(BY_USER), STR("CAPA\r\n<broken>")},

    /* who is calling */
    {"XCLIENT as Dovecot announces it", XCLIENT, PASSWORD,
	STR(TRUSTED CAPS("SASL PLAIN\r\n") "+OK Updated\r\n" IN),
	STR("CAPA\r\nXCLIENT " CALLER "\r\nAUTH PLAIN " PLAIN_ANN "\r\n<accepted +OK Logged in.>")},
    {"XCLIENT in CAPA", XCLIENT, PASSWORD,
	STR(HELLO CAPS("USER\r\nXCLIENT\r\nPIPELINING\r\n") "+OK\r\n+OK\r\n" IN),
	STR("CAPA\r\nXCLIENT " CALLER "\r\nUSER ann\r\nPASS secret\r\n"
	    "<accepted +OK Logged in.>")},
    {"XCLIENT where it is not announced", XCLIENT, PASSWORD, STR(BY_SASL), STR("CAPA\r\n<broken>")},
    {"XCLIENT refused", XCLIENT, PASSWORD,
	STR(TRUSTED CAPS("SASL PLAIN\r\nPIPELINING\r\n") "-ERR You are not from trusted IP\r\n"),
	STR("CAPA\r\nXCLIENT " CALLER "\r\nAUTH PLAIN " PLAIN_ANN "\r\n<broken>")},
    {"XCLIENT where it is not wanted", 0, PASSWORD, STR(TRUSTED CAPS("SASL PLAIN\r\n") IN),
	STR(SAID "<accepted +OK Logged in.>")},

    /* other mechanisms */
    {"SCRAM passes through", 0, SCRAM,
	STR(HELLO CAPS("SASL SCRAM-SHA-1 SCRAM-SHA-256\r\n") "+ c2VydmVy\r\n+ ZW5k\r\n" IN),
	STR("CAPA\r\nAUTH SCRAM-SHA-256 " SCRAM_ANN "\r\n<challenge c2VydmVy>Y2xpZW50\r\n"
	    "<challenge ZW5k>Y2xpZW50\r\n<accepted +OK Logged in.>")},
    {"SCRAM needs no safe leg", UNSAFE, SCRAM, STR(HELLO CAPS("SASL SCRAM-SHA-256\r\n") IN),
	STR("CAPA\r\nAUTH SCRAM-SHA-256 " SCRAM_ANN "\r\n<accepted +OK Logged in.>")},
    {"SCRAM where there is none", 0, SCRAM, STR(BY_SASL),
	STR("CAPA\r\n<later -ERR [SYS/PERM] This login is not possible here>")},
    {"a token refused with a reason", 0, TOKEN,
	STR(HELLO CAPS("SASL XOAUTH2\r\n") "+ eyJ9\r\n-ERR [AUTH] no\r\n"),
	STR("CAPA\r\nAUTH XOAUTH2 " TOKEN_ANN "\r\n<challenge eyJ9>Y2xpZW50\r\n<wrong>")},
    {"an empty challenge", 0, SCRAM, STR(HELLO CAPS("SASL SCRAM-SHA-256\r\n") "+\r\n+ \r\n" IN),
	STR("CAPA\r\nAUTH SCRAM-SHA-256 " SCRAM_ANN "\r\n<challenge>Y2xpZW50\r\n"
	    "<challenge>Y2xpZW50\r\n<accepted +OK Logged in.>")},
    {"a challenge that is no base64", 0, SCRAM,
	STR(HELLO CAPS("SASL SCRAM-SHA-256\r\n") "+ a\rb\r\n"),
	STR("CAPA\r\nAUTH SCRAM-SHA-256 " SCRAM_ANN "\r\n<broken>")},
    {"PLAIN, asked for more", 0, PASSWORD, STR(BY_SASL "+ \r\n"), STR(SAID "<broken>")},

    /* refusals: the table of the issue */
    {"wrong password", 0, PASSWORD, STR(BY_SASL "-ERR [AUTH] Authentication failed.\r\n"),
	STR(SAID "<wrong>")},
    {"wrong password, without a code", 0, PASSWORD, STR(BY_USER "+OK\r\n-ERR no\r\n"),
	STR(USER_ANN "PASS secret\r\n<wrong>")},
    {"wrong password, without anything", 0, PASSWORD, STR(BY_SASL "-ERR\r\n"), STR(SAID "<wrong>")},
    {"SYS/TEMP", 0, PASSWORD, STR(BY_SASL "-ERR [SYS/TEMP] Later.\r\n"),
	STR(SAID "<later -ERR [SYS/TEMP] Later.>")},
    {"sys/perm", 0, PASSWORD, STR(BY_USER "-ERR [sys/perm] Disabled.\r\n"),
	STR(USER_ANN "<later -ERR [sys/perm] Disabled.>")},
    {"IN-USE", 0, PASSWORD, STR(BY_SASL "-ERR [IN-USE] Locked.\r\n"),
	STR(SAID "<later -ERR [IN-USE] Locked.>")},
    {"LOGIN-DELAY", 0, PASSWORD, STR(BY_SASL "-ERR [LOGIN-DELAY] Wait.\r\n"),
	STR(SAID "<later -ERR [LOGIN-DELAY] Wait.>")},
    {"EXPIRED", 0, PASSWORD, STR(BY_SASL "-ERR [EXPIRED] Change it.\r\n"),
	STR(SAID "<wrong -ERR [EXPIRED] Change it.>")},
    {"a code that nobody knows", 0, PASSWORD, STR(BY_SASL "-ERR [SYSTEM] secret\r\n"),
	STR(SAID "<wrong>")},

    /* TLS */
    {"C3 STLS refused", START_TLS, PASSWORD, STR(HELLO "-ERR no\r\n"), STR("STLS\r\n<broken>")},
    {"C3 no password on an unsafe leg", UNSAFE, PASSWORD, STR(BY_SASL), STR("CAPA\r\n<broken>")},
    {"C3 nor a token", UNSAFE, TOKEN, STR(HELLO CAPS("SASL XOAUTH2\r\n")), STR("CAPA\r\n<broken>")},

    /* no POP3 */
    {"D1 it does not want to talk", 0, PASSWORD, STR("-ERR [SYS/TEMP] busy\r\n"), STR("<broken>")},
    {"D1 another protocol", 0, PASSWORD, STR("* OK IMAP4rev1\r\n"), STR("<broken>")},
    {"D1 another protocol, without lines", 0, PASSWORD, STR("\x16\x03\x01"), STR("<broken>")},
    {"D1 formats are text", 0, PASSWORD, STR("+%n%s\r\n"), STR("<broken>")},
    {"+OKAY is no greeting", 0, PASSWORD, STR("+OKAY\r\n"), STR("<broken>")},
    {"no answer to CAPA", 0, PASSWORD, STR(HELLO "250 OK\r\n"), STR("CAPA\r\n<broken>")},
    {"no answer to AUTH, but the password", 0, PASSWORD, STR(BY_SASL "secret\r\n"),
	STR(SAID "<broken>")},
    {"no answer to USER", 0, PASSWORD, STR(BY_USER "+ \r\n"), STR(USER_ANN "<broken>")},
    {"no answer to PASS", 0, PASSWORD, STR(BY_USER "+OK\r\nsecret\r\n"),
	STR(USER_ANN "PASS secret\r\n<broken>")},
};

static void
C2_C3_D1_dialogues_are_held_however_they_are_cut(void **state)
{
	house_hold_all(&dialect_pop3, rows, ARRAY_LEN(rows));
}

/* ---- STLS: here it counts what comes together */

static const struct credentials password = PASSWORD;
static const struct credentials scram = SCRAM;

static void
C2_capabilities_are_read_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, &dialect_pop3, START_TLS | UNSAFE | XCLIENT, &password);
	house_feed(&house, STR(TRUSTED));
	house_feed(&house, STR("+OK go\r\n"));
	house_feed(&house, STR(CAPS("SASL PLAIN\r\n") "+OK\r\n" IN));
	assert_string_equal(buf_cstr(&house.out),
	    "STLS\r\n<tls>CAPA\r\nXCLIENT " CALLER "\r\nAUTH PLAIN " PLAIN_ANN
	    "\r\n<accepted +OK Logged in.>");
	house_fini(&house);
}

static void
C2_whoever_talks_on_in_clear_is_unsafe(void **state)
{
	house_goes_on_in_clear(&dialect_pop3, &password, HELLO, "+OK go\r\n", "+OK\r\n",
	    "STLS\r\n<broken>");
}

/* ---- lengths */

static void
a_long_initial_response_waits_until_it_is_asked_for(void **state)
{
	struct credentials credentials = PASSWORD;
	char bytes[400];

	memset(bytes, 'p', sizeof(bytes));
	for (size_t len = 100; len < sizeof(bytes); len++) {
		struct house house;
		struct str said;

		credentials.secret = str_make(bytes, len);
		house_init(&house, &dialect_pop3, 0, &credentials);
		house_feed(&house, STR(BY_SASL));
		said = str_from(buf_str(&house.out), strlen("CAPA\r\n"));
		assert_true(said.len <= 255);
		if (str_is(said, "AUTH PLAIN\r\n")) {
			assert_true(len > 170);
			house_feed(&house, STR("+\r\n"));
		} else {
			assert_true(len < 180);
		}
		assert_true(buf_len(&house.out) > (len + 5) / 3 * 4);
		house_feed(&house, STR(IN));
		assert_non_null(strstr(buf_cstr(&house.out), "<accepted +OK Logged in.>"));
		house_fini(&house);
	}
}

static void
nobody_is_let_in_before_something_was_said(void **state)
{
	struct credentials credentials = PASSWORD;
	char bytes[400];
	struct house house;

	memset(bytes, 'p', sizeof(bytes));
	credentials.secret = str_make(bytes, sizeof(bytes));
	house_init(&house, &dialect_pop3, 0, &credentials);
	assert_int_equal(house_feed(&house, STR(BY_SASL IN)), BACK_BROKEN);
	house_fini(&house);
}

static void
D1_a_backend_that_does_not_stop(void **state)
{
	house_flood(&dialect_pop3, &password, "+OK ", "x");
	house_flood(&dialect_pop3, &password, HELLO "+OK\r\n", "X-LONG ");
	house_flood(&dialect_pop3, &password, HELLO "+OK\r\nA\r\nB\r\nC", "\r\nX");
	house_flood(&dialect_pop3, &scram, HELLO CAPS("SASL SCRAM-SHA-256\r\n"), "+ eA==\r\n");
}

static void
what_was_announced_is_learned(void **state)
{
	struct house house;
	struct str value;

	house_init(&house, &dialect_pop3, 0, &password);
	house_feed(&house, STR(HELLO CAPS("TOP\r\nLOGIN-DELAY 900 USER\r\nSASL PLAIN\r\n") IN));
	assert_int_equal(offer_count(house.back->offer), 3);
	assert_true(offer_value(house.back->offer, "LOGIN-DELAY", &value));
	assert_true(str_is(value, "900 USER"));
	house_fini(&house);
}

static void
it_leaves_politely(void **state)
{
	house_quits(&dialect_pop3, &password, "", "QUIT\r\n");
	house_quits(&dialect_pop3, &password, BY_SASL, "QUIT\r\n");
	house_quits(&dialect_pop3, &password, BY_USER, "QUIT\r\n");
	house_quits(&dialect_pop3, &password, BY_SASL IN, "QUIT\r\n");
	house_quits(&dialect_pop3, &scram, HELLO CAPS("SASL SCRAM-SHA-256\r\n"), "*\r\nQUIT\r\n");
}

static void
it_gives_a_challenge_up_before_it_leaves(void **state)
{
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct house house;
	struct fault fault;

	house_init(&house, &dialect_pop3, 0, &scram);
	buf_add_text(&in, HELLO CAPS("SASL SCRAM-SHA-256\r\n") "+ eA==\r\n");
	assert_int_equal(house.row->next(house.back, &in, &out, &fault), BACK_CHALLENGE);
	assert_int_equal(house.row->next(house.back, &in, &out, &fault), BACK_WAIT);
	buf_clear(&out);
	house.row->quit(house.back, &out);
	assert_string_equal(buf_cstr(&out), "*\r\nQUIT\r\n");
	buf_fini(&in);
	buf_fini(&out);
	house_fini(&house);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C2_C3_D1_dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(C2_capabilities_are_read_behind_TLS),
	    cmocka_unit_test(C2_whoever_talks_on_in_clear_is_unsafe),
	    cmocka_unit_test(a_long_initial_response_waits_until_it_is_asked_for),
	    cmocka_unit_test(nobody_is_let_in_before_something_was_said),
	    cmocka_unit_test(D1_a_backend_that_does_not_stop),
	    cmocka_unit_test(what_was_announced_is_learned),
	    cmocka_unit_test(it_leaves_politely),
	    cmocka_unit_test(it_gives_a_challenge_up_before_it_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
