/*
 * test_smtp_back.c - submission with a backend, until the login stands
 */
#include "front/smtp_back.h"

#include "back_house.h"
#include "front/submission.h"

#define BANNER "220 b1.test ESMTP\r\n"
#define ALL BANNER "250-b1.test\r\n250-SIZE 100\r\n250 AUTH LOGIN PLAIN\r\n"
#define OFFERS(words) BANNER "250-b1.test\r\n250 " words "\r\n"
#define SAYS_PLAIN "EHLO mx.test\r\nAUTH PLAIN " PLAIN_ANN "\r\n"
#define POSTFIX "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT"
#define DOVECOT "XCLIENT ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT"
#define TELLS                                                                                      \
	"XCLIENT ADDR=192.0.2.7 PORT=51022 NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE] "         \
	"PROTO=ESMTP DESTADDR=198.51.100.1 DESTPORT=995 "

static const struct back_row_case rows[] = {
    {"PLAIN", 0, PASSWORD, STR(ALL "235 2.7.0 in\r\n"), STR(SAYS_PLAIN "<accepted 235 2.7.0 in>")},
    {"several lines everywhere", 0, PASSWORD,
	STR("220-b1.test\r\n220-ESMTP\r\n220\r\n250-b1.test\r\n250-\r\n250-AUTH PLAIN\r\n"
	    "250-X\r\n250\r\n235-in\r\n235-at\r\n235 last\r\n250 more\r\n"),
	STR(SAYS_PLAIN "<accepted 235-in\r\n235-at\r\n235 last><left 250 more\r\n>")},
    {"LF alone ends a line", 0, PASSWORD, STR("220 x\n250-x\n250 auth plain\n235 in\n"),
	STR(SAYS_PLAIN "<accepted 235 in>")},
    {"another name", OTHER_NAME, PASSWORD, STR(ALL "235 in\r\n"),
	STR("EHLO mx.test\r\nAUTH PLAIN " PLAIN_OTHER "\r\n<accepted 235 in>")},
    {"PLAIN when asked", 0, PASSWORD, STR(ALL "334 \r\n"), STR(SAYS_PLAIN "<broken>")},
    {"LOGIN where there is nothing else", 0, PASSWORD,
	STR(OFFERS("AUTH LOGIN") "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 in\r\n"),
	STR("EHLO mx.test\r\nAUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n<accepted 235 in>")},
    {"LOGIN with another name", OTHER_NAME, PASSWORD,
	STR(OFFERS("AUTH LOGIN") "334\r\n334\r\n535 no\r\n"),
	STR("EHLO mx.test\r\nAUTH LOGIN\r\nYW5uQG9sZA==\r\nc2VjcmV0\r\n<wrong>")},
    {"LOGIN asks three times", 0, PASSWORD, STR(OFFERS("AUTH LOGIN") "334 a\r\n334 a\r\n334 a\r\n"),
	STR("EHLO mx.test\r\nAUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n<broken>")},
    {"C9 an authorization id with PLAIN", 0, AS_BOB, STR(ALL "235 in\r\n"),
	STR("EHLO mx.test\r\nAUTH PLAIN " PLAIN_BOB "\r\n<accepted 235 in>")},
    {"C9 and nowhere else", 0, AS_BOB, STR(OFFERS("AUTH LOGIN")),
	STR("EHLO mx.test\r\n<later 504 5.5.4 This login is not possible here>")},
    {"no way to log in", 0, PASSWORD, STR(OFFERS("AUTH GSSAPI PLAINER")),
	STR("EHLO mx.test\r\n<broken>")},
    {"no AUTH at all", 0, PASSWORD, STR(OFFERS("SIZE")), STR("EHLO mx.test\r\n<broken>")},
    {"its name is no keyword", 0, PASSWORD, STR(BANNER "250-AUTH PLAIN\r\n250 SIZE\r\n"),
	STR("EHLO mx.test\r\n<broken>")},
    {"no secret on an unsafe leg", UNSAFE, PASSWORD, STR(ALL), STR("EHLO mx.test\r\n<broken>")},
    {"no token either", UNSAFE, TOKEN, STR(OFFERS("AUTH XOAUTH2")),
	STR("EHLO mx.test\r\n<broken>")},

    /* mechanisms with something to ask */
    {"SCRAM passes through", UNSAFE, SCRAM,
	STR(OFFERS("AUTH SCRAM-SHA-256") "334 c2VydmVy\r\n334 Zmlu\r\n235 in\r\n"),
	STR("EHLO mx.test\r\nAUTH SCRAM-SHA-256 biwsbj1hbm4scj14eXo=\r\n<challenge c2VydmVy>"
	    "Y2xpZW50\r\n<challenge Zmlu>Y2xpZW50\r\n<accepted 235 in>")},
    {"SCRAM where there is none", 0, SCRAM, STR(OFFERS("AUTH PLAIN SCRAM-SHA-1")),
	STR("EHLO mx.test\r\n<later 504 5.5.4 This login is not possible here>")},
    {"a token is refused with a reason", 0, TOKEN,
	STR(OFFERS("AUTH XOAUTH2") "334 eyJ9\r\n535 5.7.8 x\r\n"),
	STR("EHLO mx.test\r\nAUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n"
	    "<challenge eyJ9>Y2xpZW50\r\n<wrong>")},
    {"C7 a challenge with something else in it", 0, SCRAM,
	STR(OFFERS("AUTH SCRAM-SHA-256") "334 a b\r\n"),
	STR("EHLO mx.test\r\nAUTH SCRAM-SHA-256 biwsbj1hbm4scj14eXo=\r\n<broken>")},
    {"D1 it asks for ever", 0, SCRAM,
	STR(OFFERS("AUTH SCRAM-SHA-256") "334 a\r\n334 a\r\n334 a\r\n334 a\r\n334 a\r\n334 a\r\n"
					 "334 a\r\n334 a\r\n334 a\r\n"),
	STR("EHLO mx.test\r\nAUTH SCRAM-SHA-256 biwsbj1hbm4scj14eXo=\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<broken>")},

    /* what is refused, and how */
    {"C21 a wrong password is not repeated", 0, PASSWORD, STR(ALL "535 5.7.8 secret is wrong\r\n"),
	STR(SAYS_PLAIN "<wrong>")},
    {"for now", 0, PASSWORD, STR(ALL "454-4.7.0 not\r\n454 4.7.0 now\r\n"),
	STR(SAYS_PLAIN "<later 454-4.7.0 not\r\n454 4.7.0 now>")},
    {"another for now", 0, PASSWORD, STR(ALL "432 4.7.12 change it\r\n"),
	STR(SAYS_PLAIN "<later 432 4.7.12 change it>")},
    {"too weak, or a password for applications is wanted", 0, PASSWORD,
	STR(ALL "534 5.7.9 other one\r\n"), STR(SAYS_PLAIN "<wrong 534 5.7.9 other one>")},
    {"not without encryption", 0, PASSWORD, STR(ALL "538 5.7.11 TLS\r\n"),
	STR(SAYS_PLAIN "<later 538 5.7.11 TLS>")},
    {"it closes: our client need not", 0, PASSWORD, STR(ALL "421 4.3.2 bye\r\n"),
	STR(SAYS_PLAIN "<later>")},
    {"what is about no password", 0, PASSWORD, STR(ALL "503 5.5.1 what?\r\n"),
	STR(SAYS_PLAIN "<later>")},
    {"disabled", 0, PASSWORD, STR(ALL "525 5.7.13 disabled\r\n"), STR(SAYS_PLAIN "<wrong>")},
    {"control characters in words that are passed", 0, PASSWORD, STR(ALL "454 \x1b[2J\0\r\r\n"),
	STR(SAYS_PLAIN "<later 454 ?[2J?"
		       "?>")},
    {"C21 an answer that is none, and repeats it", 0, PASSWORD, STR(ALL "250 secret\r\n"),
	STR(SAYS_PLAIN "<broken>")},
    {"C21 a reply that goes on as none", 0, PASSWORD, STR(ALL "454-secret\r\n535 x\r\n"),
	STR(SAYS_PLAIN "<broken>")},
    {"C21 another", 0, PASSWORD, STR(ALL "secret\r\n"), STR(SAYS_PLAIN "<broken>")},

    /* who is calling */
    {"Postfix", XCLIENT, PASSWORD,
	STR(OFFERS(POSTFIX) BANNER "250-b1.test\r\n250 AUTH PLAIN\r\n235 in\r\n"),
	STR("EHLO mx.test\r\n" TELLS "HELO=pc.test\r\nEHLO pc.test\r\nAUTH PLAIN " PLAIN_ANN
	    "\r\n<accepted 235 in>")},
    {"Postfix, by IPv6", XCLIENT | SIX, PASSWORD, STR(OFFERS(POSTFIX)),
	STR("EHLO mx.test\r\nXCLIENT ADDR=IPV6:2001:db8::7 PORT=51022 NAME=[UNAVAILABLE] "
	    "REVERSE_NAME=[UNAVAILABLE] PROTO=ESMTP DESTADDR=203.0.113.9 DESTPORT=995 "
	    "HELO=pc.test\r\n")},
    {"Dovecot", XCLIENT, PASSWORD, STR(OFFERS(DOVECOT)),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7 PORT=51022 PROTO=ESMTP "
	    "SESSION=0123456789abcdef TTL=4 HELO=pc.test\r\n")},
    {"only an address", XCLIENT, PASSWORD, STR(OFFERS("XCLIENT addr") BANNER),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO pc.test\r\n")},
    {"an odd name is not told", XCLIENT | ODD_HELLO, PASSWORD, STR(OFFERS(POSTFIX) BANNER),
	STR("EHLO mx.test\r\n" TELLS "HELO=[UNAVAILABLE]\r\nEHLO mx.test\r\n")},
    {"neither name nor address", XCLIENT | NOBODY, PASSWORD, STR(OFFERS(DOVECOT) BANNER),
	STR("EHLO mx.test\r\nXCLIENT ADDR=[UNAVAILABLE] PORT=0 PROTO=ESMTP "
	    "SESSION=0123456789abcdef TTL=4 HELO=[UNAVAILABLE]\r\nEHLO mx.test\r\n")},
    {"the name is not liked", XCLIENT, PASSWORD,
	STR(OFFERS("XCLIENT ADDR") BANNER "501 5.5.4 no such name\r\n250-b1.test\r\n250 AUTH "
					  "PLAIN\r\n235 in\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO pc.test\r\n" SAYS_PLAIN
	    "<accepted 235 in>")},
    {"nor ours", XCLIENT, PASSWORD,
	STR(OFFERS("XCLIENT ADDR") BANNER "501 5.5.4 x\r\n501 5.5.4 x\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO pc.test\r\nEHLO mx.test\r\n"
	    "<later>")},
    {"the client is not welcome", XCLIENT, PASSWORD,
	STR(OFFERS("XCLIENT ADDR") "554 5.7.1 listed\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\n<later>")},
    {"XCLIENT is not announced", XCLIENT, PASSWORD, STR(ALL), STR("EHLO mx.test\r\n<broken>")},
    {"XCLIENT without an address", XCLIENT, PASSWORD, STR(OFFERS("XCLIENT NAME HELO")),
	STR("EHLO mx.test\r\n<broken>")},
    {"XCLIENT is not taken", XCLIENT, PASSWORD, STR(OFFERS("XCLIENT ADDR") "502 5.5.1 what?\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\n<broken>")},
    {"XCLIENT is answered by no greeting", XCLIENT, PASSWORD,
	STR(OFFERS("XCLIENT ADDR") "250 fine\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\n<broken>")},
    {"C2 what was announced before XCLIENT does not count", XCLIENT, PASSWORD,
	STR(BANNER "250-b1.test\r\n250-AUTH PLAIN\r\n250 XCLIENT ADDR\r\n" BANNER
		   "250 b1.test\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO pc.test\r\n<broken>")},

    /* odd ones */
    {"D1 not now", 0, PASSWORD, STR("421 4.3.2 full\r\n"), STR("<broken>")},
    {"D1 not at all", 0, PASSWORD, STR("554-no\r\n554 mail here\r\n"), STR("<broken>")},
    {"D1 another protocol", 0, PASSWORD, STR("* OK IMAP4rev1\r\n"), STR("<broken>")},
    {"D1 POP3", 0, PASSWORD, STR("+OK hello\r\n"), STR("<broken>")},
    {"D1 a TLS alert", 0, PASSWORD, STR("\x15\x03\x01\x02"), STR("<broken>")},
    {"D1 no line at all", 0, PASSWORD, STR("SSH-2.0-x"), STR("<broken>")},
    {"D1 a NUL", 0, PASSWORD, STR("\0"), STR("<broken>")},
    {"D1 a banner without an end", 0, PASSWORD, STR("220-x\r\n220-y"), STR("")},
    {"D1 format characters in a banner", 0, PASSWORD, STR("220 %n%s\r\n"), STR("EHLO mx.test\r\n")},
    {"D1 the code changes within a reply", 0, PASSWORD, STR(BANNER "250-x\r\n251 y\r\n"),
	STR("EHLO mx.test\r\n<broken>")},
    {"D1 no EHLO", 0, PASSWORD, STR(BANNER "502 5.5.1 what?\r\n"), STR("EHLO mx.test\r\n<broken>")},

    {"C3 TLS is wanted and not offered", START_TLS, PASSWORD, STR(ALL),
	STR("EHLO mx.test\r\n<broken>")},
    {"C3 TLS is wanted and refused", START_TLS, PASSWORD,
	STR(OFFERS("STARTTLS") "454 4.7.0 no\r\n"), STR("EHLO mx.test\r\nSTARTTLS\r\n<broken>")},
    {"C3 and refused for good", START_TLS | UNSAFE, PASSWORD,
	STR(OFFERS("STARTTLS") "502 5.5.1 no\r\n235 in\r\n"),
	STR("EHLO mx.test\r\nSTARTTLS\r\n<broken>")},
};

