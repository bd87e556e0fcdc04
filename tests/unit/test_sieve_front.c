/*
 * test_sieve_front.c - ManageSieve with a client, until its credentials are there
 */
#include "front/sieve_front.h"

#include "front/sieve.h"
#include "front_house.h"

static void
offer_words(struct offer *offer)
{
	assert_true(offer_add(offer, STR("SIEVE"), STR("fileinto vacation")));
	assert_true(offer_add(offer, STR("NOTIFY"), STR("mailto")));
	assert_true(offer_add(offer, STR("MAXREDIRECTS"), STR("4")));
	assert_true(offer_add(offer, STR("SASL"), STR("GSSAPI")));
	assert_true(offer_add(offer, STR("STARTTLS"), STR("")));
	assert_true(offer_add(offer, STR("VERSION"), STR("1.0")));
	assert_true(offer_add(offer, STR("UNAUTHENTICATE"), STR("")));
	assert_true(offer_add(offer, STR("XCLIENT"), STR("")));
	assert_true(offer_add(offer, STR("X\"Y"), STR("")));
}

static const struct front_play play = {&dialect_sieve, STR(""),
    STR("OK (SASL \"cnNwYXV0aA==\") \"In\""), STR("NO (TRYLATER) \"not now\""), offer_words};

#define CAPS(mechanisms, more)                                                                     \
	"\"IMPLEMENTATION\" \"splitmx\"\r\n\"SASL\" \"" mechanisms "\"\r\n"                        \
	"\"SIEVE\" \"fileinto vacation\"\r\n" more "\"NOTIFY\" \"mailto\"\r\n"                     \
	"\"MAXREDIRECTS\" \"4\"\r\n\"X\\\"Y\"\r\n\"VERSION\" \"1.0\"\r\n"
#define ALL CAPS("PLAIN LOGIN OAUTHBEARER XOAUTH2 SCRAM-SHA-1 SCRAM-SHA-256", "")
#define HELLO "OK \"mx.test is ready\"\r\n"
#define THAT_IS_ALL "OK \"That is all\"\r\n"
#define NOTHING "OK \"Nothing done\"\r\n"
#define IN "OK (SASL \"cnNwYXV0aA==\") \"In\"\r\n"
#define WRONG "NO \"Authentication failed.\"\r\n"
#define SAFER "NO (ENCRYPT-NEEDED) \"Only with TLS.\"\r\n"
#define UNKNOWN "NO \"Unknown before login\"\r\n"
#define NO_COMMAND "NO \"This is no command\"\r\n"
#define ODD "NO \"This is not what the mechanism wants\"\r\n"
#define LOST "BYE \"Too many errors.\"\r\n<end>"
#define TOO_LARGE "NO \"Too long, or a literal too large\"\r\n" LOST

