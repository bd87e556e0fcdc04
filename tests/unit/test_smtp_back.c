/*
 * test_smtp_back.c - submission with a backend, until the login stands
 *
 * Each row is what a backend says and what it hears; what the machine tells its
 * driver stands in the transcript in angle brackets.
 */
#include "front/smtp_back.h"

#include "base/mem.h"
#include "cuts.h"
#include "unit.h"

enum {
	START_TLS = 1,
	UNSAFE = 2, /* the leg is clear, and nobody said that this is well */
	TELL = 4, /* caller = xclient */
	OTHER_NAME = 8, /* the login name is rewritten */
	SIX = 16, /* the client comes by IPv6 */
	ODD_HELLO = 32, /* what it calls itself is no plain name */
	NOBODY = 64, /* it has no address, and said no EHLO */
};

#define PASSWORD                                                                                   \
	{                                                                                          \
		.mechanism = MECHANISM_PLAIN, .authcid = {"ann", 3}, .secret = { "secret", 6 }     \
	}
#define AS_BOB                                                                                     \
	{                                                                                          \
		.mechanism = MECHANISM_PLAIN, .authzid = {"bob", 3}, .authcid = {"ann", 3},        \
		.secret = {                                                                        \
			"secret",                                                                  \
			6                                                                          \
		}                                                                                  \
	}
#define TOKEN                                                                                      \
	{                                                                                          \
		.mechanism = MECHANISM_XOAUTH2, .authcid = {"ann", 3}, .secret = { "token", 5 }    \
	}
#define SCRAM                                                                                      \
	{                                                                                          \
		.mechanism = MECHANISM_SCRAM_SHA_256, .authcid = {"ann", 3}, .secret = {           \
			"n,,n=ann,r=xyz",                                                          \
			14                                                                         \
		}                                                                                  \
	}

#define BANNER "220 b1.test ESMTP\r\n"
#define ALL BANNER "250-b1.test\r\n250-SIZE 100\r\n250 AUTH LOGIN PLAIN\r\n"
#define OFFERS(words) BANNER "250-b1.test\r\n250 " words "\r\n"
/* base64 of NUL ann NUL secret, and with bob before it or another name in it. */
#define PLAIN "AGFubgBzZWNyZXQ="
#define PLAIN_BOB "Ym9iAGFubgBzZWNyZXQ="
#define PLAIN_OTHER "AGFubkBvbGQAc2VjcmV0"
#define SAYS_PLAIN "EHLO mx.test\r\nAUTH PLAIN " PLAIN "\r\n"
#define POSTFIX "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT"
#define DOVECOT "XCLIENT ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT"
#define TELLS                                                                                      \
	"XCLIENT ADDR=192.0.2.7 PORT=51022 NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE] "         \
	"PROTO=ESMTP DESTADDR=198.51.100.1 DESTPORT=587 "

