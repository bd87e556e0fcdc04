/*
 * test_follow_lost.c - a session whose backend goes without a word
 *
 * Each row is a session up to that moment, in any protocol: what the client hears of
 * the backend and of us, and whether there was anything to be said at all. However the
 * turns are cut.
 */
#include "base/mem.h"
#include "follow_house.h"

#define SMTP_GO "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
#define SMTP_GONE "250 a\r\n250 c\r\n354 go\r\n"
#define IMAP_BYE "* BYE [UNAVAILABLE] The server has gone away.\r\n"
#define POP3_ERR "-ERR [SYS/TEMP] Try again later.\r\n"
#define SMTP_BYE "421 4.3.2 The server has gone away.\r\n"
#define SIEVE_BYE "BYE (TRYLATER) \"The server has gone away.\"\r\n"

static const struct row {
	const char *name;
	enum dialect_kind kind;
	struct turn turns[TURNS_MOST];
	struct str to_client;
	bool is_announced;
} rows[] = {
    {"idle", DIALECT_IMAP, {{0}}, STR(IMAP_BYE), false},
    {"while commands run", DIALECT_IMAP, {C("a X\r\nb X\r\n"), B("* 1 EXISTS\r\na OK\r\n")},
	STR("* 1 EXISTS\r\na OK\r\n" IMAP_BYE), false},
    {"in IDLE", DIALECT_IMAP, {C("a IDLE\r\n"), B("+ idling\r\n")}, STR("+ idling\r\n" IMAP_BYE),
	false},
    {"in a literal of the client", DIALECT_IMAP, {C("a APPEND x {5}\r\n"), B("+\r\n"), C("12")},
	STR("+\r\n" IMAP_BYE), false},
    {"in a line that has begun", DIALECT_IMAP, {C("a X\r\n"), B("* 1 F")}, STR(""),
	false},
    {"in a list that is held", DIALECT_IMAP, {B("* CAPABILITY IMAP4rev1 COMPRESS=")}, STR(IMAP_BYE),
	false},
    {"in a text", DIALECT_IMAP, {B("* OK a text of more than a few bytes")},
	STR("* OK a text of more than a few bytes"), false},
    {"in a literal", DIALECT_IMAP, {B("* X {5}\r\n12")}, STR("* X {5}\r\n12"), false},
    {"behind a literal", DIALECT_IMAP, {B("* X {2}\r\n12")}, STR("* X {2}\r\n12"), false},
    {"LOGOUT was said", DIALECT_IMAP, {C("a logout\r\n")}, STR(""), true},
    {"LOGOUT was half said", DIALECT_IMAP, {C("a LOGOUT")}, STR(IMAP_BYE), false},
    {"LOGOUT was answered", DIALECT_IMAP, {C("a LOGOUT\r\n"), B("* BYE\r\na OK\r\n")},
	STR("* BYE\r\na OK\r\n"), true},
    {"it has said BYE", DIALECT_IMAP, {C("a X\r\n"), B("* bye I leave you now.\r\n")},
	STR("* bye I leave you now.\r\n"), true},
    {"BYE is no name of a mailbox", DIALECT_IMAP, {B("* LIST () \"/\" BYE\r\n* OK BYE\r\n")},
	STR("* LIST () \"/\" BYE\r\n* OK BYE\r\n" IMAP_BYE), false},
    {"while it ends", DIALECT_IMAP, {C("a X\r\n"), END}, STR(IMAP_BYE), false},
    {"when it was left", DIALECT_IMAP, {END},
	STR("* BYE [UNAVAILABLE] This mailbox is being moved, connect again.\r\n"), true},
    {"when it was lost", DIALECT_IMAP, {B("hello\r\n")}, STR("* BYE Too many errors.\r\n"), true},

    {"idle", DIALECT_POP3, {C("NOOP\r\n"), B("+OK\r\n")}, STR("+OK\r\n"), false},
    {"while commands run", DIALECT_POP3, {C("DELE 1\r\nRETR 2\r\nSTLS\r\nNOOP\r\n"), B("+OK\r\n")},
	STR("+OK\r\n" POP3_ERR "-ERR Not here\r\n" POP3_ERR), false},
    {"in an answer of which nothing has passed", DIALECT_POP3, {C("LIST\r\n"), B("+OK li")},
	STR(POP3_ERR), false},
    {"in a message", DIALECT_POP3, {C("RETR 1\r\nNOOP\r\n"), B("+OK\r\nx\r\n")},
	STR("+OK\r\nx\r\n"), false},
    {"in a list of capabilities", DIALECT_POP3, {C("CAPA\r\n"), B("+OK\r\nTOP\r\n")},
	STR("+OK\r\nTOP\r\n"), false},
    {"QUIT was said", DIALECT_POP3, {C("DELE 1\r\nQUIT\r\n"), B("+OK\r\n")}, STR("+OK\r\n"), true},
    {"QUIT was answered", DIALECT_POP3, {C("QUIT\r\n"), B("+OK bye\r\n")}, STR("+OK bye\r\n"),
	true},
    {"QUIT was refused", DIALECT_POP3, {C("QUIT\r\n"), B("-ERR no\r\n"), C("NOOP\r\n")},
	STR("-ERR no\r\n" POP3_ERR), false},
    {"when it was left", DIALECT_POP3, {END}, STR(""), true},

    {"idle", DIALECT_SUBMISSION, {{0}}, STR(SMTP_BYE), false},
    {"while commands run", DIALECT_SUBMISSION, {C("NOOP\r\nRSET\r\n"), B("250 n\r\n")},
	STR("250 n\r\n" SMTP_BYE), false},
    {"in a reply", DIALECT_SUBMISSION, {C("HELP\r\n"), B("214-a\r\n214")}, STR("214-a\r\n"), false},
    {"in a reply that is held", DIALECT_SUBMISSION, {C("EHLO x\r\n"), B("250-a\r\n250-SIZE\r\n")},
	STR(SMTP_BYE), false},
    {"in the content", DIALECT_SUBMISSION, {C(SMTP_GO), B(SMTP_GONE), C("Subject: x\r\n")},
	STR(SMTP_GONE SMTP_BYE), false},
    {"behind it", DIALECT_SUBMISSION, {C(SMTP_GO), B(SMTP_GONE), C("x\r\n.\r\n")},
	STR(SMTP_GONE SMTP_BYE), false},
    {"QUIT was said", DIALECT_SUBMISSION, {C("NOOP\r\nQUIT\r\n")}, STR(""), true},
    {"QUIT was answered", DIALECT_SUBMISSION, {C("QUIT\r\n"), B("221 bye\r\n")}, STR("221 bye\r\n"),
	true},
    {"it has said 421", DIALECT_SUBMISSION, {B("421 4.4.2 timeout\r\n")},
	STR("421 4.4.2 timeout\r\n"), true},
    {"when it was left", DIALECT_SUBMISSION, {END},
	STR("421 4.3.2 This mailbox is being moved, connect again.\r\n"), true},

    {"idle", DIALECT_SIEVE, {{0}}, STR(SIEVE_BYE), false},
    {"while commands run", DIALECT_SIEVE, {C("LISTSCRIPTS\r\nNOOP\r\n"), B("\"a\" ACTIVE\r\n")},
	STR("\"a\" ACTIVE\r\n" SIEVE_BYE), false},
    {"in a script that is put", DIALECT_SIEVE, {C("PUTSCRIPT \"a\" {9+}\r\nke")}, STR(SIEVE_BYE),
	false},
    {"in a script that is got", DIALECT_SIEVE, {C("GETSCRIPT \"a\"\r\n"), B("{9}\r\nke")},
	STR("{9}\r\nke"), false},
    {"in capabilities that are held", DIALECT_SIEVE, {C("CAPABILITY\r\n"), B("\"SIEVE\" \"x")},
	STR(SIEVE_BYE), false},
    {"LOGOUT was said", DIALECT_SIEVE, {C("LOGOUT\r\n")}, STR(""), true},
    {"LOGOUT was answered", DIALECT_SIEVE, {C("LOGOUT\r\n"), B("OK\r\n")}, STR("OK\r\n"), true},
    {"LOGOUT was refused", DIALECT_SIEVE, {C("LOGOUT\r\n"), B("NO\r\n")}, STR("NO\r\n" SIEVE_BYE),
	false},
    {"it has said BYE", DIALECT_SIEVE, {B("BYE\r\n")}, STR("BYE\r\n"), true},
    {"when it was left", DIALECT_SIEVE, {END},
	STR("BYE (TRYLATER) \"This mailbox is being moved, connect again.\"\r\n"), true},
};

