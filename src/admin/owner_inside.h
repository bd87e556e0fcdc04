/*
 * owner_inside.h - what the files of set and unset share              (driver)
 */
#ifndef ADMIN_OWNER_INSIDE_H
#define ADMIN_OWNER_INSIDE_H

#include "admin/confirming.h"
#include "admin/guard.h"
#include "admin/owner.h"
#include "base/buf.h"
#include "map/change.h"

struct owner_work {
	struct admin *admin;
	const struct subject *subject;
	struct change change;
	struct guard guard;
	struct change_note note;
	struct buf hold; /* the one that is watched */
	bool own_hold;
	bool routed_elsewhere; /* see find_route() */
	char *before, *after; /* for what is said; NULL: nobody's */
	const struct completing *completing;
	const char *complete_before; /* in words */
	struct seal seal;
	struct confirming confirming;
};

/* Is a hold needed, and is one there or wanted? work->guard.hold is then the one to insist on. */
int owner_see_to_hold(struct owner_work *work);

/* Somebody else made the change while we held the account: our hold goes, theirs would stay. */
void owner_release_hold(struct owner_work *work);

/* What came of it. A sysexits code. */
int owner_say(const struct owner_work *work);

bool owner_is_same(const struct owner_work *work); /* before and afterwards */
const char *owner_or_nobody(const char *owner);

#endif
