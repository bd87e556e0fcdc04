/*
 * test_pop3_front.c - POP3 with a client, until its credentials are there
 */
#include "front/pop3_front.h"

#include "front/pop3.h"
#include "front_house.h"

static void
offer_words(struct offer *offer)
{
	assert_true(offer_add(offer, STR("TOP"), STR("")));
	assert_true(offer_add(offer, STR("UIDL"), STR("")));
	assert_true(offer_add(offer, STR("PIPELINING"), STR("")));
	assert_true(offer_add(offer, STR("EXPIRE"), STR("NEVER")));
	assert_true(offer_add(offer, STR("SASL"), STR("GSSAPI")));
	assert_true(offer_add(offer, STR("STLS"), STR("")));
	assert_true(offer_add(offer, STR("UTF8"), STR("USER")));
	assert_true(offer_add(offer, STR("XCLIENT"), STR("")));
}

static const struct front_play play = {
    &dialect_pop3, STR(""), STR("+OK In"), STR("-ERR [SYS/TEMP] not now"), offer_words};

#define HELLO "+OK mx.test is ready\r\n"
#define CAPS "+OK What there is\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
#define MECHANISMS "USER\r\nSASL PLAIN LOGIN OAUTHBEARER XOAUTH2 SCRAM-SHA-1 SCRAM-SHA-256\r\n"
#define OFFERED "TOP\r\nUIDL\r\nPIPELINING\r\nEXPIRE NEVER\r\n.\r\n"
#define WRONG "-ERR [AUTH] Authentication failed.\r\n"
#define SAFER "-ERR Only with TLS.\r\n"
#define UNKNOWN "-ERR Unknown before login\r\n"
#define NAMED "+OK And the password?\r\n"
#define ODD "-ERR This is not what the mechanism wants\r\n"