static const struct {
	const char *name;
	unsigned how;
	struct credentials credentials;
	struct str says, hears;
} rows[] = {
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
	STR("EHLO mx.test\r\nAUTH LOGIN\r\nYW5uQG9sZA==\r\nc2VjcmV0\r\n<refused wrong >")},
    {"LOGIN asks three times", 0, PASSWORD, STR(OFFERS("AUTH LOGIN") "334 a\r\n334 a\r\n334 a\r\n"),
	STR("EHLO mx.test\r\nAUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n<broken>")},
    {"C9 an authorization id with PLAIN", 0, AS_BOB, STR(ALL "235 in\r\n"),
	STR("EHLO mx.test\r\nAUTH PLAIN " PLAIN_BOB "\r\n<accepted 235 in>")},
    {"C9 and nowhere else", 0, AS_BOB, STR(OFFERS("AUTH LOGIN")),
	STR("EHLO mx.test\r\n<refused later 504 5.5.4 This login is not possible here>")},
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
	STR("EHLO mx.test\r\n<refused later 504 5.5.4 This login is not possible here>")},
    {"a token is refused with a reason", 0, TOKEN,
	STR(OFFERS("AUTH XOAUTH2") "334 eyJ9\r\n535 5.7.8 x\r\n"),
	STR("EHLO mx.test\r\nAUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n"
	    "<challenge eyJ9>Y2xpZW50\r\n<refused wrong >")},
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
	STR(SAYS_PLAIN "<refused wrong >")},
    {"for now", 0, PASSWORD, STR(ALL "454-4.7.0 not\r\n454 4.7.0 now\r\n"),
	STR(SAYS_PLAIN "<refused later 454-4.7.0 not\r\n454 4.7.0 now>")},
    {"another for now", 0, PASSWORD, STR(ALL "432 4.7.12 change it\r\n"),
	STR(SAYS_PLAIN "<refused later 432 4.7.12 change it>")},
    {"too weak, or a password for applications is wanted", 0, PASSWORD,
	STR(ALL "534 5.7.9 other one\r\n"), STR(SAYS_PLAIN "<refused wrong 534 5.7.9 other one>")},
    {"not without encryption", 0, PASSWORD, STR(ALL "538 5.7.11 TLS\r\n"),
	STR(SAYS_PLAIN "<refused later 538 5.7.11 TLS>")},
    {"it closes: our client need not", 0, PASSWORD, STR(ALL "421 4.3.2 bye\r\n"),
	STR(SAYS_PLAIN "<refused later >")},
    {"what is about no password", 0, PASSWORD, STR(ALL "503 5.5.1 what?\r\n"),
	STR(SAYS_PLAIN "<refused later >")},
    {"disabled", 0, PASSWORD, STR(ALL "525 5.7.13 disabled\r\n"),
	STR(SAYS_PLAIN "<refused wrong >")},
    {"control characters in words that are passed", 0, PASSWORD, STR(ALL "454 \x1b[2J\0\r\r\n"),
	STR(SAYS_PLAIN "<refused later 454 ?[2J?"
		       "?>")},
    {"C21 an answer that is none, and repeats it", 0, PASSWORD, STR(ALL "250 secret\r\n"),
	STR(SAYS_PLAIN "<broken>")},
    {"C21 a reply that goes on as none", 0, PASSWORD, STR(ALL "454-secret\r\n535 x\r\n"),
	STR(SAYS_PLAIN "<broken>")},
    {"C21 another", 0, PASSWORD, STR(ALL "secret\r\n"), STR(SAYS_PLAIN "<broken>")},

    /* who is calling */
    {"Postfix", TELL, PASSWORD,
	STR(OFFERS(POSTFIX) BANNER "250-b1.test\r\n250 AUTH PLAIN\r\n235 in\r\n"),
	STR("EHLO mx.test\r\n" TELLS "HELO=pc.test\r\nEHLO pc.test\r\nAUTH PLAIN " PLAIN
	    "\r\n<accepted 235 in>")},
    {"Postfix, by IPv6", TELL | SIX, PASSWORD, STR(OFFERS(POSTFIX)),
	STR("EHLO mx.test\r\nXCLIENT ADDR=IPV6:2001:db8::7 PORT=51022 NAME=[UNAVAILABLE] "
	    "REVERSE_NAME=[UNAVAILABLE] PROTO=ESMTP DESTADDR=203.0.113.9 DESTPORT=587 "
	    "HELO=pc.test\r\n")},
    {"Dovecot", TELL, PASSWORD, STR(OFFERS(DOVECOT)),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7 PORT=51022 PROTO=ESMTP "
	    "SESSION=0123456789abcdef TTL=4 HELO=pc.test\r\n")},
    {"only an address", TELL, PASSWORD, STR(OFFERS("XCLIENT addr") BANNER),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO pc.test\r\n")},
    {"an odd name is not told", TELL | ODD_HELLO, PASSWORD, STR(OFFERS(POSTFIX) BANNER),
	STR("EHLO mx.test\r\n" TELLS "HELO=[UNAVAILABLE]\r\nEHLO mx.test\r\n")},
    {"neither name nor address", TELL | NOBODY, PASSWORD, STR(OFFERS(DOVECOT) BANNER),
	STR("EHLO mx.test\r\nXCLIENT ADDR=[UNAVAILABLE] PORT=0 PROTO=ESMTP "
	    "SESSION=0123456789abcdef TTL=4 HELO=[UNAVAILABLE]\r\nEHLO mx.test\r\n")},
    {"the name is not liked", TELL, PASSWORD,
	STR(OFFERS("XCLIENT ADDR") BANNER "501 5.5.4 no such name\r\n250-b1.test\r\n250 AUTH "
					  "PLAIN\r\n235 in\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO pc.test\r\n" SAYS_PLAIN
	    "<accepted 235 in>")},
    {"nor ours", TELL, PASSWORD,
	STR(OFFERS("XCLIENT ADDR") BANNER "501 5.5.4 x\r\n501 5.5.4 x\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO pc.test\r\nEHLO mx.test\r\n"
	    "<refused later >")},
    {"the client is not welcome", TELL, PASSWORD,
	STR(OFFERS("XCLIENT ADDR") "554 5.7.1 listed\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\n<refused later >")},
    {"XCLIENT is not announced", TELL, PASSWORD, STR(ALL), STR("EHLO mx.test\r\n<broken>")},
    {"XCLIENT without an address", TELL, PASSWORD, STR(OFFERS("XCLIENT NAME HELO")),
	STR("EHLO mx.test\r\n<broken>")},
    {"XCLIENT is not taken", TELL, PASSWORD, STR(OFFERS("XCLIENT ADDR") "502 5.5.1 what?\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\n<broken>")},
    {"XCLIENT is answered by no greeting", TELL, PASSWORD,
	STR(OFFERS("XCLIENT ADDR") "250 fine\r\n"),
	STR("EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\n<broken>")},
    {"C2 what was announced before XCLIENT does not count", TELL, PASSWORD,
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

/* ---- the rest of the house */

struct house {
	struct back_task task;
	struct caller caller;
	struct back *back;
	struct buf in, out;
	struct fault fault;
};

static void
house_init(struct house *house, unsigned how, const struct credentials *credentials)
{
	*house = (struct house){
	    .caller = {.client_ip = how & SIX      ? "2001:db8::7"
				    : how & NOBODY ? "unknown"
						   : "192.0.2.7",
		.client_port = how & NOBODY ? 0 : 51022,
		.local_ip = how & SIX ? "::ffff:203.0.113.9" : "198.51.100.1",
		.local_port = 587,
		.session = "0123456789abcdef",
		.ttl = 4},
	};
	house->task = (struct back_task){.credentials = credentials,
	    .login = how & OTHER_NAME ? STR("ann@old") : STR(""),
	    .caller = &house->caller,
	    .way = how & TELL ? CALLER_XCLIENT : CALLER_NONE,
	    .host = "mx.test",
	    .hello = how & ODD_HELLO ? STR("my=pc+")
		     : how & NOBODY  ? STR("")
				     : STR("pc.test"),
	    .start_tls = how & START_TLS,
	    .is_safe = !(how & UNSAFE)};
	house->back = smtp_back_new(&house->task);
}

static void
house_fini(struct house *house)
{
	smtp_back_free(house->back);
	buf_fini(&house->in);
	buf_fini(&house->out);
}

static void
note(struct house *house, const char *what, struct str text)
{
	buf_addf(&house->out, "<%s ", what);
	buf_add_str(&house->out, text);
	buf_add_byte(&house->out, '>');
}

static enum back_step
feed(struct house *house, struct str piece)
{
	enum back_step step;

	buf_add_str(&house->in, piece);
	for (;;) {
		step = smtp_back_next(house->back, &house->in, &house->out, &house->fault);
		switch (step) {
		case BACK_WAIT:
			return step;
		case BACK_TLS:
			buf_add_text(&house->out, "<tls>");
			smtp_back_tls(house->back, &house->out);
			break;
		case BACK_CHALLENGE:
			note(house, "challenge", house->back->text);
			smtp_back_respond(house->back, STR("Y2xpZW50"), &house->out);
			break;
		case BACK_ACCEPTED:
			assert_int_equal(house->back->untagged.len, 0);
			note(house, "accepted", house->back->text);
			return step;
		case BACK_REFUSED:
			note(house,
			    house->back->refusal == REFUSAL_WRONG ? "refused wrong"
								  : "refused later",
			    house->back->text);
			return step;
		case BACK_BROKEN:
			buf_add_text(&house->out, "<broken>");
			assert_true(house->fault.verdict == VERDICT_TEMP ||
				    house->fault.verdict == VERDICT_PERM);
			assert_null(strstr(house->fault.text, "secret")); /* C21 */
			return step;
		}
	}
}

/* Feeds it all, however it is cut; what comes behind the end stays where it is. */
static void
feed_cut(struct house *house, struct str says, const struct cuts *cuts)
{
	enum back_step step = BACK_WAIT;

	for (size_t at = 0, n; at < says.len; at += n) {
		n = cuts_piece(cuts, at);
		if (step == BACK_WAIT)
			step = feed(house, str_make(says.ptr + at, n));
		else
			buf_add(&house->in, says.ptr + at, n);
	}
	if (step == BACK_ACCEPTED && buf_len(&house->in) > 0)
		note(house, "left", buf_str(&house->in));
}

static void
dialogues_are_held_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (struct cuts cuts = {.len = rows[i].says.len}; cuts_next(&cuts);) {
			struct house house;

			house_init(&house, rows[i].how, &rows[i].credentials);
			feed_cut(&house, rows[i].says, &cuts);
			if (!str_eq(buf_str(&house.out), rows[i].hears))
				fail_msg("%s, way %zu: %s (%s)", rows[i].name, cuts.way,
				    buf_cstr(&house.out), house.fault.text);
			house_fini(&house);
		}
	}
}

