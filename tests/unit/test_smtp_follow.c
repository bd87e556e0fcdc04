/*
 * test_smtp_follow.c - a submission that passes
 *
 * Each row is a session: what both sides say, in turns, and what each of them
 * hears in the end. A turn is fed whole, byte by byte, and cut at every place; what
 * is to pass unseen is moved by the machine, or by a driver beside it.
 * Long because most of it is sessions, written out.
 */
#include "front/smtp_follow.h"

#include "base/mem.h"
#include "cuts.h"
#include "front/smtp_follow_inside.h"
#include "unit.h"

enum { TURNS_MOST = 16 };

#define C(bytes)                                                                                   \
	{                                                                                          \
		'C', STR(bytes)                                                                    \
	} /* the client says */
#define B(bytes)                                                                                   \
	{                                                                                          \
		'B', STR(bytes)                                                                    \
	} /* the backend says */
#define END                                                                                        \
	{                                                                                          \
		'E',                                                                               \
		{                                                                                  \
			"", 0                                                                      \
		}                                                                                  \
	} /* the session is to end */
#define BYE "421 4.3.2 This mailbox is being moved, connect again.\r\n"
#define LOST "421 4.7.0 Too many errors.\r\n"
#define UNKNOWN "500 5.5.2 Unknown command\r\n"
#define LOGGED_IN "503 5.5.1 Already logged in\r\n"
#define ENVELOPE "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
#define TAKEN "250 a\r\n250 c\r\n"
#define GO "354 go\r\n"
#define TEXT "Subject: x\r\n\r\n..\r\nMAIL FROM:<>\r\nQUIT\r\n.\r\n"

