/*
 * guard.c - may this change of an owner be written?                     (pure)
 */
#include "admin/guard.h"

#include "base/mem.h"

const char guard_unmanaged[] =
    "its domain is not managed, so the key would not be honoured; give the domain an owner first "
    "(splitmx set @DOMAIN DESTINATION), or name it in \"domains\"";
const char guard_needs_hold[] =
    "mail is routed by its present owner, and Postfix remembers a route for 30 s: a direct change "
    "can bounce mail or leave it on the former side; use --hold, or --force if no mail comes";
const char guard_hold_changed[] =
    "the hold that was there has ended or is another one now; nothing was changed, start again";
const char guard_catch_all[] =
    "a catch-all is declared for this domain, so every address of it is somebody's: a domain is "
    "complete or has a catch-all (splitmx set @DOMAIN DESTINATION --no-catch-all takes it back)";
const char guard_is_complete[] =
    "this domain is complete, so what the map does not know is nobody's: a domain is complete or "
    "has a catch-all (splitmx set @DOMAIN DESTINATION --not-complete takes it back)";
const char guard_no_owner[] =
    "the domain has no owner key, and beside nothing else this is read: splitmx set @DOMAIN "
    "DESTINATION";

bool
guard_is_floor(const struct settings *settings, struct str domain_with_at)
{
	for (size_t i = 0; i < settings->domain_count; i++) {
		if (str_is(str_from(domain_with_at, 1), settings->domains[i]))
			return true;
	}
	return false;
}

static bool
is_managed(const struct guard *guard, const struct change *change)
{
	struct str domain = str_from(change->name, str_rfind(change->name, '@'));

	return domain.len == change->name.len || change->seen.domain_owner.there ||
	       guard_is_floor(guard->settings, domain) ||
	       (guard->will_manage != NULL && guard->will_manage(guard->ctx, domain));
}

static struct change_value
owner_then(const struct change *change)
{
	struct str domain = str_from(change->name, str_rfind(change->name, '@'));

	if (change->owner.len > 0)
		return (struct change_value){true, change->owner};
	if (domain.len == change->name.len) /* the domain's own key goes */
		return (struct change_value){false, STR("")};
	return change->seen.domain_owner;
}

bool
guard_is_flip(const struct change *change)
{
	struct change_value before = change_owner_before(change), then = owner_then(change);

	return before.there && !(then.there && str_eq(before.text, then.text));
}

static void
refuse(struct change *change, const char *why)
{
	change->result = CHANGE_REFUSED;
	change->why = why;
}

void
guard_owner(void *ctx, struct change *change)
{
	const struct guard *guard = ctx;
	struct change_value hold = change_hold_before(change);
	bool removes = change->owner.len == 0;

	if (removes ? !change->seen.owner.there
		    : change->seen.owner.there && str_eq(change->seen.owner.text, change->owner)) {
		change->result = CHANGE_UNCHANGED;
		return;
	}
	if (!removes && !is_managed(guard, change)) {
		refuse(change, guard_unmanaged);
		return;
	}
	if (!guard_is_flip(change) || guard->force)
		return;
	if (!guard->watched)
		refuse(change, guard_needs_hold);
	else if (!hold.there || !str_eq(hold.text, guard->hold))
		refuse(change, guard_hold_changed);
}

/* ---- complete keys */

/* What is there stands against what is wanted. */
static const char *
contradicted(enum completeness wanted, enum completeness there)
{
	if (wanted == COMPLETE_YES && there == COMPLETE_CATCH_ALL)
		return guard_catch_all;
	return wanted == COMPLETE_CATCH_ALL && there == COMPLETE_YES ? guard_is_complete : NULL;
}

static void
guard_domain(const struct guard *guard, struct change *change)
{
	struct change_value before = change->seen.complete;
	enum completeness there = before.there ? record_completeness(before.text) : COMPLETE_UNSAID;
	bool removes = change->complete.len == 0;
	enum completeness wanted =
	    removes ? guard->takes_back : record_completeness(change->complete);
	const char *why = contradicted(wanted, there);

	if (why != NULL)
		refuse(change, why);
	else if (removes ? !before.there : there == wanted && there != COMPLETE_UNSAID)
		change->result = CHANGE_UNCHANGED;
	else if (!removes && !change->seen.owner.there &&
		 !(change->writes & CHANGE_OWNER && change->owner.len > 0))
		refuse(change, guard_no_owner);
}

void
guard_complete(void *ctx, struct change *change)
{
	const struct guard *guard = ctx;
	struct change_value before = change->seen.complete;
	bool removes = change->complete.len == 0;

	if (str_starts(change->name, "@"))
		guard_domain(guard, change);
	else if (removes ? !before.there : before.there && str_eq(before.text, change->complete))
		change->result = CHANGE_UNCHANGED;
	else if (!removes && !is_managed(guard, change))
		refuse(change, guard_unmanaged);
}

void
guard_owner_and_complete(void *ctx, struct change *change)
{
	struct change complete = *change;

	guard_owner(ctx, change);
	/* Whatever is said of a domain goes with its owner. */
	if (change->result == CHANGE_REFUSED || (change->writes & CHANGE_COMPLETE) == 0 ||
	    ((change->writes & CHANGE_OWNER) && change->owner.len == 0))
		return;
	guard_complete(ctx, &complete);
	if (complete.result == CHANGE_REFUSED)
		refuse(change, complete.why);
	else if (complete.result == CHANGE_DONE)
		change->result = CHANGE_DONE;
}