/* ---- STARTTLS: here it counts what comes together */

static const struct credentials password = PASSWORD;

static void
C2_capabilities_are_read_again_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, START_TLS | UNSAFE, &password);
	feed(&house, STR(BANNER "250-b1.test\r\n250-AUTH PLAIN\r\n250-X\r\n250 STARTTLS\r\n"));
	feed(&house, STR("220 go\r\n"));
	assert_int_equal(offer_count(house.back->offer), 0);
	feed(&house, STR("250-b1.test\r\n250 AUTH LOGIN\r\n"));
	assert_false(offer_has(house.back->offer, "X"));
	feed(&house, STR("334\r\n334\r\n235 in\r\n"));
	assert_string_equal(buf_cstr(&house.out),
	    "EHLO mx.test\r\nSTARTTLS\r\n<tls>EHLO mx.test\r\nAUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n"
	    "<accepted 235 in>");
	house_fini(&house);
}

static void
C2_XCLIENT_comes_behind_TLS(void **state)
{
	struct house house;

	house_init(&house, START_TLS | TELL, &password);
	feed(&house, STR(OFFERS("STARTTLS")));
	feed(&house, STR("220 go\r\n"));
	feed(&house, STR("250-b1.test\r\n250 XCLIENT ADDR\r\n"));
	feed(&house, STR(BANNER "250-b1.test\r\n250 AUTH PLAIN\r\n235 in\r\n"));
	assert_string_equal(buf_cstr(&house.out),
	    "EHLO mx.test\r\nSTARTTLS\r\n<tls>EHLO mx.test\r\nXCLIENT ADDR=192.0.2.7\r\n"
	    "EHLO pc.test\r\nAUTH PLAIN " PLAIN "\r\n<accepted 235 in>");
	house_fini(&house);
}