static const struct row {
	const char *name;
	struct turn {
		char who;
		struct str bytes;
	} turns[TURNS_MOST];
	struct str to_backend, to_client;
	enum follow_phase phase;
	bool is_busy; /* not idle, while it is running */
	bool no_chunking;
} rows[] = {
    /* what passes */
    {"nothing", {C("")}, STR(""), STR(""), FOLLOW_RUNNING, false, false},
    {"half a command", {C("MAIL FROM:<a@")}, STR(""), STR(""), FOLLOW_RUNNING, false, false},
    {"commands without consequences",
	{C("NOOP\r\nrset\r\nVRFY x\r\nHELP\r\n"),
	    B("250 n\r\n250 r\r\n252 v\r\n214-h\r\n214 h\r\n")},
	STR("NOOP\r\nrset\r\nVRFY x\r\nHELP\r\n"),
	STR("250 n\r\n250 r\r\n252 v\r\n214-h\r\n214 h\r\n"), FOLLOW_RUNNING, false, false},
    {"a reply is owed", {C("NOOP\r\nNOOP\r\n"), B("250 n\r\n")}, STR("NOOP\r\nNOOP\r\n"),
	STR("250 n\r\n"), FOLLOW_RUNNING, true, false},
    {"a reply is half said", {C("HELP\r\n"), B("214-h\r\n")}, STR("HELP\r\n"), STR("214-h\r\n"),
	FOLLOW_RUNNING, true, false},
    {"lines get a proper end", {C("NOOP\nRSET\n"), B("250 n\n250\n")}, STR("NOOP\r\nRSET\r\n"),
	STR("250 n\n250\n"), FOLLOW_RUNNING, false, false},
    {"an open transaction", {C(ENVELOPE), B(TAKEN)}, STR(ENVELOPE), STR(TAKEN), FOLLOW_RUNNING,
	true, false},
    {"one that was not taken", {C(ENVELOPE), B("550 a\r\n503 c\r\n")}, STR(ENVELOPE),
	STR("550 a\r\n503 c\r\n"), FOLLOW_RUNNING, false, false},
    {"one that was reset", {C(ENVELOPE "RSET\r\n"), B(TAKEN "250 r\r\n")}, STR(ENVELOPE "RSET\r\n"),
	STR(TAKEN "250 r\r\n"), FOLLOW_RUNNING, false, false},
    {"a message",
	{C(ENVELOPE "DATA\r\n"), B(TAKEN GO), C(TEXT), B("250 queued\r\n"), C("QUIT\r\n"),
	    B("221 bye\r\n")},
	STR(ENVELOPE "DATA\r\n" TEXT "QUIT\r\n"), STR(TAKEN GO "250 queued\r\n221 bye\r\n"),
	FOLLOW_RUNNING, true, false},
    {"an empty message", {C("DATA\r\n"), B(GO), C(".\r\n"), B("250 queued\r\n")},
	STR("DATA\r\n.\r\n"), STR(GO "250 queued\r\n"), FOLLOW_RUNNING, false, false},
    {"a message that was not taken", {C("DATA\r\n"), B("554 no\r\n"), C("RSET\r\n"), B("250\r\n")},
	STR("DATA\r\nRSET\r\n"), STR("554 no\r\n250\r\n"), FOLLOW_RUNNING, false, false},
    {"content that comes too early waits", {C(ENVELOPE "DATA\r\n" TEXT), B(TAKEN)},
	STR(ENVELOPE "DATA\r\n"), STR(TAKEN), FOLLOW_RUNNING, true, false},
    {"and is then seen to be some",
	{C(ENVELOPE "DATA\r\n" TEXT "QUIT\r\n"), B(TAKEN GO), B("250 queued\r\n")},
	STR(ENVELOPE "DATA\r\n" TEXT "QUIT\r\n"), STR(TAKEN GO "250 queued\r\n"), FOLLOW_RUNNING,
	true, false},
    {"two messages, pipelined",
	{C(ENVELOPE "DATA\r\n"), B(TAKEN GO), C(TEXT ENVELOPE "DATA\r\n"), B("250 one\r\n"),
	    B(TAKEN GO), C(".\r\nQUIT\r\n"), B("250 two\r\n"), B("221 bye\r\n")},
	STR(ENVELOPE "DATA\r\n" TEXT ENVELOPE "DATA\r\n.\r\nQUIT\r\n"),
	STR(TAKEN GO "250 one\r\n" TAKEN GO "250 two\r\n221 bye\r\n"), FOLLOW_RUNNING, true, false},
    {"nothing behind the end passes before its reply",
	{C("DATA\r\n"), B(GO), C(".\r\nXCLIENT LOGIN=bob\r\nNOOP\r\n")}, STR("DATA\r\n.\r\n"),
	STR(GO), FOLLOW_RUNNING, true, false},
    {"and then what may not is refused",
	{C("DATA\r\n"), B(GO), C(".\r\nXCLIENT LOGIN=bob\r\nNOOP\r\n"), B("250 queued\r\n"),
	    B("250 n\r\n")},
	STR("DATA\r\n.\r\nNOOP\r\n"), STR(GO "250 queued\r\n" UNKNOWN "250 n\r\n"), FOLLOW_RUNNING,
	false, false},
    {"bytes above 0x7f", {C("MAIL FROM:<j\xc3\xb6@b> SMTPUTF8\r\n"), B("250\r\n")},
	STR("MAIL FROM:<j\xc3\xb6@b> SMTPUTF8\r\n"), STR("250\r\n"), FOLLOW_RUNNING, true, false},

    /* ends that are none for everybody */
    {"an end that is one for this backend",
	{C("DATA\r\n"), B(GO), C("a\n.\n"), B("250 queued\r\n"), C("NOOP\r\n"), B("250\r\n")},
	STR("DATA\r\na\n.\nNOOP\r\n"), STR(GO "250 queued\r\n250\r\n"), FOLLOW_RUNNING, false,
	false},
    {"with something pipelined, which waits",
	{C("DATA\r\n"), B(GO), C("a\n.\r\nAUTH PLAIN x\r\nQUIT\r\n"), B("250 queued\r\n"),
	    B("221 bye\r\n")},
	STR("DATA\r\na\n.\r\nQUIT\r\n"), STR(GO "250 queued\r\n" LOGGED_IN "221 bye\r\n"),
	FOLLOW_RUNNING, true, false},
    {"smuggled commands, which were content for this backend",
	{C("DATA\r\n"), B(GO), C("a\r\n.\nMAIL FROM:<boss@b>\r\n\r\n.\r\nNOOP\r\n")},
	STR("DATA\r\na\r\n.\n"),
	STR(GO "550 5.5.2 A dot stands alone on a line that has no proper "
	       "end\r\n"),
	FOLLOW_OVER, false, false},
    {"the backend saw an end that was none",
	{C("DATA\r\n"), B(GO), C("a\r\n"), B("250 queued\r\n"), C("XCLIENT LOGIN=bob\r\n")},
	STR("DATA\r\na\r\n"), STR(GO "250 queued\r\n"), FOLLOW_OVER, false, false},
    {"or had enough", {C("DATA\r\n"), B(GO), C("a\r\n"), B("552-too\r\n552 large\r\n"), C("b\r\n")},
	STR("DATA\r\na\r\n"), STR(GO "552-too\r\n552 large\r\n"), FOLLOW_OVER, false, false},

    /* chunks */
    {"chunks",
	{C(ENVELOPE "BDAT 6\r\na\r\n.\r\nBDAT 0\r\nBDAT 5 LAST\r\nQUIT\nNOOP\r\n"),
	    B(TAKEN "250 6\r\n250 0\r\n250 queued\r\n250 n\r\n")},
	STR(ENVELOPE "BDAT 6\r\na\r\n.\r\nBDAT 0\r\nBDAT 5 LAST\r\nQUIT\nNOOP\r\n"),
	STR(TAKEN "250 6\r\n250 0\r\n250 queued\r\n250 n\r\n"), FOLLOW_RUNNING, false, false},
    {"a chunk that is on its way", {C("BDAT 5 LAST\r\nQU"), B("552 large\r\n")},
	STR("BDAT 5 LAST\r\nQU"), STR("552 large\r\n"), FOLLOW_RUNNING, true, false},
    {"a chunk that is refused early passes to its end",
	{C("BDAT 5 LAST\r\nQU"), B("552 large\r\n"), C("IT\nNOOP\r\n"), B("250\r\n")},
	STR("BDAT 5 LAST\r\nQUIT\nNOOP\r\n"), STR("552 large\r\n250\r\n"), FOLLOW_RUNNING, false,
	false},
    {"a backend without chunks would take them for commands",
	{C("NOOP\r\nBDAT 20 LAST\r\nXCLIENT LOGIN=bob\r\n\nNOOP\r\n"), B("250\r\n"), B("250\r\n")},
	STR("NOOP\r\nNOOP\r\n"), STR("250\r\n502 5.5.1 Not here\r\n250\r\n"), FOLLOW_RUNNING, false,
	true},
    {"an empty one, too", {C("BDAT 0\r\nNOOP\r\n"), B("250\r\n")}, STR("NOOP\r\n"),
	STR("502 5.5.1 Not here\r\n250\r\n"), FOLLOW_RUNNING, false, true},
    {"its EHLO may tell of them",
	{C("EHLO x\r\nBDAT 5 LAST\r\nQUIT\n"), B("250-x\r\n250 CHUNKING\r\n"), B("250 q\r\n")},
	STR("EHLO x\r\nBDAT 5 LAST\r\nQUIT\n"), STR("250-x\r\n250 CHUNKING\r\n250 q\r\n"),
	FOLLOW_RUNNING, false, true},
    {"or not any more", {C("HELO x\r\nBDAT 5 LAST\r\nQUIT\n"), B("250 CHUNKING\r\n")},
	STR("HELO x\r\n"), STR("250 CHUNKING\r\n502 5.5.1 Not here\r\n"), FOLLOW_RUNNING, false,
	false},
    {"C4 sizes that are none",
	{C("BDAT\r\nBDAT -1\r\nBDAT 4294967297 LAST\r\nBDAT 010\r\nBDAT 1 2\r\n")}, STR(""),
	STR("501 5.5.4 No size of a chunk\r\n501 5.5.4 No size of a chunk\r\n"
	    "501 5.5.4 No size of a chunk\r\n501 5.5.4 No size of a chunk\r\n"
	    "501 5.5.4 No size of a chunk\r\n"),
	FOLLOW_RUNNING, false, false},

    /* what does not pass */
    {"commands that would end the authenticated state, or hide boundaries",
	{C("AUTH PLAIN x\r\nstarttls\r\nXCLIENT LOGIN=bob\r\nxforward ADDR=192.0.2.1\r\n"
	   "BURL x LAST\r\nETRN x\r\nTURN\r\nXEXCH50 10 2\r\nEXPN x\r\n")},
	STR(""), STR(LOGGED_IN LOGGED_IN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN),
	FOLLOW_RUNNING, false, false},
    {"however they are written",
	{C(" XCLIENT x\r\n\tXCLIENT x\r\nXCLIENT\tx\r\nNOOP \rXCLIENT x\r\nNOOP x\r\r\n"
	   "NO\0OP\r\nNOOP\0\r\n\r\nMAIL\tFROM:<>\r\n")},
	STR(""), STR(UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN),
	FOLLOW_RUNNING, false, false},
    {"a refusal waits for the replies that are owed",
	{C(ENVELOPE "XCLIENT x\r\nNOOP\r\n"), B("250 a\r\n250-c\r\n"), B("250 c\r\n"),
	    B("250\r\n")},
	STR(ENVELOPE "NOOP\r\n"), STR("250 a\r\n250-c\r\n250 c\r\n" UNKNOWN "250\r\n"),
	FOLLOW_RUNNING, true, false},
    {"EHLO is filtered",
	{C("EHLO x\r\nNOOP\r\n"),
	    B("250-b1.test XCLIENT\r\n250-SIZE 10\r\n250-AUTH PLAIN\r\n250-xclient ADDR\r\n"
	      "250-XFORWARD ADDR\r\n250-VRFY\r\n250-\r\n250-DSN\r\n250 STARTTLS\r\n"),
	    B("250\r\n")},
	STR("EHLO x\r\nNOOP\r\n"), STR("250-b1.test XCLIENT\r\n250-SIZE 10\r\n250 DSN\r\n250\r\n"),
	FOLLOW_RUNNING, false, false},
    {"with nothing left", {C("ehlo x\r\n"), B("250-b1.test\n250 ETRN\n")}, STR("ehlo x\r\n"),
	STR("250 b1.test\r\n"), FOLLOW_RUNNING, false, false},
    {"EHLO is held until it is whole", {C("NOOP\r\nEHLO x\r\n"), B("250\r\n250-x\r\n250-SIZE\r\n")},
	STR("NOOP\r\nEHLO x\r\n"), STR("250\r\n"), FOLLOW_RUNNING, true, false},
    {"EHLO that is refused", {C("EHLO\r\n"), B("501-a\r\n501 b\r\n")}, STR("EHLO\r\n"),
	STR("501-a\r\n501 b\r\n"), FOLLOW_RUNNING, false, false},
    {"EHLO closes a transaction", {C(ENVELOPE "EHLO x\r\n"), B(TAKEN "250 x\r\n")},
	STR(ENVELOPE "EHLO x\r\n"), STR(TAKEN "250 x\r\n"), FOLLOW_RUNNING, false, false},

    /* a backend that goes, or is none */
    {"the backend ends unasked", {B("421 4.4.2 timeout\r\n")}, STR(""),
	STR("421 4.4.2 timeout\r\n"), FOLLOW_RUNNING, false, false},
    {"the backend ends in the middle of content",
	{C("DATA\r\n"), B(GO), C("a\r\n"), B("421 4.3.2 bye\r\n"), C("b\r\n")},
	STR("DATA\r\na\r\nb\r\n"), STR(GO "421 4.3.2 bye\r\n"), FOLLOW_RUNNING, true, false},
    {"a reply to nothing", {C("NOOP\r\n"), B("250\r\n250 more\r\n")}, STR("NOOP\r\n"),
	STR("250\r\n" LOST), FOLLOW_OVER, false, false},
    {"D1 what is no reply", {C("NOOP\r\n"), B("* OK\r\n")}, STR("NOOP\r\n"), STR(""), FOLLOW_OVER,
	false, false},
    {"D1 and nobody asked", {B("hello\r\n")}, STR(""), STR(LOST), FOLLOW_OVER, false, false},
    {"D1 what is no reply to EHLO", {C("EHLO x\r\n"), B("250-x\r\nSIZE\r\n")}, STR("EHLO x\r\n"),
	STR(""), FOLLOW_OVER, false, false},

    /* the end */
    {"D5 nothing was said", {END, C("NOOP\r\n"), B("221\r\n")}, STR("QUIT\r\n"), STR(BYE),
	FOLLOW_LEAVING, false, false},
    {"D5 half a command was said", {C("MAIL FR"), END, C("OM:<>\r\n")}, STR("QUIT\r\n"), STR(BYE),
	FOLLOW_LEAVING, false, false},
    {"D5 while a command runs", {C("NOOP\r\n"), END, C("NOOP\r\n"), B("250-a\r\n250 b\r\n")},
	STR("NOOP\r\nQUIT\r\n"), STR("250-a\r\n250 b\r\n" BYE), FOLLOW_LEAVING, false, false},
    {"D5 while several run", {C("NOOP\r\nVRFY x\r\n"), END, B("250\r\n"), B("252\r\n")},
	STR("NOOP\r\nVRFY x\r\nQUIT\r\n"), STR("250\r\n252\r\n" BYE), FOLLOW_LEAVING, false, false},
    {"D5 behind a message that has not been answered",
	{C("DATA\r\n"), B(GO), C("a\r\n.\r\n"), END, C("MAIL FROM:<>\r\n"), B("250 queued\r\n")},
	STR("DATA\r\na\r\n.\r\nQUIT\r\n"), STR(GO "250 queued\r\n" BYE), FOLLOW_LEAVING, false,
	false},
    {"D5 during DATA: it is completed",
	{C(ENVELOPE "DATA\r\n"), B(TAKEN GO), C("a\r\n"), END, C("b\r\n.\r\nQUIT\r\n"),
	    B("250 queued\r\n")},
	STR(ENVELOPE "DATA\r\na\r\nb\r\n.\r\nQUIT\r\n"), STR(TAKEN GO "250 queued\r\n" BYE),
	FOLLOW_LEAVING, false, false},
    {"D5 during DATA: not before",
	{C(ENVELOPE "DATA\r\n"), B(TAKEN GO), C("a\r\n"), END, END, C("b\r\n.\r\n")},
	STR(ENVELOPE "DATA\r\na\r\nb\r\n.\r\n"), STR(TAKEN GO), FOLLOW_ENDING, false, false},
    {"D5 before content that was promised",
	{C(ENVELOPE "DATA\r\n"), END, END, B(TAKEN GO), C(".\r\n"), B("250 queued\r\n")},
	STR(ENVELOPE "DATA\r\n.\r\nQUIT\r\n"), STR(TAKEN GO "250 queued\r\n" BYE), FOLLOW_LEAVING,
	false, false},
    {"D5 in an open transaction: it is completed",
	{C(ENVELOPE), B(TAKEN), END, C("RCPT TO:<e@f>\r\nDATA\r\n"), B("250 e\r\n"), B(GO), C(TEXT),
	    B("250 queued\r\n")},
	STR(ENVELOPE "RCPT TO:<e@f>\r\nDATA\r\n" TEXT "QUIT\r\n"),
	STR(TAKEN "250 e\r\n" GO "250 queued\r\n" BYE), FOLLOW_LEAVING, false, false},
    {"D5 in one that is given up", {C(ENVELOPE), B(TAKEN), END, C("RSET\r\n"), B("250\r\n")},
	STR(ENVELOPE "RSET\r\nQUIT\r\n"), STR(TAKEN "250\r\n" BYE), FOLLOW_LEAVING, false, false},
    {"D5 in one that the client leaves",
	{C(ENVELOPE), B(TAKEN), END, C("QUIT\r\n"), B("221 x\r\n")}, STR(ENVELOPE "QUIT\r\n"),
	STR(TAKEN "221 x\r\n"), FOLLOW_LEAVING, false, false},
    {"D5 in one whose client is silent", {C(ENVELOPE), B(TAKEN), END, END},
	STR(ENVELOPE "QUIT\r\n"), STR(TAKEN BYE), FOLLOW_LEAVING, false, false},
    {"D5 in one that has begun while it was asked", {C(ENVELOPE), END, B(TAKEN)}, STR(ENVELOPE),
	STR(TAKEN), FOLLOW_ENDING, false, false},
    {"D5 in one that was refused", {C(ENVELOPE), END, B("550 a\r\n503 c\r\n")},
	STR(ENVELOPE "QUIT\r\n"), STR("550 a\r\n503 c\r\n" BYE), FOLLOW_LEAVING, false, false},
    {"D5 commands that come one by one then",
	{C(ENVELOPE), B(TAKEN), END, C("RCPT TO:<e@f>\r\nRSET\r\nMAIL FROM:<>\r\n"), B("250\r\n"),
	    B("250\r\n")},
	STR(ENVELOPE "RCPT TO:<e@f>\r\nRSET\r\nQUIT\r\n"), STR(TAKEN "250\r\n250\r\n" BYE),
	FOLLOW_LEAVING, false, false},
    {"D5 between chunks: it is completed",
	{C(ENVELOPE "BDAT 3\r\nabc"), B(TAKEN "250\r\n"), END, END, C("BDAT 2 LAST\r\nde"),
	    B("250 queued\r\n")},
	STR(ENVELOPE "BDAT 3\r\nabcBDAT 2 LAST\r\ndeQUIT\r\n"),
	STR(TAKEN "250\r\n250 queued\r\n" BYE), FOLLOW_LEAVING, false, false},
    {"D5 inside a chunk",
	{C(ENVELOPE "BDAT 3 LAST\r\na"), END, C("bcMAIL FROM:<>\r\n"), B(TAKEN "250 queued\r\n")},
	STR(ENVELOPE "BDAT 3 LAST\r\nabcQUIT\r\n"), STR(TAKEN "250 queued\r\n" BYE), FOLLOW_LEAVING,
	false, false},
    {"D5 inside a chunk that failed early",
	{C("BDAT 3 LAST\r\na"), END, B("503 x\r\n"), C("bcNOOP\r\n")},
	STR("BDAT 3 LAST\r\nabcQUIT\r\n"), STR("503 x\r\n" BYE), FOLLOW_LEAVING, false, false},
    {"D5 behind a chunk of which nothing will become",
	{C(ENVELOPE "BDAT 3\r\nabc"), B(TAKEN "452 full\r\n"), END, END},
	STR(ENVELOPE "BDAT 3\r\nabcQUIT\r\n"), STR(TAKEN "452 full\r\n" BYE), FOLLOW_LEAVING, false,
	false},
    {"D5 inside a chunk that does not pass", {C("BDAT 3\r\na"), END, C("bc")}, STR("QUIT\r\n"),
	STR("502 5.5.1 Not here\r\n" BYE), FOLLOW_LEAVING, false, true},
    {"D5 while the client leaves", {C("QUIT\r\n"), END, B("221 x\r\n")}, STR("QUIT\r\n"),
	STR("221 x\r\n"), FOLLOW_LEAVING, false, false},
    {"D5 behind QUIT", {C("QUIT\r\n"), B("221 x\r\n"), END}, STR("QUIT\r\n"), STR("221 x\r\n"),
	FOLLOW_LEAVING, false, false},
    {"D5 QUIT behind pipelined commands keeps every reply",
	{C("NOOP\r\nQUIT\r\n"), END, B("250\r\n221 x\r\n")}, STR("NOOP\r\nQUIT\r\n"),
	STR("250\r\n221 x\r\n"), FOLLOW_LEAVING, false, false},
    {"D5 the backend ends first", {C("NOOP\r\nNOOP\r\n"), END, B("421-a\r\n421 b\r\n250 x\r\n")},
	STR("NOOP\r\nNOOP\r\n"), STR("421-a\r\n421 b\r\n"), FOLLOW_LEAVING, false, false},
    {"D5 the backend ended before", {B("421 b\r\n"), END}, STR("QUIT\r\n"), STR("421 b\r\n"),
	FOLLOW_LEAVING, false, false},
    {"D5 the backend is about to end", {B("421-a\r\n"), END, B("421 b\r\n")}, STR("QUIT\r\n"),
	STR("421-a\r\n421 b\r\n"), FOLLOW_LEAVING, false, false},
    {"D5 421 to a recipient is not the end of every server",
	{C(ENVELOPE), B("250 a\r\n421 c\r\n"), C("RCPT TO:<e@f>\r\nNOOP\r\n"), B("250 e\r\n"), END,
	    B("250 n\r\n"), END},
	STR(ENVELOPE "RCPT TO:<e@f>\r\nNOOP\r\nQUIT\r\n"),
	STR("250 a\r\n421 c\r\n250 e\r\n250 n\r\n" BYE), FOLLOW_LEAVING, false, false},
    {"D5 in the middle of a refused line", {C("XCLIENT AD"), END, C("DR=x\r\n")}, STR("QUIT\r\n"),
	STR(BYE), FOLLOW_LEAVING, false, false},
    {"D5 while EHLO is held", {C("EHLO x\r\n"), END, B("250-x\r\n"), B("250 VRFY\r\n")},
	STR("EHLO x\r\nQUIT\r\n"), STR("250 x\r\n" BYE), FOLLOW_LEAVING, false, false},
};