static const struct front_row_case rows[] = {
    {"greeting", 0, STR(""), STR(HELLO)},
    {"CAPA, NOOP and QUIT", NO_GREETING, STR("CAPA\r\nnoop\r\nCapa\nQUIT\r\nNOOP\r\n"),
	STR(CAPS MECHANISMS OFFERED "+OK Nothing done\r\n" CAPS MECHANISMS OFFERED
				    "+OK Until later\r\n<end>")},
    {"CAPA without TLS", NO_GREETING | CLEAR, STR("CAPA\r\n"), STR(CAPS "STLS\r\n" OFFERED)},
    {"CAPA where no backend was seen", NO_GREETING | NO_OFFER, STR("CAPA\r\n"),
	STR(CAPS MECHANISMS ".\r\n")},
    {"no passwords here", NO_GREETING | NO_PASSWORDS,
	STR("CAPA\r\nUSER ann\r\nPASS good\r\nAUTH PLAIN AGFubgBnb29k\r\n"),
	STR(CAPS "SASL SCRAM-SHA-1\r\n" OFFERED SAFER SAFER
		 "-ERR This mechanism is not offered\r\n")},

    /* USER and PASS */
    {"a login", NO_GREETING, STR("USER ann@example.org\r\nPASS good\r\n"),
	STR(NAMED "<PLAIN  ann@example.org good>+OK In\r\n")},
    {"C14 a password with spaces, inside and outside", NO_GREETING,
	STR("USER ann\r\nPASS  a b \r\nUSER ann smith\r\nPASS x\r\n"),
	STR(NAMED "<PLAIN  ann  a b >" WRONG NAMED "<PLAIN  ann smith x>" WRONG)},
    {"C14 the last USER counts", NO_GREETING,
	STR("USER bob\r\nUSER eve\r\nuser ann\r\npass bad\r\n"),
	STR(NAMED NAMED NAMED "<PLAIN  ann bad>" WRONG)},
    {"C14 PASS without USER", NO_GREETING, STR("PASS good\r\nUSER\r\nPASS good\r\nUSER \r\n"),
	STR("-ERR USER comes first\r\n-ERR USER wants a name\r\n-ERR USER comes first\r\n"
	    "-ERR USER wants a name\r\n")},
    {"a refused login forgets its USER", NO_GREETING,
	STR("USER ann\r\nPASS bad\r\nPASS good\r\nUSER ann\r\nPASS good\r\n"),
	STR(NAMED "<PLAIN  ann bad>" WRONG "-ERR USER comes first\r\n" NAMED
		  "<PLAIN  ann good>+OK In\r\n")},
    {"the backend's own words", NO_GREETING, STR("USER ann\r\nPASS later\r\nNOOP\r\n"),
	STR(NAMED "<PLAIN  ann later>-ERR [SYS/TEMP] not now\r\n+OK Nothing done\r\n")},
    {"pipelined before the login and behind it", NO_GREETING,
	STR("NOOP\r\nUSER ann\r\nPASS good\r\nSTAT\r\nRETR 1\r\nQU"),
	STR("+OK Nothing done\r\n" NAMED "<PLAIN  ann good>+OK In\r\n"
	    "<left STAT\r\nRETR 1\r\nQU>")},
    {"commands between USER and PASS", NO_GREETING, STR("USER ann\r\nNOOP\r\nXTND\r\nPASS bad\r\n"),
	STR(NAMED "+OK Nothing done\r\n" UNKNOWN "<PLAIN  ann bad>" WRONG)},
    {"C7 names and passwords that are none", NO_GREETING,
	STR("USER a\0b\r\nPASS good\r\nUSER a\x01nn\r\nPASS good\r\nUSER ann\r\nPASS a\x7f\r\n"
	    "USER ann\r\nPASS\r\nUSER ann\r\nPASS \r\nUSER \xff\r\nPASS x\r\n"
	    "USER ann\r\nPASS go\rod\r\n"),
	STR(NAMED WRONG NAMED WRONG NAMED WRONG NAMED WRONG NAMED WRONG NAMED WRONG NAMED WRONG)},
    {"not without TLS", NO_GREETING | CLEAR,
	STR("USER ann\r\nPASS good\r\nAUTH PLAIN AGFubgBnb29k\r\nAUTH PLAIN\r\nAUTH\r\n"),
	STR(SAFER SAFER SAFER SAFER "+OK\r\n.\r\n")},

    /* AUTH */
    {"AUTH PLAIN at once", NO_GREETING, STR("AUTH PLAIN AGFubgBnb29k\r\nNOOP\r\n"),
	STR("<PLAIN  ann good>+OK In\r\n<left NOOP\r\n>")},
    {"AUTH PLAIN when asked", NO_GREETING, STR("auth plain\r\nYm9iAGFubgBiYWQ=\r\nNOOP\r\n"),
	STR("+ \r\n<PLAIN bob ann bad>" WRONG "+OK Nothing done\r\n")},
    {"AUTH LOGIN", NO_GREETING, STR("AUTH LOGIN\r\nYW5u\r\nYmFk\r\n"),
	STR("+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n<LOGIN  ann bad>" WRONG)},
    {"AUTH, given up", NO_GREETING, STR("AUTH PLAIN\r\n*\r\nNOOP\r\n"),
	STR("+ \r\n-ERR Authentication cancelled\r\n+OK Nothing done\r\n")},
    {"AUTH forgets USER", NO_GREETING, STR("USER ann\r\nAUTH PLAIN\r\n*\r\nPASS good\r\n"),
	STR(NAMED "+ \r\n-ERR Authentication cancelled\r\n-ERR USER comes first\r\n")},
    {"C8 no base64, wrong padding, an empty response", NO_GREETING,
	STR("AUTH PLAIN !!!!\r\nAUTH PLAIN AGFubgBnb29kx\r\nAUTH PLAIN =\r\n"
	    "AUTH PLAIN\r\n\r\nNOOP\r\n"),
	STR(ODD ODD ODD "+ \r\n" ODD "+OK Nothing done\r\n")},
    {"AUTH without sense", NO_GREETING,
	STR("AUTH PLAIN x y\r\nAUTH PLAIN \r\nAUTH GSSAPI\r\nAUTH SCRAM-SHA-1-PLUS x\r\n"),
	STR("-ERR Odd arguments\r\n-ERR Odd arguments\r\n-ERR This mechanism is not offered\r\n"
	    "-ERR This mechanism is not offered\r\n")},
    {"AUTH alone lists mechanisms", NO_GREETING | NO_PASSWORDS, STR("AUTH\r\nAUTH \r\n"),
	STR("+OK\r\nSCRAM-SHA-1\r\n.\r\n+OK\r\nSCRAM-SHA-1\r\n.\r\n")},
    {"SCRAM passes through", NO_GREETING,
	STR("AUTH SCRAM-SHA-1 biwsbj1hbm4scj14eXo=\r\nYz1iaXdz\r\n\r\nNOOP\r\n"),
	STR("<SCRAM-SHA-1  ann n,,n=ann,r=xyz>+ c2VydmVy\r\n<response Yz1iaXdz>+ c2VydmVy\r\n"
	    "<response >+OK In\r\n<left NOOP\r\n>")},
    {"SCRAM, given up", NO_GREETING, STR("AUTH SCRAM-SHA-1 biwsbj1hbm4scj14eXo=\r\n*\r\nNOOP\r\n"),
	STR("<SCRAM-SHA-1  ann n,,n=ann,r=xyz>+ c2VydmVy\r\n-ERR Authentication cancelled\r\n"
	    "+OK Nothing done\r\n")},
    {"a token that names nobody", NO_GREETING,
	STR("AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIG9wYXF1ZQEB\r\nAQ==\r\nNOOP\r\n"),
	STR("+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
	    "-ERR [AUTH] The token names no user here.\r\n+OK Nothing done\r\n")},

    /* what is no login */
    {"C14 nothing else before login", NO_GREETING,
	STR("APOP ann c4c9334bac560ecc979e58001b3e22fb\r\nXTND XLST\r\nUTF8\r\nLANG\r\nSTAT\r\n"
	    "RETR 1\r\nXCLIENT ADDR=1.2.3.4\r\n\r\n USER ann\r\nUSER\tann\r\n\r\r\nNO\0OP\r\n"
	    "GET / HTTP/1.1\r\n"),
	STR(UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
		UNKNOWN UNKNOWN)},
    {"arguments where there are none", NO_GREETING,
	STR("CAPA x\r\nNOOP x\r\nSTLS x\r\nQUIT x\r\nQUIT \r\n"),
	STR("-ERR It has no arguments\r\n-ERR It has no arguments\r\n-ERR It has no arguments\r\n"
	    "-ERR It has no arguments\r\n+OK Until later\r\n<end>")},
    {"twenty mistakes, and one more", NO_GREETING,
	STR("a\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\nUSER ann\nPASS bad\n"
	    "USER ann\nPASS bad\nNOOP\n"),
	STR(UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
		UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN NAMED
	    "<PLAIN  ann bad>" WRONG NAMED "<PLAIN  ann bad>" WRONG
	    "-ERR Too many errors.\r\n<end>")},
    {"STLS where there is none", NO_GREETING, STR("STLS\r\n"),
	STR("-ERR TLS is not to be had here\r\n")},
};

