/*
 * doctor_hold.c - an account that is lost gets no mail and no login   (driver)
 *
 * While nobody has decided, both owners may be the right one. A hold of everything
 * keeps mail in the queue and users out, and says by its value which change it is
 * about, so that it is ended by who placed it and by nobody else.
 */
#include "admin/confirming.h"
#include "admin/doctor_journal.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/change.h"
#include "map/scan.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { RANDOM_BYTES = 4 };

struct holding {
	struct doctor_journal *journal;
	struct admin *admin;
	struct str *names; /* whose hold is to be confirmed */
	struct seal *seals;
	size_t count;
	struct buf decided; /* "HOLD NAME" lines: holds that may go */
};

static void
say(const struct holding *holding, struct str name, const char *result, const char *words)
{
	if (holding->admin->json) {
		admin_print_json(json_pack("{s:s, s:o}", "result", result, "name",
		    admin_json_text(name)));
		return;
	}
	admin_print_text(stdout, name);
	printf(": %s\n", words);
}

/* ---- placing */

/* Only an account that is as we saw it, and that nothing holds. */
static void
guard_lost(void *ctx, struct change *change)
{
	const struct doctor_lost *lost = ctx;
	struct str owner = entry_value(change->seen.owner.there, change->seen.owner.text);

	if (change_hold_before(change).there)
		change->result = CHANGE_UNCHANGED;
	else if (!str_eq(owner, buf_str(&lost->owner)))
		change->result = CHANGE_REFUSED;
}

static int
place(struct holding *holding, struct doctor_lost *lost, struct fault *fault_r)
{
	struct admin *admin = holding->admin;
	struct change change = {.name = buf_str(&lost->name),
	    .writes = CHANGE_HOLD,
	    .hold_ms = DOCTOR_HOLD_MS,
	    .hold_matters = true};
	struct change_note note = {
	    .who = admin_who(admin), .what = "hold", .why = "a change of its owner is lost"};
	unsigned char random[RANDOM_BYTES];
	char hex[2 * RANDOM_BYTES + 1];
	struct seal seal;

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(hex, sizeof(hex), random, sizeof(random));
	buf_clear(&lost->hold);
	buf_addf(&lost->hold, DOCTOR_HOLD "%s-%s", lost->nonce, hex);
	change.hold = buf_str(&lost->hold);
	if (change_run(admin->client, &change, 1, &note, guard_lost, lost, &seal, fault_r) == -1)
		return -1;
	if (change.result == CHANGE_REFUSED) {
		say(holding, change.name, "changed",
		    "changed meanwhile, and not held: run splitmx doctor again");
		return 0;
	}
	lost->is_held = true;
	if (change.result == CHANGE_UNCHANGED)
		return 0; /* by somebody else, this moment */
	holding->names[holding->count] = buf_str(&lost->name);
	holding->seals[holding->count++] = seal;
	say(holding, change.name, "held", "held, for a day or until somebody has decided");
	return 0;
}

/* One that an earlier run placed, and that some node may never have heard of. */
static int
confirm_again(struct holding *holding, struct doctor_lost *lost, struct fault *fault_r)
{
	struct str name = buf_str(&lost->name);

	if (!str_starts(buf_str(&lost->hold), DOCTOR_HOLD) ||
	    client_went_back(holding->admin->client) > 0 ||
	    journaled_hold_is_confirmed(holding->journal->journaled, name))
		return 0;
	if (confirming_seal(holding->admin, "confirm hold", &name, 1,
		&holding->seals[holding->count], fault_r) == -1)
		return -1;
	holding->names[holding->count++] = name;
	return 0;
}

static int
confirm(struct holding *holding)
{
	struct admin *admin = holding->admin;
	struct confirming confirming;
	struct fault fault;
	int code = confirming_init(&confirming, admin);

	if (code != 0 || holding->count == 0 || client_went_back(admin->client) > 0)
		return code;
	/* One barrier for all: it follows the last of them on this connection. */
	if (!confirming_wait(&confirming, &holding->seals[holding->count - 1], holding->names,
		holding->count)) {
		code = admin_fail(admin, EX_TEMPFAIL,
		    "the holds are placed, and not confirmed: a node may still act on what it knew "
		    "before; run splitmx doctor --hold again");
	} else if (confirming.result != NULL) {
		for (size_t i = 0; i + 1 < holding->count && code == 0; i++) {
			if (seal_journal_end(admin->client, &holding->seals[i], JOURNAL_CONFIRMED,
				&fault) == -1)
				code = admin_fault(admin, &fault);
		}
	}
	confirming_fini(&confirming);
	return code;
}