static void
dialogues_are_held_however_they_are_cut(void **state)
{
	house_hold_all(&dialect_submission, rows, ARRAY_LEN(rows));
}

/* ---- STARTTLS: here it counts what comes together */

static const struct credentials password = PASSWORD;

static void
C2_capabilities_are_read_again_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, &dialect_submission, START_TLS | UNSAFE, &password);
	house_feed(&house,
	    STR(BANNER "250-b1.test\r\n250-AUTH PLAIN\r\n250-X\r\n250 STARTTLS\r\n"));
	house_feed(&house, STR("220 go\r\n"));
	assert_int_equal(offer_count(house.back->offer), 0);
	house_feed(&house, STR("250-b1.test\r\n250 AUTH LOGIN\r\n"));
	assert_false(offer_has(house.back->offer, "X"));
	house_feed(&house, STR("334\r\n334\r\n235 in\r\n"));
	assert_string_equal(buf_cstr(&house.out),
	    "EHLO mx.test\r\nSTARTTLS\r\n<tls>EHLO mx.test\r\nAUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n"
	    "<accepted 235 in>");
	house_fini(&house);
}

static void
C2_XCLIENT_comes_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, &dialect_submission, START_TLS | XCLIENT, &password);
	house_feed(&house, STR(OFFERS("STARTTLS")));
	house_feed(&house, STR("220 go\r\n"));
	house_feed(&house, STR("250-b1.test\r\n250 XCLIENT ADDR\r\n"));
	house_feed(&house, STR(BANNER "250-b1.test\r\n250 AUTH PLAIN\r\n235 in\r\n"));
	assert_string_equal(buf_cstr(&house.out),
	    "EHLO mx.test\r\nSTARTTLS\r\n<tls>EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\n"
	    "EHLO pc.test\r\nAUTH PLAIN " PLAIN_ANN "\r\n<accepted 235 in>");
	house_fini(&house);
}

