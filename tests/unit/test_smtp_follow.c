/*
 * test_smtp_follow.c - a submission that passes
 *
 * Long, because half of it is rows.
 */
#include "front/smtp_follow.h"

#include "follow_house.h"
#include "front/smtp_follow_inside.h"
#include "front/submission.h"

#define BYE "421 4.3.2 This mailbox is being moved, connect again.\r\n"
#define LOST "421 4.7.0 Too many errors.\r\n"
#define UNKNOWN "500 5.5.2 Unknown command\r\n"
#define LOGGED_IN "503 5.5.1 Already logged in\r\n"
#define ENVELOPE "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
#define TAKEN "250 a\r\n250 c\r\n"
#define GO "354 go\r\n"
#define TEXT "Subject: x\r\n\r\n..\r\nMAIL FROM:<>\r\nQUIT\r\n.\r\n"

static const struct follow_row_case rows[] = {
    /* what passes */
    {"nothing", {C("")}, STR(""), STR(""), FOLLOW_RUNNING, false},
    {"half a command", {C("MAIL FROM:<a@")}, STR(""), STR(""), FOLLOW_RUNNING, false},
    {"commands without consequences",
	{C("NOOP\r\nrset\r\nVRFY x\r\nHELP\r\n"),
	    B("250 n\r\n250 r\r\n252 v\r\n214-h\r\n214 h\r\n")},
	STR("NOOP\r\nrset\r\nVRFY x\r\nHELP\r\n"),
	STR("250 n\r\n250 r\r\n252 v\r\n214-h\r\n214 h\r\n"), FOLLOW_RUNNING, false},
    {"a reply is owed", {C("NOOP\r\nNOOP\r\n"), B("250 n\r\n")}, STR("NOOP\r\nNOOP\r\n"),
	STR("250 n\r\n"), FOLLOW_RUNNING, true},
    {"a reply is half said", {C("HELP\r\n"), B("214-h\r\n")}, STR("HELP\r\n"), STR("214-h\r\n"),
	FOLLOW_RUNNING, true},
    {"lines get a proper end", {C("NOOP\nRSET\n"), B("250 n\n250\n")}, STR("NOOP\r\nRSET\r\n"),
	STR("250 n\n250\n"), FOLLOW_RUNNING, false},
    {"an open transaction", {C(ENVELOPE), B(TAKEN)}, STR(ENVELOPE), STR(TAKEN), FOLLOW_RUNNING,
	true},
    {"one that was not taken", {C(ENVELOPE), B("550 a\r\n503 c\r\n")}, STR(ENVELOPE),
	STR("550 a\r\n503 c\r\n"), FOLLOW_RUNNING, false},
    {"one that was reset", {C(ENVELOPE "RSET\r\n"), B(TAKEN "250 r\r\n")}, STR(ENVELOPE "RSET\r\n"),
	STR(TAKEN "250 r\r\n"), FOLLOW_RUNNING, false},
    {"a message",
	{C(ENVELOPE "DATA\r\n"), B(TAKEN GO), C(TEXT), B("250 queued\r\n"), C("QUIT\r\n"),
	    B("221 bye\r\n")},
	STR(ENVELOPE "DATA\r\n" TEXT "QUIT\r\n"), STR(TAKEN GO "250 queued\r\n221 bye\r\n"),
	FOLLOW_RUNNING, true},
    {"an empty message", {C("DATA\r\n"), B(GO), C(".\r\n"), B("250 queued\r\n")},
	STR("DATA\r\n.\r\n"), STR(GO "250 queued\r\n"), FOLLOW_RUNNING, false},
    {"a message that was not taken", {C("DATA\r\n"), B("554 no\r\n"), C("RSET\r\n"), B("250\r\n")},
	STR("DATA\r\nRSET\r\n"), STR("554 no\r\n250\r\n"), FOLLOW_RUNNING, false},
    {"content that comes too early waits", {C(ENVELOPE "DATA\r\n" TEXT), B(TAKEN)},
	STR(ENVELOPE "DATA\r\n"), STR(TAKEN), FOLLOW_RUNNING, true},
    {"and is then seen to be some",
	{C(ENVELOPE "DATA\r\n" TEXT "QUIT\r\n"), B(TAKEN GO), B("250 queued\r\n")},
	STR(ENVELOPE "DATA\r\n" TEXT "QUIT\r\n"), STR(TAKEN GO "250 queued\r\n"), FOLLOW_RUNNING,
	true},
    {"two messages, pipelined",
	{C(ENVELOPE "DATA\r\n"), B(TAKEN GO), C(TEXT ENVELOPE "DATA\r\n"), B("250 one\r\n"),
	    B(TAKEN GO), C(".\r\nQUIT\r\n"), B("250 two\r\n"), B("221 bye\r\n")},
	STR(ENVELOPE "DATA\r\n" TEXT ENVELOPE "DATA\r\n.\r\nQUIT\r\n"),
	STR(TAKEN GO "250 one\r\n" TAKEN GO "250 two\r\n221 bye\r\n"), FOLLOW_RUNNING, true},
    {"nothing behind the end passes before its reply",
	{C("DATA\r\n"), B(GO), C(".\r\nXCLIENT LOGIN=bob\r\nNOOP\r\n")}, STR("DATA\r\n.\r\n"),
	STR(GO), FOLLOW_RUNNING, true},
    {"and then what may not is refused",
	{C("DATA\r\n"), B(GO), C(".\r\nXCLIENT LOGIN=bob\r\nNOOP\r\n"), B("250 queued\r\n"),
	    B("250 n\r\n")},
	STR("DATA\r\n.\r\nNOOP\r\n"), STR(GO "250 queued\r\n" UNKNOWN "250 n\r\n"), FOLLOW_RUNNING,
	false},
    {"bytes above 0x7f", {C("MAIL FROM:<j\xc3\xb6@b> SMTPUTF8\r\n"), B("250\r\n")},
	STR("MAIL FROM:<j\xc3\xb6@b> SMTPUTF8\r\n"), STR("250\r\n"), FOLLOW_RUNNING, true},
    /* ends that are none for everybody */
    {"an end that is one for this backend",
	{C("DATA\r\n"), B(GO), C("a\n.\n"), B("250 queued\r\n"), C("NOOP\r\n"), B("250\r\n")},
	STR("DATA\r\na\n.\nNOOP\r\n"), STR(GO "250 queued\r\n250\r\n"), FOLLOW_RUNNING, false},
    {"with something pipelined, which waits",
	{C("DATA\r\n"), B(GO), C("a\n.\r\nAUTH PLAIN x\r\nQUIT\r\n"), B("250 queued\r\n"),
	    B("221 bye\r\n")},
	STR("DATA\r\na\n.\r\nQUIT\r\n"), STR(GO "250 queued\r\n" LOGGED_IN "221 bye\r\n"),
	FOLLOW_RUNNING, true},
    {"smuggled commands, which were content for this backend",
	{C("DATA\r\n"), B(GO), C("a\r\n.\nMAIL FROM:<boss@b>\r\n\r\n.\r\nNOOP\r\n")},
	STR("DATA\r\na\r\n.\n"),
	STR(GO "550 5.5.2 A dot stands alone on a line that has no proper "
	       "end\r\n"),
	FOLLOW_OVER, true},
    {"the backend saw an end that was none",
	{C("DATA\r\n"), B(GO), C("a\r\n"), B("250 queued\r\n"), C("XCLIENT LOGIN=bob\r\n")},
	STR("DATA\r\na\r\n"), STR(GO "250 queued\r\n"), FOLLOW_OVER, true},
    {"or had enough", {C("DATA\r\n"), B(GO), C("a\r\n"), B("552-too\r\n552 large\r\n"), C("b\r\n")},
	STR("DATA\r\na\r\n"), STR(GO "552-too\r\n552 large\r\n"), FOLLOW_OVER, true},
    /* chunks */
    {"chunks",
	{C(ENVELOPE "BDAT 6\r\na\r\n.\r\nBDAT 0\r\nBDAT 5 LAST\r\nQUIT\nNOOP\r\n"),
	    B(TAKEN "250 6\r\n250 0\r\n250 queued\r\n250 n\r\n")},
	STR(ENVELOPE "BDAT 6\r\na\r\n.\r\nBDAT 0\r\nBDAT 5 LAST\r\nQUIT\nNOOP\r\n"),
	STR(TAKEN "250 6\r\n250 0\r\n250 queued\r\n250 n\r\n"), FOLLOW_RUNNING, false},
    {"a chunk that is on its way", {C("BDAT 5 LAST\r\nQU"), B("552 large\r\n")},
	STR("BDAT 5 LAST\r\nQU"), STR("552 large\r\n"), FOLLOW_RUNNING, true},
    {"a chunk that is refused early passes to its end",
	{C("BDAT 5 LAST\r\nQU"), B("552 large\r\n"), C("IT\nNOOP\r\n"), B("250\r\n")},
	STR("BDAT 5 LAST\r\nQUIT\nNOOP\r\n"), STR("552 large\r\n250\r\n"), FOLLOW_RUNNING, false},
    {"or not any more", {C("HELO x\r\nBDAT 5 LAST\r\nQUIT\n"), B("250 CHUNKING\r\n")},
	STR("HELO x\r\n"), STR("250 CHUNKING\r\n502 5.5.1 Not here\r\n"), FOLLOW_RUNNING, false},
    {"C4 sizes that are none",
	{C("BDAT\r\nBDAT -1\r\nBDAT 4294967297 LAST\r\nBDAT 010\r\nBDAT 1 2\r\n")}, STR(""),
	STR("501 5.5.4 No size of a chunk\r\n501 5.5.4 No size of a chunk\r\n"
	    "501 5.5.4 No size of a chunk\r\n501 5.5.4 No size of a chunk\r\n"
	    "501 5.5.4 No size of a chunk\r\n"),
	FOLLOW_RUNNING, false},
    /* what does not pass */
    {"commands that would end the authenticated state, or hide boundaries",
	{C("AUTH PLAIN x\r\nstarttls\r\nXCLIENT LOGIN=bob\r\nxforward ADDR=192.0.2.1\r\n"
	   "BURL x LAST\r\nETRN x\r\nTURN\r\nXEXCH50 10 2\r\nEXPN x\r\n")},
	STR(""), STR(LOGGED_IN LOGGED_IN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN),
	FOLLOW_RUNNING, false},
    {"however they are written",
	{C(" XCLIENT x\r\n\tXCLIENT x\r\nXCLIENT\tx\r\nNOOP \rXCLIENT x\r\nNOOP x\r\r\n"
	   "NO\0OP\r\nNOOP\0\r\n\r\nMAIL\tFROM:<>\r\n")},
	STR(""), STR(UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN),
	FOLLOW_RUNNING, false},
    {"a refusal waits for the replies that are owed",
	{C(ENVELOPE "XCLIENT x\r\nNOOP\r\n"), B("250 a\r\n250-c\r\n"), B("250 c\r\n"),
	    B("250\r\n")},
	STR(ENVELOPE "NOOP\r\n"), STR("250 a\r\n250-c\r\n250 c\r\n" UNKNOWN "250\r\n"),
	FOLLOW_RUNNING, true},
    {"EHLO is filtered",
	{C("EHLO x\r\nNOOP\r\n"),
	    B("250-b1.test XCLIENT\r\n250-SIZE 10\r\n250-AUTH PLAIN\r\n250-xclient ADDR\r\n"
	      "250-XFORWARD ADDR\r\n250-VRFY\r\n250-\r\n250-DSN\r\n250 STARTTLS\r\n"),
	    B("250\r\n")},
	STR("EHLO x\r\nNOOP\r\n"), STR("250-b1.test XCLIENT\r\n250-SIZE 10\r\n250 DSN\r\n250\r\n"),
	FOLLOW_RUNNING, false},
    {"with nothing left", {C("ehlo x\r\n"), B("250-b1.test\n250 ETRN\n")}, STR("ehlo x\r\n"),
	STR("250 b1.test\r\n"), FOLLOW_RUNNING, false},
    {"EHLO is held until it is whole", {C("NOOP\r\nEHLO x\r\n"), B("250\r\n250-x\r\n250-SIZE\r\n")},
	STR("NOOP\r\nEHLO x\r\n"), STR("250\r\n"), FOLLOW_RUNNING, true},
    {"EHLO that is refused", {C("EHLO\r\n"), B("501-a\r\n501 b\r\n")}, STR("EHLO\r\n"),
	STR("501-a\r\n501 b\r\n"), FOLLOW_RUNNING, false},
    {"EHLO closes a transaction", {C(ENVELOPE "EHLO x\r\n"), B(TAKEN "250 x\r\n")},
	STR(ENVELOPE "EHLO x\r\n"), STR(TAKEN "250 x\r\n"), FOLLOW_RUNNING, false},
    /* a backend that goes, or is none */
    {"the backend ends unasked", {B("421 4.4.2 timeout\r\n")}, STR(""),
	STR("421 4.4.2 timeout\r\n"), FOLLOW_RUNNING, false},
    {"the backend ends in the middle of content",
	{C("DATA\r\n"), B(GO), C("a\r\n"), B("421 4.3.2 bye\r\n"), C("b\r\n")},
	STR("DATA\r\na\r\nb\r\n"), STR(GO "421 4.3.2 bye\r\n"), FOLLOW_RUNNING, true},
    {"a reply to nothing", {C("NOOP\r\n"), B("250\r\n250 more\r\n")}, STR("NOOP\r\n"),
	STR("250\r\n" LOST), FOLLOW_OVER, false},
    {"D1 what is no reply", {C("NOOP\r\n"), B("* OK\r\n")}, STR("NOOP\r\n"), STR(""), FOLLOW_OVER,
	true},
    {"D1 and nobody asked", {B("hello\r\n")}, STR(""), STR(LOST), FOLLOW_OVER, false},
    {"D1 what is no reply to EHLO", {C("EHLO x\r\n"), B("250-x\r\nSIZE\r\n")}, STR("EHLO x\r\n"),
	STR(""), FOLLOW_OVER, true},
    /* the end */
    {"D5 nothing was said", {END, C("NOOP\r\n"), B("221\r\n")}, STR("QUIT\r\n"), STR(BYE),
	FOLLOW_LEAVING, false},
    {"D5 half a command was said", {C("MAIL FR"), END, C("OM:<>\r\n")}, STR("QUIT\r\n"), STR(BYE),
	FOLLOW_LEAVING, false},
    {"D5 while a command runs", {C("NOOP\r\n"), END, C("NOOP\r\n"), B("250-a\r\n250 b\r\n")},
	STR("NOOP\r\nQUIT\r\n"), STR("250-a\r\n250 b\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 while several run", {C("NOOP\r\nVRFY x\r\n"), END, B("250\r\n"), B("252\r\n")},
	STR("NOOP\r\nVRFY x\r\nQUIT\r\n"), STR("250\r\n252\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 behind a message that has not been answered",
	{C("DATA\r\n"), B(GO), C("a\r\n.\r\n"), END, C("MAIL FROM:<>\r\n"), B("250 queued\r\n")},
	STR("DATA\r\na\r\n.\r\nQUIT\r\n"), STR(GO "250 queued\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 during DATA: it is completed",
	{C(ENVELOPE "DATA\r\n"), B(TAKEN GO), C("a\r\n"), END, C("b\r\n.\r\nQUIT\r\n"),
	    B("250 queued\r\n")},
	STR(ENVELOPE "DATA\r\na\r\nb\r\n.\r\nQUIT\r\n"), STR(TAKEN GO "250 queued\r\n" BYE),
	FOLLOW_LEAVING, false},
    {"D5 during DATA: not before",
	{C(ENVELOPE "DATA\r\n"), B(TAKEN GO), C("a\r\n"), END, END, C("b\r\n.\r\n")},
	STR(ENVELOPE "DATA\r\na\r\nb\r\n.\r\n"), STR(TAKEN GO), FOLLOW_ENDING, true},
    {"D5 before content that was promised",
	{C(ENVELOPE "DATA\r\n"), END, END, B(TAKEN GO), C(".\r\n"), B("250 queued\r\n")},
	STR(ENVELOPE "DATA\r\n.\r\nQUIT\r\n"), STR(TAKEN GO "250 queued\r\n" BYE), FOLLOW_LEAVING,
	false},
    {"D5 in an open transaction: it is completed",
	{C(ENVELOPE), B(TAKEN), END, C("RCPT TO:<e@f>\r\nDATA\r\n"), B("250 e\r\n"), B(GO), C(TEXT),
	    B("250 queued\r\n")},
	STR(ENVELOPE "RCPT TO:<e@f>\r\nDATA\r\n" TEXT "QUIT\r\n"),
	STR(TAKEN "250 e\r\n" GO "250 queued\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 in one that is given up", {C(ENVELOPE), B(TAKEN), END, C("RSET\r\n"), B("250\r\n")},
	STR(ENVELOPE "RSET\r\nQUIT\r\n"), STR(TAKEN "250\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 in one that the client leaves",
	{C(ENVELOPE), B(TAKEN), END, C("QUIT\r\n"), B("221 x\r\n")}, STR(ENVELOPE "QUIT\r\n"),
	STR(TAKEN "221 x\r\n"), FOLLOW_LEAVING, true},
    {"D5 in one whose client is silent", {C(ENVELOPE), B(TAKEN), END, END},
	STR(ENVELOPE "QUIT\r\n"), STR(TAKEN BYE), FOLLOW_LEAVING, true},
    {"D5 in one that has begun while it was asked", {C(ENVELOPE), END, B(TAKEN)}, STR(ENVELOPE),
	STR(TAKEN), FOLLOW_ENDING, true},
    {"D5 in one that was refused", {C(ENVELOPE), END, B("550 a\r\n503 c\r\n")},
	STR(ENVELOPE "QUIT\r\n"), STR("550 a\r\n503 c\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 commands that come one by one then",
	{C(ENVELOPE), B(TAKEN), END, C("RCPT TO:<e@f>\r\nRSET\r\nMAIL FROM:<>\r\n"), B("250\r\n"),
	    B("250\r\n")},
	STR(ENVELOPE "RCPT TO:<e@f>\r\nRSET\r\nQUIT\r\n"), STR(TAKEN "250\r\n250\r\n" BYE),
	FOLLOW_LEAVING, false},
    {"D5 between chunks: it is completed",
	{C(ENVELOPE "BDAT 3\r\nabc"), B(TAKEN "250\r\n"), END, END, C("BDAT 2 LAST\r\nde"),
	    B("250 queued\r\n")},
	STR(ENVELOPE "BDAT 3\r\nabcBDAT 2 LAST\r\ndeQUIT\r\n"),
	STR(TAKEN "250\r\n250 queued\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 inside a chunk",
	{C(ENVELOPE "BDAT 3 LAST\r\na"), END, C("bcMAIL FROM:<>\r\n"), B(TAKEN "250 queued\r\n")},
	STR(ENVELOPE "BDAT 3 LAST\r\nabcQUIT\r\n"), STR(TAKEN "250 queued\r\n" BYE), FOLLOW_LEAVING,
	false},
    {"D5 inside a chunk that failed early",
	{C("BDAT 3 LAST\r\na"), END, B("503 x\r\n"), C("bcNOOP\r\n")},
	STR("BDAT 3 LAST\r\nabcQUIT\r\n"), STR("503 x\r\n" BYE), FOLLOW_LEAVING, false},
    {"D5 behind a chunk of which nothing will become",
	{C(ENVELOPE "BDAT 3\r\nabc"), B(TAKEN "452 full\r\n"), END, END},
	STR(ENVELOPE "BDAT 3\r\nabcQUIT\r\n"), STR(TAKEN "452 full\r\n" BYE), FOLLOW_LEAVING, true},
    {"D5 while the client leaves", {C("QUIT\r\n"), END, B("221 x\r\n")}, STR("QUIT\r\n"),
	STR("221 x\r\n"), FOLLOW_LEAVING, true},
    {"D5 behind QUIT", {C("QUIT\r\n"), B("221 x\r\n"), END}, STR("QUIT\r\n"), STR("221 x\r\n"),
	FOLLOW_LEAVING, true},
    {"D5 QUIT behind pipelined commands keeps every reply",
	{C("NOOP\r\nQUIT\r\n"), END, B("250\r\n221 x\r\n")}, STR("NOOP\r\nQUIT\r\n"),
	STR("250\r\n221 x\r\n"), FOLLOW_LEAVING, true},
    {"D5 the backend ends first", {C("NOOP\r\nNOOP\r\n"), END, B("421-a\r\n421 b\r\n250 x\r\n")},
	STR("NOOP\r\nNOOP\r\n"), STR("421-a\r\n421 b\r\n"), FOLLOW_LEAVING, true},
    {"D5 the backend ended before", {B("421 b\r\n"), END}, STR("QUIT\r\n"), STR("421 b\r\n"),
	FOLLOW_LEAVING, false},
    {"D5 the backend is about to end", {B("421-a\r\n"), END, B("421 b\r\n")}, STR("QUIT\r\n"),
	STR("421-a\r\n421 b\r\n"), FOLLOW_LEAVING, false},
    {"D5 421 to a recipient is not the end of every server",
	{C(ENVELOPE), B("250 a\r\n421 c\r\n"), C("RCPT TO:<e@f>\r\nNOOP\r\n"), B("250 e\r\n"), END,
	    B("250 n\r\n"), END},
	STR(ENVELOPE "RCPT TO:<e@f>\r\nNOOP\r\nQUIT\r\n"),
	STR("250 a\r\n421 c\r\n250 e\r\n250 n\r\n" BYE), FOLLOW_LEAVING, true},
    {"D5 in the middle of a refused line", {C("XCLIENT AD"), END, C("DR=x\r\n")}, STR("QUIT\r\n"),
	STR(BYE), FOLLOW_LEAVING, false},
    {"D5 while EHLO is held", {C("EHLO x\r\n"), END, B("250-x\r\n"), B("250 VRFY\r\n")},
	STR("EHLO x\r\nQUIT\r\n"), STR("250 x\r\n" BYE), FOLLOW_LEAVING, false},
};

static const struct follow_row_case rows_without_chunking[] = {
    {"a backend without chunks would take them for commands",
	{C("NOOP\r\nBDAT 20 LAST\r\nXCLIENT LOGIN=bob\r\n\nNOOP\r\n"), B("250\r\n"), B("250\r\n")},
	STR("NOOP\r\nNOOP\r\n"), STR("250\r\n502 5.5.1 Not here\r\n250\r\n"), FOLLOW_RUNNING,
	false},
    {"an empty one, too", {C("BDAT 0\r\nNOOP\r\n"), B("250\r\n")}, STR("NOOP\r\n"),
	STR("502 5.5.1 Not here\r\n250\r\n"), FOLLOW_RUNNING, false},
    {"its EHLO may tell of them",
	{C("EHLO x\r\nBDAT 5 LAST\r\nQUIT\n"), B("250-x\r\n250 CHUNKING\r\n"), B("250 q\r\n")},
	STR("EHLO x\r\nBDAT 5 LAST\r\nQUIT\n"), STR("250-x\r\n250 CHUNKING\r\n250 q\r\n"),
	FOLLOW_RUNNING, false},
    {"D5 inside a chunk that does not pass", {C("BDAT 3\r\na"), END, C("bc")}, STR("QUIT\r\n"),
	STR("502 5.5.1 Not here\r\n" BYE), FOLLOW_LEAVING, false},
};

static void
sessions_pass_however_they_are_cut(void **state)
{
	session_hold_all(&dialect_submission, "CHUNKING", rows, ARRAY_LEN(rows));
	session_hold_all(&dialect_submission, NULL, rows_without_chunking,
	    ARRAY_LEN(rows_without_chunking));
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

	session_init_with(&session, &dialect_submission, "CHUNKING");
	session.is_driven = at % 2 == 0;
	for (size_t i = 0; i < ARRAY_LEN(script); i++) {
		enum side side = script[i].who == 'C' ? SIDE_CLIENT : SIDE_BACKEND;

		/* A backend answers what it has heard, and a client that was told to go goes. */
		if (session.follow->phase == FOLLOW_LEAVING)
			break;
		for (size_t j = 0; j < script[i].bytes.len; j++, said++) {
			if (said == at)
				session_end(&session);
			if (session.follow->phase == FOLLOW_LEAVING)
				break;
			session_say(&session, side, str_make(script[i].bytes.ptr + j, 1));
		}
	}
	if (said <= at)
		session_end(&session);
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
D4_content_is_not_held(void **state)
{
	struct session session;

	session_init_with(&session, &dialect_submission, "CHUNKING");
	session_say(&session, SIDE_CLIENT, STR("DATA\r\n"));
	session_say(&session, SIDE_BACKEND, STR(GO));
	for (int i = 0; i < 1000; i++) {
		session_say_many(&session, SIDE_CLIENT, i % 3 == 0 ? '.' : 'x', 10000);
		assert_in_range(buf_len(&session.in[SIDE_CLIENT]), 0, SMTP_HELD_MOST);
		buf_clear(&session.out[SIDE_BACKEND]);
	}
	session_say(&session, SIDE_CLIENT, STR("\r\n.\r\nNOOP\r\n"));
	assert_int_equal(buf_len(&session.in[SIDE_CLIENT]), strlen("NOOP\r\n"));
	session_say(&session, SIDE_BACKEND, STR("250\r\n250\r\n"));
	assert_true(session.row->is_idle(session.follow));
	session_fini(&session);
}

/* The driver moves them; a chunk has one line of bookkeeping. */
static void
D4_large_chunks_are_counted_and_not_seen(void **state)
{
	struct session session;

	session_init_with(&session, &dialect_submission, "CHUNKING");
	session_say(&session, SIDE_CLIENT, STR("BDAT 2000000000 LAST\r\nabc"));
	assert_int_equal(session.follow->unseen[SIDE_CLIENT], 1999999997);
	assert_int_equal(session.follow->unseen[SIDE_BACKEND], 0);
	assert_false(session.row->is_idle(session.follow));
	session.follow->unseen[SIDE_CLIENT] = 0;
	session_say(&session, SIDE_BACKEND, STR("250 queued\r\n"));
	assert_true(session.row->is_idle(session.follow));
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

		session_init_with(&session, &dialect_submission, "CHUNKING");
		session_say(&session, SIDE_CLIENT, str_of(floods[i].asks));
		session_say(&session, floods[i].who, str_of(floods[i].begin));
		while (session.follow->phase == FOLLOW_RUNNING && said < 1000000) {
			session_say(&session, floods[i].who, str_of(floods[i].more));
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

	session_init_with(&session, &dialect_submission, "CHUNKING");
	session_say(&session, SIDE_CLIENT, STR("DATA\r\n"));
	session_say(&session, SIDE_BACKEND, STR(GO));
	session_say(&session, SIDE_CLIENT, STR("a\n.\n"));
	session_say_many(&session, SIDE_CLIENT, 'x', FOLLOW_HELD_MOST);
	assert_int_equal(session.follow->phase, FOLLOW_RUNNING);
	session_say(&session, SIDE_CLIENT, STR("x"));
	assert_int_equal(session.follow->phase, FOLLOW_OVER);
	assert_string_equal(buf_cstr(&session.out[SIDE_BACKEND]), "DATA\r\na\n.\n");
	session_fini(&session);
}

static void
too_many_commands_wait(void **state)
{
	struct session session;

	session_init_with(&session, &dialect_submission, "CHUNKING");
	buf_add_text(&session.in[SIDE_CLIENT], "MAIL FROM:<a@b>\r\n");
	for (int i = 0; i < 1000; i++)
		buf_add_text(&session.in[SIDE_CLIENT], "RCPT TO:<c@d>\r\n");
	buf_add_text(&session.in[SIDE_CLIENT], "DATA\r\n");
	session_pump(&session);
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "\r\n"), ASKED_MOST);
	for (int i = 0; i < 1001; i++)
		session_say(&session, SIDE_BACKEND, STR("250 x\r\n"));
	assert_int_equal(count_of(&session.out[SIDE_BACKEND], "DATA\r\n"), 1);
	session_say(&session, SIDE_BACKEND, STR(GO));
	session_say(&session, SIDE_CLIENT, STR(".\r\n"));
	session_say(&session, SIDE_BACKEND, STR("250\r\n"));
	assert_int_equal(count_of(&session.out[SIDE_CLIENT], "250"), 1002);
	assert_true(session.row->is_idle(session.follow));
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