static void
C2_whoever_talks_on_in_clear_is_unsafe(void **state)
{
	static const struct str behind[] = {
	    STR("250-b1.test\r\n250 AUTH PLAIN\r\n"), STR("2"), STR("\0")};

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct buf bytes = BUF_INIT;
		struct house house;

		house_init(&house, START_TLS, &password);
		feed(&house, STR(OFFERS("STARTTLS")));
		buf_add_text(&bytes, "220 go\r\n");
		buf_add_str(&bytes, behind[i]);
		assert_int_equal(feed(&house, buf_str(&bytes)), BACK_BROKEN);
		assert_non_null(strstr(house.fault.text, "unsafe"));
		assert_string_equal(buf_cstr(&house.out), "EHLO mx.test\r\nSTARTTLS\r\n<broken>");
		assert_int_equal(feed(&house, STR("")), BACK_BROKEN);
		house_fini(&house);
		buf_fini(&bytes);
	}
}

/* ---- what is told of it */

static void
D1_a_backend_away_for_now_is_told_from_a_wrong_one(void **state)
{
	struct house house;

	house_init(&house, 0, &password);
	feed(&house, STR("421 4.3.2 full\x1b house\r\n"));
	assert_int_equal(house.fault.verdict, VERDICT_TEMP);
	assert_non_null(strstr(house.fault.text, "full? house"));
	house_fini(&house);
	house_init(&house, 0, &password);
	feed(&house, STR("554 none\r\n"));
	assert_int_equal(house.fault.verdict, VERDICT_PERM);
	house_fini(&house);
}