static void
C2_whoever_talks_on_in_clear_is_unsafe(void **state)
{
	house_goes_on_in_clear(&dialect_submission, &password, OFFERS("STARTTLS"), "220 go\r\n",
	    "250-b1.test\r\n250 AUTH PLAIN\r\n", "EHLO mx.test\r\nSTARTTLS\r\n<broken>");
}

/* ---- what is told of it */

static void
D1_a_backend_away_for_now_is_told_from_a_wrong_one(void **state)
{
	struct house house;

	house_init(&house, &dialect_submission, 0, &password);
	house_feed(&house, STR("421 4.3.2 full\x1b house\r\n"));
	assert_int_equal(house.fault.verdict, VERDICT_TEMP);
	assert_non_null(strstr(house.fault.text, "full? house"));
	house_fini(&house);
	house_init(&house, &dialect_submission, 0, &password);
	house_feed(&house, STR("554 none\r\n"));
	assert_int_equal(house.fault.verdict, VERDICT_PERM);
	house_fini(&house);
}

static void
what_it_announces_is_kept(void **state)
{
	struct house house;
	struct str value;

	house_init(&house, &dialect_submission, 0, &password);
	assert_int_equal(offer_count(house.back->offer), 0);
	house_feed(&house, STR(ALL "235 in\r\n"));
	assert_int_equal(offer_count(house.back->offer), 2);
	assert_true(offer_value(house.back->offer, "SIZE", &value));
	assert_true(str_is(value, "100"));
	assert_true(offer_value(house.back->offer, "AUTH", &value));
	assert_true(str_is(value, "LOGIN PLAIN"));
	house_fini(&house);
}