/* ---- a session */

struct session {
	struct follow *follow;
	struct buf in[SIDE_COUNT], out[SIDE_COUNT]; /* by whom it comes from, and goes to */
	bool has_driver; /* that moves what is unseen */
};

static void
session_init(struct session *session, bool has_driver, bool no_chunking)
{
	struct offer *offer = offer_new();

	*session = (struct session){.follow = smtp_follow_new(), .has_driver = has_driver};
	if (!no_chunking)
		assert_true(offer_add(offer, STR("CHUNKING"), STR("")));
	smtp_follow_learn(session->follow, offer);
	offer_free(&offer);
}

static void
session_fini(struct session *session)
{
	smtp_follow_free(session->follow);
	for (int i = 0; i < SIDE_COUNT; i++) {
		buf_fini(&session->in[i]);
		buf_fini(&session->out[i]);
	}
}

/* Whatever the machine does not have to see. */
static bool
move(struct session *session, enum side from)
{
	uint64_t *unseen = &session->follow->unseen[from];
	struct str bytes = buf_str(&session->in[from]);
	size_t n = bytes.len < *unseen ? bytes.len : (size_t)*unseen;

	if (!session->has_driver || n == 0)
		return false;
	buf_add(&session->out[!from], bytes.ptr, n);
	buf_consume(&session->in[from], n);
	*unseen -= n;
	return true;
}

