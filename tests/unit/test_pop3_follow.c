/*
 * test_pop3_follow.c - a POP3 session that passes
 */
#include "front/pop3_follow.h"

#include "follow_house.h"
#include "front/pop3.h"

#define OUT "RSET\r\nQUIT\r\n"
#define LATER "-ERR [SYS/TEMP] Try again later.\r\n"
#define ODD "-ERR This is no command\r\n"
#define NOT_HERE "-ERR Not here\r\n"
#define MAIL "+OK 120 octets\r\nFrom: ann\r\n\r\n..dots\r\n. \r\nx.\r\n.x\r\n.\r\n"

static const struct follow_row_case rows[] = {
    /* what passes */
    {"nothing", {{0}}, STR(""), STR(""), FOLLOW_RUNNING, false},
    {"a command", {C("STAT\r\n"), B("+OK 2 320\r\n")}, STR("STAT\r\n"), STR("+OK 2 320\r\n"),
	FOLLOW_RUNNING, false},
    {"one that runs", {C("STAT\r\n"), B("+OK 2")}, STR("STAT\r\n"), STR(""), FOLLOW_RUNNING, true},
    {"LF alone", {C("STAT\nRETR 1\n"), B("+OK\n+OK\nx\n.\n")}, STR("STAT\r\nRETR 1\r\n"),
	STR("+OK\n+OK\nx\n.\n"), FOLLOW_RUNNING, false},
    {"a message", {C("RETR 1\r\n"), B(MAIL), C("noop\r\n"), B("+OK\r\n")},
	STR("RETR 1\r\nnoop\r\n"), STR(MAIL "+OK\r\n"), FOLLOW_RUNNING, false},
    {"a message that has not ended", {C("RETR 1\r\n"), B("+OK\r\nx\r\n..\r\n")}, STR("RETR 1\r\n"),
	STR("+OK\r\nx\r\n..\r\n"), FOLLOW_RUNNING, true},
    {"only a dot that begins a line is the last",
	{C("RETR 1\r\nNOOP\r\n"), B("+OK\r\nx.\r\n+OK\r\n")}, STR("RETR 1\r\nNOOP\r\n"),
	STR("+OK\r\nx.\r\n+OK\r\n"), FOLLOW_RUNNING, true},
    {"and all of its line",
	{C("RETR 1\r\nNOOP\r\n"), B("+OK\r\n.x\r\n.\rx\r\n+OK\r\n.\r\n+OK\r\n")},
	STR("RETR 1\r\nNOOP\r\n"), STR("+OK\r\n.x\r\n.\rx\r\n+OK\r\n.\r\n+OK\r\n"), FOLLOW_RUNNING,
	false},
    {"a dot is held", {C("RETR 1\r\n"), B("+OK\r\nx\r\n.\r")}, STR("RETR 1\r\n"),
	STR("+OK\r\nx\r\n"), FOLLOW_RUNNING, true},
    {"an empty message", {C("retr 1\r\n"), B("+OK\r\n.\r\n")}, STR("retr 1\r\n"),
	STR("+OK\r\n.\r\n"), FOLLOW_RUNNING, false},
    {"a message that is none", {C("RETR 9\r\nTOP 9 0\r\n"), B("-ERR no\r\n-ERR no\r\n")},
	STR("RETR 9\r\nTOP 9 0\r\n"), STR("-ERR no\r\n-ERR no\r\n"), FOLLOW_RUNNING, false},
    {"lists", {C("LIST\r\nUIDL\r\n"), B("+OK\r\n1 120\r\n.\r\n+OK\r\n1 abc\r\n.\r\n")},
	STR("LIST\r\nUIDL\r\n"), STR("+OK\r\n1 120\r\n.\r\n+OK\r\n1 abc\r\n.\r\n"), FOLLOW_RUNNING,
	false},
    {"lists of one message", {C("LIST 1\r\nUIDL 1\r\nLANG en\r\n"), B("+OK\r\n+OK\r\n+OK\r\n")},
	STR("LIST 1\r\nUIDL 1\r\nLANG en\r\n"), STR("+OK\r\n+OK\r\n+OK\r\n"), FOLLOW_RUNNING,
	false},
    {"spaces at the end are no argument", {C("LIST  \r\n"), B("+OK\r\n")}, STR("LIST\r\n"),
	STR("+OK\r\n"), FOLLOW_RUNNING, true},
    {"LANG alone", {C("LANG\r\n"), B("+OK\r\nen\r\n")}, STR("LANG\r\n"), STR("+OK\r\nen\r\n"),
	FOLLOW_RUNNING, true},
    {"pipelined",
	{C("STAT\r\nRETR 1\r\nDELE 1\r\nNOOP\r\n"), B("+OK\r\n" MAIL "+OK\r\n"), B("+OK\r\n")},
	STR("STAT\r\nRETR 1\r\nDELE 1\r\nNOOP\r\n"), STR("+OK\r\n" MAIL "+OK\r\n+OK\r\n"),
	FOLLOW_RUNNING, false},
    {"unknown commands have one line", {C("XYZZY 1\r\nLAST\r\n"), B("+OK\r\n-ERR\r\n")},
	STR("XYZZY 1\r\nLAST\r\n"), STR("+OK\r\n-ERR\r\n"), FOLLOW_RUNNING, false},
    {"an unknown command with more lines than that", {C("XYZZY\r\n"), B("+OK\r\n1\r\n.\r\n")},
	STR("XYZZY\r\n"), STR("+OK\r\n1\r\n.\r\n"), FOLLOW_RUNNING, false},
    {"what nobody asked for", {B("-ERR Idle for too long\r\n"), C("NOOP\r\n"), B("odd\r\n")},
	STR("NOOP\r\n"), STR("-ERR Idle for too long\r\nodd\r\n"), FOLLOW_RUNNING, true},
    {"QUIT", {C("DELE 1\r\nQUIT\r\nNOOP\r\n"), B("+OK\r\n+OK bye\r\n")}, STR("DELE 1\r\nQUIT\r\n"),
	STR("+OK\r\n+OK bye\r\n"), FOLLOW_RUNNING, false},

    {"QUIT, refused", {C("QUIT\r\nNOOP\r\n"), B("-ERR no\r\n+OK\r\n")}, STR("QUIT\r\nNOOP\r\n"),
	STR("-ERR no\r\n+OK\r\n"), FOLLOW_RUNNING, false},

    /* what does not */
    {"CAPA is filtered",
	{C("CAPA\r\nNOOP\r\n"),
	    B("+OK\r\nTOP\r\nSTLS\r\nXCLIENT\r\nstls\r\nCOMPRESS DEFLATE\r\nSASL PLAIN\r\nSTLSX\r\n"
	      ".\r\n+OK\r\n")},
	STR("CAPA\r\nNOOP\r\n"), STR("+OK\r\nTOP\r\nSASL PLAIN\r\nSTLSX\r\n.\r\n+OK\r\n"),
	FOLLOW_RUNNING, false},
    {"CAPA where there is none", {C("CAPA\r\n"), B("-ERR\r\n")}, STR("CAPA\r\n"), STR("-ERR\r\n"),
	FOLLOW_RUNNING, false},
    {"commands that do not belong here",
	{C("STLS\r\nauth PLAIN\r\nUSER x\r\nPASS x\r\nAPOP x y\r\nXCLIENT ADDR=::1\r\n"
	   "XTND XMIT\r\nCOMPRESS\r\nXCLIENT\r\n")},
	STR(""),
	STR(NOT_HERE NOT_HERE NOT_HERE NOT_HERE NOT_HERE NOT_HERE NOT_HERE NOT_HERE NOT_HERE),
	FOLLOW_RUNNING, false},
    {"refusals wait for their turn",
	{C("STAT\r\nSTLS\r\nRETR 1\r\nSTLS\r\n"), B("+OK\r\n+OK\r\nx\r\n"), B(".\r\n")},
	STR("STAT\r\nRETR 1\r\n"), STR("+OK\r\n" NOT_HERE "+OK\r\nx\r\n.\r\n" NOT_HERE),
	FOLLOW_RUNNING, false},
    {"what could be read in two ways",
	{C("\r\n LIST\r\nLIST\t\r\nRETR 1\rDELE 1\r\nNO\0OP\r\nCAPA x\r\nQUIT x\r\nNOOP\x7f\r\n")},
	STR(""), STR(ODD ODD ODD ODD ODD ODD ODD ODD), FOLLOW_RUNNING, false},

    /* the end */
    {"D5 idle", {END}, STR(OUT), STR(""), FOLLOW_LEAVING, false},
    {"D5 idle, and what comes then",
	{C("DELE 1\r\n"), B("+OK\r\n"), END, B("+OK\r\n+OK bye\r\n"), C("QUIT\r\n")},
	STR("DELE 1\r\n" OUT), STR("+OK\r\n"), FOLLOW_LEAVING, false},
    {"D5 a command half said is dropped", {C("DELE 1"), END, C("\r\n")}, STR(OUT), STR(""),
	FOLLOW_LEAVING, false},
    {"D5 a message that runs is completed",
	{C("RETR 1\r\n"), B("+OK\r\nx\r\n"), END, B("y\r\n.\r\n")}, STR("RETR 1\r\n" OUT),
	STR("+OK\r\nx\r\ny\r\n.\r\n"), FOLLOW_LEAVING, false},
    {"D5 a message that has not ended is waited for", {C("RETR 1\r\n"), B("+OK\r\nx\r\n"), END},
	STR("RETR 1\r\n"), STR("+OK\r\nx\r\n"), FOLLOW_ENDING, true},
    {"D5 so are all that were pipelined",
	{C("DELE 1\r\nDELE 2\r\nLIST\r\n"), END, B("+OK\r\n+OK\r\n+OK\r\n"), B(".\r\n")},
	STR("DELE 1\r\nDELE 2\r\nLIST\r\n" OUT), STR("+OK\r\n+OK\r\n+OK\r\n.\r\n"), FOLLOW_LEAVING,
	false},
    {"D5 a command that is read while ending",
	{C("RETR 1\r\n"), END, C("DELE 1\r\nSTLS\r\n\r\n"), B("+OK\r\nx\r\n.\r\n")},
	STR("RETR 1\r\n" OUT), STR("+OK\r\nx\r\n.\r\n" LATER LATER ODD), FOLLOW_LEAVING, false},
    {"D5 QUIT that was sent completes", {C("DELE 1\r\nQUIT\r\n"), END, B("+OK\r\n+OK bye\r\n")},
	STR("DELE 1\r\nQUIT\r\n"), STR("+OK\r\n+OK bye\r\n"), FOLLOW_LEAVING, false},
    {"D5 QUIT that was read while ending completes",
	{C("DELE 1\r\nRETR 2\r\n"), END, C("DELE 2\r\nQUIT\r\nNOOP\r\n"), B("+OK\r\n+OK\r\n.\r\n"),
	    B("+OK bye\r\n")},
	STR("DELE 1\r\nRETR 2\r\nQUIT\r\n"), STR("+OK\r\n+OK\r\n.\r\n" LATER "+OK bye\r\n"),
	FOLLOW_LEAVING, false},
    {"D5 QUIT has been answered, and the backend not closed yet",
	{C("QUIT\r\n"), B("+OK bye\r\n"), END}, STR("QUIT\r\n"), STR("+OK bye\r\n"), FOLLOW_LEAVING,
	false},
    {"D5 QUIT was refused", {C("QUIT\r\n"), END, B("-ERR no\r\n")}, STR("QUIT\r\n" OUT),
	STR("-ERR no\r\n"), FOLLOW_LEAVING, false},
    {"D5 twice", {END, END}, STR(OUT), STR(""), FOLLOW_LEAVING, false},
    {"D5 while CAPA runs", {C("CAPA\r\n"), B("+OK\r\nST"), END, B("LS\r\n.\r\n")},
	STR("CAPA\r\n" OUT), STR("+OK\r\n.\r\n"), FOLLOW_LEAVING, false},
};

