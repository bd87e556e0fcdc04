/*
 * test_imap_front.c - IMAP with a client, until its credentials are there
 *
 * Long, because more than half of it is rows.
 */
#include "front/imap_front.h"

#include "front/imap.h"
#include "front_house.h"

static void
offer_words(struct offer *offer)
{
	assert_true(offer_add(offer, STR("IDLE"), STR("")));
	assert_true(offer_add(offer, STR("AUTH=GSSAPI"), STR("")));
	assert_true(offer_add(offer, STR("LITERAL+"), STR("")));
	assert_true(offer_add(offer, STR("COMPRESS=DEFLATE"), STR("")));
}

static const struct front_play play = {&dialect_imap, STR("* OK [ALERT] be nice\r\n"),
    STR("OK [CAPABILITY IMAP4rev1 AUTH=PLAIN COMPRESS=DEFLATE IDLE UNAUTHENTICATE] In"),
    STR("NO [UNAVAILABLE] not now"), offer_words};

#define CAPS "CAPABILITY IMAP4rev1 LITERAL- SASL-IR ID"
#define MECHANISMS                                                                                 \
	" AUTH=PLAIN AUTH=LOGIN AUTH=OAUTHBEARER AUTH=XOAUTH2 AUTH=SCRAM-SHA-1"                    \
	" AUTH=SCRAM-SHA-256"
#define ID_ANSWER "* ID (\"name\" \"splitmx\")\r\n"
#define WRONG "NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"