static void
pump(struct session *session)
{
	bool moved;

	do {
		moved = false;
		for (int from = 0; from < SIDE_COUNT; from++) {
			moved |= move(session, (enum side)from);
			moved |= smtp_follow_pass(session->follow, (enum side)from,
			    &session->in[from], &session->out[!from], &session->out[from]);
		}
	} while (moved);
}

static void
end(struct session *session)
{
	smtp_follow_end(session->follow, BYE_MOVED, &session->out[SIDE_CLIENT],
	    &session->out[SIDE_BACKEND]);
	pump(session);
}

static void
say(struct session *session, enum side who, struct str bytes)
{
	buf_add_str(&session->in[who], bytes);
	pump(session);
}

static void
take_turn(struct session *session, const struct turn *turn, size_t way)
{
	struct cuts cuts = {turn->bytes.len, way};

	if (turn->who == 'E')
		end(session);
	for (size_t at = 0, n; at < turn->bytes.len; at += n) {
		n = cuts_piece(&cuts, at);
		say(session, turn->who == 'C' ? SIDE_CLIENT : SIDE_BACKEND,
		    str_make(turn->bytes.ptr + at, n));
	}
}

static void
check(const struct session *session, const struct row *row, size_t turn, size_t way)
{
	if (!str_eq(buf_str(&session->out[SIDE_BACKEND]), row->to_backend) ||
	    !str_eq(buf_str(&session->out[SIDE_CLIENT]), row->to_client) ||
	    session->follow->phase != row->phase ||
	    (row->phase == FOLLOW_RUNNING && smtp_follow_is_idle(session->follow) == row->is_busy))
		fail_msg("%s, turn %zu, way %zu: phase %d, to the backend:\n%.*s\nto the client:\n"
			 "%.*s",
		    row->name, turn, way, session->follow->phase,
		    STR_FMT(buf_str(&session->out[SIDE_BACKEND])),
		    STR_FMT(buf_str(&session->out[SIDE_CLIENT])));
}