static const struct front_row_case rows[] = {
    {"greeting", 0, STR(""), STR(ALL HELLO)},
    {"greeting without TLS", CLEAR, STR(""), STR(CAPS("", "\"STARTTLS\"\r\n") HELLO)},
    {"greeting where no backend was seen", NO_OFFER | NO_PASSWORDS, STR(""),
	STR("\"IMPLEMENTATION\" \"splitmx\"\r\n\"SASL\" \"SCRAM-SHA-1\"\r\n\"SIEVE\" \"\"\r\n"
	    "\"VERSION\" \"1.0\"\r\n" HELLO)},
    {"CAPABILITY, NOOP and LOGOUT", NO_GREETING, STR("CAPABILITY\r\nnoop\r\nLogout\nNOOP\r\n"),
	STR(ALL THAT_IS_ALL NOTHING "OK \"Until later\"\r\n<end>")},
    {"NOOP with a tag", NO_GREETING,
	STR("NOOP \"x y\"\r\nNOOP {16+}\r\nSTARTTLS-SYNC-42\r\nNOOP {2}\r\n\r\n\r\n"
	    "NOOP \"a\\\"b\"\r\nNOOP \"\"\r\n"),
	STR("OK (TAG \"x y\") \"Nothing done\"\r\nOK (TAG \"STARTTLS-SYNC-42\") \"Nothing done\"\r\n"
	    "OK (TAG {2}\r\n\r\n) \"Nothing done\"\r\nOK (TAG \"a\\\"b\") \"Nothing done\"\r\n"
	    "OK (TAG \"\") \"Nothing done\"\r\n")},
    {"NOOP without sense", NO_GREETING, STR("NOOP x\r\nNOOP \"x\r\nNOOP \"x\" \"y\"\r\n"),
	STR("NO \"NOOP wants a string, or nothing\"\r\nNO \"NOOP wants a string, or nothing\"\r\n"
	    "NO \"NOOP wants a string, or nothing\"\r\n")},

    /* AUTHENTICATE */
    {"PLAIN, quoted", NO_GREETING,
	STR("AUTHENTICATE \"PLAIN\" \"AGFubgBnb29k\"\r\nLISTSCRIPTS\r\n"),
	STR("<PLAIN  ann good>" IN "<left LISTSCRIPTS\r\n>")},
    {"PLAIN, as a literal", NO_GREETING,
	STR("authenticate {5+}\r\nplain {12+}\r\nAGFubgBnb29k\r\nPUTSCRIPT \"a\" {3+}\r\nx"),
	STR("<PLAIN  ann good>" IN "<left PUTSCRIPT \"a\" {3+}\r\nx>")},
    {"PLAIN when asked, in both forms", NO_GREETING,
	STR("AUTHENTICATE \"PLAIN\"\r\n\"Ym9iAGFubgBiYWQ=\"\r\n"
	    "AUTHENTICATE \"PLAIN\" \r\n{12+}\r\nAGFubgBiYWQ=\r\nNOOP\r\n"),
	STR("\"\"\r\n<PLAIN bob ann bad>" WRONG "\"\"\r\n<PLAIN  ann bad>" WRONG NOTHING)},
    {"LOGIN", NO_GREETING, STR("AUTHENTICATE \"LOGIN\"\r\n\"YW5u\"\r\n{4+}\r\nYmFk\r\n"),
	STR("\"VXNlcm5hbWU6\"\r\n\"UGFzc3dvcmQ6\"\r\n<LOGIN  ann bad>" WRONG)},
    {"the backend's own words", NO_GREETING,
	STR("AUTHENTICATE \"PLAIN\" \"AGFubgBsYXRlcg==\"\r\nNOOP\r\n"),
	STR("<PLAIN  ann later>NO (TRYLATER) \"not now\"\r\n" NOTHING)},
    {"given up", NO_GREETING,
	STR("AUTHENTICATE \"PLAIN\"\r\n\"*\"\r\nAUTHENTICATE \"PLAIN\"\r\n*\r\nNOOP\r\n"),
	STR("\"\"\r\nNO \"Authentication cancelled\"\r\n\"\"\r\nNO \"This is no string\"\r\n" NOTHING)},
    {"C8 no base64, wrong padding, an empty response", NO_GREETING,
	STR("AUTHENTICATE \"PLAIN\" \"!!!!\"\r\nAUTHENTICATE \"PLAIN\" \"AGFubgBnb29kx\"\r\n"
	    "AUTHENTICATE \"PLAIN\" \"\"\r\nAUTHENTICATE \"PLAIN\" \"AGFub\\gBnb29k\"\r\n"
	    "AUTHENTICATE \"PLAIN\"\r\n\"\"\r\nAUTHENTICATE \"PLAIN\"\r\n\r\nNOOP\r\n"),
	STR(ODD ODD ODD ODD "\"\"\r\n" ODD "\"\"\r\nNO \"This is no string\"\r\n" NOTHING)},
    {"without sense", NO_GREETING,
	STR("AUTHENTICATE\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE \"PLAIN\" x\r\n"
	    "AUTHENTICATE \"PLAIN\" \"x\" \"y\"\r\nAUTHENTICATE \"PLAIN\"\"x\"\r\n"
	    "AUTHENTICATE \"GSSAPI\"\r\nAUTHENTICATE \"\"\r\n"),
	STR("NO \"AUTHENTICATE wants a mechanism\"\r\nNO \"AUTHENTICATE wants a mechanism\"\r\n"
	    "NO \"Odd arguments\"\r\nNO \"Odd arguments\"\r\nNO \"Odd arguments\"\r\n"
	    "NO \"This mechanism is not offered\"\r\nNO \"This mechanism is not offered\"\r\n")},
    {"not without TLS", NO_GREETING | CLEAR,
	STR("AUTHENTICATE \"PLAIN\" \"AGFubgBnb29k\"\r\nAUTHENTICATE \"PLAIN\"\r\n"),
	STR(SAFER SAFER)},
    {"SCRAM passes through", NO_GREETING,
	STR("AUTHENTICATE \"SCRAM-SHA-1\" \"biwsbj1hbm4scj14eXo=\"\r\n\"Yz1iaXdz\"\r\n"
	    "{0+}\r\n\r\nNOOP\r\n"),
	STR("<SCRAM-SHA-1  ann n,,n=ann,r=xyz>\"c2VydmVy\"\r\n<response Yz1iaXdz>"
	    "\"c2VydmVy\"\r\n<response >" IN "<left NOOP\r\n>")},
    {"SCRAM, given up", NO_GREETING,
	STR("AUTHENTICATE \"SCRAM-SHA-1\" \"biwsbj1hbm4scj14eXo=\"\r\n\"*\"\r\nNOOP\r\n"),
	STR("<SCRAM-SHA-1  ann n,,n=ann,r=xyz>\"c2VydmVy\"\r\nNO \"Authentication cancelled\"\r\n" NOTHING)},
    {"a token that names nobody", NO_GREETING,
	STR("AUTHENTICATE \"OAUTHBEARER\" \"biwsAWF1dGg9QmVhcmVyIG9wYXF1ZQEB\"\r\n"
	    "\"AQ==\"\r\nNOOP\r\n"),
	STR("\"eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\"\r\n"
	    "NO \"The token names no user here.\"\r\n" NOTHING)},

    /* what is no login */
    {"nothing else before login", NO_GREETING,
	STR("LISTSCRIPTS\r\nUNAUTHENTICATE\r\nPUTSCRIPT \"a\" {6+}\r\nNOOP\r\n\r\n"
	    "XCLIENT ADDR=1.2.3.4\r\nHAVESPACE \"a\" 3\r\nGET / HTTP/1.1\r\n"),
	STR(UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN)},
    {"no commands", NO_GREETING,
	STR("\r\n NOOP\r\n\"NOOP\"\r\n{4+}\r\nNOOP\r\nNO\0OP\r\nNOOP\t\r\n(NOOP)\r\n"),
	STR(NO_COMMAND NO_COMMAND NO_COMMAND NO_COMMAND NO_COMMAND NO_COMMAND NO_COMMAND)},
    {"arguments where there are none", NO_GREETING,
	STR("CAPABILITY \"x\"\r\nSTARTTLS x\r\nLOGOUT x\r\n"),
	STR("NO \"It has no arguments\"\r\nNO \"It has no arguments\"\r\n"
	    "NO \"It has no arguments\"\r\n")},
    {"C15 literals above the limit", NO_GREETING, STR("AUTHENTICATE {4294967295+}\r\nNOOP\r\n"),
	STR(TOO_LARGE)},
    {"C15 literals above all limits", NO_GREETING, STR("NOOP {9999999999+}\r\nNOOP\r\n"),
	STR(TOO_LARGE)},
    {"C15 a response above the limit", NO_GREETING,
	STR("AUTHENTICATE \"PLAIN\"\r\n{65536+}\r\nNOOP\r\n"), STR("\"\"\r\n" TOO_LARGE)},
    {"C4 empty and negative literals", NO_GREETING,
	STR("NOOP {0+}\r\n\r\nNOOP {-1+}\r\nAUTHENTICATE {0}\r\n {0}\r\n\r\n"),
	STR("OK (TAG \"\") \"Nothing done\"\r\nNO \"NOOP wants a string, or nothing\"\r\n"
	    "NO \"This mechanism is not offered\"\r\n")},
    {"C15 twenty mistakes, and one more", NO_GREETING,
	STR("a\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\n"
	    "AUTHENTICATE \"PLAIN\"\n\"*\"\nAUTHENTICATE \"PLAIN\" \"AGFubgBiYWQ=\"\nNOOP\n"),
	STR(UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
		UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
	    "\"\"\r\nNO \"Authentication cancelled\"\r\n<PLAIN  ann bad>" WRONG LOST)},
    {"STARTTLS where there is none", NO_GREETING, STR("STARTTLS\r\n"),
	STR("NO \"TLS is not to be had here\"\r\n")},
};

