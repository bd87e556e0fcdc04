/*
 * household.h - the sessions of each account                         (machine)
 *
 * An account has a household while it has sessions. Whoever has an entry keeps it
 * in its own struct, and the household's name alive by being in it.
 */
#ifndef FRONT_HOUSEHOLD_H
#define FRONT_HOUSEHOLD_H

#include "base/hash.h"
#include "base/str.h"

#include <stddef.h>
#include <sys/queue.h>

struct household;
struct households;

struct household_member {
	LIST_ENTRY(household_member) entry;
	struct household *household; /* NULL: in none */
	void *owner;
};

struct households *households_new(void);
void households_free(struct households **households); /* all members have left */

size_t household_count(struct households *households, struct str account);
void household_join(struct households *households, struct str account,
    struct household_member *member, void *owner);
void household_leave(struct households *households, struct household_member *member);

/* Lent as long as the member stays. */
struct str household_account(const struct household_member *member);

/* Calls fn for each member of the account; fn may let that member leave. How many there were. */
size_t household_each(struct households *households, struct str account,
    void (*fn)(void *ctx, void *owner), void *ctx);

#endif