static void
hold(const struct row *row, size_t way, bool is_driven)
{
	const struct dialect *dialect = dialects[row->kind];
	struct session session;
	bool has_told;

	session_init(&session, dialect);
	session.is_driven = is_driven;
	for (const struct turn *turn = row->turns; turn->who != '\0'; turn++)
		session_turn(&session, turn, way);
	has_told = session.row->break_off(session.follow, BYE_LOST, &session.out[SIDE_CLIENT]);
	if (has_told == row->is_announced ||
	    !str_eq(buf_str(&session.out[SIDE_CLIENT]), row->to_client))
		fail_msg("%s: %s, way %zu: %s, the client hears: %s", dialect->name, row->name, way,
		    has_told ? "told" : "not told", buf_cstr(&session.out[SIDE_CLIENT]));
	session_fini(&session);
}

static void
a_backend_that_goes_is_reported_where_that_cuts_nothing_in_two(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t longest = 0;

		for (const struct turn *turn = rows[i].turns; turn->who != '\0'; turn++)
			longest = turn->bytes.len > longest ? turn->bytes.len : longest;
		for (struct cuts cuts = {.len = longest}; cuts_next(&cuts);) {
			hold(&rows[i], cuts.way, false);
			hold(&rows[i], cuts.way, true);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_backend_that_goes_is_reported_where_that_cuts_nothing_in_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
