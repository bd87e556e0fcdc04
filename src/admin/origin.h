/*
 * origin.h - how an owner came into the map                           (driver)
 *
 * The value that decides is compared with the last change of it that the audit
 * stream knows. The same: somebody's command wrote it, and it was confirmed or not.
 * Another: a hand wrote it, or a failover took the change away.
 */
#ifndef ADMIN_ORIGIN_H
#define ADMIN_ORIGIN_H

#include "admin/admin.h"
#include "admin/history.h"
#include "map/change.h"

enum origin_state {
	ORIGIN_UNKNOWN, /* no change of it in the last HISTORY_BACK_MOST entries */
	ORIGIN_CONFIRMED,
	ORIGIN_WRITTEN, /* and not confirmed, as far as the stream tells */
	ORIGIN_DIFFERS, /* the value is not what the last change wrote */
	ORIGIN_STATES
};

/* An owner key: its name, and what is in it now. */
struct origin_key {
	struct str name;
	struct change_value value;
};

struct origin {
	enum origin_state state;
	struct buf name; /* the key's that is told of */
	struct buf who, what, op, noted; /* of the last change; noted: what it wrote */
	char at[ENTRY_TIME_BYTES];
	int64_t at_s; /* the same, in seconds since 1970; 0: not known */
	uint64_t epoch; /* of its confirmation; 0: not known */
};

/*
 * Of the account's own key, or of its domain's where the account has none; "domain"
 * may be NULL. 0, or -1 and *fault_r; a zeroed origin to begin with.
 */
int origin_find(struct origin *origin, struct client *client, const struct origin_key *account,
    const struct origin_key *domain, struct fault *fault_r);
void origin_fini(struct origin *origin);

/* When the account came to its owner, in seconds since 1970; 0: the stream does not tell. */
int64_t origin_flip_s(const struct origin *origin);

void origin_print(const struct origin *origin);
json_t *origin_json(const struct origin *origin);

#endif
