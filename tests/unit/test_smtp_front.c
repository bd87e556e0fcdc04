/*
 * test_smtp_front.c - submission with a client, until its credentials are there
 *
 * Each row is what a client says and what it then sees. The rest of the house is
 * played here, and what it is asked stands in the transcript in angle brackets:
 * the password decides what becomes of a login.
 */
#include "front/smtp_front.h"

#include "base/mem.h"
#include "cuts.h"
#include "front/sasl.h"
#include "front/submission.h"
#include "unit.h"

enum {
	CLEAR = 1, /* no TLS yet, and no login without */
	NO_PASSWORDS = 2, /* only SCRAM */
	GREETING = 4,
	NO_OFFER = 8, /* no backend was seen yet */
	NO_HELLO = 16, /* the client does not begin with EHLO */
};

#define HELLO "EHLO pc.test\r\n"
#define WORDS "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
#define SEES WORDS "250 AUTH PLAIN LOGIN OAUTHBEARER XOAUTH2 SCRAM-SHA-1 SCRAM-SHA-256\r\n"
#define WRONG "535 5.7.8 Authentication failed.\r\n"
#define NOT_YET "530 5.7.0 Authentication required\r\n"
#define UNKNOWN "500 5.5.2 Unknown before login\r\n"
#define FIVE(text) text text text text text

