/*
 * owner.c - set and unset: one owner key changes                      (driver)
 */
#include "admin/owner_inside.h"

#include "admin/reading.h"
#include "admin/shell.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/scan.h"

#include <inttypes.h>
#include <stdlib.h>

const char *
owner_destinations(const struct admin *admin)
{
	static struct buf names;

	buf_clear(&names);
	for (size_t i = 0; i < admin->settings->destination_count; i++)
		buf_addf(&names, "%s%s", i > 0 ? ", " : "", admin->settings->destinations[i].name);
	return buf_cstr(&names);
}

typedef int subject_read_fn(struct subject *subject, struct str text,
    const struct account_rules *rules, struct fault *fault_r);

static int
read_subject(const struct admin *admin, struct subject *subject, const char *text,
    subject_read_fn *read)
{
	struct account_rules rules = admin_account_rules(admin);
	struct fault fault;

	if (read(subject, str_of(text), &rules, &fault) == -1)
		return admin_fail(admin, EX_DATAERR, "%s", fault.text);
	if (subject->differs)
		admin_note(admin, "%s is written %s in the map", log_quote_text(text),
		    log_quote(subject->name));
	return 0;
}

int
owner_subject(const struct admin *admin, struct subject *subject, const char *text)
{
	return read_subject(admin, subject, text, subject_read);
}

int
owner_subject_or_login(const struct admin *admin, struct subject *subject, const char *text)
{
	return read_subject(admin, subject, text, subject_read_or_login);
}

static char *
value_text(struct change_value value)
{
	return value.there ? xstrdup(log_quote(value.text)) : NULL;
}

/*
 * A change looks at the keys of the account and of its domain. Mail for an
 * address with an extension, or with a login key, is routed by other accounts'
 * keys as long as it has none of its own: ask as the daemons do. Where an own
 * key goes, and others could take its place, nobody can know.
 */
static int
find_route(struct owner_work *work)
{
	const struct account *account = &work->subject->account;
	const struct finding *finding;
	struct reading reading = {0};
	struct fault fault;
	int rc = 0;

	if (work->subject->is_domain)
		return 0;
	if (work->change.owner.len == 0) {
		work->routed_elsewhere = !str_eq(account->base, account->name);
		return 0;
	}
	if (work->change.seen.owner.there)
		return 0;
	if (reading_account(&reading, work->admin, work->subject, &fault) == -1) {
		rc = admin_fault(work->admin, &fault);
	} else {
		finding = reading_finding(&reading);
		work->routed_elsewhere = finding->verdict == VERDICT_FOUND &&
					 !str_eq(finding->owner, work->change.owner);
	}
	reading_fini(&reading);
	return rc;
}

/* ---- the change */

/* The owner that counts afterwards, for what is said. */
static struct change_value
owner_after(const struct change *change, bool is_domain)
{
	if (change->owner.len > 0)
		return (struct change_value){true, change->owner};
	return is_domain ? (struct change_value){false, STR("")} : change->seen.domain_owner;
}

/* Who has it before and afterwards, by what was seen last. */
static void
note_owners(struct owner_work *work)
{
	free(work->before);
	free(work->after);
	work->before = value_text(change_owner_before(&work->change));
	work->after = value_text(owner_after(&work->change, work->subject->is_domain));
	work->complete_before = completing_words(work->change.seen.complete);
}

/*
 * It is so already, perhaps by a change that was never confirmed: a node may still
 * follow what was before, and whoever repeats a command wants to know that none does.
 */
static int
confirm_present(struct owner_work *work)
{
	struct fault fault;

	if (confirming_present(&work->confirming, &work->subject->name, 1, &work->seal, &fault) ==
	    -1)
		return admin_fault(work->admin, &fault);
	return owner_say(work);
}

static int
write_owner(struct owner_work *work)
{
	struct fault fault;
	int code;

	if (change_run(work->admin->client, &work->change, 1, &work->note, guard_owner_and_complete,
		&work->guard, &work->seal, &fault) == -1)
		return admin_fault(work->admin, &fault);
	note_owners(work);
	if (work->change.result == CHANGE_DONE)
		confirming_wait(&work->confirming, &work->seal, &work->subject->name, 1);
	code = work->change.result == CHANGE_UNCHANGED ? confirm_present(work) : owner_say(work);
	if (work->own_hold && work->change.result != CHANGE_DONE)
		owner_release_hold(work);
	return code;
}

