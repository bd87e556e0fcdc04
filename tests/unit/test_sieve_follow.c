/*
 * test_sieve_follow.c - a ManageSieve session that passes
 */
#include "front/sieve_follow.h"

#include "follow_house.h"
#include "front/sieve.h"

#define BYE "BYE (TRYLATER) \"This mailbox is being moved, connect again.\"\r\n"
#define LOST "BYE \"Too many errors.\"\r\n"
#define OUT "LOGOUT\r\n"
#define ODD "NO \"This is no command\"\r\n"
#define NOT_HERE "NO \"Not here\"\r\n"
#define PUT "PUTSCRIPT \"a\" {9+}\r\nLOGOUT\r\n;\r\n"

static const struct follow_row_case rows[] = {
    /* what passes */
    {"nothing", {{0}}, STR(""), STR(""), FOLLOW_RUNNING, false},
    {"a command", {C("NOOP\r\n"), B("OK \"Done\"\r\n")}, STR("NOOP\r\n"), STR("OK \"Done\"\r\n"),
	FOLLOW_RUNNING, false},
    {"one that runs", {C("LISTSCRIPTS\r\n"), B("\"a\" ACTIVE\r\n\"OK\"\r\n")},
	STR("LISTSCRIPTS\r\n"), STR("\"a\" ACTIVE\r\n\"OK\"\r\n"), FOLLOW_RUNNING, true},
    {"LF alone", {C("NOOP\nNOOP\n"), B("OK\nno\n")}, STR("NOOP\r\nNOOP\r\n"), STR("OK\nno\n"),
	FOLLOW_RUNNING, false},
    {"a script goes up", {C(PUT), B("OK (WARNINGS) {2}\r\n\r\n\r\n")}, STR(PUT),
	STR("OK (WARNINGS) {2}\r\n\r\n\r\n"), FOLLOW_RUNNING, false},
    {"a script goes up, in the form of servers",
	{C("PUTSCRIPT \"a\" {009}\nLOGOUT\r\n;\n"), B("OK\r\n")}, STR(PUT), STR("OK\r\n"),
	FOLLOW_RUNNING, false},
    {"two literals in one command",
	{C("PUTSCRIPT {1+}\r\na {0+}\r\n\r\nNOOP\r\n"), B("OK\r\nOK\r\n")},
	STR("PUTSCRIPT {1+}\r\na {0+}\r\n\r\nNOOP\r\n"), STR("OK\r\nOK\r\n"), FOLLOW_RUNNING,
	false},
    {"a script half said", {C("PUTSCRIPT \"a\" {9+}\r\nLOGOUT")},
	STR("PUTSCRIPT \"a\" {9+}\r\nLOGOUT"), STR(""), FOLLOW_RUNNING, true},
    {"a script comes down",
	{C("GETSCRIPT \"a\"\r\nNOOP\r\n"), B("{6}\r\nOK\r\nNO\r\nOK\r\nOK\r\n")},
	STR("GETSCRIPT \"a\"\r\nNOOP\r\n"), STR("{6}\r\nOK\r\nNO\r\nOK\r\nOK\r\n"), FOLLOW_RUNNING,
	false},
    {"a script that has not come down", {C("GETSCRIPT \"a\"\r\n"), B("{9}\r\nOK\r\nOK\r")},
	STR("GETSCRIPT \"a\"\r\n"), STR("{9}\r\nOK\r\nOK\r"), FOLLOW_RUNNING, true},
    {"an answer with literals in it", {C("NOOP {1+}\r\nx\r\n"), B("OK (TAG {1}\r\nx) {0}\r\n")},
	STR("NOOP {1+}\r\nx\r\n"), STR("OK (TAG {1}\r\nx) {0}\r\n"), FOLLOW_RUNNING, true},
    {"and its end", {C("NOOP {1+}\r\nx\r\n"), B("OK (TAG {1}\r\nx) {0}\r\n\r\n")},
	STR("NOOP {1+}\r\nx\r\n"), STR("OK (TAG {1}\r\nx) {0}\r\n\r\n"), FOLLOW_RUNNING, false},
    {"words that only look like an answer", {C("XYZZY\r\n"), B("OKAY\r\nNOT\r\nB\r\nBYES\r\n")},
	STR("XYZZY\r\n"), STR("OKAY\r\nNOT\r\nB\r\nBYES\r\n"), FOLLOW_RUNNING, true},
    {"a text with a brace", {C("NOOP\r\n"), B("NO \"{3}\"\r\n")}, STR("NOOP\r\n"),
	STR("NO \"{3}\"\r\n"), FOLLOW_RUNNING, false},
    {"a long line",
	{C("LISTSCRIPTS\r\n"),
	    B("\"0123456789012345678901234567890123456789\" {2}\r\nOK\r\nOK\r\n")},
	STR("LISTSCRIPTS\r\n"),
	STR("\"0123456789012345678901234567890123456789\" {2}\r\nOK\r\nOK\r\n"), FOLLOW_RUNNING,
	false},
    {"LOGOUT", {C("LOGOUT\r\nNOOP\r\n"), B("OK\r\n")}, STR("LOGOUT\r\n"), STR("OK\r\n"),
	FOLLOW_RUNNING, false},
    {"BYE that nobody asked for", {B("BYE (TRYLATER) \"Idle\"\r\n")}, STR(""),
	STR("BYE (TRYLATER) \"Idle\"\r\n"), FOLLOW_RUNNING, false},

    /* what does not */
    {"CAPABILITY is filtered",
	{C("CAPABILITY\r\nNOOP\r\n"),
	    B("\"IMPLEMENTATION\" \"x\"\r\n\"UNAUTHENTICATE\"\r\n\"starttls\"\r\n"
	      "{8}\r\nSTARTTLS\r\n\"XCLIENT\" {3}\r\na\nb\r\n\"UNAUTH\\ENTICATE\"\r\n"
	      "\"SIEVE\" {8}\r\nSTARTTLS\r\n\"COMPRESS=x\"\r\nOK\r\nOK\r\n")},
	STR("CAPABILITY\r\nNOOP\r\n"),
	STR("\"IMPLEMENTATION\" \"x\"\r\n\"SIEVE\" {8}\r\nSTARTTLS\r\n\"COMPRESS=x\"\r\n"
	    "OK\r\nOK\r\n"),
	FOLLOW_RUNNING, false},
    {"commands that do not belong here",
	{C("STARTTLS\r\nUnauthenticate\r\nAUTHENTICATE \"PLAIN\" \"x\"\r\nXCLIENT ADDR=::1\r\n"
	   "COMPRESS \"DEFLATE\"\r\n")},
	STR(""), STR(NOT_HERE NOT_HERE NOT_HERE NOT_HERE NOT_HERE), FOLLOW_RUNNING, false},
    {"a refused command takes its literals along",
	{C("AUTHENTICATE {5+}\r\nPLAIN {6+}\r\nNOOP\r\n\r\nNOOP\r\n"), B("OK\r\n")},
	STR("NOOP\r\n"), STR(NOT_HERE "OK\r\n"), FOLLOW_RUNNING, false},
    {"refusals wait for their turn",
	{C("NOOP\r\nSTARTTLS\r\nLISTSCRIPTS\r\nSTARTTLS\r\n"), B("OK\r\n\"x\"\r\n"), B("NO\r\n")},
	STR("NOOP\r\nLISTSCRIPTS\r\n"), STR("OK\r\n" NOT_HERE "\"x\"\r\nNO\r\n" NOT_HERE),
	FOLLOW_RUNNING, false},
    {"refusals do not fall into a line", {B("\"0123456"), C("STARTTLS\r\n"), B("789\"\r\n")},
	STR(""), STR("\"0123456789\"\r\n" NOT_HERE), FOLLOW_RUNNING, false},
    {"nor are they taken for answered", {B("BYE \"012345"), C("STARTTLS\r\n"), B("\"\r\n")},
	STR(""), STR("BYE \"012345\"\r\n" NOT_HERE), FOLLOW_RUNNING, false},
    {"what could be read in two ways",
	{C("\r\n NOOP\r\n\"NOOP\"\r\nNOOP\t\r\nNOOP \"a\rSTARTTLS\"\r\nNO\0OP\r\nLOGOUT x\r\n"
	   "NOOP \"x\r\n")},
	STR(""), STR(ODD ODD ODD ODD ODD ODD ODD ODD), FOLLOW_RUNNING, false},
    {"C4 a literal that others may not see", {C("PUTSCRIPT \"a {8+}\r\nSTARTTLS\r\n")}, STR(""),
	STR(LOST), FOLLOW_OVER, false},
    {"C4 a literal without a space", {C("PUTSCRIPT \"a\"{8+}\r\n")}, STR(""), STR(LOST),
	FOLLOW_OVER, false},
    {"C4 C15 a literal beyond all numbers", {C("PUTSCRIPT \"a\" {4294967296+}\r\n")}, STR(""),
	STR(LOST), FOLLOW_OVER, false},
    {"C4 behind a literal", {C("PUTSCRIPT {1+}\r\na{8+}\r\n")}, STR("PUTSCRIPT {1+}\r\na"),
	STR(LOST), FOLLOW_OVER, true},
    {"C4 behind a literal, no arguments", {C("PUTSCRIPT {1+}\r\nax\r\n")},
	STR("PUTSCRIPT {1+}\r\na"), STR(LOST), FOLLOW_OVER, true},
    {"C4 a backend's literal beyond all numbers", {C("NOOP\r\n"), B("{99999999999}\r\nx")},
	STR("NOOP\r\n"), STR("{99999999999}\r\n"), FOLLOW_OVER, true},

    /* the end */
    {"D5 idle", {END, B("OK\r\n"), C("NOOP\r\n")}, STR(OUT), STR(BYE), FOLLOW_LEAVING, false},
    {"D5 a command half said is dropped", {C("DELETESCRIPT \"a\""), END, C("\r\n")}, STR(OUT),
	STR(BYE), FOLLOW_LEAVING, false},
    {"D5 a command that runs is completed",
	{C("GETSCRIPT \"a\"\r\n"), B("{5}\r\nabc"), END, C("NOOP\r\n"), B("de\r\nOK\r\n")},
	STR("GETSCRIPT \"a\"\r\n" OUT), STR("{5}\r\nabcde\r\nOK\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 a script under way is completed",
	{C("PUTSCRIPT \"a\" {9+}\r\nLOGO"), END, C("UT\r\n;\r\nNOOP\r\n"), B("OK\r\n")},
	STR(PUT OUT), STR("OK\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 a script under way is waited for",
	{C("PUTSCRIPT \"a\" {9+}\r\nLOGO"), END, B("NO (QUOTA)\r\n")},
	STR("PUTSCRIPT \"a\" {9+}\r\nLOGO"), STR("NO (QUOTA)\r\n"), FOLLOW_ENDING, true},
    {"D5 so is the end of its line", {C("PUTSCRIPT \"a\" {1+}\r\nx"), B("NO\r\n"), END},
	STR("PUTSCRIPT \"a\" {1+}\r\nx"), STR("NO\r\n"), FOLLOW_ENDING, true},
    {"D5 all that were pipelined", {C("NOOP\r\nNOOP\r\nSTARTTLS\r\n"), END, B("OK\r\nOK\r\n")},
	STR("NOOP\r\nNOOP\r\n" OUT), STR("OK\r\nOK\r\n" NOT_HERE BYE), FOLLOW_LEAVING, false},
    {"D5 nothing new begins", {C("NOOP\r\n"), END, C("NOOP\r\n")}, STR("NOOP\r\n"), STR(""),
	FOLLOW_ENDING, true},
    {"D5 LOGOUT that was sent", {C("LOGOUT\r\n"), END, B("OK\r\n")}, STR("LOGOUT\r\n"),
	STR("OK\r\n"), FOLLOW_LEAVING, false},
    {"D5 LOGOUT that has been answered", {C("LOGOUT\r\n"), B("OK\r\n"), END}, STR("LOGOUT\r\n"),
	STR("OK\r\n"), FOLLOW_LEAVING, false},
    {"D5 LOGOUT that was refused", {C("LOGOUT\r\nNOOP\r\n"), B("NO\r\n"), END, B("OK\r\n")},
	STR("LOGOUT\r\nNOOP\r\n" OUT), STR("NO\r\nOK\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 the backend has said BYE", {B("BYE\r\n"), END}, STR(""), STR("BYE\r\n"), FOLLOW_LEAVING,
	false},
    {"D5 twice", {END, END}, STR(OUT), STR(BYE), FOLLOW_LEAVING, false},
};

static void
C4_C15_D5_sessions_pass_however_they_are_cut(void **state)
{
	session_hold_all(&dialect_sieve, NULL, rows, ARRAY_LEN(rows));
}

static void
more_commands_than_can_run_wait(void **state)
{
	struct session session;
	size_t taken;

	session_init(&session, &dialect_sieve);
	for (int i = 0; i < 1000; i++)
		buf_add_text(&session.in[SIDE_CLIENT], "NOOP\r\n");
	session_pump(&session);
	taken = buf_len(&session.out[SIDE_BACKEND]);
	assert_true(taken > 0 && taken < 1000);
	for (int i = 0; i < 1000; i++)
		session_say(&session, SIDE_BACKEND, STR("OK\r\n"));
	assert_int_equal(buf_len(&session.out[SIDE_BACKEND]), 6 * 1000);
	assert_int_equal(buf_len(&session.out[SIDE_CLIENT]), 4 * 1000);
	assert_true(session.row->is_idle(session.follow));
	session_fini(&session);
}

static void
C5_a_line_without_end_is_not_held(void **state)
{
	struct session session;
	size_t said = 0;

	session_init(&session, &dialect_sieve);
	session_say(&session, SIDE_CLIENT, STR("X "));
	for (; said < 100000 && session.follow->phase == FOLLOW_RUNNING; said++)
		session_say(&session, SIDE_CLIENT, STR("x"));
	assert_int_equal(session.follow->phase, FOLLOW_OVER);
	assert_int_equal(said, FOLLOW_HELD_MOST - 1);
	assert_string_equal(buf_cstr(&session.out[SIDE_CLIENT]), LOST);
	assert_int_equal(buf_len(&session.out[SIDE_BACKEND]), 0);
	session_fini(&session);
}

static void
D4_long_lines_and_literals_of_a_backend_are_not_held(void **state)
{
	static const char *const begins[] = {"\"", "{4000000000}\r\n", "OK \"", "odd "};

	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		struct session session;

		session_init(&session, &dialect_sieve);
		session_say(&session, SIDE_CLIENT, STR("LISTSCRIPTS\r\n"));
		session_say(&session, SIDE_BACKEND, str_of(begins[i]));
		for (int said = 0; said < 100000; said++) {
			session_say(&session, SIDE_BACKEND, STR("x"));
			assert_true(buf_len(&session.in[SIDE_BACKEND]) <= 40);
			buf_clear(&session.out[SIDE_CLIENT]);
		}
		assert_int_equal(session.follow->phase, FOLLOW_RUNNING);
		session_fini(&session);
	}
}

static void
D1_a_capability_without_end_is_not_held(void **state)
{
	struct session session;
	size_t said = 0;

	session_init(&session, &dialect_sieve);
	session_say(&session, SIDE_CLIENT, STR("CAPABILITY\r\n"));
	session_say(&session, SIDE_BACKEND, STR("\""));
	for (; said < 100000 && session.follow->phase == FOLLOW_RUNNING; said++)
		session_say(&session, SIDE_BACKEND, STR("x"));
	assert_int_equal(session.follow->phase, FOLLOW_OVER);
	assert_true(said <= FOLLOW_HELD_MOST);
	session_fini(&session);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C4_C15_D5_sessions_pass_however_they_are_cut),
	    cmocka_unit_test(more_commands_than_can_run_wait),
	    cmocka_unit_test(C5_a_line_without_end_is_not_held),
	    cmocka_unit_test(D4_long_lines_and_literals_of_a_backend_are_not_held),
	    cmocka_unit_test(D1_a_capability_without_end_is_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
