/*
 * import.c - many rows of a file become changes, a batch at a time    (driver)
 */
#include "admin/import.h"

#include "admin/confirming.h"
#include "admin/progress.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSED_SHOWN_MOST = 100 };

struct counts {
	uint64_t added, changed, removed, unchanged, refused;
};

struct import {
	struct admin *admin;
	const struct import_rows *rows;
	struct change_note note;
	struct counts counts;
	struct seal seal; /* of the last batch that was written */
	uint64_t batches; /* so many were */
	uint64_t unsealed; /* rows found as they should be since the last of them */
	uint64_t slowest_us;
	bool show; /* --dry-run: every difference is printed */
	struct change batch[CHANGE_BATCH_MOST];
	struct confirming confirming;
	struct str right[BARRIER_NAMES_MOST]; /* are as they should be; more is everything */
	size_t right_count;
};

enum difference { ADDED, CHANGED, REMOVED, REFUSED };

static const struct {
	const char *mark, *word;
} differences[] = {
    [ADDED] = {"+", "added"},
    [CHANGED] = {"~", "changed"},
    [REMOVED] = {"-", "removed"},
    [REFUSED] = {"!", "refused"},
};

/* "old", or "-" for what is not there. */
static const char *
quoted(bool there, struct str value)
{
	return there ? log_quote(value) : "-";
}

static void
show(const struct import *import, const struct change *change, enum difference difference)
{
	const struct import_rows *rows = import->rows;
	const char *name = log_quote(change->name);
	struct change_value before = rows->before_fn(change);
	struct str after = rows->after_fn(change);
	bool refused = change->result == CHANGE_REFUSED;

	if (import->admin->json)
		admin_print_json(json_pack("{s:s, s:o, s:o*, s:o*, s:s*}", "difference",
		    differences[difference].word, "address", admin_json_text(change->name),
		    "before", before.there ? admin_json_text(before.text) : NULL, rows->value,
		    after.len > 0 ? admin_json_text(after) : NULL, "why",
		    refused ? rows->why_fn(change) : NULL));
	else if (before.there || refused)
		printf("%s %s %s -> %s%s%s\n", differences[difference].mark, name,
		    quoted(before.there, before.text), quoted(after.len > 0, after),
		    refused ? ": " : "", refused ? rows->why_fn(change) : "");
	else
		printf("%s %s %s\n", differences[difference].mark, name, log_quote(after));
}

static void
show_asked(const struct import *import, const struct change *change, enum difference difference)
{
	if (import->show)
		show(import, change, difference);
}

/* Some are named even where nobody asked for the differences. */
static void
say_refused(const struct import *import, const struct change *change, size_t row)
{
	struct change_value before = import->rows->before_fn(change);

	admin_fail(import->admin, EX_DATAERR, "line %" PRIu64 ": %s stays %s: %s",
	    import->rows->line_fn(import->rows->ctx, row), log_quote(change->name),
	    before.there ? log_quote(before.text) : "as it is", import->rows->why_fn(change));
}

static void
count_one(struct import *import, const struct change *change, size_t row)
{
	bool goes = import->rows->after_fn(change).len == 0;
	struct counts *counts = &import->counts;

	if (change->result == CHANGE_UNCHANGED) {
		counts->unchanged++;
	} else if (change->result == CHANGE_REFUSED) {
		counts->refused++;
		if (import->show)
			show(import, change, REFUSED);
		else if (counts->refused <= REFUSED_SHOWN_MOST)
			say_refused(import, change, row);
	} else if (goes) {
		counts->removed++;
		show_asked(import, change, REMOVED);
	} else if (import->rows->before_fn(change).there) {
		counts->changed++;
		show_asked(import, change, CHANGED);
	} else {
		counts->added++;
		show_asked(import, change, ADDED);
	}
}

/*
 * A batch whose connection was lost may have been written at another master. Has
 * that one the batch before too, and with it all others? What was only found
 * behind that batch has no mark in the map.
 */
