/*
 * test_smtp_front.c - submission with a client, until its credentials are there
 */
#include "front/smtp_front.h"

#include "front/submission.h"
#include "front_house.h"

static void
offer_words(struct offer *offer)
{
	static const char *const words[][2] = {{"PIPELINING", ""}, {"SIZE", "1000"},
	    {"XCLIENT", "ADDR"}, {"XFORWARD", "ADDR"}, {"VRFY", ""}, {"ETRN", ""}, {"BURL", "imap"},
	    {"8BITMIME", ""}, {"AUTH", "GSSAPI"}, {"STARTTLS", ""}, {"CHUNKING", ""}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_true(offer_add(offer, str_of(words[i][0]), str_of(words[i][1])));
}

static const struct front_play play = {&dialect_submission, STR(""), STR("235 2.7.0 In"),
    STR("454-4.3.0 not now\r\n454 4.3.0 x"), offer_words};

#define HELLO "EHLO pc.test\r\n"
#define WORDS "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
#define SEES WORDS "250 AUTH PLAIN LOGIN OAUTHBEARER XOAUTH2 SCRAM-SHA-1 SCRAM-SHA-256\r\n"
#define WRONG "535 5.7.8 Authentication failed.\r\n"
#define NOT_YET "530 5.7.0 Authentication required\r\n"
#define UNKNOWN "500 5.5.2 Unknown before login\r\n"
#define FIVE(text) text text text text text

static const struct front_row_case rows[] = {
    {"greeting", 0, STR(""), STR("220 mx.test ESMTP is ready\r\n")},
    {"EHLO", NO_GREETING, STR(HELLO), STR(SEES "<hello pc.test>")},
    {"EHLO without TLS", NO_GREETING | CLEAR, STR(HELLO),
	STR(WORDS "250 STARTTLS\r\n<hello pc.test>")},
    {"EHLO when no backend was seen yet", NO_GREETING | NO_OFFER | NO_PASSWORDS, STR(HELLO),
	STR("250-mx.test\r\n250 AUTH SCRAM-SHA-1\r\n<hello pc.test>")},
    {"EHLO when there is nothing to say", NO_GREETING | NO_OFFER | CLEAR,
	STR("ehlo [192.0.2.1]\r\n"), STR("250-mx.test\r\n250 STARTTLS\r\n<hello [192.0.2.1]>")},
    {"HELO, and lines that end with LF", NO_GREETING, STR("helo pc\nnoop\n"),
	STR("250 mx.test\r\n250 2.0.0 Done\r\n<hello pc>")},
    {"the last one counts", NO_GREETING, STR(HELLO "HELO other\r\n"),
	STR(SEES "250 mx.test\r\n<hello other>")},
    {"EHLO without a name", NO_GREETING, STR("EHLO\r\nEHLO \r\nHELO\r\n"),
	STR("501 5.5.4 A name is wanted\r\n501 5.5.4 A name is wanted\r\n"
	    "501 5.5.4 A name is wanted\r\n")},
    {"EHLO with a name that nobody should see", NO_GREETING | NO_OFFER | NO_PASSWORDS,
	STR("EHLO a b\r\nEHLO a\x1b\r\nEHLO a\0\r\n"),
	STR("250-mx.test\r\n250 AUTH SCRAM-SHA-1\r\n250-mx.test\r\n250 AUTH SCRAM-SHA-1\r\n"
	    "250-mx.test\r\n250 AUTH SCRAM-SHA-1\r\n")},
    {"commands without consequences", NO_GREETING,
	STR("NOOP\r\nNOOP x\r\nRSET\r\nHELP\r\nQUIT\r\nNOOP\r\n"),
	STR("250 2.0.0 Done\r\n250 2.0.0 Done\r\n250 2.0.0 Done\r\n"
	    "214 2.0.0 Say EHLO, STARTTLS, AUTH, and then what is to be sent\r\n"
	    "221 2.0.0 Until later\r\n<end>")},
    {"nothing is sent before the login", NO_GREETING,
	STR(HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nBDAT 3\r\nVRFY x\r\n"),
	STR(SEES FIVE(NOT_YET) "<hello pc.test>")},
    {"what is never taken from a client", NO_GREETING,
	STR(HELLO
	    "XCLIENT ADDR=192.0.2.1\r\nXFORWARD ADDR=192.0.2.1\r\nETRN x\r\nBURL x\r\nTURN\r\n"),
	STR(SEES FIVE(UNKNOWN) "<hello pc.test>")},
    {"what is no command", NO_GREETING, STR("\r\n NOOP\r\nNOOP\tx\r\nGET / HTTP/1.1\r\nNO\0OP\r\n"),
	STR(FIVE(UNKNOWN))},
    {"twenty mistakes, and one more", NO_GREETING,
	STR("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
	    "NOOP\r\nx\r\nNOOP\r\n"),
	STR(FIVE(UNKNOWN) FIVE(UNKNOWN) FIVE(UNKNOWN)
		FIVE(UNKNOWN) "250 2.0.0 Done\r\n" UNKNOWN "421 4.7.0 Too many errors.\r\n<end>")},

    /* AUTH */
    {"PLAIN at once", NO_GREETING, STR(HELLO "AUTH PLAIN AGFubgBnb29k\r\nMAIL FROM:<>\r\n"),
	STR(SEES "<PLAIN  ann good>235 2.7.0 In\r\n<hello pc.test><left MAIL FROM:<>\r\n>")},
    {"PLAIN when asked", NO_GREETING, STR(HELLO "auth plain\r\nYm9iAGFubgBiYWQ=\r\nNOOP\r\n"),
	STR(SEES "334 \r\n<PLAIN bob ann bad>" WRONG "250 2.0.0 Done\r\n<hello pc.test>")},
    {"a space behind the mechanism", NO_GREETING, STR(HELLO "AUTH PLAIN \r\nAGFubgBiYWQ=\r\n"),
	STR(SEES "334 \r\n<PLAIN  ann bad>" WRONG "<hello pc.test>")},
    {"LOGIN", NO_GREETING, STR(HELLO "AUTH LOGIN\r\nYW5u\r\nYmFk\r\n"),
	STR(SEES "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n<LOGIN  ann bad>" WRONG
		 "<hello pc.test>")},
    {"LOGIN with the name at once", NO_GREETING, STR(HELLO "AUTH LOGIN YW5u\r\nYmFk\r\n"),
	STR(SEES "334 UGFzc3dvcmQ6\r\n<LOGIN  ann bad>" WRONG "<hello pc.test>")},
    {"another login after a failed one", NO_GREETING,
	STR(HELLO "AUTH PLAIN AGFubgBiYWQ=\r\nAUTH PLAIN AGFubgBsYXRlcg==\r\n"
		  "AUTH PLAIN AGFubgBnb29k\r\n"),
	STR(SEES "<PLAIN  ann bad>" WRONG "<PLAIN  ann later>454-4.3.0 not now\r\n454 4.3.0 x\r\n"
		 "<PLAIN  ann good>235 2.7.0 In\r\n<hello pc.test>")},
    {"given up", NO_GREETING, STR(HELLO "AUTH PLAIN\r\n*\r\nNOOP\r\n"),
	STR(SEES "334 \r\n501 5.7.0 Authentication cancelled\r\n250 2.0.0 Done\r\n"
		 "<hello pc.test>")},
    {"C8 no base64, wrong padding, an empty response", NO_GREETING,
	STR(HELLO "AUTH PLAIN !!!!\r\nAUTH PLAIN AGFubgBnb29kx\r\nAUTH PLAIN =\r\n"
		  "AUTH PLAIN\r\n\r\nNOOP\r\n"),
	STR(SEES "501 5.5.2 This is not what the mechanism wants\r\n"
		 "501 5.5.2 This is not what the mechanism wants\r\n"
		 "501 5.5.2 This is not what the mechanism wants\r\n334 \r\n"
		 "501 5.5.2 This is not what the mechanism wants\r\n250 2.0.0 Done\r\n"
		 "<hello pc.test>")},
    {"C7 CR LF in the name", NO_GREETING, STR(HELLO "AUTH PLAIN AGFubg0KWABnb29k\r\n"),
	STR(SEES "501 5.5.2 This is not what the mechanism wants\r\n<hello pc.test>")},
    {"without sense", NO_GREETING,
	STR(HELLO "AUTH\r\nAUTH PLAIN x y\r\nAUTH GSSAPI\r\nAUTH SCRAM-SHA-1-PLUS x\r\n"),
	STR(SEES "501 5.5.4 AUTH wants a mechanism\r\n501 5.5.4 AUTH wants a mechanism\r\n"
		 "504 5.5.4 This mechanism is not offered\r\n"
		 "504 5.5.4 This mechanism is not offered\r\n<hello pc.test>")},
    {"what is not offered is not taken", NO_GREETING | NO_PASSWORDS,
	STR(HELLO "AUTH PLAIN AGFubgBnb29k\r\n"),
	STR(WORDS "250 AUTH SCRAM-SHA-1\r\n504 5.5.4 This mechanism is not offered\r\n"
		  "<hello pc.test>")},
    {"not without TLS", NO_GREETING | CLEAR, STR(HELLO "AUTH PLAIN AGFubgBnb29k\r\n"),
	STR(WORDS "250 STARTTLS\r\n538 5.7.11 Only with TLS.\r\n<hello pc.test>")},
    {"not before EHLO", NO_GREETING, STR("AUTH PLAIN AGFubgBnb29k\r\n"),
	STR("503 5.5.1 Say EHLO first\r\n")},
    {"SCRAM passes through", NO_GREETING,
	STR(HELLO "AUTH SCRAM-SHA-1 biwsbj1hbm4scj14eXo=\r\nYz1iaXdz\r\n\r\nNOOP\r\n"),
	STR(SEES "<SCRAM-SHA-1  ann n,,n=ann,r=xyz>334 c2VydmVy\r\n<response Yz1iaXdz>"
		 "334 c2VydmVy\r\n<response >235 2.7.0 In\r\n<hello pc.test><left NOOP\r\n>")},
    {"SCRAM, given up", NO_GREETING,
	STR(HELLO "AUTH SCRAM-SHA-1 biwsbj1hbm4scj14eXo=\r\n*\r\nNOOP\r\n"),
	STR(SEES "<SCRAM-SHA-1  ann n,,n=ann,r=xyz>334 c2VydmVy\r\n"
		 "501 5.7.0 Authentication cancelled\r\n250 2.0.0 Done\r\n<hello pc.test>")},
    {"XOAUTH2", NO_GREETING, STR(HELLO "AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgYmFkAQE=\r\n"),
	STR(SEES "<XOAUTH2 ann ann bad>" WRONG "<hello pc.test>")},
    {"a token that names nobody", NO_GREETING,
	STR(HELLO "AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIG9wYXF1ZQEB\r\nAQ==\r\nNOOP\r\n"),
	STR(SEES "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
		 "535 5.7.8 The token names no user here.\r\n250 2.0.0 Done\r\n<hello pc.test>")},

    {"STARTTLS where there is none", NO_GREETING, STR(HELLO "STARTTLS\r\n"),
	STR(SEES "503 5.5.1 TLS is not to be had here\r\n<hello pc.test>")},
    {"STARTTLS with parameters", NO_GREETING | CLEAR, STR(HELLO "STARTTLS x\r\n"),
	STR(WORDS "250 STARTTLS\r\n501 5.5.4 It has no parameters\r\n<hello pc.test>")},
};

static void
dialogues_are_held_however_they_are_cut(void **state)
{
	house_hold_all(&play, rows, ARRAY_LEN(rows));
}

/* ---- STARTTLS: here it counts what comes together */

static void
STARTTLS_begins_anew(void **state)
{
	struct house house;

	house_init(&house, &play, CLEAR | NO_GREETING);
	house_feed(&house, STR("HELO someone.in.between\r\nSTARTTLS\r\n"));
	assert_int_equal(house.front->hello.len, 0);
	house_feed(&house, STR("AUTH PLAIN AGFubgBnb29k\r\nEHLO pc.test\r\nSTARTTLS\r\n"
			       "AUTH PLAIN AGFubgBnb29k\r\n"));
	assert_string_equal(buf_cstr(&house.out),
	    "250 mx.test\r\n220 2.0.0 Begin TLS now\r\n<tls>503 5.5.1 Say EHLO first\r\n" SEES
	    "503 5.5.1 TLS is not to be had here\r\n<PLAIN  ann good>235 2.7.0 In\r\n");
	house_fini(&house);
}

static void
C1_what_stands_behind_STARTTLS_is_never_run(void **state)
{
	static const struct str behind[] = {
	    STR("AUTH PLAIN AGFubgBnb29k\r\n"), STR("E"), STR("\0")};

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct house house;
		struct buf bytes = BUF_INIT;

		house_init(&house, &play, CLEAR | NO_GREETING);
		buf_add_text(&bytes, "STARTTLS\r\n");
		buf_add_str(&bytes, behind[i]);
		assert_int_equal(house_feed(&house, buf_str(&bytes)), FRONT_END);
		assert_int_equal(house_feed(&house, STR("AUTH PLAIN AGFubgBnb29k\r\n")), FRONT_END);
		assert_string_equal(buf_cstr(&house.out),
		    "503 5.5.1 Nothing may follow before TLS\r\n421 4.7.0 Too many errors.\r\n"
		    "<end><end>");
		house_fini(&house);
		buf_fini(&bytes);
	}
}

/* ---- too much */

static void
C5_what_has_no_end_comes_to_one(void **state)
{
	static const struct {
		const char *begin, *more;
	} floods[] = {
	    {"", "("},
	    {"EHLO ", "x"},
	    {"EHLO x\r\nAUTH PLAIN ", "A"},
	    {"EHLO x\r\nAUTH PLAIN\r\n", "A"},
	    {"EHLO x\r\n", "MAIL FROM:<>\r\n"},
	    {"EHLO x\r\n", "AUTH PLAIN\r\n*\r\n"},
	    {"EHLO x\r\n", "AUTH PLAIN AGFubgBiYWQ=\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(floods); i++)
		assert_in_range(house_flood(&play, floods[i].begin, floods[i].more,
				    dialect_submission.in_max_bytes - 1,
				    "\r\n421 4.7.0 Too many errors.\r\n"),
		    0, 16384);
}

static void
C5_a_line_above_the_limit_is_only_for_AUTH(void **state)
{
	struct buf line = BUF_INIT;
	struct house house;

	house_init(&house, &play, NO_GREETING);
	buf_add_text(&line, "NOOP ");
	while (buf_len(&line) < 2049)
		buf_add_byte(&line, 'x');
	buf_add_text(&line, "\r\nHELO x\r\nAUTH PLAIN ");
	while (buf_len(&line) < 12000)
		buf_add_byte(&line, 'A');
	buf_add_text(&line, "\r\nNOOP\r\n");
	house_feed(&house, buf_str(&line));
	assert_string_equal(buf_cstr(&house.out),
	    "500 5.5.2 The line is too long\r\n250 mx.test\r\n"
	    "501 5.5.2 This is not what the mechanism wants\r\n250 2.0.0 Done\r\n");
	assert_int_equal(house.front->mistakes, 2);
	house_fini(&house);
	buf_fini(&line);
}

static void
C5_a_hello_has_a_longest(void **state)
{
	struct buf line = BUF_INIT;
	struct house house;

	for (size_t len = 255; len <= 256; len++) {
		house_init(&house, &play, NO_GREETING);
		buf_clear(&line);
		buf_add_text(&line, "HELO ");
		while (buf_len(&line) < strlen("HELO ") + len)
			buf_add_byte(&line, 'x');
		buf_add_text(&line, "\r\n");
		house_feed(&house, buf_str(&line));
		assert_int_equal(house.front->hello.len, len == 255 ? 255 : 0);
		assert_string_equal(buf_cstr(&house.out), "250 mx.test\r\n");
		house_fini(&house);
	}
	buf_fini(&line);
}

/* ---- what the driver says on its own */

static void
waiting_is_silent_and_leaving_is_421(void **state)
{
	struct house house;

	house_init(&house, &play, NO_GREETING);
	house.row->wait(house.front, &house.out);
	house.row->bye(house.front, BYE_SHUTDOWN, &house.out);
	assert_string_equal(buf_cstr(&house.out), "421 4.3.2 Shutting down, connect again.\r\n");
	assert_int_equal(house_feed(&house, STR("NOOP\r\n")), FRONT_END);
	house_fini(&house);
	assert_int_equal(dialect_submission.park_ms, 0);
}

static void
C22_nothing_of_a_refused_login_stays(void **state)
{
	house_wipes(&play, "HELO x\r\nAUTH PLAIN AGFubgBiYWQ=\r\nNOOP\r\n");
	house_wipes(&play, "HELO x\r\nAUTH LOGIN\r\nYW5u\r\nYmFk\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(STARTTLS_begins_anew),
	    cmocka_unit_test(C1_what_stands_behind_STARTTLS_is_never_run),
	    cmocka_unit_test(C5_what_has_no_end_comes_to_one),
	    cmocka_unit_test(C5_a_line_above_the_limit_is_only_for_AUTH),
	    cmocka_unit_test(C5_a_hello_has_a_longest),
	    cmocka_unit_test(waiting_is_silent_and_leaving_is_421),
	    cmocka_unit_test(C22_nothing_of_a_refused_login_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