/* All turns, the one given cut in this way; turn TURNS_MOST: all of them are. */
static void
hold(const struct row *row, size_t cut_turn, size_t way, bool has_driver)
{
	struct session session;

	session_init(&session, has_driver, row->no_chunking);
	for (size_t i = 0; i < TURNS_MOST && row->turns[i].who != '\0'; i++)
		take_turn(&session, &row->turns[i],
		    i == cut_turn || cut_turn == TURNS_MOST ? way : 1);
	check(&session, row, cut_turn, way);
	session_fini(&session);
}

static void
sessions_pass_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t turn = 0; turn < TURNS_MOST; turn++) {
			for (struct cuts cuts = {.len = rows[i].turns[turn].bytes.len};
			     cuts_next(&cuts);) {
				hold(&rows[i], turn, cuts.way, false);
				hold(&rows[i], turn, cuts.way, true);
			}
		}
		hold(&rows[i], TURNS_MOST, 2, false);
		hold(&rows[i], TURNS_MOST, 2, true);
	}
}

/* ---- D5 at every place */

/* A submission of two messages, as client and backend say it in turns. */
static const struct turn script[] = {C(ENVELOPE "DATA\r\n"), B(TAKEN GO),
    C("Subject: x\r\n\r\na\r\n.\r\n"), B("250 one\r\n"), C("MAIL FROM:<a@b>\r\n"), B("250 a\r\n"),
    C("RCPT TO:<c@d>\r\n"), B("250 c\r\n"), C("BDAT 3\r\nabc"), B("250 3\r\n"),
    C("BDAT 2 LAST\r\nde"), B("250 two\r\n")};

