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

#include <stdbool.h>

struct guard {
	const struct settings *settings;
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
 * May this domain be declared complete, now that "before" is stored in its
 * complete key? NULL, or the sentence why not.
 */
const char *guard_complete(struct change_value before);

/* The sentences, also for tests. */
extern const char guard_unmanaged[], guard_needs_hold[], guard_hold_changed[], guard_catch_all[];

#endif
