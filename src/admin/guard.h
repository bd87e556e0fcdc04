/*
 * guard.h - may this change of an owner be written?                     (pure)
 *
 * What set, unset and import ask before they write, of the values that are
 * stored at that moment. The rules are few: the domain is managed; the
 * destination exists; and an owner that mail is routed by changes only under a
 * delivery hold, because Postfix remembers routes for 30 seconds and a direct
 * change can bounce mail or leave it in the former mailbox.
 */
#ifndef ADMIN_GUARD_H
#define ADMIN_GUARD_H

#include "base/settings.h"
#include "map/change.h"
#include "map/record.h"

#include <stdbool.h>

struct guard {
	const struct settings *settings;
	enum completeness takes_back; /* guard_complete(): what is removed from a domain */
	bool force; /* change owners without a hold */
	/*
	 * The hold that must be there unchanged for an owner to change: its value
	 * as it was seen when it was old enough. Not watched: no hold will do,
	 * because nobody knows its age. An empty value is a hold, too.
	 */
	bool watched;
	struct str hold;
	/* Domains that are about to become managed by the same work; may be NULL. */
	bool (*will_manage)(void *ctx, struct str domain_with_at);
	void *ctx;
};

/* A change_guard_fn; ctx is a struct guard. */
void guard_owner(void *guard, struct change *change);

/* Would this change, with what was seen, give mail another route? */
bool guard_is_flip(const struct change *change);

bool guard_is_floor(const struct settings *settings, struct str domain_with_at);

/*
 * The same for complete keys. A domain is complete or has a catch-all: one is taken
 * back before the other is said, and only what was declared is taken back. It stands
 * beside the owner key of the domain; what is known of an address wants a managed one.
 */
void guard_complete(void *guard, struct change *change);

/* Both, for set and unset: refused by either, unchanged for both, else done. */
void guard_owner_and_complete(void *guard, struct change *change);

/* The sentences, also for tests. */
extern const char guard_unmanaged[], guard_needs_hold[], guard_hold_changed[], guard_catch_all[],
    guard_is_complete[], guard_no_owner[];

#endif
