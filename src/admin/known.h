/*
 * known.h - why an address is known, or nobody's                        (pure)
 *
 * What explain says beside the finding, of the keys that it was read from: a domain
 * that is complete refuses whom no key knows, and any other domain refuses nobody.
 */
#ifndef ADMIN_KNOWN_H
#define ADMIN_KNOWN_H

#include "admin/reading.h"
#include "base/buf.h"

#include <jansson.h>

enum known_how {
	KNOWN_UNSAID, /* nobody declared the domain complete: only its server can say */
	KNOWN_BY_CATCH_ALL, /* nobody is unknown there */
	KNOWN_BY_OWNER, /* an owner key of its own, perhaps behind a login key */
	KNOWN_BY_LOGIN, /* a login key of its own, wherever it leads */
	KNOWN_BY_KEY, /* a complete key of its own */
	KNOWN_AS_POSTMASTER, /* without any key: RFC 5321, section 4.5.1 */
	KNOWN_NOT /* and the domain is complete */
};

struct known {
	enum known_how how;
	const struct reading_key *key; /* KNOWN_BY_LOGIN, KNOWN_BY_KEY: this one; else NULL */
	struct str account; /* that is known or not: where a login key led to, if there is one */
};

/* Of a finding that is FOUND; prefix is "splitmx". Lends from the reading. */
struct known known_of(const struct reading *reading, const char *prefix);

/* Would it be known, if its domain were declared complete now? */
bool known_if_complete(const struct reading *reading, const char *prefix);

/* A sentence for a person, without its end. */
void known_describe(struct buf *out, const struct known *known);

/* true, false, or null where nobody can say. */
json_t *known_json(const struct known *known);

#endif
