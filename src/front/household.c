/*
 * household.c - the sessions of each account                         (machine)
 */
#include "front/household.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct household {
	UT_hash_handle hh;
	LIST_HEAD(, household_member) members;
	size_t count, len;
	char account[];
};

struct households {
	struct household *table;
};

struct households *
households_new(void)
{
	return xnew(struct households);
}

void
households_free(struct households **households)
{
	if (*households == NULL)
		return;
	must((*households)->table == NULL);
	free(*households);
	*households = NULL;
}

static struct household *
find(struct households *households, struct str account)
{
	struct household *household;

	HASH_FIND(hh, households->table, account.ptr, account.len, household);
	return household;
}

static struct household *
make(struct households *households, struct str account)
{
	struct household *household = xcalloc(1, sizeof(*household) + account.len + 1);

	household->len = account.len;
	memcpy(household->account, account.ptr, account.len);
	LIST_INIT(&household->members);
	HASH_ADD_KEYPTR(hh, households->table, household->account, household->len, household);
	return household;
}

size_t
household_count(struct households *households, struct str account)
{
	const struct household *household = find(households, account);

	return household != NULL ? household->count : 0;
}

void
household_join(struct households *households, struct str account, struct household_member *member,
    void *owner)
{
	struct household *household = find(households, account);

	if (household == NULL)
		household = make(households, account);
	LIST_INSERT_HEAD(&household->members, member, entry);
	household->count++;
	member->household = household;
	member->owner = owner;
}

void
household_leave(struct households *households, struct household_member *member)
{
	struct household *household = member->household;

	if (household == NULL)
		return;
	LIST_REMOVE(member, entry);
	member->household = NULL;
	if (--household->count > 0)
		return;
	HASH_DEL(households->table, household);
	free(household);
}

struct str
household_account(const struct household_member *member)
{
	return str_make(member->household->account, member->household->len);
}

size_t
household_each(struct households *households, struct str account,
    void (*fn)(void *ctx, void *owner), void *ctx)
{
	struct household *household = find(households, account);
	struct household_member *member, *next;
	size_t count = 0;

	for (member = household != NULL ? LIST_FIRST(&household->members) : NULL; member != NULL;
	     member = next) {
		next = LIST_NEXT(member, entry); /* the household is gone when there is none */
		fn(ctx, member->owner);
		count++;
	}
	return count;
}