static int
check_before(struct import *import, unsigned sessions, struct fault *fault_r)
{
	struct client *client = import->admin->client;
	enum audit_found found;

	if (client_sessions(client) == sessions)
		return 0;
	if (import->unsealed > 0)
		return fault_set(fault_r, VERDICT_TEMP,
		    "the connection to Redis was lost, and a failover may have undone rows that "
		    "were right before it");
	if (import->seal.epoch == 0)
		return 0;
	if (audit_find(client, import->seal.nonce, &found, fault_r) == -1)
		return -1;
	if (found == AUDIT_IS_THERE)
		return 0;
	return fault_set(fault_r, VERDICT_TEMP,
	    "a failover undid rows that were written before it, some or all");
}

static void
note_right(struct import *import, const struct change *change)
{
	if (change->result == CHANGE_REFUSED)
		return;
	if (import->right_count++ < BARRIER_NAMES_MOST)
		import->right[import->right_count - 1] = change->name;
	import->unsealed += change->result == CHANGE_UNCHANGED;
}

/* All rows, batch by batch; with "write" they are written, else only compared. */
static int
pass(struct import *import, bool write, const char *doing, struct fault *fault_r)
{
	struct client *client = import->admin->client;
	const struct import_rows *rows = import->rows;
	size_t total = rows->count, from = 0;
	struct progress progress;
	int rc = 0;

	import->counts = (struct counts){0};
	import->unsealed = import->right_count = 0;
	progress_start(&progress, doing, rows->unit, total, import->admin->json);
	while (from < total && rc == 0) {
		size_t count = total - from < CHANGE_BATCH_MOST ? total - from : CHANGE_BATCH_MOST;
		unsigned sessions = client_sessions(client);
		uint64_t start = clock_us();
		struct seal seal = {.epoch = 0};

		for (size_t i = 0; i < count; i++)
			rows->change_fn(rows->ctx, from + i, &import->batch[i]);
		rc = write ? change_run(client, import->batch, count, &import->note, rows->guard,
				 rows->guard_ctx, &seal, fault_r)
			   : change_try(client, import->batch, count, rows->guard, rows->guard_ctx,
				 fault_r);
		if (rc == 0)
			rc = check_before(import, sessions, fault_r);
		if (rc == -1)
			break;
		if (clock_us() - start > import->slowest_us)
			import->slowest_us = clock_us() - start;
		for (size_t i = 0; i < count; i++) {
			note_right(import, &import->batch[i]);
			count_one(import, &import->batch[i], from + i);
		}
		if (seal.epoch > 0) {
			import->seal = seal;
			import->batches++;
			import->unsealed = 0;
		}
		from += count;
		progress_step(&progress, from);
	}
	progress_end(&progress);
	return rc;
}

static json_t *
summary_json(const struct import *import, bool written)
{
	const struct counts *counts = &import->counts;
	json_t *object = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:f}", "written", written,
	    "added", (json_int_t)counts->added, "changed", (json_int_t)counts->changed, "unchanged",
	    (json_int_t)counts->unchanged, "refused", (json_int_t)counts->refused, "epoch",
	    (json_int_t)import->seal.epoch, "slowest_ms", (double)import->slowest_us / 1000);

	must(object != NULL);
	if (import->rows->removes)
		json_object_set_new(object, "removed", json_integer((json_int_t)counts->removed));
	if (written)
		confirming_json(&import->confirming, object);
	return object;
}

static void
print_summary(const struct import *import, bool written)
{
	const struct counts *counts = &import->counts;

	if (import->rows->removes)
		printf("%s%" PRIu64 " removed", written ? "" : "would be: ", counts->removed);
	else
		printf("%s%" PRIu64 " added, %" PRIu64 " changed",
		    written ? "" : "would be: ", counts->added, counts->changed);
	printf(", %" PRIu64 " unchanged, %" PRIu64 " refused (slowest batch %.1f ms)%s\n",
	    counts->unchanged, counts->refused, (double)import->slowest_us / 1000,
	    written && import->right_count > 0 ? confirming_words(&import->confirming) : "");
}