static void
D5_sessions_pass_however_they_are_cut(void **state)
{
	session_hold_all(&dialect_pop3, NULL, rows, ARRAY_LEN(rows));
}

static void
more_commands_than_can_run_wait(void **state)
{
	struct session session;
	size_t taken;

	session_init(&session, &dialect_pop3);
	for (int i = 0; i < 1000; i++)
		buf_add_text(&session.in[SIDE_CLIENT], "NOOP\r\n");
	session_pump(&session);
	taken = buf_len(&session.out[SIDE_BACKEND]);
	assert_true(taken > 0 && taken < 1000);
	for (int i = 0; i < 1000; i++)
		session_say(&session, SIDE_BACKEND, STR("+OK\r\n"));
	assert_int_equal(buf_len(&session.out[SIDE_BACKEND]), 6 * 1000);
	assert_int_equal(buf_len(&session.out[SIDE_CLIENT]), 5 * 1000);
	assert_true(session.row->is_idle(session.follow));
	session_fini(&session);
}

static void
D5_QUIT_completes_behind_more_than_can_run(void **state)
{
	struct session session;

	session_init(&session, &dialect_pop3);
	for (int i = 0; i < 200; i++)
		buf_add_text(&session.in[SIDE_CLIENT], "DELE 1\r\n");
	buf_add_text(&session.in[SIDE_CLIENT], "QUIT\r\n");
	session_pump(&session);
	session_end(&session);
	for (int i = 0; i < 64; i++)
		session_say(&session, SIDE_BACKEND, STR("+OK\r\n"));
	/* The others were refused: they came while it was ending. */
	assert_int_equal(session.follow->phase, FOLLOW_ENDING);
	session_say(&session, SIDE_BACKEND, STR("+OK bye\r\n"));
	assert_int_equal(session.follow->phase, FOLLOW_LEAVING);
	assert_int_equal(buf_len(&session.out[SIDE_BACKEND]), 64 * 8 + 6);
	assert_non_null(strstr(buf_cstr(&session.out[SIDE_CLIENT]), LATER "+OK bye\r\n"));
	session_fini(&session);
}