static const struct {
	const char *name;
	unsigned how;
	struct str says, sees;
} rows[] = {
    {"greeting", GREETING | NO_HELLO, STR(""), STR("220 mx.test ESMTP is ready\r\n")},
    {"EHLO", 0, STR(""), STR(SEES "<hello pc.test>")},
    {"EHLO without TLS", CLEAR, STR(""), STR(WORDS "250 STARTTLS\r\n<hello pc.test>")},
    {"EHLO when no backend was seen yet", NO_OFFER | NO_PASSWORDS, STR(""),
	STR("250-mx.test\r\n250 AUTH SCRAM-SHA-1\r\n<hello pc.test>")},
    {"EHLO when there is nothing to say", NO_OFFER | NO_HELLO | CLEAR, STR("ehlo [192.0.2.1]\r\n"),
	STR("250-mx.test\r\n250 STARTTLS\r\n<hello [192.0.2.1]>")},
    {"HELO, and lines that end with LF", NO_HELLO, STR("helo pc\nnoop\n"),
	STR("250 mx.test\r\n250 2.0.0 Done\r\n<hello pc>")},
    {"the last one counts", 0, STR("HELO other\r\n"), STR(SEES "250 mx.test\r\n<hello other>")},
    {"EHLO without a name", NO_HELLO, STR("EHLO\r\nEHLO \r\nHELO\r\n"),
	STR("501 5.5.4 A name is wanted\r\n501 5.5.4 A name is wanted\r\n"
	    "501 5.5.4 A name is wanted\r\n")},
    {"EHLO with a name that nobody should see", NO_HELLO | NO_OFFER | NO_PASSWORDS,
	STR("EHLO a b\r\nEHLO a\x1b\r\nEHLO a\0\r\n"),
	STR("250-mx.test\r\n250 AUTH SCRAM-SHA-1\r\n250-mx.test\r\n250 AUTH SCRAM-SHA-1\r\n"
	    "250-mx.test\r\n250 AUTH SCRAM-SHA-1\r\n")},
    {"commands without consequences", NO_HELLO,
	STR("NOOP\r\nNOOP x\r\nRSET\r\nHELP\r\nQUIT\r\nNOOP\r\n"),
	STR("250 2.0.0 Done\r\n250 2.0.0 Done\r\n250 2.0.0 Done\r\n"
	    "214 2.0.0 Say EHLO, STARTTLS, AUTH, and then what is to be sent\r\n"
	    "221 2.0.0 Until later\r\n<end>")},
    {"nothing is sent before the login", 0,
	STR("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nBDAT 3\r\nVRFY x\r\n"),
	STR(SEES FIVE(NOT_YET) "<hello pc.test>")},
    {"what is never taken from a client", 0,
	STR("XCLIENT ADDR=192.0.2.1\r\nXFORWARD ADDR=192.0.2.1\r\nETRN x\r\nBURL x\r\nTURN\r\n"),
	STR(SEES FIVE(UNKNOWN) "<hello pc.test>")},
    {"what is no command", NO_HELLO, STR("\r\n NOOP\r\nNOOP\tx\r\nGET / HTTP/1.1\r\nNO\0OP\r\n"),
	STR(FIVE(UNKNOWN))},
    {"twenty mistakes, and one more", NO_HELLO,
	STR("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
	    "NOOP\r\nx\r\nNOOP\r\n"),
	STR(FIVE(UNKNOWN) FIVE(UNKNOWN) FIVE(UNKNOWN)
		FIVE(UNKNOWN) "250 2.0.0 Done\r\n" UNKNOWN "421 4.7.0 Too many errors.\r\n<end>")},

    /* AUTH */
    {"PLAIN at once", 0, STR("AUTH PLAIN AGFubgBnb29k\r\nMAIL FROM:<>\r\n"),
	STR(SEES "<PLAIN  ann good>235 2.7.0 In\r\n<hello pc.test><left MAIL FROM:<>\r\n>")},
    {"PLAIN when asked", 0, STR("auth plain\r\nYm9iAGFubgBiYWQ=\r\nNOOP\r\n"),
	STR(SEES "334 \r\n<PLAIN bob ann bad>" WRONG "250 2.0.0 Done\r\n<hello pc.test>")},
    {"a space behind the mechanism", 0, STR("AUTH PLAIN \r\nAGFubgBiYWQ=\r\n"),
	STR(SEES "334 \r\n<PLAIN  ann bad>" WRONG "<hello pc.test>")},
    {"LOGIN", 0, STR("AUTH LOGIN\r\nYW5u\r\nYmFk\r\n"),
	STR(SEES "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n<LOGIN  ann bad>" WRONG
		 "<hello pc.test>")},
    {"LOGIN with the name at once", 0, STR("AUTH LOGIN YW5u\r\nYmFk\r\n"),
	STR(SEES "334 UGFzc3dvcmQ6\r\n<LOGIN  ann bad>" WRONG "<hello pc.test>")},
    {"another login after a failed one", 0,
	STR("AUTH PLAIN AGFubgBiYWQ=\r\nAUTH PLAIN AGFubgBsYXRlcg==\r\n"
	    "AUTH PLAIN AGFubgBnb29k\r\n"),
	STR(SEES "<PLAIN  ann bad>" WRONG "<PLAIN  ann later>454-4.3.0 not now\r\n454 4.3.0 x\r\n"
		 "<PLAIN  ann good>235 2.7.0 In\r\n<hello pc.test>")},
    {"given up", 0, STR("AUTH PLAIN\r\n*\r\nNOOP\r\n"),
	STR(SEES "334 \r\n501 5.7.0 Authentication cancelled\r\n250 2.0.0 Done\r\n"
		 "<hello pc.test>")},
    {"C8 no base64, wrong padding, an empty response", 0,
	STR("AUTH PLAIN !!!!\r\nAUTH PLAIN AGFubgBnb29kx\r\nAUTH PLAIN =\r\n"
	    "AUTH PLAIN\r\n\r\nNOOP\r\n"),
	STR(SEES "501 5.5.2 This is not what the mechanism wants\r\n"
		 "501 5.5.2 This is not what the mechanism wants\r\n"
		 "501 5.5.2 This is not what the mechanism wants\r\n334 \r\n"
		 "501 5.5.2 This is not what the mechanism wants\r\n250 2.0.0 Done\r\n"
		 "<hello pc.test>")},
    {"C7 CR LF in the name", 0, STR("AUTH PLAIN AGFubg0KWABnb29k\r\n"),
	STR(SEES "501 5.5.2 This is not what the mechanism wants\r\n<hello pc.test>")},
    {"without sense", 0,
	STR("AUTH\r\nAUTH PLAIN x y\r\nAUTH GSSAPI\r\nAUTH SCRAM-SHA-1-PLUS x\r\n"),
	STR(SEES "501 5.5.4 AUTH wants a mechanism\r\n501 5.5.4 AUTH wants a mechanism\r\n"
		 "504 5.5.4 This mechanism is not offered\r\n"
		 "504 5.5.4 This mechanism is not offered\r\n<hello pc.test>")},
    {"what is not offered is not taken", NO_PASSWORDS, STR("AUTH PLAIN AGFubgBnb29k\r\n"),
	STR(WORDS "250 AUTH SCRAM-SHA-1\r\n504 5.5.4 This mechanism is not offered\r\n"
		  "<hello pc.test>")},
    {"not without TLS", CLEAR, STR("AUTH PLAIN AGFubgBnb29k\r\n"),
	STR(WORDS "250 STARTTLS\r\n538 5.7.11 Only with TLS.\r\n<hello pc.test>")},
    {"not before EHLO", NO_HELLO, STR("AUTH PLAIN AGFubgBnb29k\r\n"),
	STR("503 5.5.1 Say EHLO first\r\n")},
    {"SCRAM passes through", 0,
	STR("AUTH SCRAM-SHA-1 biwsbj1hbm4scj14eXo=\r\nYz1iaXdz\r\n\r\nNOOP\r\n"),
	STR(SEES "<SCRAM-SHA-1  ann n,,n=ann,r=xyz>334 c2VydmVy\r\n<response Yz1iaXdz>"
		 "334 c2VydmVy\r\n<response >235 2.7.0 In\r\n<hello pc.test><left NOOP\r\n>")},
    {"SCRAM, given up", 0, STR("AUTH SCRAM-SHA-1 biwsbj1hbm4scj14eXo=\r\n*\r\nNOOP\r\n"),
	STR(SEES "<SCRAM-SHA-1  ann n,,n=ann,r=xyz>334 c2VydmVy\r\n"
		 "501 5.7.0 Authentication cancelled\r\n250 2.0.0 Done\r\n<hello pc.test>")},
    {"XOAUTH2", 0, STR("AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgYmFkAQE=\r\n"),
	STR(SEES "<XOAUTH2 ann ann bad>" WRONG "<hello pc.test>")},
    {"a token that names nobody", 0,
	STR("AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIG9wYXF1ZQEB\r\nAQ==\r\nNOOP\r\n"),
	STR(SEES "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
		 "535 5.7.8 The token names no user here.\r\n250 2.0.0 Done\r\n<hello pc.test>")},

    {"STARTTLS where there is none", 0, STR("STARTTLS\r\n"),
	STR(SEES "503 5.5.1 TLS is not to be had here\r\n<hello pc.test>")},
    {"STARTTLS with parameters", CLEAR, STR("STARTTLS x\r\n"),
	STR(WORDS "250 STARTTLS\r\n501 5.5.4 It has no parameters\r\n<hello pc.test>")},
};