static void
C8_C15_dialogues_are_held_however_they_are_cut(void **state)
{
	house_hold_all(&play, rows, ARRAY_LEN(rows));
}

static void
STARTTLS_begins_anew_with_capabilities(void **state)
{
	struct house house;

	house_init(&house, &play, CLEAR | NO_GREETING);
	house_feed(&house, STR("STARTTLS\r\n"));
	house_feed(&house, STR("STARTTLS\r\nAUTHENTICATE \"PLAIN\" \"AGFubgBnb29k\"\r\n"));
	assert_string_equal(buf_cstr(&house.out),
	    "OK \"Begin TLS now\"\r\n<tls>" ALL "OK \"TLS it is\"\r\n"
	    "NO \"TLS is not to be had here\"\r\n<PLAIN  ann good>" IN);
	house_fini(&house);
}

static void
C1_what_stands_behind_STARTTLS_is_never_run(void **state)
{
	static const struct str behind[] = {
	    STR("AUTHENTICATE \"PLAIN\" \"AGFubgBnb29k\"\r\n"), STR("A"), STR("\0")};

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct house house;
		struct buf bytes = BUF_INIT;

		house_init(&house, &play, CLEAR | NO_GREETING);
		buf_add_text(&bytes, "STARTTLS\r\n");
		buf_add_str(&bytes, behind[i]);
		assert_int_equal(house_feed(&house, buf_str(&bytes)), FRONT_END);
		assert_int_equal(house_feed(&house, STR("NOOP\r\n")), FRONT_END);
		assert_string_equal(buf_cstr(&house.out),
		    "NO \"Nothing may follow before TLS\"\r\n" LOST "<end>");
		house_fini(&house);
		buf_fini(&bytes);
	}
}

