/*
 * doctor_journal.c - changes made from here that the map has lost     (driver)
 */
#include "admin/doctor_journal.h"

#include "admin/shell.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/change.h"
#include "map/seal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct telling {
	struct doctor_journal *journal;
	const struct str *names;
	size_t count;
};

int
doctor_journal_init(struct doctor_journal *journal, struct doctor *doctor, struct fault *fault_r)
{
	const struct admin *admin = doctor->admin;
	size_t damaged;

	*journal = (struct doctor_journal){
	    .doctor = doctor, .journaled = journaled_new(client_map(admin->client)->head.id)};
	if (journal_read(admin->settings->state_dir, journaled_take_line, journal->journaled,
		&damaged, fault_r) == -1)
		return -1;
	if (damaged > 0)
		admin_note(admin, "%zu lines of the journal are torn: what they said is not known",
		    damaged);
	return 0;
}

void
doctor_journal_fini(struct doctor_journal *journal)
{
	for (size_t i = 0; i < journal->lost_count; i++) {
		buf_fini(&journal->lost[i].name);
		buf_fini(&journal->lost[i].owner);
		buf_fini(&journal->lost[i].hold);
	}
	free(journal->lost);
	journaled_free(&journal->journaled);
}

/* ---- what the map says now */

static void
only_look(void *ctx, struct change *change)
{
	change->result = CHANGE_REFUSED;
}

static struct doctor_lost *
add_lost(struct doctor_journal *journal, const struct journaled_change *made,
    const struct change *seen)
{
	struct change_value hold = change_hold_before(seen);
	struct doctor_lost *lost;

	journal->lost =
	    xrealloc(journal->lost, (journal->lost_count + 1) * sizeof(journal->lost[0]));
	lost = &journal->lost[journal->lost_count++];
	*lost = (struct doctor_lost){
	    .name = BUF_INIT, .owner = BUF_INIT, .hold = BUF_INIT, .is_held = hold.there};
	snprintf(lost->nonce, sizeof(lost->nonce), "%s", made->nonce);
	buf_add_str(&lost->name, made->name);
	buf_add_str(&lost->owner, entry_value(seen->seen.owner.there, seen->seen.owner.text));
	buf_add_str(&lost->hold, hold.text);
	return lost;
}

/* ---- words */

static const char *
or_nothing(const char *value)
{
	return value != NULL ? value : "no owner of its own";
}

static const char *
outcome(const struct journaled_change *made)
{
	switch (made->what) {
	case JOURNAL_CONFIRMED:
		return "confirmed";
	case JOURNAL_LOST:
		return "undone by a failover while it was confirmed";
	case JOURNAL_BEGUN:
	case JOURNAL_WRITTEN:
	case JOURNAL_UNCONFIRMED:
	case JOURNAL_WHATS:
		break;
	}
	return "never confirmed";
}

/* What set takes to say the same of a domain again. */
static const char *
said_beside(const struct journaled_change *made)
{
	if (made->complete == NULL)
		return "";
	return strcmp(made->complete, "yes") == 0         ? " --complete"
	       : strcmp(made->complete, "catch-all") == 0 ? " --catch-all"
							  : "";
}

static void
say_account(struct doctor_journal *journal, const struct journaled_change *made,
    struct doctor_lost *lost)
{
	const char *name = shell_name(made->name), *after = made->after;
	struct buf again = BUF_INIT;

	if (after != NULL && strcmp(after, "-") != 0)
		buf_addf(&again, "set%s %s%s", name, after, said_beside(made));
	else
		buf_addf(&again, "unset%s", name);
	doctor_say(journal->doctor, FINDING_LOST, made->name,
	    "%s -> %s of epoch %" PRIu64
	    ", %s, made here by %s (%s, %s), is lost: the map says %s. "
	    "%s; splitmx %s makes it again, splitmx barrier%s accepts what is there",
	    or_nothing(made->before), or_nothing(after), made->epoch, outcome(made),
	    log_quote_text(made->who != NULL ? made->who : "?"), made->command, made->time,
	    str_is(buf_str(&lost->owner), "-") ? "that it has no owner of its own"
					       : buf_cstr(&lost->owner),
	    lost->is_held ? "It is held" : "Nothing holds it: splitmx doctor --hold",
	    buf_cstr(&again), name);
	buf_fini(&again);
}