static const struct front_row_case rows[] = {
    {"greeting", 0, STR(""), STR("* OK [" CAPS MECHANISMS " IDLE] mx.test is ready\r\n")},
    {"greeting without TLS", CLEAR, STR(""),
	STR("* OK [" CAPS " STARTTLS LOGINDISABLED IDLE] mx.test is ready\r\n")},
    {"CAPABILITY, NOOP and LOGOUT", NO_GREETING,
	STR("a CAPABILITY\r\nb noop\r\nc Logout\r\nd NOOP\r\n"),
	STR("* " CAPS MECHANISMS " IDLE\r\na OK That is all\r\nb OK Nothing done\r\n"
	    "* BYE Until later\r\nc OK Logged out\r\n<end>")},
    {"no passwords here", NO_GREETING | NO_PASSWORDS,
	STR("a CAPABILITY\r\nb LOGIN ann good\r\nc AUTHENTICATE PLAIN\r\n"),
	STR("* " CAPS " LOGINDISABLED AUTH=SCRAM-SHA-1 IDLE\r\na OK That is all\r\n"
	    "b NO [PRIVACYREQUIRED] Only with TLS.\r\nc NO This mechanism is not offered\r\n")},

    /* LOGIN */
    {"LOGIN with atoms", NO_GREETING, STR("a LOGIN ann@example.org good\r\n"),
	STR("<PLAIN  ann@example.org good>* OK [ALERT] be nice\r\n"
	    "a OK [CAPABILITY IMAP4rev1 IDLE] In\r\n")},
    {"LOGIN with quoted strings", NO_GREETING, STR("a login \"ann \\\"x\\\"\" \"bad\\\\\"\r\n"),
	STR("<PLAIN  ann \"x\" bad\\>a " WRONG)},
    {"LOGIN with literals that wait", NO_GREETING, STR("a LOGIN {3}\r\nann {3}\r\nbad\r\n"),
	STR("+ OK\r\n+ OK\r\n<PLAIN  ann bad>a " WRONG)},
    {"LOGIN with literals that do not", NO_GREETING, STR("a LOGIN {3+}\r\nann {3+}\r\nbad\r\n"),
	STR("<PLAIN  ann bad>a " WRONG)},
    {"LOGIN, mixed", NO_GREETING, STR("a LOGIN \"ann\" {3+}\nbad\n"),
	STR("<PLAIN  ann bad>a " WRONG)},
    {"LOGIN with a master user, and with a domain", NO_GREETING,
	STR("a LOGIN ann*root bad\r\nb LOGIN corp\\ann bad\r\n"),
	STR("<PLAIN  ann*root bad>a " WRONG "<PLAIN  corp\\ann bad>b " WRONG)},
    {"a second login after a failed one", NO_GREETING,
	STR("a LOGIN ann bad\r\nb LOGIN ann later\r\nc LOGIN bob good\r\n"),
	STR("<PLAIN  ann bad>a " WRONG "<PLAIN  ann later>b NO [UNAVAILABLE] not now\r\n"
	    "<PLAIN  bob good>* OK [ALERT] be nice\r\n"
	    "c OK [CAPABILITY IMAP4rev1 IDLE] In\r\n")},
    {"pipelined before the login and behind it", NO_GREETING,
	STR("a NOOP\r\nb LOGIN ann good\r\nc SELECT INBOX\r\nd APPEND x {3}\r\nab"),
	STR("a OK Nothing done\r\n<PLAIN  ann good>* OK [ALERT] be nice\r\n"
	    "b OK [CAPABILITY IMAP4rev1 IDLE] In\r\n"
	    "<left c SELECT INBOX\r\nd APPEND x {3}\r\nab>")},
    {"LOGIN, not without TLS", NO_GREETING | CLEAR,
	STR("a LOGIN ann good\r\nb LOGIN {3}\r\nc LOGIN {3+}\r\nann good\r\nd NOOP\r\n"),
	STR("a NO [PRIVACYREQUIRED] Only with TLS.\r\nb NO [PRIVACYREQUIRED] Only with TLS.\r\n"
	    "c NO [PRIVACYREQUIRED] Only with TLS.\r\nd OK Nothing done\r\n")},
    {"LOGIN without sense", NO_GREETING,
	STR("a LOGIN\r\nb LOGIN ann\r\nc LOGIN ann  x\r\nd LOGIN ann x y\r\ne LOGIN (ann) x\r\n"
	    "f LOGIN \"ann x\r\ng NOOP\r\n"),
	STR("a BAD LOGIN wants a name and a password\r\n"
	    "b BAD LOGIN wants a name and a password\r\n"
	    "c BAD LOGIN wants a name and a password\r\n"
	    "d BAD LOGIN wants a name and a password\r\n"
	    "e BAD LOGIN wants a name and a password\r\n"
	    "f BAD LOGIN wants a name and a password\r\ng OK Nothing done\r\n")},
    {"C7 names and passwords with control characters", NO_GREETING,
	STR("a LOGIN {7+}\r\nann\r\nxy good\r\nb LOGIN ann {4+}\r\na\0\n\r\r\nc LOGIN \"\" x\r\n"
	    "d LOGIN ann \"\"\r\n"),
	STR("a " WRONG "b " WRONG "c " WRONG "d " WRONG)},

    /* literals where there should be none */
    {"C4 literals above the limit that wait", NO_GREETING,
	STR("a LOGIN {4294967295}\r\nb LOGIN {4097}\r\nc LOGIN ann {99999999999999999999}\r\n"
	    "d NOOP\r\n"),
	STR("a BAD The literal is too large\r\nb BAD The literal is too large\r\n"
	    "c BAD The literal is too large\r\nd OK Nothing done\r\n")},
    {"C4 a literal above the limit that does not wait", NO_GREETING,
	STR("a LOGIN {9999999999+}\r\nb NOOP\r\n"),
	STR("a BAD Too long, or a literal too large\r\n* BYE Too many errors.\r\n<end>")},
    {"C4 LITERAL-: 4,096 bytes at most", NO_GREETING, STR("a LOGIN {4097+}\r\n"),
	STR("a BAD Too long, or a literal too large\r\n* BYE Too many errors.\r\n<end>")},
    {"C4 empty literals", NO_GREETING, STR("a LOGIN {0}\r\n {0+}\r\n\r\n"),
	STR("+ OK\r\na " WRONG)},
    {"C4 negative ones are none", NO_GREETING, STR("a LOGIN {-1}\r\nb LOGIN ann {-1+}\r\n"),
	STR("a BAD LOGIN wants a name and a password\r\n"
	    "b BAD LOGIN wants a name and a password\r\n")},
    {"C4 a literal as a tag, a word, a mechanism", NO_GREETING,
	STR("{3}\r\n{3+}\r\nabc NOOP\r\na {4}\r\nb AUTHENTICATE {5}\r\nc AUTHENTICATE "
	    "{5+}\r\nPLAIN\r\nd NOOP {1}\r\n"),
	STR("* BAD This is no command\r\n* BAD This is no command\r\n"
	    "a BAD This is no command\r\nb BAD Not before login\r\n"
	    "c BAD AUTHENTICATE wants a mechanism\r\nd BAD Not before login\r\n")},
    {"C4 nested literals", NO_GREETING, STR("a LOGIN {4+}\r\n{3}\r {3+}\r\nbad\r\n"),
	STR("a " WRONG)},
    {"a literal for a command that has none yet", NO_GREETING,
	STR("a APPEND INBOX {310}\r\nb APPEND INBOX {3+}\r\nabc\r\nc NOOP\r\n"),
	STR("a BAD Not before login\r\nb BAD Unknown before login\r\nc OK Nothing done\r\n")},

    /* what is no command */
    {"no commands", NO_GREETING,
	STR("\r\na\r\n a NOOP\r\na  NOOP\r\n* NOOP\r\na+ NOOP\r\nb SELECT INBOX\r\n"
	    "c NOOP x\r\nd XCLIENT ADDR=1.2.3.4\r\ne NO\0OP\r\nGET / HTTP/1.1\r\n"),
	STR("* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\na BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n"
	    "b BAD Unknown before login\r\nc BAD It has no arguments\r\n"
	    "d BAD Unknown before login\r\ne BAD This is no command\r\n"
	    "GET BAD Unknown before login\r\n")},
    {"twenty mistakes, and one more", NO_GREETING,
	STR("a\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na"
	    "\r\na\r\nb LOGIN ann bad\r\nb LOGIN ann bad\r\nb NOOP\r\n"),
	STR("* BAD This is no command\r\n* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n<PLAIN  ann bad>b " WRONG "<PLAIN  ann bad>b " WRONG
	    "* BYE Too many errors.\r\n<end>")},

    /* AUTHENTICATE */
    {"AUTHENTICATE PLAIN at once", NO_GREETING,
	STR("a AUTHENTICATE PLAIN AGFubgBnb29k\r\nb NOOP\r\n"),
	STR("<PLAIN  ann good>* OK [ALERT] be nice\r\n"
	    "a OK [CAPABILITY IMAP4rev1 IDLE] In\r\n<left b NOOP\r\n>")},
    {"AUTHENTICATE PLAIN when asked", NO_GREETING,
	STR("a authenticate plain\r\nYm9iAGFubgBiYWQ=\r\nb NOOP\r\n"),
	STR("+ \r\n<PLAIN bob ann bad>a " WRONG "b OK Nothing done\r\n")},
    {"AUTHENTICATE LOGIN", NO_GREETING, STR("a AUTHENTICATE LOGIN\r\nYW5u\r\nYmFk\r\n"),
	STR("+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n<LOGIN  ann bad>a " WRONG)},
    {"AUTHENTICATE, given up", NO_GREETING, STR("a AUTHENTICATE PLAIN\r\n*\r\nb NOOP\r\n"),
	STR("+ \r\na BAD Authentication cancelled\r\nb OK Nothing done\r\n")},
    {"C8 no base64, wrong padding, an empty response", NO_GREETING,
	STR("a AUTHENTICATE PLAIN !!!!\r\nb AUTHENTICATE PLAIN AGFubgBnb29kx\r\n"
	    "c AUTHENTICATE PLAIN =\r\nd AUTHENTICATE PLAIN\r\n\r\ne NOOP\r\n"),
	STR("a BAD This is not what the mechanism wants\r\n"
	    "b BAD This is not what the mechanism wants\r\n"
	    "c BAD This is not what the mechanism wants\r\n+ \r\n"
	    "d BAD This is not what the mechanism wants\r\ne OK Nothing done\r\n")},
    {"AUTHENTICATE without sense", NO_GREETING,
	STR("a AUTHENTICATE\r\nb AUTHENTICATE PLAIN x y\r\nc AUTHENTICATE PLAIN \r\n"
	    "d AUTHENTICATE GSSAPI\r\ne AUTHENTICATE SCRAM-SHA-1-PLUS x\r\n"),
	STR("a BAD AUTHENTICATE wants a mechanism\r\nb BAD Odd arguments\r\n"
	    "c BAD Odd arguments\r\nd NO This mechanism is not offered\r\n"
	    "e NO This mechanism is not offered\r\n")},
    {"AUTHENTICATE, not without TLS", NO_GREETING | CLEAR,
	STR("a AUTHENTICATE PLAIN AGFubgBnb29k\r\n"),
	STR("a NO [PRIVACYREQUIRED] Only with TLS.\r\n")},
    {"SCRAM passes through", NO_GREETING,
	STR("a AUTHENTICATE SCRAM-SHA-1 biwsbj1hbm4scj14eXo=\r\nYz1iaXdz\r\n\r\nb NOOP\r\n"),
	STR("<SCRAM-SHA-1  ann n,,n=ann,r=xyz>+ c2VydmVy\r\n<response Yz1iaXdz>+ c2VydmVy\r\n"
	    "<response >* OK [ALERT] be nice\r\na OK [CAPABILITY IMAP4rev1 IDLE] In\r\n"
	    "<left b NOOP\r\n>")},
    {"SCRAM, given up", NO_GREETING,
	STR("a AUTHENTICATE SCRAM-SHA-1 biwsbj1hbm4scj14eXo=\r\n*\r\nb NOOP\r\n"),
	STR("<SCRAM-SHA-1  ann n,,n=ann,r=xyz>+ c2VydmVy\r\na BAD Authentication cancelled\r\n"
	    "b OK Nothing done\r\n")},
    {"XOAUTH2, refused by the backend with a reason", NO_GREETING,
	STR("a AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgYmFkAQE=\r\n"),
	STR("<XOAUTH2 ann ann bad>a " WRONG)},
    {"a token that names nobody", NO_GREETING,
	STR("a AUTHENTICATE OAUTHBEARER biwsAWF1dGg9QmVhcmVyIG9wYXF1ZQEB\r\nAQ==\r\nb NOOP\r\n"),
	STR("+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
	    "a NO [AUTHENTICATIONFAILED] The token names no user here.\r\n"
	    "b OK Nothing done\r\n")},

    /* ID */
    {"ID", NO_GREETING,
	STR("a ID NIL\r\nb ID (\"name\" \"t\\\"b\" \"os\" NIL)\r\nc ID ()\r\n"
	    "d ID (\"name\" {3}\r\nabc)\r\n"),
	STR(ID_ANSWER "a OK Pleased to meet you\r\n" ID_ANSWER
		      "b OK Pleased to meet you\r\n" ID_ANSWER
		      "c OK Pleased to meet you\r\n+ OK\r\n" ID_ANSWER
		      "d OK Pleased to meet you\r\n<id (\"name\" \"abc\")>")},
    {"ID does not tell who calls", NO_GREETING,
	STR("a ID (\"X-Originating-IP\" \"1.2.3.4\" \"name\" \"mutt\" \"x-proxy-ttl\" \"3\")\r\n"),
	STR(ID_ANSWER "a OK Pleased to meet you\r\n<id (\"name\" \"mutt\")><ttl 3>")},
    {"ID without sense keeps the former one", NO_GREETING,
	STR("z ID (\"name\" \"mutt\")\r\na ID\r\nb ID (\r\nc ID (\"x\")\r\nd ID (NIL \"x\")\r\n"
	    "e ID (\"x\" \"y\"\r\nf ID (\"x\" y)\r\ng ID (\"x\" NIL) z\r\n"
	    "h ID (\"x\" \"y\"\"z\" NIL)\r\n"),
	STR(ID_ANSWER "z OK Pleased to meet you\r\na BAD This is no list of RFC 2971\r\n"
		      "b BAD This is no list of RFC 2971\r\nc BAD This is no list of RFC 2971\r\n"
		      "d BAD This is no list of RFC 2971\r\ne BAD This is no list of RFC 2971\r\n"
		      "f BAD This is no list of RFC 2971\r\ng BAD This is no list of RFC 2971\r\n"
		      "h BAD This is no list of RFC 2971\r\n<id (\"name\" \"mutt\")>")},

    {"STARTTLS where there is none", NO_GREETING, STR("a STARTTLS\r\n"),
	STR("a BAD TLS is not to be had here\r\n")},
    {"STARTTLS with arguments", NO_GREETING | CLEAR, STR("a STARTTLS x\r\n"),
	STR("a BAD It has no arguments\r\n")},
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
	house_feed(&house,
	    STR("a ID (\"name\" \"someone in between\" \"x-proxy-ttl\" \"1\")\r\nb STARTTLS\r\n"));
	assert_null(house.row->id(house.front));
	assert_int_equal(house.front->ttl, 0);
	house_feed(&house, STR("c CAPABILITY\r\nd STARTTLS\r\ne LOGIN ann good\r\n"));
	assert_string_equal(buf_cstr(&house.out),
	    ID_ANSWER "a OK Pleased to meet you\r\nb OK Begin TLS now\r\n<tls>"
		      "* " CAPS MECHANISMS " IDLE\r\nc OK That is all\r\n"
		      "d BAD TLS is not to be had here\r\n<PLAIN  ann good>"
		      "* OK [ALERT] be nice\r\ne OK [CAPABILITY IMAP4rev1 IDLE] In\r\n");
	house_fini(&house);
}