/* ---- the rest of the house */

static const enum token_place places[] = {TOKEN_FIELD, TOKEN_CLAIM};
static const char *const claims[] = {"email"};
static const struct sasl_rules sasl_rules = {places, 2, claims, 1};

struct house {
	struct front *front;
	struct arenas *arenas;
	struct arena *arena;
	struct offer *offer;
	struct front_terms terms;
	unsigned challenges;
	bool is_in;
	struct buf in, out;
};

static void
house_init(struct house *house, unsigned how)
{
	static const char *const words[][2] = {{"PIPELINING", ""}, {"SIZE", "1000"},
	    {"XCLIENT", "ADDR"}, {"XFORWARD", "ADDR"}, {"VRFY", ""}, {"ETRN", ""}, {"BURL", "imap"},
	    {"8BITMIME", ""}, {"AUTH", "GSSAPI"}, {"STARTTLS", ""}, {"CHUNKING", ""}};
	unsigned all = (1U << MECHANISM_COUNT) - 1;

	*house = (struct house){.arenas = arenas_new(1), .offer = offer_new()};
	house->arena = arena_borrow(house->arenas);
	house->front = smtp_front_new(house->arena);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_true(offer_add(house->offer, str_of(words[i][0]), str_of(words[i][1])));
	house->terms = (struct front_terms){.host = "mx.test",
	    .offer = how & NO_OFFER ? NULL : house->offer,
	    .mechanisms = how & NO_PASSWORDS ? MECHANISM_BIT(MECHANISM_SCRAM_SHA_1) : all,
	    .is_tls = !(how & CLEAR),
	    .may_start_tls = how & CLEAR,
	    .may_login = !(how & CLEAR),
	    .sasl = &sasl_rules};
	if (how & GREETING)
		smtp_front_greet(house->front, &house->terms, &house->out);
}

