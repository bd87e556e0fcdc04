/*
 * logins.h - the login names that lead to an account                  (driver)
 *
 * A login key leads from a name to its account, and nothing in the map leads back:
 * so this looks at every key of Redis, and shows how far it is. What it finds is
 * then read as the daemons read it, because a name that has an owner key of its
 * own never gets to its login key.
 */
#ifndef ADMIN_LOGINS_H
#define ADMIN_LOGINS_H

#include "admin/admin.h"

enum { LOGINS_MOST = 10000 }; /* of one account; those behind them are counted only */

struct login_name {
	char *name; /* "alice", "a.smith@example.org"; may hold any byte but NUL */
	char *key; /* what leads from there, without prefix: "login:alice", "login:@example.net" */
	bool leads; /* false: another key of the same name decides */
};

struct logins {
	struct login_name *names; /* sorted */
	size_t count;
	uint64_t others; /* beyond LOGINS_MOST */
};

/*
 * All names that a login key leads from to this account (canonical), or those of
 * the whole domain by way of another. 0, or -1 and *fault_r; *logins is to be
 * zeroed before, and given to logins_fini() in any case.
 */
int logins_find(struct logins *logins, struct admin *admin, struct str account,
    struct fault *fault_r);
void logins_fini(struct logins *logins);

json_t *logins_json(const struct logins *logins);
void logins_print(const struct logins *logins);

#endif
