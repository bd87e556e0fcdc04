/*
 * test_imap_follow.c - an IMAP session that passes
 *
 * Long, because half of it is rows.
 */
#include "front/imap_follow.h"

#include "follow_house.h"
#include "front/imap.h"
#include "front/imap_follow_inside.h"

#include <stdio.h>

#define BYE "* BYE [UNAVAILABLE] This mailbox is being moved, connect again.\r\n"
#define LOST "* BYE Too many errors.\r\n"
#define OUT "q LOGOUT\r\n"
#define LATER "NO [UNAVAILABLE] Try again later.\r\n"

static const struct follow_row_case rows[] = {
    /* what passes */
    {"nothing", {{0}}, STR(""), STR(""), FOLLOW_RUNNING, false},
    {"a command", {C("a NOOP\r\n"), B("a OK\r\n")}, STR("a NOOP\r\n"), STR("a OK\r\n"),
	FOLLOW_RUNNING, false},
    {"one that runs", {C("a NOOP\r\n"), B("* 3 EXISTS\r\n")}, STR("a NOOP\r\n"),
	STR("* 3 EXISTS\r\n"), FOLLOW_RUNNING, true},
    {"LF alone", {C("a NOOP\nb NOOP\n"), B("a OK\nb OK\n")}, STR("a NOOP\nb NOOP\n"),
	STR("a OK\nb OK\n"), FOLLOW_RUNNING, false},
    {"pipelined, answered in another order",
	{C("a NOOP\r\nb NOOP\r\nc NOOP\r\n"), B("b OK\r\na OK\r\n* X\r\nc NO\r\n")},
	STR("a NOOP\r\nb NOOP\r\nc NOOP\r\n"), STR("b OK\r\na OK\r\n* X\r\nc NO\r\n"),
	FOLLOW_RUNNING, false},
    {"the same tag waits for its answer", {C("a NOOP\r\na SELECT x\r\n"), B("a OK\r\n")},
	STR("a NOOP\r\na SELECT x\r\n"), STR("a OK\r\n"), FOLLOW_RUNNING, true},
    {"literals of the backend",
	{C("a FETCH 1 BODY[]\r\n"),
	    B("* 1 FETCH (BODY[] {8}\r\na OK\r\n\r\n X ~{3}\r\nb O Y {0}\r\n)\r\na OK\r\n")},
	STR("a FETCH 1 BODY[]\r\n"),
	STR("* 1 FETCH (BODY[] {8}\r\na OK\r\n\r\n X ~{3}\r\nb O Y {0}\r\n)\r\na OK\r\n"),
	FOLLOW_RUNNING, false},
    {"what only looks like literals of the backend",
	{C("a NOOP\r\n"),
	    B("* OK {9}\r\n* no {9}\r\n* X {9+}\r\n* X \"{9}\"\r\n* X {9} \r\na OK {9}\r\n")},
	STR("a NOOP\r\n"),
	STR("* OK {9}\r\n* no {9}\r\n* X {9+}\r\n* X \"{9}\"\r\n* X {9} \r\na OK {9}\r\n"),
	FOLLOW_RUNNING, false},
    {"and hides nothing",
	{C("a NOOP\r\nb NOOP\r\n"), B("* OK {40}\r\na OK {40}\r\n* BAD {40}\r\nb OK\r\n")},
	STR("a NOOP\r\nb NOOP\r\n"), STR("* OK {40}\r\na OK {40}\r\n* BAD {40}\r\nb OK\r\n"),
	FOLLOW_RUNNING, false},
    {"a literal that waits",
	{C("a APPEND x {9}\r\n"), B("* 1 EXISTS\r\n+ go\r\n"), C("b NOOP\r\nx\r\nc NOOP\r\n"),
	    B("a OK\r\nc OK\r\n")},
	STR("a APPEND x {9}\r\nb NOOP\r\nx\r\nc NOOP\r\n"),
	STR("* 1 EXISTS\r\n+ go\r\na OK\r\nc OK\r\n"), FOLLOW_RUNNING, false},
    {"several, of both kinds, and binary",
	{C("a APPEND x {1}\r\n"), B("+\r\n"), C("1 (~{2+}\r\n\r\n ~{3}\r\n"), B("+\r\n"),
	    C("333) {0}\r\n"), B("+ \r\n"), C("\r\n"), B("a OK\r\n")},
	STR("a APPEND x {1}\r\n1 (~{2+}\r\n\r\n ~{3}\r\n333) {0}\r\n\r\n"),
	STR("+\r\n+\r\n+ \r\na OK\r\n"), FOLLOW_RUNNING, false},
    {"a literal that is refused", {C("a APPEND x {9}\r\n"), B("a NO\r\n"), C("b NOOP\r\n")},
	STR("a APPEND x {9}\r\nb NOOP\r\n"), STR("a NO\r\n"), FOLLOW_RUNNING, true},
    {"what looks like a literal and is none: the backend says so",
	{C("a X \"{9}\r\n"), B("a BAD\r\n"), C("b NOOP\r\n"), B("b OK\r\n")},
	STR("a X \"{9}\r\nb NOOP\r\n"), STR("a BAD\r\nb OK\r\n"), FOLLOW_RUNNING, false},
    {"nothing passes while a literal waits", {C("a APPEND x {9}\r\nb NOOP\r\n")},
	STR("a APPEND x {9}\r\n"), STR(""), FOLLOW_RUNNING, true},
    {"answered while its literal comes",
	{C("a APPEND x {9+}\r\n123"), B("a NO\r\n"), C("456789\r\nb NOOP\r\n"), B("b OK\r\n")},
	STR("a APPEND x {9+}\r\n123456789\r\nb NOOP\r\n"), STR("a NO\r\nb OK\r\n"), FOLLOW_RUNNING,
	false},
    {"quoted strings in front of a literal", {C("a APPEND \"x\\\"\\\\\" {3+}\r\nabc\r\n")},
	STR("a APPEND \"x\\\"\\\\\" {3+}\r\nabc\r\n"), STR(""), FOLLOW_RUNNING, true},
    {"IDLE",
	{C("a IDLE\r\nDONE\r\nb NOOP\r\n"), B("* 1 EXISTS\r\n+ idling\r\n* 2 EXISTS\r\n"),
	    B("a OK\r\nb OK\r\n")},
	STR("a IDLE\r\nDONE\r\nb NOOP\r\n"),
	STR("* 1 EXISTS\r\n+ idling\r\n* 2 EXISTS\r\na OK\r\nb OK\r\n"), FOLLOW_RUNNING, false},
    {"IDLE, and it could end", {C("a idle\r\n"), B("+ idling\r\n")}, STR("a idle\r\n"),
	STR("+ idling\r\n"), FOLLOW_RUNNING, false},
    {"IDLE, not taken", {C("a IDLE\r\n"), B("a BAD\r\n"), C("b NOOP\r\n"), B("b OK\r\n")},
	STR("a IDLE\r\nb NOOP\r\n"), STR("a BAD\r\nb OK\r\n"), FOLLOW_RUNNING, false},
    {"IDLE, ended by the backend",
	{C("a IDLE\r\n"), B("+\r\na OK\r\n"), C("b NOOP\r\n"), B("b OK\r\n")},
	STR("a IDLE\r\nb NOOP\r\n"), STR("+\r\na OK\r\nb OK\r\n"), FOLLOW_RUNNING, false},
    {"only DONE follows IDLE", {C("a IDLE\r\n"), B("+\r\n"), C("b COMPRESS DEFLATE\r\nDone\r\n")},
	STR("a IDLE\r\nDone\r\n"), STR("+\r\n* BAD Only DONE can follow IDLE\r\n"), FOLLOW_RUNNING,
	true},
    {"a literal waits behind IDLE for its own leave",
	{C("a IDLE\r\nDONE\r\nb APPEND x {1}\r\nx\r\n"), B("+ idling\r\n"), B("a OK\r\n"),
	    B("+ go\r\n"), B("b OK\r\n")},
	STR("a IDLE\r\nDONE\r\nb APPEND x {1}\r\nx\r\n"),
	STR("+ idling\r\na OK\r\n+ go\r\nb OK\r\n"), FOLLOW_RUNNING, false},
    {"LOGOUT", {C("a LOGOUT\r\n"), B("* BYE\r\na OK\r\n")}, STR("a LOGOUT\r\n"),
	STR("* BYE\r\na OK\r\n"), FOLLOW_RUNNING, false},

    {"what a client says of itself, and not of its way",
	{C("a ID (\"name\" \"x\" \"X-Originating-IP\" \"192.0.2.1\" \"os\" NIL)\r\nb id nil\n"
	   "c Id (\"x-proxy-ttl\" \"9\" \"x-session-id\" \"a\\\"b\")\r\n"),
	    B("* ID NIL\r\na OK\r\nb OK\r\nc OK\r\n")},
	STR("a ID (\"name\" \"x\" \"os\" NIL)\r\nb ID NIL\r\nc ID NIL\r\n"),
	STR("* ID NIL\r\na OK\r\nb OK\r\nc OK\r\n"), FOLLOW_RUNNING, false},

    /* what does not pass */
    {"ID that is no list of quoted strings",
	{C("a ID\r\nb ID x\r\nc ID (\"a\" {1+}\r\nb)\r\nd ID (\"x\" \"y\"\r\n"
	   "e ID {15}\r\nf ID (\"x\ry\" \"z\")\r\ng NOOP\r\n")},
	STR("g NOOP\r\n"),
	STR("a BAD ID wants a list of quoted strings\r\nb BAD ID wants a list of quoted strings\r\n"
	    "c BAD ID wants a list of quoted strings\r\nd BAD ID wants a list of quoted strings\r\n"
	    "e BAD ID wants a list of quoted strings\r\nf BAD ID wants a list of quoted strings\r\n"),
	FOLLOW_RUNNING, true},
    {"commands that would end the authenticated state, or hide boundaries",
	{C("a LOGIN x y\r\nb AUTHENTICATE PLAIN\r\nc STARTTLS\r\nd compress DEFLATE\r\n"
	   "e Unauthenticate\r\nf NOOP\r\n")},
	STR("f NOOP\r\n"),
	STR("a BAD Already logged in\r\nb BAD Already logged in\r\nc BAD Already logged in\r\n"
	    "d NO [CANNOT] Not here\r\ne BAD Unknown command\r\n"),
	FOLLOW_RUNNING, true},
    {"with their literals",
	{C("a LOGIN {3+}\r\nb \r {3+}\r\nc N\r\nd LOGIN {3}\r\ne LOGIN x {3}\r\nf NOOP\r\n")},
	STR("f NOOP\r\n"),
	STR("a BAD Already logged in\r\nd BAD Already logged in\r\ne BAD Already logged in\r\n"),
	FOLLOW_RUNNING, true},
    {"what is no command",
	{C("\r\nx\r\na  UNAUTHENTICATE\r\n UNAUTHENTICATE\r\n* UNAUTHENTICATE\r\n"
	   "a UNAUTHENTICATE\tx\r\na UNAUTHENTICATE(\r\na \"UNAUTHENTICATE\"\r\n"
	   "a {14+}\r\nUNAUTHENTICATE\r\na NO\0OP\r\n{1+}\r\nx NOOP\r\nDONE\r\n"),
	    C("b NOOP\r\n")},
	STR("b NOOP\r\n"),
	STR("* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n"
	    "* BAD This is no command\r\n* BAD This is no command\r\n"),
	FOLLOW_RUNNING, true},
    {"a refusal does not fall into a line or literal",
	{C("a FETCH 1 BODY[]\r\n"), B("* 1 FETCH (BODY[] {9}\r\n123"), C("b COMPRESS x\r\n"),
	    B("456789 FLA"), B("GS ())\r\n"), B("a OK\r\n")},
	STR("a FETCH 1 BODY[]\r\n"),
	STR("* 1 FETCH (BODY[] {9}\r\n123456789 FLAGS ())\r\nb NO [CANNOT] Not here\r\na OK\r\n"),
	FOLLOW_RUNNING, false},
    {"a literal in a string that is open: here nobody knows who sees what",
	{C("a NOOP \"x {18+}\r\nb UNAUTHENTICATE\r\n")}, STR(""), STR(LOST), FOLLOW_OVER, true},
    {"a literal that stands behind nothing", {C("a NOOP x{18+}\r\nb UNAUTHENTICATE\r\n")}, STR(""),
	STR(LOST), FOLLOW_OVER, true},
    {"C4 a literal that no number holds", {C("a APPEND x {99999999999999999999}\r\n")}, STR(""),
	STR(LOST), FOLLOW_OVER, true},
    {"C4 in a refused command", {C("a LOGIN {99999999999999999999+}\r\n")}, STR(""),
	STR("a BAD Already logged in\r\n" LOST), FOLLOW_OVER, false},
    {"a command nobody saw was answered", {C("a NOOP\r\n"), B("a OK\r\nb OK\r\n* X\r\n")},
	STR("a NOOP\r\n"), STR("a OK\r\n" LOST), FOLLOW_OVER, false},
    {"a backend that says no IMAP", {B("hello\r\n")}, STR(""), STR(LOST), FOLLOW_OVER, false},
    {"an asterisk alone", {B("*\r\n")}, STR(""), STR(LOST), FOLLOW_OVER, false},
    {"an asterisk with something behind it", {B("*x y\r\n")}, STR(""), STR(LOST), FOLLOW_OVER,
	false},

    /* what is taken out */
    {"capabilities, untagged",
	{B("* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE IDLE  UNAUTHENTICATE auth=PLAIN STARTTLS "
	   "LOGINDISABLED X\r\n")},
	STR(""), STR("* CAPABILITY IMAP4rev1 IDLE X\r\n"), FOLLOW_RUNNING, false},
    {"capabilities in codes",
	{C("a X\r\n"), B("* OK [CAPABILITY COMPRESS=DEFLATE A] {9}\r\n* 1 EXISTS\r\n"
			 "a ok [capability A Compress=DEFLATE] COMPRESS=DEFLATE\r\n")},
	STR("a X\r\n"),
	STR("* OK [CAPABILITY A] {9}\r\n* 1 EXISTS\r\na ok [capability A] COMPRESS=DEFLATE\r\n"),
	FOLLOW_RUNNING, false},
    {"nothing left of them, and no end", {B("* CAPABILITY COMPRESS=DEFLATE\n* OK [CAPABILITY X\n")},
	STR(""), STR("* CAPABILITY \n* OK [CAPABILITY X\n"), FOLLOW_RUNNING, false},
    {"text that only looks like it", {B("* XCAPABILITY STARTTLS\r\n* OK [X] STARTTLS\r\n")},
	STR(""), STR("* XCAPABILITY STARTTLS\r\n* OK [X] STARTTLS\r\n"), FOLLOW_RUNNING, false},

    /* the end */
    {"D5 between commands", {C("a NOOP\r\n"), B("a OK\r\n"), END, B("* BYE\r\nq OK\r\n")},
	STR("a NOOP\r\n" OUT), STR("a OK\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 while a command runs",
	{C("a NOOP\r\n"), END, C("b NOOP\r\n"), B("* 1 EXISTS\r\na OK\r\n* X\r\n")},
	STR("a NOOP\r\n" OUT), STR("* 1 EXISTS\r\na OK\r\n" BYE "b " LATER), FOLLOW_LEAVING, false},
    {"D5 while several run",
	{C("a NOOP\r\nb NOOP\r\n"), END, B("b OK\r\n"), B("* X {3}\r\nabc\r\na OK\r\n")},
	STR("a NOOP\r\nb NOOP\r\n" OUT), STR("b OK\r\n* X {3}\r\nabc\r\na OK\r\n" BYE),
	FOLLOW_LEAVING, false},
    {"D5 in IDLE", {C("a IDLE\r\n"), B("+ idling\r\n"), END, B("* 2 EXISTS\r\na OK\r\n")},
	STR("a IDLE\r\nDONE\r\n" OUT), STR("+ idling\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 before IDLE has begun", {C("a IDLE\r\n"), END, B("+ idling\r\n")},
	STR("a IDLE\r\nDONE\r\n" OUT), STR("+ idling\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 in IDLE, while another command runs",
	{C("a X\r\nb IDLE\r\n"), B("+ idling\r\n"), END, B("* X\r\na OK\r\n")},
	STR("a X\r\nb IDLE\r\nDONE\r\n" OUT), STR("+ idling\r\n* X\r\na OK\r\n" BYE),
	FOLLOW_LEAVING, false},
    {"D5 behind DONE", {C("a IDLE\r\n"), B("+\r\n"), C("DONE\r\n"), END, B("a OK\r\n")},
	STR("a IDLE\r\nDONE\r\n" OUT), STR("+\r\na OK\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 a command half said is not done", {C("a SELE"), END, C("CT x\r\n")}, STR(OUT),
	STR(BYE "a " LATER), FOLLOW_LEAVING, false},
    {"D5 nor one that stays so", {C("a SELE"), END, C("CT x")}, STR(OUT), STR(BYE), FOLLOW_LEAVING,
	false},
    {"D5 a literal under way is completed",
	{C("a APPEND x {5}\r\n"), B("+\r\n"), C("12"), END, C("345 {2+}\r\n67\r\nb NOOP\r\n"),
	    B("a OK\r\n")},
	STR("a APPEND x {5}\r\n12345 {2+}\r\n67\r\n" OUT), STR("+\r\na OK\r\n" BYE "b " LATER),
	FOLLOW_LEAVING, false},
    {"D5 a literal that was promised is completed",
	{C("a APPEND x {5}\r\n"), END, B("+\r\n"), C("12345\r\n"), B("a OK\r\n")},
	STR("a APPEND x {5}\r\n12345\r\n" OUT), STR("+\r\na OK\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 or refused", {C("a APPEND x {5}\r\n"), END, B("a NO\r\n")}, STR("a APPEND x {5}\r\n" OUT),
	STR("a NO\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 answered before it was said: the rest is waited for",
	{C("a APPEND x {5+}\r\n12"), B("a NO\r\n"), END, C("345\r\nb NOOP\r\n")},
	STR("a APPEND x {5+}\r\n12345\r\n" OUT), STR("a NO\r\n" BYE "b " LATER), FOLLOW_LEAVING,
	false},
    {"D5 in a line of the backend",
	{B("* LIST () \"/\" a-name-of-more-than-thirty-bytes-so-that"), END,
	    B("-it-has-begun\r\n* LIST")},
	STR(OUT),
	STR("* LIST () \"/\" a-name-of-more-than-thirty-bytes-so-that-it-has-begun\r\n" BYE),
	FOLLOW_LEAVING, false},
    {"D5 in a literal of the backend", {B("* X {5}\r\n12"), END, B("345)\r\n* X {5}\r\n")},
	STR(OUT), STR("* X {5}\r\n12345)\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 in a refused command", {C("a LOGIN {5+}\r\n12"), END, C("345\r\n")}, STR(OUT),
	STR("a BAD Already logged in\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 LOGOUT while a command runs", {C("a NOOP\r\n"), END, C("b LOGOUT\r\n"), B("a OK\r\n")},
	STR("a NOOP\r\n" OUT), STR("a OK\r\n" BYE "b OK Logged out\r\n"), FOLLOW_LEAVING, false},
    {"D5 LOGOUT behind others",
	{C("a X\r\n"), END, C("b EXPUNGE\r\nc logout\nd NOOP\r\n"), B("a OK\r\n")},
	STR("a X\r\n" OUT), STR("a OK\r\n" BYE "b " LATER "c OK Logged out\r\nd " LATER),
	FOLLOW_LEAVING, false},
    {"D5 LOGOUT behind the last words", {C("a LOG"), END, C("OUT\r\n")}, STR(OUT),
	STR(BYE "a OK Logged out\r\n"), FOLLOW_LEAVING, false},
    {"D5 LOGOUT behind IDLE", {C("a IDLE\r\n"), B("+ idling\r\n"), END, C("DONE\r\nb LOGOUT\r\n")},
	STR("a IDLE\r\nDONE\r\n" OUT), STR("+ idling\r\n" BYE "b OK Logged out\r\n"),
	FOLLOW_LEAVING, true},
    {"D5 in IDLE only DONE is understood",
	{C("a IDLE\r\n"), B("+ idling\r\n"), END, C("b LOGOUT\r\n")}, STR("a IDLE\r\nDONE\r\n" OUT),
	STR("+ idling\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 LOGOUT in a literal is none",
	{C("a X\r\n"), END, C("b APPEND x {10+}\r\nc LOGOUT\r\n\r\nd LOGOUT\r\n"), B("a OK\r\n")},
	STR("a X\r\n" OUT), STR("a OK\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 LOGOUT behind a literal of a refused command",
	{C("a LOGIN {10+}\r\nc LOGO"), END, C("UT\r\n\r\nb LOGOUT\r\n")}, STR(OUT),
	STR("a BAD Already logged in\r\n" BYE "b OK Logged out\r\n"), FOLLOW_LEAVING, false},
    {"D5 nothing is answered behind what is no command",
	{C("a X\r\n"), END, C(" \r\nb LOGOUT\r\n"), B("a OK\r\n")}, STR("a X\r\n" OUT),
	STR("a OK\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 the backend leaves first", {C("a X\r\n"), END, B("* BYE\r\n")}, STR("a X\r\n"),
	STR("* BYE\r\n"), FOLLOW_ENDING, true},
};

static void
sessions_pass_however_they_are_cut(void **state)
{
	session_hold_all(&dialect_imap, NULL, rows, ARRAY_LEN(rows));
}

/* ---- long ones */

static void
long_lines_pass_in_pieces(void **state)
{
	struct session session;

	session_init(&session, &dialect_imap);
	session_say(&session, SIDE_CLIENT, STR("a UID FETCH "));
	session_say_many(&session, SIDE_CLIENT, '1', 8000);
	assert_int_equal(buf_len(&session.out[SIDE_BACKEND]), 0); /* it could still be dropped */
	session_say_many(&session, SIDE_CLIENT, '1', 300000);
	assert_in_range(buf_len(&session.out[SIDE_BACKEND]), 307900, 308012);
	assert_in_range(buf_len(&session.in[SIDE_CLIENT]), 0, 64);
	assert_false(session.row->is_idle(session.follow));
	session_say(&session, SIDE_CLIENT, STR(" {3+}\r\nb X\r\nb NOOP\r\n"));
	assert_int_equal(buf_len(&session.in[SIDE_CLIENT]), 0);
	session_say(&session, SIDE_BACKEND, STR("* 1 FETCH ("));
	session_say_many(&session, SIDE_BACKEND, 'x', 300000);
	assert_in_range(buf_len(&session.out[SIDE_CLIENT]), 299900, 300011);
	session_say(&session, SIDE_BACKEND, STR(" {4}\r\na OK)\r\na OK\r\n"));
	assert_false(session.row->is_idle(session.follow));
	session_say(&session, SIDE_BACKEND, STR("b OK\r\n"));
	assert_true(session.row->is_idle(session.follow));
	assert_int_equal(session.follow->phase, FOLLOW_RUNNING);
	session_fini(&session);
}

static void
C5_what_has_to_be_held_has_a_limit(void **state)
{
	static const char *const begins[] = {"* CAPABILITY ", "* OK [CAPABILITY ", ""};
	struct session session;

	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		session_init(&session, &dialect_imap);
		session_say(&session, SIDE_BACKEND, str_of(begins[i]));
		session_say_many(&session, SIDE_BACKEND, 'x', FOLLOW_HELD_MOST + 1);
		assert_int_equal(session.follow->phase, FOLLOW_OVER);
		session_fini(&session);
	}
	session_init(&session, &dialect_imap);
	session_say_many(&session, SIDE_CLIENT, '(', 1000000);
	assert_string_equal(buf_cstr(&session.out[SIDE_CLIENT]), "* BAD This is no command\r\n");
	assert_in_range(buf_len(&session.in[SIDE_CLIENT]), 0, 64);
	session_say(&session, SIDE_CLIENT, STR("\r\na NOOP\r\n"));
	assert_string_equal(buf_cstr(&session.out[SIDE_BACKEND]), "a NOOP\r\n");
	session_fini(&session);
	session_init(&session, &dialect_imap);
	session_say(&session, SIDE_CLIENT, STR("a IDLE\r\n"));
	session_say(&session, SIDE_BACKEND, STR("+\r\n"));
	session_say_many(&session, SIDE_CLIENT, 'D', FOLLOW_HELD_MOST);
	assert_int_equal(session.follow->phase, FOLLOW_OVER);
	session_fini(&session);
}

static void
a_long_refused_line_is_dropped_to_its_end(void **state)
{
	struct session session;

	session_init(&session, &dialect_imap);
	session_say(&session, SIDE_CLIENT, STR("a LOGIN "));
	session_say_many(&session, SIDE_CLIENT, 'x', 100000);
	session_say_many(&session, SIDE_CLIENT, 'x', 100000);
	session_say(&session, SIDE_CLIENT, STR(" {9+}\r\nb NOOP\r\n\r\r\nc NOOP\r\n"));
	assert_string_equal(buf_cstr(&session.out[SIDE_BACKEND]), "c NOOP\r\n");
	assert_string_equal(buf_cstr(&session.out[SIDE_CLIENT]), "a BAD Already logged in\r\n");
	session_fini(&session);
}

static void
D5_a_long_line_that_has_begun_is_completed(void **state)
{
	struct session session;

	session_init(&session, &dialect_imap);
	session_say(&session, SIDE_CLIENT, STR("a UID FETCH "));
	session_say_many(&session, SIDE_CLIENT, '1', 9000);
	session.row->end(session.follow, BYE_SHUTDOWN, &session.out[SIDE_CLIENT],
	    &session.out[SIDE_BACKEND]);
	assert_int_equal(session.follow->phase, FOLLOW_ENDING);
	session_say(&session, SIDE_CLIENT, STR("\r\nb NOOP\r\n"));
	assert_int_equal(buf_len(&session.in[SIDE_CLIENT]), strlen("b NOOP\r\n"));
	session_say(&session, SIDE_BACKEND, STR("a OK\r\n"));
	assert_int_equal(session.follow->phase, FOLLOW_LEAVING);
	assert_string_equal(buf_cstr(&session.out[SIDE_CLIENT]),
	    "a OK\r\n* BYE [UNAVAILABLE] Shutting down, connect again.\r\nb " LATER);
	session_fini(&session);
}

/* The driver moves them; a session of 4 GB has one line of bookkeeping. */
static void
D4_large_literals_are_counted_and_not_seen(void **state)
{
	struct session session;

	session_init(&session, &dialect_imap);
	session_say(&session, SIDE_CLIENT, STR("a FETCH 1 BODY[]\r\nb APPEND x {5000000000+}\r\n"));
	assert_int_equal(session.follow->unseen[SIDE_CLIENT], 5000000000);
	session_say(&session, SIDE_BACKEND, STR("* 1 FETCH (BODY[] {4294967296}\r\nabc"));
	assert_int_equal(session.follow->unseen[SIDE_BACKEND], 4294967293);
	session.follow->unseen[SIDE_BACKEND] = 0;
	session_say(&session, SIDE_BACKEND, STR(")\r\na OK\r\n"));
	session.follow->unseen[SIDE_CLIENT] = 0;
	session_say(&session, SIDE_CLIENT, STR("\r\n"));
	session_say(&session, SIDE_BACKEND, STR("b OK\r\n"));
	assert_true(session.row->is_idle(session.follow));
	session_fini(&session);
}

static void
too_many_commands_wait(void **state)
{
	char text[64];
	struct session session;
	size_t passed, answered;

	session_init(&session, &dialect_imap);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%d NOOP\r\n", i);
		buf_add_text(&session.in[SIDE_CLIENT], text);
	}
	session_pump(&session);
	passed = buf_len(&session.out[SIDE_BACKEND]);
	assert_in_range(passed, 300, 1000);
	for (answered = 0; answered < 1000; answered++) {
		snprintf(text, sizeof(text), "%zu OK\r\n", answered);
		session_say(&session, SIDE_BACKEND, str_of(text));
	}
	assert_int_equal(buf_len(&session.in[SIDE_CLIENT]), 0);
	assert_true(session.row->is_idle(session.follow));
	assert_int_equal(session.follow->phase, FOLLOW_RUNNING);
	session_fini(&session);
}

static void
a_session_remembers_little(void **state)
{
	assert_in_range(sizeof(struct imap_follow), 0, 400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions_pass_however_they_are_cut),
	    cmocka_unit_test(long_lines_pass_in_pieces),
	    cmocka_unit_test(C5_what_has_to_be_held_has_a_limit),
	    cmocka_unit_test(a_long_refused_line_is_dropped_to_its_end),
	    cmocka_unit_test(D5_a_long_line_that_has_begun_is_completed),
	    cmocka_unit_test(D4_large_literals_are_counted_and_not_seen),
	    cmocka_unit_test(too_many_commands_wait),
	    cmocka_unit_test(a_session_remembers_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