static void
C14_dialogues_are_held_however_they_are_cut(void **state)
{
	house_hold_all(&play, rows, ARRAY_LEN(rows));
}

static void
STLS_begins_anew(void **state)
{
	struct house house;

	house_init(&house, &play, CLEAR | NO_GREETING);
	house.terms.may_login = true; /* so that there is something to forget */
	house_feed(&house, STR("USER eve\r\nSTLS\r\n"));
	house_feed(&house, STR("PASS good\r\nCAPA\r\nSTLS\r\nUSER ann\r\nPASS good\r\n"));
	assert_string_equal(buf_cstr(&house.out),
	    NAMED "+OK Begin TLS now\r\n<tls>-ERR USER comes first\r\n" CAPS MECHANISMS OFFERED
		  "-ERR TLS is not to be had here\r\n" NAMED "<PLAIN  ann good>+OK In\r\n");
	house_fini(&house);
}

static void
C1_what_stands_behind_STLS_is_never_run(void **state)
{
	static const struct str behind[] = {STR("USER ann\r\nPASS good\r\n"), STR("U"), STR("\0")};

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct house house;
		struct buf bytes = BUF_INIT;

		house_init(&house, &play, CLEAR | NO_GREETING);
		buf_add_text(&bytes, "STLS\r\n");
		buf_add_str(&bytes, behind[i]);
		assert_int_equal(house_feed(&house, buf_str(&bytes)), FRONT_END);
		assert_int_equal(house_feed(&house, STR("USER ann\r\nPASS good\r\n")), FRONT_END);
		assert_string_equal(buf_cstr(&house.out),
		    "-ERR Nothing may follow before TLS\r\n<end><end>");
		house_fini(&house);
		buf_fini(&bytes);
	}
}