static size_t
count_of(const struct buf *out, const char *text)
{
	struct str rest = buf_str(out);
	size_t count = 0;

	for (; rest.len > 0; rest = str_from(rest, 1))
		count += str_starts(rest, text);
	return count;
}

/*
 * The end comes behind the "at"th byte of the script, and the rest of it is said as
 * long as somebody listens. A message whose end has reached the backend has its reply
 * with the client, and each is whole or not there.
 */
static void
end_at(size_t at)
{
	struct session session;
	size_t said = 0;

	session_init(&session, at % 2 == 0, false);
	for (size_t i = 0; i < ARRAY_LEN(script); i++) {
		enum side side = script[i].who == 'C' ? SIDE_CLIENT : SIDE_BACKEND;

		/* A backend answers what it has heard, and a client that was told to go goes. */
		if (session.follow->phase == FOLLOW_LEAVING)
			break;
		for (size_t j = 0; j < script[i].bytes.len; j++, said++) {
			if (said == at)
				end(&session);
			if (session.follow->phase == FOLLOW_LEAVING)
				break;
			say(&session, side, str_make(script[i].bytes.ptr + j, 1));
		}
	}
	if (said <= at)
		end(&session);
	assert_int_equal(session.follow->phase, FOLLOW_LEAVING);
	assert_int_equal(count_of(&session.out[SIDE_CLIENT], BYE), 1);
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "QUIT\r\n"), 1);
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "\r\n.\r\n"),
	    count_of(&session.out[SIDE_CLIENT], "250 one\r\n"));
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "LAST\r\nde"),
	    count_of(&session.out[SIDE_CLIENT], "250 two\r\n"));
	/* What was begun was completed: nothing is half said to the backend. */
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "DATA\r\n"),
	    count_of(&session.out[SIDE_CLIENT], "250 one\r\n"));
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "BDAT 3\r\n"),
	    count_of(&session.out[SIDE_CLIENT], "250 two\r\n"));
	session_fini(&session);
}

