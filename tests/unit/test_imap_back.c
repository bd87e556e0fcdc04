/*
 * test_imap_back.c - IMAP with a backend, until the login stands
 *
 * Long, because half of it is rows.
 */
#include "front/imap_back.h"

#include "back_house.h"
#include "front/imap.h"

#define HELLO(caps) "* OK [CAPABILITY IMAP4rev1 " caps "] hello\r\n"
#define ALL HELLO("ID SASL-IR AUTH=PLAIN")
#define CALLS                                                                                      \
	"(\"x-session-id\" \"0123456789abcdef\" \"x-originating-ip\" \"192.0.2.7\" "               \
	"\"x-originating-port\" \"51022\" \"x-connected-ip\" \"198.51.100.1\" "                    \
	"\"x-connected-port\" \"995\" \"x-proxy-ttl\" \"4\""

static const struct back_row_case rows[] = {
    /* one flight where it can be one */
    {"AUTHENTICATE PLAIN at once", 0, PASSWORD, STR(ALL "a OK in\r\n* 3 EXISTS\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<accepted OK in><left * 3 EXISTS\r\n>")},
    {"ID and login in one write", TELL_ID | CLIENT_ID, PASSWORD,
	STR(ALL "* ID (\"name\" \"Dovecot\")\r\ni OK\r\na OK in\r\n"),
	STR("i ID " CALLS " \"name\" \"mutt\")\r\na AUTHENTICATE PLAIN " PLAIN_ANN
	    "\r\n<accepted OK in>")},
    {"the client's ID alone", CLIENT_ID, PASSWORD, STR(ALL "i NO\r\na OK in\r\n"),
	STR("i ID (\"name\" \"mutt\")\r\na AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<accepted OK in>")},
    {"the client's ID where there is none", CLIENT_ID, PASSWORD, STR(HELLO("") "a OK in\r\n"),
	STR("a LOGIN \"ann\" \"secret\"\r\n<accepted OK in>")},
    {"ID is answered late", TELL_ID, PASSWORD, STR(ALL "a OK in\r\ni OK\r\n* 3 EXISTS\r\n"),
	STR("i ID " CALLS ")\r\na AUTHENTICATE PLAIN " PLAIN_ANN
	    "\r\n<accepted OK in><left * 3 EXISTS\r\n>")},
    {"capabilities have to be asked for", 0, PASSWORD,
	STR("* OK hello\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nc OK\r\na OK in\r\n"),
	STR("c CAPABILITY\r\na AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<accepted OK in>")},
    {"untagged lines and the list are passed", 0, PASSWORD,
	STR(ALL "* OK [ALERT] be nice\r\n* CAPABILITY IMAP4rev1 IDLE\r\n"
		"* X ({3}\r\n\r\na)\r\na OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN
	    "\r\n<accepted * OK [ALERT] be nice\r\n* CAPABILITY IMAP4rev1 IDLE\r\n"
	    "* X ({3}\r\n\r\na)\r\n|OK [CAPABILITY IMAP4rev1 IDLE] in>")},

    /* how a password can be said */
    {"LOGIN with quoted strings", 0, WORDS("a \"n\" {3}", "%n\\"), STR(HELLO("") "a OK\r\n"),
	STR("a LOGIN \"a \\\"n\\\" {3}\" \"%n\\\\\"\r\n<accepted OK>")},
    {"LOGIN saves a round trip", 0, PASSWORD, STR(HELLO("AUTH=PLAIN") "a OK\r\n"),
	STR("a LOGIN \"ann\" \"secret\"\r\n<accepted OK>")},
    {"AUTHENTICATE PLAIN when asked", 0, PASSWORD,
	STR(HELLO("AUTH=PLAIN LOGINDISABLED") "+ \r\na OK\r\n"),
	STR("a AUTHENTICATE PLAIN\r\n" PLAIN_ANN "\r\n<accepted OK>")},
    {"AUTHENTICATE LOGIN", 0, PASSWORD,
	STR(HELLO("AUTH=LOGIN LOGINDISABLED SASL-IR") "+ VXNlcm5hbWU6\r\n+ \r\na OK\r\n"),
	STR("a AUTHENTICATE LOGIN\r\nYW5u\r\nc2VjcmV0\r\n<accepted OK>")},
    {"LOGIN with literals that need no leave", 0, WORDS("j\xc3\xb6rg", "p\xc3\xa4ss"),
	STR(HELLO("LITERAL-") "a OK\r\n"),
	STR("a LOGIN {5+}\r\nj\xc3\xb6rg {5+}\r\np\xc3\xa4ss\r\n<accepted OK>")},
    {"LOGIN with literals that need it", 0, WORDS("j\xc3\xb6rg", "p\xc3\xa4ss"),
	STR(HELLO("") "+ go\r\n+\r\na OK\r\n"),
	STR("a LOGIN {5}\r\nj\xc3\xb6rg {5}\r\np\xc3\xa4ss\r\n<accepted OK>")},
    {"LOGIN, mixed", 0, WORDS("ann", "p\xc3\xa4ss"), STR(HELLO("") "+ go\r\na OK\r\n"),
	STR("a LOGIN \"ann\" {5}\r\np\xc3\xa4ss\r\n<accepted OK>")},
    {"AUTHENTICATE before literals that need leave", 0, WORDS("ann", "p\xc3\xa4ss"),
	STR(HELLO("AUTH=PLAIN") "+\r\na OK\r\n"),
	STR("a AUTHENTICATE PLAIN\r\nAGFubgBww6Rzcw==\r\n<accepted OK>")},
    {"another name", OTHER_NAME, PASSWORD, STR(HELLO("SASL-IR AUTH=PLAIN") "a OK\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_OTHER "\r\n<accepted OK>")},
    {"another name with LOGIN", OTHER_NAME, PASSWORD, STR(HELLO("") "a OK\r\n"),
	STR("a LOGIN \"ann@old\" \"secret\"\r\n<accepted OK>")},
    {"C9 an authorization id only with PLAIN", 0, AS_BOB,
	STR(HELLO("AUTH=PLAIN AUTH=LOGIN") "+\r\na OK\r\n"),
	STR("a AUTHENTICATE PLAIN\r\n" PLAIN_BOB "\r\n<accepted OK>")},
    {"C9 and nowhere else", 0, AS_BOB, STR(HELLO("AUTH=LOGIN")),
	STR("<later NO [CANNOT] This login is not possible here>")},
    {"no way for a password", 0, PASSWORD, STR(HELLO("LOGINDISABLED AUTH=SCRAM-SHA-1")),
	STR("<broken>")},

    /* mechanisms with something to ask */
    {"SCRAM passes through", 0, SCRAM,
	STR(HELLO("AUTH=SCRAM-SHA-256 SASL-IR") "+ c2VydmVy\r\n+ Zmlu\r\na OK\r\n"),
	STR("a AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm4scj14eXo=\r\n<challenge c2VydmVy>Y2xpZW50\r\n"
	    "<challenge Zmlu>Y2xpZW50\r\n<accepted OK>")},
    {"SCRAM without an initial response", UNSAFE, SCRAM,
	STR(HELLO("AUTH=SCRAM-SHA-256") "+ \r\n+ c2VydmVy\r\na NO\r\n"),
	STR("a AUTHENTICATE SCRAM-SHA-256\r\nbiwsbj1hbm4scj14eXo=\r\n<challenge c2VydmVy>Y2xpZW50"
	    "\r\n<wrong>")},
    {"SCRAM where there is none", 0, SCRAM, STR(HELLO("AUTH=SCRAM-SHA-1")),
	STR("<later NO [CANNOT] This login is not possible here>")},
    {"a token is refused with a reason", 0, TOKEN,
	STR(HELLO("AUTH=XOAUTH2 SASL-IR") "+ eyJ9\r\na NO [AUTHENTICATIONFAILED] x\r\n"),
	STR("a AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n"
	    "<challenge eyJ9>Y2xpZW50\r\n<wrong>")},

    /* what is refused, and how */
    {"C21 a wrong password is not repeated", 0, PASSWORD,
	STR(ALL "a NO [AUTHENTICATIONFAILED] secret is wrong\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<wrong>")},
    {"a refusal without a code", 0, PASSWORD, STR(ALL "a no\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<wrong>")},
    {"for now", 0, PASSWORD, STR(ALL "a NO [UNAVAILABLE] back soon\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<later NO [UNAVAILABLE] back soon>")},
    {"expired", 0, PASSWORD, STR(ALL "a NO [expired] change it\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<wrong NO [expired] change it>")},
    {"an alert", 0, PASSWORD, STR(ALL "a NO [ALERT] pay first\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<wrong NO [ALERT] pay first>")},
    {"too many", 0, PASSWORD, STR(ALL "a NO [LIMIT] five already\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<later>")},
    {"BAD is about no password", 0, PASSWORD, STR(ALL "a BAD what?\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<later>")},

    /* who it takes us for */
    {"C2 PREAUTH", 0, PASSWORD, STR("* PREAUTH hello\r\na OK\r\n"), STR("<broken>")},
    {"BYE", 0, PASSWORD, STR("* BYE full\r\n"), STR("<broken>")},
    {"C21 a BYE that repeats it", 0, PASSWORD, STR(ALL "* BYE secret\r\na OK\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<broken>")},
    {"ID, but it does not know it", TELL_ID, PASSWORD, STR(HELLO("SASL-IR AUTH=PLAIN")),
	STR("<broken>")},
    {"ID, but it does not take it", TELL_ID, PASSWORD, STR(ALL "i BAD no\r\na OK\r\n"),
	STR("i ID " CALLS ")\r\na AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<broken>")},
    {"no secret on an unsafe leg", UNSAFE, PASSWORD, STR(ALL "a OK\r\n"), STR("<broken>")},
    {"no token either", UNSAFE, TOKEN, STR(HELLO("AUTH=XOAUTH2 SASL-IR")), STR("<broken>")},

    /* odd ones */
    {"D1 another protocol", 0, PASSWORD, STR("220 mx ESMTP\r\n"), STR("<broken>")},
    {"D1 a banner with a format in it", 0, PASSWORD, STR("* BYE %n%n%s%s\r\n"), STR("<broken>")},
    {"D1 POP3", 0, PASSWORD, STR("+OK hello\r\n"), STR("<broken>")},
    {"D1 a TLS alert", 0, PASSWORD, STR("\x15\x03\x01\x02"), STR("<broken>")},
    {"D1 no line at all", 0, PASSWORD, STR("SSH-2.0-x"), STR("<broken>")},
    {"D1 LF alone ends a line", 0, PASSWORD, STR("* OK [CAPABILITY IMAP4rev1] %n%s\na OK\n"),
	STR("a LOGIN \"ann\" \"secret\"\r\n<accepted OK>")},
    {"D1 a greeting without an end", 0, PASSWORD, STR("* OK [CAPABILITY IMAP4rev1"), STR("")},
    {"D1 an asterisk alone", 0, PASSWORD, STR("*\r\n"), STR("<broken>")},
    {"D1 no capabilities", 0, PASSWORD, STR("* OK hello\r\nc OK\r\n"),
	STR("c CAPABILITY\r\n<broken>")},
    {"D1 an answer to nothing", 0, PASSWORD, STR("* OK hello\r\na OK\r\n"),
	STR("c CAPABILITY\r\n<broken>")},
    {"C21 an answer that is none, and repeats it", 0, PASSWORD, STR(ALL "a FINE secret\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<broken>")},
    {"D1 a line without a space", 0, PASSWORD, STR(ALL "a\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<broken>")},
    {"D1 it asks where there is nothing", 0, PASSWORD, STR(HELLO("") "+ what?\r\n"),
	STR("a LOGIN \"ann\" \"secret\"\r\n<broken>")},
    {"D1 it asks twice", 0, PASSWORD, STR(HELLO("AUTH=PLAIN LOGINDISABLED") "+\r\n+\r\n"),
	STR("a AUTHENTICATE PLAIN\r\n" PLAIN_ANN "\r\n<broken>")},
    {"D1 it asks for ever", 0, SCRAM,
	STR(HELLO("AUTH=SCRAM-SHA-256 SASL-IR") "+ a\r\n+ a\r\n+ a\r\n+ a\r\n+ a\r\n+ a\r\n+ a\r\n"
						"+ a\r\n+ a\r\n"),
	STR("a AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm4scj14eXo=\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n<challenge a>Y2xpZW50\r\n"
	    "<challenge a>Y2xpZW50\r\n<broken>")},
    {"D1 a literal of 4 GB", 0, PASSWORD, STR(ALL "* X {4294967295}\r\n"),
	STR("a AUTHENTICATE PLAIN " PLAIN_ANN "\r\n<broken>")},

    {"C3 TLS is wanted and not offered", START_TLS, PASSWORD, STR(ALL "s OK\r\n"), STR("<broken>")},
    {"C3 TLS is wanted and refused", START_TLS | UNSAFE, PASSWORD, STR("* OK\r\ns NO\r\na OK\r\n"),
	STR("s STARTTLS\r\n<broken>")},
};

static void
dialogues_are_held_however_they_are_cut(void **state)
{
	house_hold_all(&dialect_imap, rows, ARRAY_LEN(rows));
}

/* ---- STARTTLS: here it counts what comes together */

static const struct credentials password = PASSWORD;

static void
C2_capabilities_are_read_again_behind_TLS(void **state)
{
	static const struct str greetings[] = {STR(HELLO("STARTTLS SASL-IR AUTH=PLAIN ID")),
	    STR("* OK hello\r\n"), STR(HELLO("STARTTLS LOGINDISABLED"))};

	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct house house;

		house_init(&house, &dialect_imap, START_TLS | UNSAFE, &password);
		house_feed(&house, greetings[i]);
		house_feed(&house, STR("s OK go\r\n"));
		assert_false(offer_has(house.back->offer, "AUTH=PLAIN"));
		house_feed(&house, STR("* CAPABILITY IMAP4rev1\r\nc OK\r\na OK in\r\n"));
		assert_string_equal(buf_cstr(&house.out),
		    "s STARTTLS\r\n<tls>c CAPABILITY\r\n"
		    "a LOGIN \"ann\" \"secret\"\r\n<accepted OK in>");
		house_fini(&house);
	}
}

static void
C2_whoever_talks_on_in_clear_is_unsafe(void **state)
{
	house_goes_on_in_clear(&dialect_imap, &password, "* OK hello\r\n", "s OK go\r\n",
	    "* CAPABILITY IMAP4rev1\r\nc OK\r\n", "s STARTTLS\r\n<broken>");
}

static void
C2_what_was_announced_in_clear_does_not_count_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, &dialect_imap, START_TLS, &password);
	house_feed(&house, STR(HELLO("STARTTLS AUTH=PLAIN SASL-IR")));
	house_feed(&house, STR("s OK go\r\n"));
	assert_int_equal(house_feed(&house, STR("c OK\r\n")), BACK_BROKEN);
	assert_string_equal(buf_cstr(&house.out), "s STARTTLS\r\n<tls>c CAPABILITY\r\n<broken>");
	house_fini(&house);
}