static void
C5_C15_what_has_no_end_comes_to_one(void **state)
{
	static const struct {
		const char *begin, *more;
	} floods[] = {
	    {"", "("},
	    {"NOOP \"", "x"},
	    {"AUTHENTICATE \"PLAIN\" \"", "A"},
	    {"AUTHENTICATE \"PLAIN\"\r\n\"", "A"},
	    {"NOOP", " {1+}\r\nx"},
	    {"NOOP", " {0+}\r\n"},
	    {"", "\r\n"},
	    {"", "AUTHENTICATE \"PLAIN\"\r\n\"*\"\r\n"},
	    {"", "AUTHENTICATE \"PLAIN\" \"!\"\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(floods); i++)
		house_flood(&play, floods[i].begin, floods[i].more, dialect_sieve.in_max_bytes,
		    "BYE \"Too many errors.\"\r\n");
}

static void
C15_long_commands_are_refused_whole(void **state)
{
	struct buf bytes = BUF_INIT;
	struct house house;

	for (size_t len = 900; len < 1200; len += 7) {
		house_init(&house, &play, NO_GREETING);
		buf_clear(&bytes);
		buf_addf(&bytes, "NOOP {%zu+}\r\n", len);
		for (size_t i = 0; i < len; i++)
			buf_add_byte(&bytes, 'x');
		buf_add_text(&bytes, "\r\nNOOP\r\n");
		house_feed(&house, buf_str(&bytes));
		if (len > 1024)
			assert_string_equal(buf_cstr(&house.out),
			    "NO \"The command is too long\"\r\n" NOTHING);
		else if (len < 1000)
			assert_true(str_starts(buf_str(&house.out), "OK (TAG \"xxx"));
		house_fini(&house);
	}
	buf_fini(&bytes);
}

static void
the_longest_password_fits(void **state)
{
	char coded[12000];
	struct buf says = BUF_INIT;
	struct house house;

	/* base64 of NUL ann NUL and many p, without a library: "AGFubgBw" and then "cHBw". */
	memcpy(coded, "AGFubgBw", 8);
	for (size_t at = 8; at < 8000; at += 4)
		memcpy(coded + at, "cHBw", 4);
	for (int form = 0; form < 2; form++) {
		house_init(&house, &play, NO_GREETING);
		buf_clear(&says);
		buf_add_text(&says, "AUTHENTICATE \"PLAIN\" ");
		buf_add_text(&says, form == 0 ? "\"" : "{8000+}\r\n");
		buf_add(&says, coded, 8000);
		buf_add_text(&says, form == 0 ? "\"\r\n" : "\r\n");
		house_feed(&house, buf_str(&says));
		assert_true(str_starts(buf_str(&house.out), "<PLAIN  ann ppp"));
		house_fini(&house);
	}
	buf_fini(&says);
}

static void
only_BYE_is_said_unasked(void **state)
{
	static const struct {
		enum bye bye;
		const char *words;
	} ends[] = {
	    {BYE_WAITED, "BYE (TRYLATER) \"This mailbox is being moved, try again later.\"\r\n"},
	    {BYE_LIMIT, "BYE (TRYLATER) \"Too many connections.\"\r\n"},
	    {BYE_SLOW, "BYE \"Idle for too long.\"\r\n"},
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
	house_wipes(&play, "AUTHENTICATE \"PLAIN\" \"AGFubgBiYWQ=\"\r\n");
	house_wipes(&play, "AUTHENTICATE \"LOGIN\"\r\n\"YW5u\"\r\n\"YmFk\"\r\n");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C8_C15_dialogues_are_held_however_they_are_cut),
	    cmocka_unit_test(STARTTLS_begins_anew_with_capabilities),
	    cmocka_unit_test(C1_what_stands_behind_STARTTLS_is_never_run),
	    cmocka_unit_test(C5_C15_what_has_no_end_comes_to_one),
	    cmocka_unit_test(C15_long_commands_are_refused_whole),
	    cmocka_unit_test(the_longest_password_fits),
	    cmocka_unit_test(only_BYE_is_said_unasked),
	    cmocka_unit_test(C22_nothing_of_a_refused_login_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