static void
what_it_announces_is_kept(void **state)
{
	struct house house;
	struct str value;

	house_init(&house, 0, &password);
	assert_int_equal(offer_count(house.back->offer), 0);
	feed(&house, STR(ALL "235 in\r\n"));
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

	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		enum back_step step = BACK_WAIT;
		struct house house;
		size_t said = 0;

		house_init(&house, 0, &password);
		feed(&house, str_of(floods[i].begin));
		for (; said < 1000000 && step == BACK_WAIT; said += strlen(floods[i].more))
			step = feed(&house, str_of(floods[i].more));
		assert_int_equal(step, BACK_BROKEN);
		assert_in_range(said, 0, 20000);
		house_fini(&house);
	}
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
	house_init(&house, 0, &password);
	assert_int_equal(feed(&house, buf_str(&reply)), BACK_BROKEN);
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
	house_init(&house, TELL, &password);
	house.task.hello = str_make(name, sizeof(name));
	house.caller.client_ip = house.caller.local_ip = "2001:db8:1111:2222:3333:4444:5555:6666";
	house.caller.client_port = house.caller.local_port = 65535;
	house.caller.ttl = UINT32_MAX;
	feed(&house, STR(OFFERS(POSTFIX " SESSION TTL")));
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
	house_init(&house, 0, &credentials);
	feed(&house, STR(OFFERS("AUTH XOAUTH2")));
	assert_string_equal(buf_cstr(&house.out), "EHLO mx.test\r\nAUTH XOAUTH2\r\n");
	feed(&house, STR("334 \r\n"));
	assert_in_range(buf_len(&house.out), 9300, 9500);
	feed(&house, STR("334 eyJ9\r\n"));
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
		const char *last; /* what is said at the end */
	} leaves[] = {
	    {"", PASSWORD, "QUIT\r\n"},
	    {BANNER, PASSWORD, "EHLO mx.test\r\nQUIT\r\n"},
	    {ALL, PASSWORD, SAYS_PLAIN "QUIT\r\n"},
	    {OFFERS("AUTH LOGIN") "334\r\n", PASSWORD,
		"EHLO mx.test\r\nAUTH LOGIN\r\nYW5u\r\n*\r\nQUIT\r\n"},
	    {OFFERS("AUTH SCRAM-SHA-256"), SCRAM,
		"EHLO mx.test\r\nAUTH SCRAM-SHA-256 biwsbj1hbm4scj14eXo=\r\n*\r\nQUIT\r\n"},
	    {ALL "235 in\r\n", PASSWORD, SAYS_PLAIN "<accepted 235 in>QUIT\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		struct house house;

		house_init(&house, 0, &leaves[i].credentials);
		feed(&house, str_of(leaves[i].says));
		smtp_back_quit(house.back, &house.out);
		assert_string_equal(buf_cstr(&house.out), leaves[i].last);
		house_fini(&house);
	}
}

static void
a_challenge_that_is_given_up_is_cancelled(void **state)
{
	static const struct credentials scram = SCRAM;
	struct house house;

	house_init(&house, 0, &scram);
	buf_add_text(&house.in, OFFERS("AUTH SCRAM-SHA-256") "334 YQ==\r\n");
	assert_int_equal(smtp_back_next(house.back, &house.in, &house.out, &house.fault),
	    BACK_CHALLENGE);
	assert_int_equal(smtp_back_next(house.back, &house.in, &house.out, &house.fault),
	    BACK_WAIT);
	buf_clear(&house.out);
	smtp_back_quit(house.back, &house.out);
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
