/*
 * privilege.h - from root to somebody who can do no harm              (driver)
 *
 * Names are looked up once, by the master, while a mistake can still be told;
 * the worker then becomes that user for good: it cannot win anything back, not
 * even by running another program, and leaves no core file with secrets.
 */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include "base/fault.h"

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	bool changes; /* false: stay who we are; uid and gid are then ours */
	uid_t uid;
	gid_t gid;
	char user[64]; /* for the supplementary groups; "" = none of them */
};

/*
 * Who a worker becomes. Without root, or with user "" or NULL, it stays what it
 * is. An empty group means the user's own. -1 where a name is unknown.
 */
int identity_find(const char *user, const char *group, struct identity *identity_r,
    struct fault *fault_r);

/* Number of a user or group, by name or in digits; -1 with a fault where unknown. */
int identity_user(const char *name, uid_t *uid_r, struct fault *fault_r);
int identity_group(const char *name, gid_t *gid_r, struct fault *fault_r);

/*
 * Become it, and give up what a worker never needs: new privileges by exec, core
 * dumps, a permissive umask. -1 means the process must not go on.
 */
int privilege_drop(const struct identity *identity, struct fault *fault_r);

/* As many descriptors as we may have; returns how many that is. */
unsigned long privilege_raise_files(void);

#endif