static void
C5_a_line_without_end_is_not_held(void **state)
{
	for (int side = 0; side < SIDE_COUNT; side++) {
		struct session session;
		size_t said = 0;

		session_init(&session, &dialect_pop3);
		for (; said < 100000 && session.follow->phase == FOLLOW_RUNNING; said++)
			session_say(&session, (enum side)side, STR("x"));
		assert_int_equal(session.follow->phase, FOLLOW_OVER);
		assert_int_equal(said, FOLLOW_HELD_MOST + 1);
		session_say(&session, SIDE_CLIENT, STR("\r\nNOOP\r\n"));
		assert_int_equal(buf_len(&session.out[SIDE_BACKEND]), 0);
		session_fini(&session);
	}
}

static void
D4_a_long_message_is_not_held(void **state)
{
	static const char *const lines[] = {"x", "abc\r\n", ".", "..\r\n", "\r", "x\r\n."};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct session session;
		size_t said = 0;

		session_init(&session, &dialect_pop3);
		session_say(&session, SIDE_CLIENT, STR("RETR 1\r\n"));
		session_say(&session, SIDE_BACKEND, STR("+OK\r\n"));
		for (; said < 100000; said += strlen(lines[i])) {
			session_say(&session, SIDE_BACKEND, str_of(lines[i]));
			assert_true(buf_len(&session.in[SIDE_BACKEND]) <= 2);
			buf_clear(&session.out[SIDE_CLIENT]);
		}
		session_say(&session, SIDE_BACKEND, STR("\r\n.\r\n"));
		assert_true(session.row->is_idle(session.follow));
		session_fini(&session);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(D5_sessions_pass_however_they_are_cut),
	    cmocka_unit_test(more_commands_than_can_run_wait),
	    cmocka_unit_test(D5_QUIT_completes_behind_more_than_can_run),
	    cmocka_unit_test(C5_a_line_without_end_is_not_held),
	    cmocka_unit_test(D4_a_long_message_is_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