/*
 * Accounts with keys of their own in a domain that loses its own and is not in
 * the settings: nobody honours them any more, whatever their owners are, and a
 * hold of the domain is none of theirs.
 */
static bool
count_account(void *ctx, const struct scan_row *row)
{
	uint64_t *count = ctx;

	*count += !str_starts(row->name, "@");
	return true;
}

static int
refuse_orphans(const struct owner_work *work)
{
	struct admin *admin = work->admin;
	struct buf glob = BUF_INIT;
	struct fault fault;
	uint64_t count = 0;
	int rc;

	if (!work->subject->is_domain || work->change.owner.len > 0 ||
	    args_has(&admin->args, "force") || guard_is_floor(admin->settings, work->subject->name))
		return 0;
	buf_add_byte(&glob, '*');
	scan_escape(&glob, work->subject->name);
	rc = scan_owners(admin->client, buf_str(&glob), count_account, &count, &fault);
	buf_fini(&glob);
	if (rc == -1)
		return admin_fault(admin, &fault);
	if (count == 0)
		return 0;
	return admin_fail(admin, EX_NOPERM,
	    "%" PRIu64 " accounts of %s have owners of their own, which would not be honoured any "
	    "more: unset them first (splitmx list --domain %s), name the domain in \"domains\", or "
	    "take --force",
	    count, log_quote(work->subject->domain), shell_word(work->subject->domain));
}

/* Both questions, where both change. */
static int
confirm_domain(const struct owner_work *work)
{
	struct admin *admin = work->admin;
	int code = 0;

	if (!owner_is_same(work))
		code = admin_confirm(admin,
		    "This changes every account of %.*s that has no owner of its own from %s to %s. "
		    "Go on?",
		    STR_FMT(work->subject->domain), owner_or_nobody(work->before),
		    owner_or_nobody(work->after));
	if (code == 0 && work->completing->is_said)
		code = completing_confirm(work->completing, admin, work->subject);
	return code;
}

static int
owner_work(struct owner_work *work)
{
	struct admin *admin = work->admin;
	const struct subject *subject = work->subject;
	struct fault fault;
	int code;

	/* First only a look: what would change, and does it need a hold? */
	work->guard.force = true;
	if (change_try(admin->client, &work->change, 1, guard_owner_and_complete, &work->guard,
		&fault) == -1)
		return admin_fault(admin, &fault);
	note_owners(work);
	if (work->change.result == CHANGE_UNCHANGED)
		return confirm_present(work);
	if (work->change.result == CHANGE_REFUSED)
		return owner_say(work);
	if ((code = refuse_orphans(work)) != 0)
		return code;
	if (subject->is_domain && (code = confirm_domain(work)) != 0)
		return code;
	work->guard.force = args_has(&admin->args, "force");
	if ((code = find_route(work)) != 0 || (code = owner_see_to_hold(work)) != 0)
		return code;
	return write_owner(work);
}

int
owner_change(struct admin *admin, const struct subject *subject, struct str destination,
    const struct completing *completing)
{
	struct owner_work work = {.admin = admin,
	    .subject = subject,
	    .change = {.name = subject->name,
		.writes = CHANGE_OWNER,
		.owner = destination,
		.hold_matters = true},
	    .guard = {.settings = admin->settings, .takes_back = completing->takes_back},
	    .completing = completing,
	    .note = {.what = destination.len > 0 ? "set" : "unset"}};
	int code = confirming_init(&work.confirming, admin);

	if (code != 0 || (code = admin_need_map(admin)) != 0)
		return code;
	work.note.who = admin_who(admin);
	work.note.why = admin_why(admin);
	/* A domain that loses its owner is not complete either when it has one again. */
	if (completing->is_said || (subject->is_domain && destination.len == 0)) {
		work.change.writes |= CHANGE_COMPLETE;
		work.change.complete = completing->value;
	}
	code = owner_work(&work);
	confirming_fini(&work.confirming);
	buf_fini(&work.hold);
	free(work.before);
	free(work.after);
	return code;
}