static void
C2_PREAUTH_is_told_apart(void **state)
{
	struct house house;

	house_init(&house, &dialect_imap, 0, &password);
	assert_int_equal(house_feed(&house, STR("* PREAUTH hello\r\n")), BACK_BROKEN);
	assert_non_null(strstr(house.fault.text, "logged in"));
	house_fini(&house);
}

/* ---- too much */

static void
D1_a_backend_that_does_not_stop(void **state)
{
	static const struct {
		const char *begin, *more;
	} floods[] = {
	    {"* OK ", "x"}, /* a banner of 1 MB */
	    {"* OK [CAPABILITY", " x"},
	    {HELLO(""), "* OK more\r\n"}, /* untagged lines that are kept */
	    {HELLO("ID"), "* X ({1}\r\nx {1}\r\n"},
	    {"* OK hello\r\n", "a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(floods); i++)
		assert_in_range(house_flood(&dialect_imap, &password, floods[i].begin,
				    floods[i].more),
		    0, 20000);
}

static void
a_response_too_long_for_a_command_is_said_when_asked(void **state)
{
	struct buf token = BUF_INIT;
	struct credentials credentials = {.mechanism = MECHANISM_XOAUTH2, .authcid = STR("ann")};
	struct house house;

	while (buf_len(&token) < 7000)
		buf_add_text(&token, "t");
	credentials.secret = buf_str(&token);
	house_init(&house, &dialect_imap, 0, &credentials);
	house_feed(&house, STR(HELLO("AUTH=XOAUTH2 SASL-IR")));
	assert_string_equal(buf_cstr(&house.out), "a AUTHENTICATE XOAUTH2\r\n");
	house_feed(&house, STR("+ \r\n"));
	assert_in_range(buf_len(&house.out), 9300, 9500);
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
	    {"", PASSWORD, "q LOGOUT\r\n"},
	    {"* OK hello\r\n", PASSWORD, "q LOGOUT\r\n"},
	    {HELLO("AUTH=PLAIN LOGINDISABLED"), PASSWORD, "*\r\nq LOGOUT\r\n"},
	    {HELLO("AUTH=LOGIN LOGINDISABLED") "+ \r\n", PASSWORD, "*\r\nq LOGOUT\r\n"},
	    {HELLO(""), WORDS("j\xc3\xb6rg", "x"), ""}, /* a literal is awaited */
	    {ALL "a OK in\r\n", PASSWORD, "q LOGOUT\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(leaves); i++)
		house_quits(&dialect_imap, &leaves[i].credentials, leaves[i].says, leaves[i].quits);
}

static void
a_challenge_that_is_given_up_is_cancelled(void **state)
{
	static const struct credentials scram = SCRAM;
	struct house house;

	house_init(&house, &dialect_imap, 0, &scram);
	buf_add_text(&house.in, HELLO("AUTH=SCRAM-SHA-256 SASL-IR") "+ YQ==\r\n");
	assert_int_equal(house.row->next(house.back, &house.in, &house.out, &house.fault),
	    BACK_CHALLENGE);
	assert_int_equal(house.row->next(house.back, &house.in, &house.out, &house.fault),
	    BACK_WAIT);
	buf_clear(&house.out);
	house.row->quit(house.back, &house.out);
	assert_string_equal(buf_cstr(&house.out), "*\r\nq LOGOUT\r\n");
	house_fini(&house);
}

static void
what_it_announces_is_kept(void **state)
{
	struct house house;

	house_init(&house, &dialect_imap, 0, &password);
	assert_int_equal(offer_count(house.back->offer), 0);
	house_feed(&house, STR("* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN]\r\n"));
	assert_true(offer_has(house.back->offer, "IDLE"));
	assert_true(offer_has(house.back->offer, "AUTH=PLAIN"));
	assert_int_equal(offer_count(house.back->offer), 3);
	house_fini(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(C2_capabilities_are_read_again_behind_TLS),
	    cmocka_unit_test(C2_whoever_talks_on_in_clear_is_unsafe),
	    cmocka_unit_test(C2_what_was_announced_in_clear_does_not_count_behind_TLS),
	    cmocka_unit_test(C2_PREAUTH_is_told_apart),
	    cmocka_unit_test(D1_a_backend_that_does_not_stop),
	    cmocka_unit_test(a_response_too_long_for_a_command_is_said_when_asked),
	    cmocka_unit_test(leaving_is_possible_at_any_time),
	    cmocka_unit_test(a_challenge_that_is_given_up_is_cancelled),
	    cmocka_unit_test(what_it_announces_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