static void
house_fini(struct house *house)
{
	smtp_front_free(house->front);
	arena_return(&house->arena);
	arenas_free(&house->arenas);
	offer_free(&house->offer);
	buf_fini(&house->in);
	buf_fini(&house->out);
}

static void
accept_it(struct house *house)
{
	smtp_front_accept(house->front, STR(""), STR("235 2.7.0 In"), &house->out);
	house->is_in = true;
}

static void
decide(struct house *house)
{
	const struct credentials *got = &house->front->credentials;

	buf_addf(&house->out, "<%s %.*s %.*s %.*s>", mechanism_names[got->mechanism],
	    STR_FMT(got->authzid), STR_FMT(got->authcid), STR_FMT(got->secret));
	if (str_is(got->secret, "good"))
		accept_it(house);
	else if (str_is(got->secret, "later"))
		smtp_front_refuse(house->front, &house->terms, REFUSAL_LATER,
		    STR("454-4.3.0 not now\r\n454 4.3.0 x"), &house->out);
	else if (mechanism_is_passed(got->mechanism))
		smtp_front_challenge(house->front, STR("c2VydmVy"), &house->out);
	else
		smtp_front_refuse(house->front, &house->terms, REFUSAL_WRONG, STR(""), &house->out);
}

static enum front_step
feed(struct house *house, struct str piece)
{
	enum front_step step;

	buf_add_str(&house->in, piece);
	while (!house->is_in) {
		step = smtp_front_next(house->front, &house->terms, &house->in, &house->out);
		switch (step) {
		case FRONT_WAIT:
			return step;
		case FRONT_SAID:
			break;
		case FRONT_TLS:
			buf_add_text(&house->out, "<tls>");
			house->terms.is_tls = house->terms.may_login = true;
			house->terms.may_start_tls = false;
			smtp_front_tls(house->front, &house->terms, &house->out);
			break;
		case FRONT_LOGIN:
			decide(house);
			break;
		case FRONT_RESPONSE:
			buf_addf(&house->out, "<response %.*s>", STR_FMT(house->front->response));
			if (++house->challenges == 2)
				accept_it(house);
			else
				smtp_front_challenge(house->front, STR("c2VydmVy"), &house->out);
			break;
		case FRONT_END:
			buf_add_text(&house->out, "<end>");
			return step;
		}
	}
	return FRONT_WAIT;
}

static void
tell_rest(struct house *house)
{
	if (house->front->hello.len > 0)
		buf_addf(&house->out, "<hello %.*s>", STR_FMT(house->front->hello));
	if (house->is_in && buf_len(&house->in) > 0)
		buf_addf(&house->out, "<left %.*s>", STR_FMT(buf_str(&house->in)));
}

static void
dialogues_are_held_however_they_are_cut(void **state)
{
	struct buf says = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&says);
		if (!(rows[i].how & NO_HELLO))
			buf_add_text(&says, HELLO);
		buf_add_str(&says, rows[i].says);
		for (struct cuts cuts = {.len = buf_len(&says)}; cuts_next(&cuts);) {
			enum front_step step = FRONT_WAIT;
			struct house house;

			house_init(&house, rows[i].how);
			for (size_t at = 0, n; at < buf_len(&says) && step != FRONT_END; at += n) {
				n = cuts_piece(&cuts, at);
				step = feed(&house, str_make(buf_str(&says).ptr + at, n));
			}
			tell_rest(&house);
			if (!str_eq(buf_str(&house.out), rows[i].sees))
				fail_msg("%s, way %zu: %s", rows[i].name, cuts.way,
				    buf_cstr(&house.out));
			house_fini(&house);
		}
	}
	buf_fini(&says);
}

/* ---- STARTTLS: here it counts what comes together */