static void
D5_a_message_is_whole_or_not_there_whenever_the_end_comes(void **state)
{
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(script); i++)
		len += script[i].bytes.len;
	for (size_t at = 0; at <= len; at++)
		end_at(at);
}

/* ---- long ones */

static void
add_many(struct buf *buf, char c, size_t n)
{
	while (n-- > 0)
		buf_add_byte(buf, c);
}

static void
D4_content_is_not_held(void **state)
{
	struct session session;

	session_init(&session, false, false);
	say(&session, SIDE_CLIENT, STR("DATA\r\n"));
	say(&session, SIDE_BACKEND, STR(GO));
	for (int i = 0; i < 1000; i++) {
		add_many(&session.in[SIDE_CLIENT], i % 3 == 0 ? '.' : 'x', 10000);
		pump(&session);
		assert_in_range(buf_len(&session.in[SIDE_CLIENT]), 0, SMTP_HELD_MOST);
		buf_clear(&session.out[SIDE_BACKEND]);
	}
	say(&session, SIDE_CLIENT, STR("\r\n.\r\nNOOP\r\n"));
	assert_int_equal(buf_len(&session.in[SIDE_CLIENT]), strlen("NOOP\r\n"));
	say(&session, SIDE_BACKEND, STR("250\r\n250\r\n"));
	assert_true(smtp_follow_is_idle(session.follow));
	session_fini(&session);
}

