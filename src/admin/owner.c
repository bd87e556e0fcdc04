/*
 * owner.c - set and unset: one owner key changes                      (driver)
 */
#include "admin/owner.h"

#include "admin/doctor_journal.h"
#include "admin/guard.h"
#include "admin/progress.h"
#include "admin/reading.h"
#include "admin/shell.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/change.h"
#include "map/scan.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WATCH_EVERY_MS = 200 };

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

static const char *
or_nobody(const char *owner)
{
	return owner != NULL ? owner : "nobody";
}

/* ---- the hold */

static void
guard_new_hold(void *ctx, struct change *change)
{
	struct owner_work *work = ctx;

	if (change_hold_before(change).there) {
		change->result = CHANGE_REFUSED;
		change->why = guard_hold_changed;
	}
	(void)work;
}

static int
place_hold(struct owner_work *work)
{
	struct admin *admin = work->admin;
	struct change change = {.name = work->subject->name,
	    .writes = CHANGE_HOLD,
	    .hold_matters = true,
	    .hold_ms = OWNER_HOLD_MS + OWNER_HOLD_SPARE_MS + work->confirming.wait_ms};
	struct change_note note = work->note;
	unsigned char random[8];
	struct fault fault;
	char hex[2 * sizeof(random) + 1];

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(hex, sizeof(hex), random, sizeof(random));
	buf_addf(&work->hold, "mail:set-%s", hex);
	change.hold = buf_str(&work->hold);
	note.what = "hold";
	if (change_run(admin->client, &change, 1, &note, guard_new_hold, work, &work->seal,
		&fault) == -1)
		return admin_fault(admin, &fault);
	if (change.result == CHANGE_REFUSED)
		return admin_fail(admin, EX_TEMPFAIL, "%s: %s", log_quote(work->subject->name),
		    change.why);
	work->own_hold = true;
	return 0;
}

static void
guard_hold_stays(void *ctx, struct change *change)
{
	struct owner_work *work = ctx;
	struct change_value hold = change_hold_before(change);

	if (!hold.there || !str_eq(hold.text, buf_str(&work->hold))) {
		change->result = CHANGE_REFUSED;
		change->why = guard_hold_changed;
	}
}

/* See the same hold for OWNER_HOLD_MS, by our own clock. Interrupted: nothing changes. */
static int
watch_hold(struct owner_work *work)
{
	struct admin *admin = work->admin;
	struct change change = {.name = work->subject->name};
	struct progress progress;
	uint64_t start = clock_ms(), now = start;
	struct fault fault;

	admin_note(admin,
	    work->own_hold ? "delivery is held; waiting %d s until no Postfix remembers the "
			     "former route (Ctrl-C changes nothing, the hold ends by itself)"
			   : "there is a hold, and its age is known to nobody: watching it for "
			     "%d s (Ctrl-C changes nothing; --force if you know it is older)",
	    OWNER_HOLD_MS / 1000);
	progress_start(&progress, "holding", "s", OWNER_HOLD_MS / 1000, admin->json);
	while (now - start < OWNER_HOLD_MS) {
		usleep(WATCH_EVERY_MS * 1000);
		now = clock_ms();
		progress_step(&progress, (now - start) / 1000);
		if (change_try(admin->client, &change, 1, guard_hold_stays, work, &fault) == -1) {
			progress_end(&progress);
			return admin_fault(admin, &fault);
		}
		if (change.result == CHANGE_REFUSED)
			break;
	}
	progress_end(&progress);
	if (change.result == CHANGE_REFUSED)
		return admin_fail(admin, EX_TEMPFAIL, "%s: %s", log_quote(work->subject->name),
		    change.why);
	return 0;
}

/*
 * A hold that a node has not heard of holds nothing there, so its time begins
 * when it is confirmed; one that somebody else placed may never have been.
 */
static int
confirm_hold(struct owner_work *work)
{
	struct admin *admin = work->admin;
	struct str name = work->subject->name;
	struct fault fault;
	struct buf what = BUF_INIT, again = BUF_INIT;
	int code = 0;

	if (!work->confirming.waits)
		return 0;
	if (!work->own_hold &&
	    confirming_seal(admin, "confirm hold", &name, 1, &work->seal, &fault) == -1)
		return admin_fault(admin, &fault);
	if (!confirming_wait(&work->confirming, &work->seal, &name, 1)) {
		buf_addf(&what, "the hold of %s", log_quote(name));
		buf_addf(&again, "barrier%s", shell_name(name));
		code = confirming_end(&work->confirming, buf_cstr(&what), buf_cstr(&again));
		buf_fini(&again);
		buf_fini(&what);
		admin_note(admin, "the owner was not changed");
	}
	return code;
}

