/*
 * words.c - how each protocol says what became of a login               (pure)
 *
 * Response codes: IMAP RFC 5530, section 3; POP3 RFC 2449, section 8, and RFC 3206,
 * section 4; SMTP RFC 4954, section 6, and RFC 3463; ManageSieve RFC 5804, section 1.3.
 */
#include "front/words.h"

#include "base/mem.h"

#define AUTHENTICATION_FAILED "Authentication failed."
#define NO_USER_IN_TOKEN "The token names no user here."

static const char *const refusals[][DIALECT_COUNT] = {
    [REFUSAL_LATER] =
	{
	    [DIALECT_IMAP] = "NO [UNAVAILABLE] Try again later.",
	    [DIALECT_POP3] = "-ERR [SYS/TEMP] Try again later.",
	    [DIALECT_SUBMISSION] = "454 4.7.0 Try again later.",
	    [DIALECT_SIEVE] = "NO (TRYLATER) \"Try again later.\"",
	},
    [REFUSAL_WRONG] =
	{
	    [DIALECT_IMAP] = "NO [AUTHENTICATIONFAILED] " AUTHENTICATION_FAILED,
	    [DIALECT_POP3] = "-ERR [AUTH] " AUTHENTICATION_FAILED,
	    [DIALECT_SUBMISSION] = "535 5.7.8 " AUTHENTICATION_FAILED,
	    [DIALECT_SIEVE] = "NO \"" AUTHENTICATION_FAILED "\"",
	},
    /* Permanent, so that the client asks its person and does not try for ever. */
    [REFUSAL_TOKEN] =
	{
	    [DIALECT_IMAP] = "NO [AUTHENTICATIONFAILED] " NO_USER_IN_TOKEN,
	    [DIALECT_POP3] = "-ERR [AUTH] " NO_USER_IN_TOKEN,
	    [DIALECT_SUBMISSION] = "535 5.7.8 " NO_USER_IN_TOKEN,
	    [DIALECT_SIEVE] = "NO \"" NO_USER_IN_TOKEN "\"",
	},
    /* POP3 has no code for it: [AUTH] would say that the password is wrong. */
    [REFUSAL_UNSAFE] =
	{
	    [DIALECT_IMAP] = "NO [PRIVACYREQUIRED] Only with TLS.",
	    [DIALECT_POP3] = "-ERR Only with TLS.",
	    [DIALECT_SUBMISSION] = "538 5.7.11 Only with TLS.",
	    [DIALECT_SIEVE] = "NO (ENCRYPT-NEEDED) \"Only with TLS.\"",
	},
};
_Static_assert(ARRAY_LEN(refusals) == REFUSAL_LIMIT, "a refusal lacks words");

/*
 * POP3 has no words that nobody asked for: what comes between two commands would
 * be the answer to the next, and inside a message it would be a line of it. It ends
 * in silence (RFC 1939, section 3, wants that of the idle timer, too); a command that
 * is read while a session ends is refused with REFUSAL_LATER. A login by SMTP is not
 * parked.
 */
static const char *const byes[][DIALECT_COUNT] = {
    [BYE_MOVED] =
	{
	    [DIALECT_IMAP] = "* BYE [UNAVAILABLE] This mailbox is being moved, connect again.",
	    [DIALECT_POP3] = "",
	    [DIALECT_SUBMISSION] = "421 4.3.2 This mailbox is being moved, connect again.",
	    [DIALECT_SIEVE] = "BYE (TRYLATER) \"This mailbox is being moved, connect again.\"",
	},
    [BYE_WAITED] =
	{
	    [DIALECT_IMAP] = "* BYE [UNAVAILABLE] This mailbox is being moved, try again later.",
	    [DIALECT_POP3] = "",
	    [DIALECT_SUBMISSION] = "",
	    [DIALECT_SIEVE] = "BYE (TRYLATER) \"This mailbox is being moved, try again later.\"",
	},
    [BYE_LIMIT] =
	{
	    [DIALECT_IMAP] = "* BYE [LIMIT] Too many connections.",
	    [DIALECT_POP3] = "-ERR [SYS/TEMP] Too many connections.",
	    [DIALECT_SUBMISSION] = "421 4.7.0 Too many connections.",
	    [DIALECT_SIEVE] = "BYE (TRYLATER) \"Too many connections.\"",
	},
    [BYE_LOST] =
	{
	    [DIALECT_IMAP] = "* BYE [UNAVAILABLE] The server has gone away.",
	    [DIALECT_POP3] = "",
	    [DIALECT_SUBMISSION] = "421 4.3.2 The server has gone away.",
	    [DIALECT_SIEVE] = "BYE (TRYLATER) \"The server has gone away.\"",
	},
    [BYE_SHUTDOWN] =
	{
	    [DIALECT_IMAP] = "* BYE [UNAVAILABLE] Shutting down, connect again.",
	    [DIALECT_POP3] = "",
	    [DIALECT_SUBMISSION] = "421 4.3.2 Shutting down, connect again.",
	    [DIALECT_SIEVE] = "BYE (TRYLATER) \"Shutting down, connect again.\"",
	},
    [BYE_SLOW] =
	{
	    [DIALECT_IMAP] = "* BYE Idle for too long.", /* RFC 9051, section 7.1.5 */
	    [DIALECT_POP3] = "",
	    [DIALECT_SUBMISSION] = "421 4.4.2 Idle for too long.", /* RFC 3463, X.4.2 */
	    [DIALECT_SIEVE] = "BYE \"Idle for too long.\"",
	},
    [BYE_PROTOCOL] =
	{
	    [DIALECT_IMAP] = "* BYE Too many errors.",
	    [DIALECT_POP3] = "-ERR Too many errors.", /* the answer to the last of them */
	    [DIALECT_SUBMISSION] = "421 4.7.0 Too many errors.",
	    [DIALECT_SIEVE] = "BYE \"Too many errors.\"",
	},
};
_Static_assert(ARRAY_LEN(byes) == BYE_COUNT, "an end lacks words");

struct str
words_refusal(enum dialect_kind dialect, enum refusal refusal)
{
	return str_of(refusals[refusal][dialect]);
}

struct str
words_bye(enum dialect_kind dialect, enum bye bye)
{
	return str_of(byes[bye][dialect]);
}