static void
C1_what_stands_behind_STARTTLS_is_never_run(void **state)
{
	static const struct str behind[] = {STR("b LOGIN ann good\r\n"), STR("b"), STR("\0")};

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct house house;
		struct buf bytes = BUF_INIT;

		house_init(&house, &play, CLEAR | NO_GREETING);
		buf_add_text(&bytes, "a STARTTLS\r\n");
		buf_add_str(&bytes, behind[i]);
		assert_int_equal(house_feed(&house, buf_str(&bytes)), FRONT_END);
		assert_int_equal(house_feed(&house, STR("c LOGIN ann good\r\n")), FRONT_END);
		assert_string_equal(buf_cstr(&house.out), "a BAD Nothing may follow before TLS\r\n"
							  "* BYE Too many errors.\r\n<end><end>");
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
	    {"a LOGIN ", "x"},
	    {"a LOGIN ann ", "\\"},
	    {"a AUTHENTICATE PLAIN ", "A"},
	    {"a AUTHENTICATE PLAIN\r\n", "A"},
	    {"a ID (", "\"a\" \"b\" "},
	    {"", "{1+}\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(floods); i++)
		assert_in_range(house_flood(&play, floods[i].begin, floods[i].more,
				    dialect_imap.in_max_bytes - 1, "* BYE Too many errors.\r\n"),
		    0, 32768);
}

/* ---- what the driver says on its own */

static void
a_line_above_the_limit_is_only_for_AUTHENTICATE(void **state)
{
	struct buf line = BUF_INIT;
	struct house house;

	house_init(&house, &play, NO_GREETING);
	buf_add_text(&line, "a LOGIN ann ");
	while (buf_len(&line) < 8193)
		buf_add_byte(&line, 'x');
	buf_add_text(&line, "\r\nb AUTHENTICATE PLAIN ");
	while (buf_len(&line) < 8195 + 12000)
		buf_add_byte(&line, 'A');
	buf_add_text(&line, "\r\nc NOOP\r\n");
	house_feed(&house, buf_str(&line));
	assert_string_equal(buf_cstr(&house.out),
	    "a BAD The line is too long\r\nb BAD This is not what the mechanism wants\r\n"
	    "c OK Nothing done\r\n");
	assert_int_equal(house.front->mistakes, 2);
	house_fini(&house);
	buf_fini(&line);
}

static void
waiting_and_leaving_are_untagged(void **state)
{
	struct house house;

	house_init(&house, &play, NO_GREETING);
	house.row->wait(house.front, &house.out);
	house.row->bye(house.front, BYE_WAITED, &house.out);
	assert_string_equal(buf_cstr(&house.out),
	    "* OK This mailbox is being moved, please wait\r\n"
	    "* BYE [UNAVAILABLE] This mailbox is being moved, try again later.\r\n");
	assert_int_equal(house_feed(&house, STR("a NOOP\r\n")), FRONT_END);
	house_fini(&house);
}

static void
what_the_backend_says_passes_filtered(void **state)
{
	struct house house;

	house_init(&house, &play, NO_GREETING);
	buf_add_text(&house.in, "tag7 LOGIN ann x\r\n");
	assert_int_equal(house.row->next(house.front, &house.terms, &house.in, &house.out),
	    FRONT_LOGIN);
	assert_int_equal(house.row->next(house.front, &house.terms, &house.in, &house.out),
	    FRONT_WAIT);
	house.row->accept(house.front,
	    STR("* CAPABILITY IMAP4rev1 STARTTLS IDLE\r\n* OK [capability AUTH=X A] x\r\n"),
	    STR("OK Logged in"), &house.out);
	assert_string_equal(buf_cstr(&house.out),
	    "* CAPABILITY IMAP4rev1 IDLE\r\n* OK [capability A] x\r\ntag7 OK Logged in\r\n");
	house_fini(&house);
}

static void
C22_nothing_of_a_refused_login_stays(void **state)
{
	house_wipes(&play, "a LOGIN ann bad\r\n");
	house_wipes(&play, "a LOGIN {3+}\r\nann {3+}\r\nbad\r\nb NOOP\r\n");
	house_wipes(&play, "a AUTHENTICATE PLAIN AGFubgBiYWQ=\r\n");
	house_wipes(&play, "a AUTHENTICATE LOGIN\r\nYW5u\r\nYmFk\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(STARTTLS_begins_anew),
	    cmocka_unit_test(C1_what_stands_behind_STARTTLS_is_never_run),
	    cmocka_unit_test(C5_what_has_no_end_comes_to_one),
	    cmocka_unit_test(a_line_above_the_limit_is_only_for_AUTHENTICATE),
	    cmocka_unit_test(waiting_and_leaving_are_untagged),
	    cmocka_unit_test(what_the_backend_says_passes_filtered),
	    cmocka_unit_test(C22_nothing_of_a_refused_login_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