static int
summary(const struct import *import, bool written)
{
	int code;

	if (import->admin->json)
		admin_print_json(summary_json(import, written));
	else
		print_summary(import, written);
	code = confirming_end(&import->confirming, "the import", import->rows->again);
	return code != 0 ? code : import->counts.refused > 0 ? EX_DATAERR : 0;
}

static int
broken(const struct import *import, const struct fault *fault, size_t done)
{
	admin_fault(import->admin, fault);
	if (done > 0)
		admin_note(import->admin,
		    "%zu rows were done, and are not confirmed; start the same import again, it writes "
		    "what is missing and confirms all: splitmx %s",
		    done, import->rows->again);
	return EX_TEMPFAIL;
}

static size_t
done_so_far(const struct counts *counts)
{
	return counts->added + counts->changed + counts->removed + counts->unchanged +
	       counts->refused;
}

/*
 * Every row that is as the file wants it, whoever wrote it: a former import may
 * have been interrupted before that was known. The last batch's seal covers what was
 * there when it was written, and what is noted as confirmed by it is that batch; for
 * others, and for what was found later, there is a new one.
 */
static int
confirm(struct import *import, struct fault *fault_r)
{
	size_t count = import->right_count <= BARRIER_NAMES_MOST ? import->right_count : 0;

	if (import->right_count == 0)
		return 0; /* and no names would be everything */
	if ((import->unsealed > 0 || import->batches > 1) && import->confirming.waits)
		return confirming_present(&import->confirming, import->right, count, &import->seal,
		    fault_r);
	confirming_wait(&import->confirming, &import->seal, import->right, count);
	return 0;
}

static int
finish(struct import *import)
{
	struct fault fault;

	if (confirm(import, &fault) == -1)
		return broken(import, &fault, done_so_far(&import->counts));
	return summary(import, true);
}

static int
ask(const struct import *import)
{
	const struct admin *admin = import->admin;
	const struct counts *counts = &import->counts;

	if (import->rows->removes)
		return admin_confirm(admin,
		    "%" PRIu64 " %s would be removed from the map at %s; %" PRIu64
		    " refused. Go on?",
		    counts->removed, import->rows->unit, client_target(admin->client),
		    counts->refused);
	return admin_confirm(admin,
	    "%" PRIu64 " %s would be added and %" PRIu64 " changed in the map at %s; %" PRIu64
	    " refused. Go on?",
	    counts->added, import->rows->unit, counts->changed, client_target(admin->client),
	    counts->refused);
}

static int
work(struct import *import)
{
	struct admin *admin = import->admin;
	bool dry = args_has(&admin->args, "dry-run");
	struct fault fault;
	int code;

	import->show = dry;
	if (dry || !args_has(&admin->args, "yes")) {
		if (pass(import, false, "comparing", &fault) == -1)
			return broken(import, &fault, 0);
		if (dry)
			return summary(import, false);
		if (done_so_far(&import->counts) ==
		    import->counts.unchanged + import->counts.refused)
			return finish(import);
		if ((code = ask(import)) != 0)
			return code;
	}
	import->slowest_us = 0;
	if (pass(import, true, "importing", &fault) == -1)
		return broken(import, &fault, done_so_far(&import->counts));
	return finish(import);
}

int
import_run(struct admin *admin, const struct import_rows *rows)
{
	struct import *import = xnew(struct import);
	int code;

	import->admin = admin;
	import->rows = rows;
	import->note = (struct change_note){.who = admin_who(admin),
	    .what = "import",
	    .why = admin_why(admin),
	    .again = strlen(rows->again) <= JOURNAL_TEXT_MOST_BYTES ? rows->again : NULL,
	    .sha256 = rows->sha256};
	if ((code = confirming_init(&import->confirming, admin)) == 0)
		code = work(import);
	confirming_fini(&import->confirming);
	free(import);
	return code;
}