/* Where the command is not known, it was an import all the same: nothing else is about several. */
static void
add_again(struct buf *out, const struct journaled_change *made)
{
	if (made->again != NULL)
		buf_addf(out, "splitmx %s makes it again", made->again);
	else
		buf_add_text(out, "splitmx import with the same file makes it again");
	if (made->sha256 != NULL)
		buf_addf(out, " (the sha256 of what it read was %s)", made->sha256);
}

static void
say_unnamed(struct doctor_journal *journal, const struct journaled_change *made)
{
	struct buf again = BUF_INIT;

	journal->unnamed++;
	if (made->accounts > 1) {
		add_again(&again, made);
		doctor_say(journal->doctor, FINDING_LOST, str_of(made->command),
		    "a change of %" PRIu64 " accounts, epoch %" PRIu64
		    ", %s, made here by %s (%s; the last is %s), is lost, and nothing holds them: "
		    "the journal has only their number, so --hold cannot. %s; splitmx barrier, "
		    "without names, accepts what is there",
		    made->accounts, made->epoch, outcome(made),
		    log_quote_text(made->who != NULL ? made->who : "?"), made->time,
		    log_quote_text(made->last != NULL ? made->last : "?"), buf_cstr(&again));
		buf_fini(&again);
	} else {
		doctor_say(journal->doctor, FINDING_LOST, str_of(made->command),
		    "epoch %" PRIu64 ", made here by %s (%s; %s), is lost: repeat it, or accept "
		    "what is there with splitmx barrier, without names",
		    made->epoch, log_quote_text(made->who != NULL ? made->who : "?"), made->time,
		    made->after != NULL ? made->after : "?");
	}
}

/* ---- each of them */

static bool
is_wanted(const struct telling *telling, struct str name)
{
	bool wanted = telling->count == 0;

	for (size_t i = 0; i < telling->count && !wanted; i++)
		wanted = str_eq(telling->names[i], name);
	return wanted;
}

static bool
is_now(struct change_value value, const char *wanted)
{
	return str_is(entry_value(value.there, value.text), wanted != NULL ? wanted : "-");
}

/* The same by whatever way: then nothing is lost. */
static bool
is_so_again(const struct journaled_change *made, const struct change *seen)
{
	return is_now(seen->seen.owner, made->after) &&
	       (made->complete == NULL || is_now(seen->seen.complete, made->complete));
}

/* No mail is held for this: at worst a stranger's is refused, or taken, until somebody decides. */
static void
say_complete(struct doctor_journal *journal, const struct journaled_change *made,
    const struct change *seen)
{
	struct str now = entry_value(seen->seen.complete.there, seen->seen.complete.text);

	doctor_say(journal->doctor, FINDING_LOST, made->name,
	    "its complete key was %s in epoch %" PRIu64
	    ", %s, made here by %s (%s, %s), and that is "
	    "lost: it is %.*s now (\"-\": not there); make it again, or splitmx barrier%s accepts "
	    "what is there",
	    made->complete, made->epoch, outcome(made),
	    log_quote_text(made->who != NULL ? made->who : "?"), made->command, made->time,
	    STR_FMT(now), shell_name(made->name));
}

static void
on_lost(void *ctx, const struct journaled_change *made)
{
	struct telling *telling = ctx;
	struct doctor_journal *journal = telling->journal;
	struct change change = {
	    .name = made->name, .writes = made->complete != NULL ? CHANGE_COMPLETE : 0};

	if (journal->failed || !is_wanted(telling, made->name))
		return;
	if (made->name.len == 0) {
		say_unnamed(journal, made);
		return;
	}
	journal->failed = change_try(journal->doctor->admin->client, &change, 1, only_look, NULL,
			      &journal->fault) == -1;
	if (journal->failed || is_so_again(made, &change))
		return;
	if (made->complete != NULL && is_now(change.seen.owner, made->after))
		say_complete(journal, made, &change);
	else
		say_account(journal, made, add_lost(journal, made, &change));
}

int
doctor_journal(struct doctor_journal *journal, bool whole, const struct str *names, size_t count,
    struct fault *fault_r)
{
	struct telling telling = {journal, names, count};

	journaled_lost(journal->journaled, whole,
	    client_map(journal->doctor->admin->client)->head.epoch, on_lost, &telling);
	if (journal->failed)
		*fault_r = journal->fault;
	return journal->failed ? -1 : 0;
}
