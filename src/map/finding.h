/*
 * finding.h - what the ownership map says about one address or login    (pure)
 *
 * The map's half of an answer: who owns the account and whether it is held.
 * What that means to whoever asks is decided in rules/.
 */
#ifndef MAP_FINDING_H
#define MAP_FINDING_H

#include "base/fault.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum hold { HOLD_NONE, HOLD_MAIL, HOLD_ALL };

enum finding_source {
	SOURCE_CONFIG, /* decided without the map: not an address, unmanaged by settings */
	SOURCE_MEMORY, /* remembered, under a valid lease */
	SOURCE_GRACE, /* remembered; the lease is over, the grace is not */
	SOURCE_REDIS, /* fetched for this question */
};

struct finding {
	enum verdict verdict; /* FOUND; ABSENT: not managed, or no such login; TEMP, PERM: reason */
	struct str owner; /* destination name; FOUND only */
	enum hold hold;
	struct str account; /* canonical account: the login key's target where there was one */
	struct str matched; /* the key that decided, as in "owner:@example.org" */
	enum finding_source source;
	uint64_t epoch; /* highest epoch known when it was answered */
	const char *reason; /* TEMP, PERM: a sentence for the operator; lent like the rest */
	bool is_unknown; /* FOUND by the domain's owner, it is complete, and no own key was there */
};

/* All strs and the reason are lent until the callback that brought them returns. */

#endif
