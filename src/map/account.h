/*
 * account.h - one name for every way to write an address                (pure)
 *
 * Canonical form: the domain in lower-case A-labels without a final dot
 * (IDNA 2008, UTS #46 non-transitional; an address literal [..] in lower case,
 * IPv6 as inet_ntop(3) writes it), the local part NFC and case-folded by
 * default (the fold that Postfix's smtpd applies too, so both forms that
 * Postfix asks for meet), and in a quoted string only where it must be (RFC
 * 5321, section 4.1.2). "a b@x" as Postfix asks it raw and "\"a b\"@x" are the
 * same account; the split is at the last @. A canonical name is its own
 * canonical form.
 *
 * What is no mailbox address ("*", "<>", "\"\"", a bare domain, an empty key)
 * has its own kind: it is nobody's account and needs no Redis to say so. Only
 * where somebody logs in may a text without an @ be a name, and there it is a
 * login: "alice", which a login key leads to an account.
 */
#ifndef MAP_ACCOUNT_H
#define MAP_ACCOUNT_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

enum { ACCOUNT_MAX_BYTES = 10000 }; /* longest address taken, as asked and as canonical name */

enum account_kind {
	ACCOUNT_ADDRESS, /* everything below is set */
	ACCOUNT_LOGIN, /* without domain: name, base and local are the same */
	ACCOUNT_OTHER, /* no @ in it, so not an address; or no login: nothing below is set */
	ACCOUNT_BAD /* like an address, but not one: why is set; domain if it could be read */
};

struct account_rules {
	bool fold_local; /* lower-case local parts */
	const char *delimiters; /* ASCII characters that begin an extension; "" = none */
};

struct account {
	enum account_kind kind;
	struct str name; /* local@domain, extension included */
	struct str base; /* the same without extension; equal to name where there is none */
	struct str local; /* the local part of base, quoted as there */
	struct str domain; /* without @; of an ADDRESS an @ stands before it in memory */
	const char *why; /* ACCOUNT_BAD: a sentence that names no peer bytes */
	struct buf store; /* what the strs above point into */
};

/*
 * Read an address into *account, which account_init() made ready once and every
 * parse reuses. The strs are lent until the next parse or account_fini(); text
 * may not be one of them. Linear in text.len, of any length. Plain ASCII
 * addresses cost no library call, and no allocation once the store has grown.
 *
 * Extensions, as in Postfix: the local part is cut before its first delimiter,
 * unless that is its first character; postmaster, MAILER-DAEMON and
 * double-bounce are never cut, nor "owner-x" and "x-request" where '-' is one
 * of the delimiters.
 */
void account_init(struct account *account);
void account_fini(struct account *account);
enum account_kind account_parse(struct account *account, struct str text,
    const struct account_rules *rules);

/*
 * The same for a login name without domain: folded as a local part is, never
 * quoted ("a b" and "DOM\alice" are as they are), and no extension is cut. OTHER
 * where the text has an @, is empty, too long, no UTF-8 or has a control character.
 */
enum account_kind account_login(struct account *account, struct str text,
    const struct account_rules *rules);

/* Either, as the text has an @ or not; false where it is neither ADDRESS nor LOGIN. */
bool account_read(struct account *account, struct str text, const struct account_rules *rules);

/* The address that every domain has, canonical, without an extension? RFC 5321, section 4.5.1. */
bool account_is_postmaster(struct str base);

/*
 * A domain or address literal alone, canonical, appended to out; false where it
 * is none. At most 255 bytes as asked and 253 in canonical form, labels at most
 * 63 (RFC 1035, 2.3.4; RFC 5321, 4.5.3.1.2), '_' is taken as a letter.
 */
bool account_domain(struct str text, struct buf *out);

#endif