/* ---- ending */

/* Ours, of this host: it names a change that was made here. */
static bool
is_ours(const struct holding *holding, struct str hold)
{
	struct str nonce;

	if (!str_starts(hold, DOCTOR_HOLD))
		return false;
	nonce = str_from(hold, sizeof(DOCTOR_HOLD) - 1);
	nonce.len = str_find(nonce, '-');
	return hold.len == sizeof(DOCTOR_HOLD) + nonce.len + 2 * RANDOM_BYTES &&
	       str_find(hold, ' ') == hold.len && str_find(hold, '\n') == hold.len &&
	       journaled_has(holding->journal->journaled, nonce);
}

static bool
is_lost(const struct holding *holding, struct str name)
{
	bool is = false;

	for (size_t i = 0; i < holding->journal->lost_count && !is; i++)
		is = str_eq(buf_str(&holding->journal->lost[i].name), name);
	return is;
}

/* The walk lends its rows: those that may go are copied. */
static bool
on_hold(void *ctx, const struct scan_row *row)
{
	struct holding *holding = ctx;

	if (!is_ours(holding, row->owner) || is_lost(holding, row->name) ||
	    str_find(row->name, '\n') < row->name.len)
		return true;
	buf_add_str(&holding->decided, row->owner);
	buf_add_byte(&holding->decided, ' ');
	buf_add_str(&holding->decided, row->name);
	buf_add_byte(&holding->decided, '\n');
	return true;
}

static void
guard_same_hold(void *ctx, struct change *change)
{
	const struct str *hold = ctx;

	if (!change->seen.hold.there || !str_eq(change->seen.hold.text, *hold))
		change->result = CHANGE_UNCHANGED;
}

static int
release(struct holding *holding, struct str hold, struct str name, struct fault *fault_r)
{
	struct admin *admin = holding->admin;
	struct change change = {.name = name, .writes = CHANGE_RELEASE, .hold_matters = true};
	struct change_note note = {.who = admin_who(admin),
	    .what = "release",
	    .why = "the change that was lost is decided"};
	struct seal seal;

	if (change_run(admin->client, &change, 1, &note, guard_same_hold, &hold, &seal, fault_r) ==
	    -1)
		return -1;
	if (change.result == CHANGE_DONE)
		say(holding, name, "released", "decided, and held no more");
	return 0;
}

static int
release_decided(struct holding *holding, struct fault *fault_r)
{
	struct str rest;

	if (client_went_back(holding->admin->client) > 0)
		return 0;
	if (scan_keys(holding->admin->client, "hold", STR(""), on_hold, holding, fault_r) == -1)
		return -1;
	for (rest = buf_str(&holding->decided); rest.len > 0;) {
		size_t end = str_find(rest, '\n'), at = str_find(rest, ' ');

		if (release(holding, str_make(rest.ptr, at),
			str_make(rest.ptr + at + 1, end - at - 1), fault_r) == -1)
			return -1;
		rest = str_from(rest, end + 1);
	}
	return 0;
}

int
doctor_hold(struct doctor_journal *journal)
{
	struct holding holding = {
	    .journal = journal, .admin = journal->doctor->admin, .decided = BUF_INIT};
	struct fault fault;
	int code, rc = 0;

	holding.names = xnew_array(struct str, journal->lost_count + 1);
	holding.seals = xnew_array(struct seal, journal->lost_count + 1);
	for (size_t i = 0; rc == 0 && i < journal->lost_count; i++) {
		struct doctor_lost *lost = &journal->lost[i];

		rc = lost->is_held ? confirm_again(&holding, lost, &fault)
				   : place(&holding, lost, &fault);
	}
	if (rc == 0)
		rc = release_decided(&holding, &fault);
	code = rc == -1 ? admin_fault(holding.admin, &fault) : confirm(&holding);
	buf_fini(&holding.decided);
	free(holding.names);
	free(holding.seals);
	return code;
}