static void
STARTTLS_begins_anew(void **state)
{
	struct house house;

	house_init(&house, CLEAR);
	feed(&house, STR("HELO someone.in.between\r\nSTARTTLS\r\n"));
	assert_int_equal(house.front->hello.len, 0);
	feed(&house, STR("AUTH PLAIN AGFubgBnb29k\r\nEHLO pc.test\r\nSTARTTLS\r\n"
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

		house_init(&house, CLEAR);
		buf_add_text(&bytes, "STARTTLS\r\n");
		buf_add_str(&bytes, behind[i]);
		assert_int_equal(feed(&house, buf_str(&bytes)), FRONT_END);
		assert_int_equal(feed(&house, STR("AUTH PLAIN AGFubgBnb29k\r\n")), FRONT_END);
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

	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		enum front_step step = FRONT_WAIT;
		struct house house;
		size_t said = 0;

		house_init(&house, 0);
		feed(&house, str_of(floods[i].begin));
		for (; said < 1000000 && step != FRONT_END; said += strlen(floods[i].more)) {
			step = feed(&house, str_of(floods[i].more));
			/* As a connection would: what waits fits into its buffer. */
			assert_in_range(buf_len(&house.in), 0, dialect_submission.in_max_bytes - 1);
		}
		assert_int_equal(step, FRONT_END);
		assert_in_range(said, 0, 16384);
		assert_non_null(strstr(buf_cstr(&house.out), "\r\n421 4.7.0 Too many errors.\r\n"));
		house_fini(&house);
	}
}

static void
C5_a_line_above_the_limit_is_only_for_AUTH(void **state)
{
	struct buf line = BUF_INIT;
	struct house house;

	house_init(&house, 0);
	buf_add_text(&line, "NOOP ");
	while (buf_len(&line) < 2049)
		buf_add_byte(&line, 'x');
	buf_add_text(&line, "\r\nHELO x\r\nAUTH PLAIN ");
	while (buf_len(&line) < 12000)
		buf_add_byte(&line, 'A');
	buf_add_text(&line, "\r\nNOOP\r\n");
	feed(&house, buf_str(&line));
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
		house_init(&house, 0);
		buf_clear(&line);
		buf_add_text(&line, "HELO ");
		while (buf_len(&line) < strlen("HELO ") + len)
			buf_add_byte(&line, 'x');
		buf_add_text(&line, "\r\n");
		feed(&house, buf_str(&line));
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

	house_init(&house, 0);
	smtp_front_wait(house.front, &house.out);
	smtp_front_bye(house.front, BYE_SHUTDOWN, &house.out);
	assert_string_equal(buf_cstr(&house.out), "421 4.3.2 Shutting down, connect again.\r\n");
	assert_int_equal(feed(&house, STR("NOOP\r\n")), FRONT_END);
	house_fini(&house);
	assert_int_equal(dialect_submission.park_ms, 0);
}

static void
C22_a_refused_login_leaves_nothing_in_the_arena(void **state)
{
	struct house house;
	const char *secret;

	house_init(&house, 0);
	buf_add_text(&house.in, "HELO x\r\nAUTH PLAIN AGFubgBodW50ZXIy\r\nNOOP\r\n");
	assert_int_equal(smtp_front_next(house.front, &house.terms, &house.in, &house.out),
	    FRONT_SAID);
	assert_int_equal(smtp_front_next(house.front, &house.terms, &house.in, &house.out),
	    FRONT_LOGIN);
	assert_int_equal(smtp_front_next(house.front, &house.terms, &house.in, &house.out),
	    FRONT_WAIT);
	secret = house.front->credentials.secret.ptr;
	assert_memory_equal(secret, "hunter2", 7);
	smtp_front_refuse(house.front, &house.terms, REFUSAL_WRONG, STR(""), &house.out);
	assert_memory_equal(secret, "\0\0\0\0\0\0\0", 7);
	assert_int_equal(house.front->credentials.secret.len, 0);
	assert_int_equal(smtp_front_next(house.front, &house.terms, &house.in, &house.out),
	    FRONT_SAID);
	house_fini(&house);
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
	    cmocka_unit_test(C22_a_refused_login_leaves_nothing_in_the_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
