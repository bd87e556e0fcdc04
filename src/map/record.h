/*
 * record.h - what the stored values mean                                (pure)
 *
 * People type these values with redis-cli, so each reader says exactly what it
 * takes, and what it does not take is trouble for the asker, never a guess:
 * splitmx-map(7). Whether an owner is a destination of the settings is not
 * known here.
 */
#ifndef MAP_RECORD_H
#define MAP_RECORD_H

#include "map/account.h"
#include "map/finding.h"

#include <stdbool.h>

enum { RECORD_OWNER_MAX_BYTES = 64 };

/* A bare destination name: 1 to 64 bytes without NUL, CR and LF. */
bool record_owner_is_valid(struct str value);

/*
 * "mail:OPERATION" is HOLD_MAIL, all else HOLD_ALL: whoever types a hold by hand
 * means it. The operation (what follows the first colon) is lent from value,
 * and empty where there is none.
 */
enum hold record_hold(struct str value, struct str *operation_r);

/* The login key of an address or a login: an address, never a login, parsed into *target. */
bool record_login(struct str value, const struct account_rules *rules, struct account *target);

/*
 * The login key of "@domain" is "@other": the address with asked's local part
 * and extension at the other domain, parsed into *target.
 */
bool record_login_domain(struct str value, const struct account *asked,
    const struct account_rules *rules, struct account *target);

/*
 * The complete key of a domain, in any case of letters. All but COMPLETE_YES
 * leaves strangers with their domain's owner. (That of an address says that the
 * address is known, whatever its value.)
 */
enum completeness {
	COMPLETE_UNSAID,
	COMPLETE_YES, /* "yes": every address is known, a stranger is nobody */
	COMPLETE_CATCH_ALL /* "catch-all": one of the sides takes strangers, so nobody is unknown */
};

enum completeness record_completeness(struct str value);

#endif