/* The driver moves them; a chunk has one line of bookkeeping. */
static void
D4_large_chunks_are_counted_and_not_seen(void **state)
{
	struct session session;

	session_init(&session, false, false);
	say(&session, SIDE_CLIENT, STR("BDAT 2000000000 LAST\r\nabc"));
	assert_int_equal(session.follow->unseen[SIDE_CLIENT], 1999999997);
	assert_int_equal(session.follow->unseen[SIDE_BACKEND], 0);
	assert_false(smtp_follow_is_idle(session.follow));
	session.follow->unseen[SIDE_CLIENT] = 0;
	say(&session, SIDE_BACKEND, STR("250 queued\r\n"));
	assert_true(smtp_follow_is_idle(session.follow));
	session_fini(&session);
}

static void
C5_what_has_to_be_held_has_a_limit(void **state)
{
	static const struct {
		const char *asks;
		enum side who;
		const char *begin, *more;
		const char *words; /* that the client gets */
	} floods[] = {
	    {"", SIDE_CLIENT, "", "(", LOST},
	    {"", SIDE_CLIENT, "MAIL FROM:<", "x", LOST},
	    {"", SIDE_BACKEND, "250 ", "x", LOST},
	    {"NOOP\r\n", SIDE_BACKEND, "250 ", "x", ""},
	    {"EHLO x\r\n", SIDE_BACKEND, "250-", "x", ""},
	    {"EHLO x\r\n", SIDE_BACKEND, "250-x\r\n", "250-SIZE\r\n", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		struct session session;
		size_t said = 0;

		session_init(&session, false, false);
		say(&session, SIDE_CLIENT, str_of(floods[i].asks));
		say(&session, floods[i].who, str_of(floods[i].begin));
		while (session.follow->phase == FOLLOW_RUNNING && said < 1000000) {
			say(&session, floods[i].who, str_of(floods[i].more));
			said += strlen(floods[i].more);
		}
		assert_int_equal(session.follow->phase, FOLLOW_OVER);
		assert_in_range(said, FOLLOW_HELD_MOST - 100, FOLLOW_HELD_MOST + 100);
		assert_string_equal(buf_cstr(&session.out[SIDE_CLIENT]), floods[i].words);
		session_fini(&session);
	}
}

static void
C5_an_end_in_doubt_holds_little(void **state)
{
	struct session session;

	session_init(&session, false, false);
	say(&session, SIDE_CLIENT, STR("DATA\r\n"));
	say(&session, SIDE_BACKEND, STR(GO));
	say(&session, SIDE_CLIENT, STR("a\n.\n"));
	add_many(&session.in[SIDE_CLIENT], 'x', FOLLOW_HELD_MOST);
	pump(&session);
	assert_int_equal(session.follow->phase, FOLLOW_RUNNING);
	say(&session, SIDE_CLIENT, STR("x"));
	assert_int_equal(session.follow->phase, FOLLOW_OVER);
	assert_string_equal(buf_cstr(&session.out[SIDE_BACKEND]), "DATA\r\na\n.\n");
	session_fini(&session);
}

static void
too_many_commands_wait(void **state)
{
	struct session session;

	session_init(&session, false, false);
	buf_add_text(&session.in[SIDE_CLIENT], "MAIL FROM:<a@b>\r\n");
	for (int i = 0; i < 1000; i++)
		buf_add_text(&session.in[SIDE_CLIENT], "RCPT TO:<c@d>\r\n");
	buf_add_text(&session.in[SIDE_CLIENT], "DATA\r\n");
	pump(&session);
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "\r\n"), ASKED_MOST);
	for (int i = 0; i < 1001; i++)
		say(&session, SIDE_BACKEND, STR("250 x\r\n"));
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "DATA\r\n"), 1);
	say(&session, SIDE_BACKEND, STR(GO));
	say(&session, SIDE_CLIENT, STR(".\r\n"));
	say(&session, SIDE_BACKEND, STR("250\r\n"));
	assert_int_equal(count_of(&session.out[SIDE_CLIENT], "250"), 1002);
	assert_true(smtp_follow_is_idle(session.follow));
	session_fini(&session);
}

static void
a_session_remembers_little(void **state)
{
	assert_in_range(sizeof(struct smtp_follow), 0, 128);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions_pass_however_they_are_cut),
	    cmocka_unit_test(D5_a_message_is_whole_or_not_there_whenever_the_end_comes),
	    cmocka_unit_test(D4_content_is_not_held),
	    cmocka_unit_test(D4_large_chunks_are_counted_and_not_seen),
	    cmocka_unit_test(C5_what_has_to_be_held_has_a_limit),
	    cmocka_unit_test(C5_an_end_in_doubt_holds_little),
	    cmocka_unit_test(too_many_commands_wait),
	    cmocka_unit_test(a_session_remembers_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