static void
C5_what_has_no_end_comes_to_one(void **state)
{
	static const char *const begins[] = {
	    "", "USER ", "USER ann\r\nPASS ", "AUTH PLAIN ", "AUTH PLAIN\r\n", "CAPA"};

	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		house_flood(&play, begins[i], "x", dialect_pop3.in_max_bytes, "-ERR ");
	house_flood(&play, "", "(\r\n", dialect_pop3.in_max_bytes, "-ERR ");
	house_flood(&play, "", "AUTH PLAIN\r\n*\r\n", dialect_pop3.in_max_bytes, "-ERR ");
}

static void
C14_long_lines_are_refused_whole(void **state)
{
	struct buf bytes = BUF_INIT;
	struct house house;

	for (size_t len = 510; len <= 600; len++) {
		house_init(&house, &play, NO_GREETING);
		buf_add_text(&bytes, "USER ann\r\nPASS ");
		for (size_t i = 5; i < len; i++)
			buf_add_byte(&bytes, 'x');
		buf_add_text(&bytes, "\r\nNOOP\r\n");
		house_feed(&house, buf_str(&bytes));
		if (len > 512)
			assert_string_equal(buf_cstr(&house.out),
			    NAMED "-ERR The line is too long\r\n+OK Nothing done\r\n");
		else
			assert_int_equal(house.front->mistakes, 1); /* it was a wrong password */
		house_fini(&house);
		buf_clear(&bytes);
	}
	buf_fini(&bytes);
}

static void
C14_a_thousand_USERs_need_no_room(void **state)
{
	char name[500];
	struct house house;

	memset(name, 'x', sizeof(name));
	house_init(&house, &play, NO_GREETING);
	for (int i = 0; i < 1000; i++) {
		house_feed(&house, STR("USER "));
		house_feed(&house, str_make(name, sizeof(name)));
		house_feed(&house, STR("\r\n"));
		assert_true(str_is(buf_str(&house.out), NAMED));
		buf_clear(&house.out);
	}
	house_feed(&house, STR("USER ann\r\nPASS bad\r\n"));
	assert_string_equal(buf_cstr(&house.out), NAMED "<PLAIN  ann bad>" WRONG);
	house_fini(&house);
}

static void
POP3_is_silent_where_it_waits_and_where_it_moves(void **state)
{
	static const struct {
		enum bye bye;
		const char *words;
	} ends[] = {
	    {BYE_WAITED, ""},
	    {BYE_MOVED, ""},
	    {BYE_SHUTDOWN, ""},
	    {BYE_SLOW, ""},
	    {BYE_LIMIT, "-ERR [SYS/TEMP] Too many connections.\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct house house;

		house_init(&house, &play, NO_GREETING);
		house.row->wait(house.front, &house.out);
		house.row->bye(house.front, ends[i].bye, &house.out);
		assert_string_equal(buf_cstr(&house.out), ends[i].words);
		assert_int_equal(house_feed(&house, STR("NOOP\r\n")), FRONT_END);
		house_fini(&house);
	}
}

static void
C22_nothing_of_a_refused_login_stays(void **state)
{
	house_wipes(&play, "USER ann\r\nPASS bad\r\n");
	house_wipes(&play, "AUTH PLAIN AGFubgBiYWQ=\r\n");
	house_wipes(&play, "AUTH LOGIN\r\nYW5u\r\nYmFk\r\n");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C14_dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(STLS_begins_anew),
	    cmocka_unit_test(C1_what_stands_behind_STLS_is_never_run),
	    cmocka_unit_test(C5_what_has_no_end_comes_to_one),
	    cmocka_unit_test(C14_long_lines_are_refused_whole),
	    cmocka_unit_test(C14_a_thousand_USERs_need_no_room),
	    cmocka_unit_test(POP3_is_silent_where_it_waits_and_where_it_moves),
	    cmocka_unit_test(C22_nothing_of_a_refused_login_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
