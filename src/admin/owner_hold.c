/*
 * owner_hold.c - the hold under which an owner changes                (driver)
 */
#include "admin/owner_inside.h"

#include "admin/doctor_journal.h"
#include "admin/progress.h"
#include "admin/shell.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <sodium.h>
#include <unistd.h>

enum { WATCH_EVERY_MS = 200 };

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

int
owner_see_to_hold(struct owner_work *work)
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
		    log_quote(work->subject->name), owner_or_nobody(work->before),
		    guard_needs_hold);
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

void
owner_release_hold(struct owner_work *work)
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
