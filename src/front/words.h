/*
 * words.h - how each protocol says what became of a login               (pure)
 *
 * One table and nowhere else. A wrong password and an unknown login have the
 * same words.
 */
#ifndef FRONT_WORDS_H
#define FRONT_WORDS_H

#include "base/buf.h"
#include "base/str.h"

enum dialect_kind { DIALECT_IMAP, DIALECT_POP3, DIALECT_SUBMISSION, DIALECT_SIEVE, DIALECT_COUNT };

/* What became of a login that was asked for; the connection goes on, but for the last. */
enum refusal {
	REFUSAL_LATER, /* owner unknown for now, the map or the backend away */
	REFUSAL_WRONG, /* wrong password, unknown login */
	REFUSAL_TOKEN, /* a token that names nobody whom we could route */
	REFUSAL_UNSAFE, /* not without TLS */
	REFUSAL_LIMIT, /* too many; without words: the connection ends with BYE_LIMIT */
	REFUSAL_COUNT
};

/* Why a connection ends that was not asked to. */
enum bye {
	BYE_MOVED, /* the account moves, or has moved */
	BYE_WAITED, /* parked for too long */
	BYE_LIMIT, /* too many connections, sessions or parked logins */
	BYE_LOST, /* the backend has gone */
	BYE_SHUTDOWN, /* we end */
	BYE_SLOW, /* too slow, or idle for too long */
	BYE_PROTOCOL, /* too many errors, or what cannot be read on */
	BYE_COUNT
};

/*
 * The line without its end and, in IMAP, without its tag: "NO [UNAVAILABLE] Try
 * again later"; an end has none, and is the whole line: "* BYE [LIMIT] ...".
 * Empty: this protocol says nothing then.
 */
struct str words_refusal(enum dialect_kind dialect, enum refusal refusal);
struct str words_bye(enum dialect_kind dialect, enum bye bye);

#endif