/* Is a hold needed, and is one there or wanted? work->guard.hold is then the one to insist on. */
static int
see_to_hold(struct owner_work *work)
{
	struct admin *admin = work->admin;
	struct change_value hold = change_hold_before(&work->change);
	int code = 0;

	if (work->guard.force || (!guard_is_flip(&work->change) && !work->routed_elsewhere))
		return 0;
	if (hold.there) {
		buf_add_str(&work->hold, hold.text);
	} else if (args_has(&admin->args, "hold")) {
		code = place_hold(work);
	} else {
		return admin_fail(admin, EX_NOPERM, "%s belongs to %s: %s",
		    log_quote(work->subject->name), or_nobody(work->before), guard_needs_hold);
	}
	if (code == 0)
		code = confirm_hold(work);
	if (code == 0)
		code = watch_hold(work);
	work->guard.hold = buf_str(&work->hold);
	work->guard.watched = true;
	/* The doctor's goes too: who sets the owner has decided what it waited for. */
	if (work->own_hold || str_starts(buf_str(&work->hold), DOCTOR_HOLD))
		work->change.writes |= CHANGE_RELEASE;
	return code;
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

static const char *const result_names[] = {
    [CHANGE_DONE] = "changed",
    [CHANGE_UNCHANGED] = "unchanged",
    [CHANGE_REFUSED] = "refused",
};

static bool
is_same_owner(const struct owner_work *work)
{
	return work->before != NULL && work->after != NULL &&
	       strcmp(work->before, work->after) == 0;
}

static const char *
complete_after(const struct owner_work *work)
{
	struct str value = work->change.complete;

	return completing_words((struct change_value){value.len > 0, value});
}

/* "old -> new, not complete -> complete"; what was not asked for is left out. */
static void
add_result(struct buf *out, const struct owner_work *work)
{
	const char *complete = complete_after(work);

	if (work->change.result == CHANGE_UNCHANGED)
		buf_add_text(out, "unchanged, ");
	buf_add_text(out, or_nobody(work->before));
	if (work->change.result == CHANGE_DONE &&
	    !(work->completing->is_said && is_same_owner(work)))
		buf_addf(out, " -> %s", or_nobody(work->after));
	if (!work->completing->is_said)
		return;
	if (strcmp(work->complete_before, complete) != 0)
		buf_addf(out, ", %s ->", work->complete_before);
	buf_addf(out, "%s %s", strcmp(work->complete_before, complete) != 0 ? "" : ",", complete);
}

static json_t *
result_json(const struct owner_work *work)
{
	json_t *object = json_pack("{s:o, s:s, s:s?, s:s?, s:I}", "address",
	    admin_json_text(work->change.name), "result", result_names[work->change.result],
	    "before", work->before, "after", work->after, "epoch", (json_int_t)work->seal.epoch);

	must(object != NULL);
	if (work->completing->is_said) {
		json_object_set_new(object, "complete_before", json_string(work->complete_before));
		json_object_set_new(object, "complete_after", json_string(complete_after(work)));
	}
	confirming_json(&work->confirming, object);
	return object;
}

static int
say_result(const struct owner_work *work)
{
	const struct admin *admin = work->admin;
	const struct change *change = &work->change;
	const char *name = log_quote(change->name);
	struct buf again = BUF_INIT, said = BUF_INIT;
	int code;

	if (change->result == CHANGE_REFUSED)
		return admin_fail(admin, EX_NOPERM, "%s belongs to %s: %s", name,
		    or_nobody(work->before), change->why);
	if (admin->json) {
		admin_print_json(result_json(work));
	} else {
		add_result(&said, work);
		if (change->result == CHANGE_DONE)
			buf_addf(&said, " (epoch %" PRIu64 ")", work->seal.epoch);
		printf("%s: %s%s\n", name, buf_cstr(&said), confirming_words(&work->confirming));
	}
	buf_fini(&said);
	buf_addf(&again, "barrier%s", shell_name(change->name));
	code = confirming_end(&work->confirming, name, buf_cstr(&again));
	buf_fini(&again);
	return code;
}

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

/* Somebody else made the change while we held the account: our hold goes, theirs would stay. */
static void
release_hold(struct owner_work *work)
{
	struct change change = {
	    .name = work->subject->name, .writes = CHANGE_RELEASE, .hold_matters = true};
	struct change_note note = work->note;
	struct fault unimportant; /* it ends by itself */
	struct seal seal;

	note.what = "release";
	change_run(work->admin->client, &change, 1, &note, guard_hold_stays, work, &seal,
	    &unimportant);
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
	return say_result(work);
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
	code = work->change.result == CHANGE_UNCHANGED ? confirm_present(work) : say_result(work);
	if (work->own_hold && work->change.result != CHANGE_DONE)
		release_hold(work);
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
	const struct admin *admin = work->admin;
	int code = 0;

	if (!is_same_owner(work))
		code = admin_confirm(admin,
		    "This changes every account of %.*s that has no owner of its own from %s to %s. "
		    "Go on?",
		    STR_FMT(work->subject->domain), or_nobody(work->before),
		    or_nobody(work->after));
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
		return say_result(work);
	if ((code = refuse_orphans(work)) != 0)
		return code;
	if (subject->is_domain && (code = confirm_domain(work)) != 0)
		return code;
	work->guard.force = args_has(&admin->args, "force");
	if ((code = find_route(work)) != 0 || (code = see_to_hold(work)) != 0)
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