/* ---- too much */

static void
D1_a_backend_that_does_not_stop(void **state)
{
	static const struct {
		const char *begin, *more;
	} floods[] = {
	    {"220 ", "x"}, /* a banner of 1 MB */
	    {"", "220-x\r\n"},
	    {BANNER "250-x\r\n", "250-X\r\n"},
	    {BANNER "250-", "x"},
	    {ALL, "454-x\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(floods); i++)
		assert_in_range(house_flood(&dialect_submission, &password, floods[i].begin,
				    floods[i].more),
		    0, 20000);
}

static void
D1_a_backend_that_announces_too_much(void **state)
{
	struct buf reply = BUF_INIT;
	struct house house;

	buf_add_text(&reply, BANNER "250-b1.test\r\n");
	for (int i = 0; i < OFFER_WORDS_MOST + 1; i++)
		buf_addf(&reply, "250-X%d\r\n", i);
	buf_add_text(&reply, "250 AUTH PLAIN\r\n");
	house_init(&house, &dialect_submission, 0, &password);
	assert_int_equal(house_feed(&house, buf_str(&reply)), BACK_BROKEN);
	house_fini(&house);
	buf_fini(&reply);
}

/* A hello can be as long as a domain, and XCLIENT is a command like others. */
static void
XCLIENT_stays_a_short_line(void **state)
{
	char name[255];
	struct house house;

	memset(name, 'x', sizeof(name));
	house_init(&house, &dialect_submission, XCLIENT, &password);
	house.task.hello = str_make(name, sizeof(name));
	house.caller.client_ip = house.caller.local_ip = "2001:db8:1111:2222:3333:4444:5555:6666";
	house.caller.client_port = house.caller.local_port = 65535;
	house.caller.ttl = UINT32_MAX;
	house_feed(&house, STR(OFFERS(POSTFIX " SESSION TTL")));
	assert_in_range(buf_len(&house.out), strlen("EHLO mx.test\r\n") + 450,
	    strlen("EHLO mx.test\r\n") + 512);
	assert_non_null(strstr(buf_cstr(&house.out), " HELO=xxx"));
	house_fini(&house);
}

static void
a_response_too_long_for_a_command_is_said_when_asked(void **state)
{
	struct buf token = BUF_INIT;
	struct credentials credentials = {.mechanism = MECHANISM_XOAUTH2, .authcid = STR("ann")};
	struct house house;

	while (buf_len(&token) < 7000)
		buf_add_byte(&token, 't');
	credentials.secret = buf_str(&token);
	house_init(&house, &dialect_submission, 0, &credentials);
	house_feed(&house, STR(OFFERS("AUTH XOAUTH2")));
	assert_string_equal(buf_cstr(&house.out), "EHLO mx.test\r\nAUTH XOAUTH2\r\n");
	house_feed(&house, STR("334 \r\n"));
	assert_in_range(buf_len(&house.out), 9300, 9500);
	house_feed(&house, STR("334 eyJ9\r\n"));
	assert_non_null(strstr(buf_cstr(&house.out), "<challenge eyJ9>"));
	house_fini(&house);
	buf_fini(&token);
}

/* ---- leaving */

static void
leaving_is_possible_at_any_time(void **state)
{
	static const struct {
		const char *says;
		struct credentials credentials;
		const char *quits;
	} leaves[] = {
	    {"", PASSWORD, "QUIT\r\n"},
	    {BANNER, PASSWORD, "QUIT\r\n"},
	    {ALL, PASSWORD, "QUIT\r\n"},
	    {OFFERS("AUTH LOGIN") "334\r\n", PASSWORD, "*\r\nQUIT\r\n"},
	    {OFFERS("AUTH SCRAM-SHA-256"), SCRAM, "*\r\nQUIT\r\n"},
	    {ALL "235 in\r\n", PASSWORD, "QUIT\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(leaves); i++)
		house_quits(&dialect_submission, &leaves[i].credentials, leaves[i].says,
		    leaves[i].quits);
}

static void
a_challenge_that_is_given_up_is_cancelled(void **state)
{
	static const struct credentials scram = SCRAM;
	struct house house;

	house_init(&house, &dialect_submission, 0, &scram);
	buf_add_text(&house.in, OFFERS("AUTH SCRAM-SHA-256") "334 YQ==\r\n");
	assert_int_equal(house.row->next(house.back, &house.in, &house.out, &house.fault),
	    BACK_CHALLENGE);
	assert_int_equal(house.row->next(house.back, &house.in, &house.out, &house.fault),
	    BACK_WAIT);
	buf_clear(&house.out);
	house.row->quit(house.back, &house.out);
	assert_string_equal(buf_cstr(&house.out), "*\r\nQUIT\r\n");
	house_fini(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(C2_capabilities_are_read_again_behind_TLS),
	    cmocka_unit_test(C2_XCLIENT_comes_behind_TLS),
	    cmocka_unit_test(C2_whoever_talks_on_in_clear_is_unsafe),
	    cmocka_unit_test(D1_a_backend_away_for_now_is_told_from_a_wrong_one),
	    cmocka_unit_test(what_it_announces_is_kept),
	    cmocka_unit_test(D1_a_backend_that_does_not_stop),
	    cmocka_unit_test(D1_a_backend_that_announces_too_much),
	    cmocka_unit_test(XCLIENT_stays_a_short_line),
	    cmocka_unit_test(a_response_too_long_for_a_command_is_said_when_asked),
	    cmocka_unit_test(leaving_is_possible_at_any_time),
	    cmocka_unit_test(a_challenge_that_is_given_up_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
