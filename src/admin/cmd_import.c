/*
 * cmd_import.c - splitmx import FILE|-                                (driver)
 *
 * Compare first, ask, then write, a batch of accounts in a transaction. An
 * account that is as the file wants it is not written again, so an import that
 * was killed is resumed by starting it once more. What the guard refuses (an
 * owner that mail is routed by, a domain that nobody manages) is named and left
 * as it is, and everything else is done.
 */
#include "admin/admin.h"
#include "admin/confirming.h"
#include "admin/guard.h"
#include "admin/load.h"
#include "admin/progress.h"
#include "admin/shell.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/audit.h"
#include "map/change.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
    {"dry-run", NULL, "only print what would change: + added, ~ changed, ! refused"},
    {"owner", "DESTINATION", "only rows of this destination"},
    {"domain", "DOMAIN", "only rows of this domain"},
    {"force", NULL, "change owners that mail is routed by too, without a hold"},
    {"yes", NULL, "change without asking"},
    CONFIRMING_OPTIONS,
    {"reason", "TEXT", "why; stands in the audit stream"},
    {"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"},
    {0},
};

enum { REFUSED_SHOWN_MOST = 100 };

static const char needs_hold[] =
    "mail is routed by its present owner, and an import does not wait for a hold: move it with "
    "\"splitmx set --hold\", or import with --force if no mail comes";

struct counts {
	uint64_t added, changed, unchanged, refused;
};

struct import {
	struct admin *admin;
	struct load *load;
	struct guard guard;
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
	char *again; /* the command, for whoever must repeat it */
};

static bool
will_manage(void *ctx, struct str domain)
{
	return load_has(ctx, domain);
}

/* What the guard says is meant for a single account. */
static const char *
why(const struct change *change)
{
	return change->why == guard_needs_hold ? needs_hold : change->why;
}

static void
show(const struct import *import, const struct change *change, const char *mark, const char *what)
{
	const char *name = log_quote(change->name);

	if (import->admin->json)
		admin_print_json(json_pack("{s:s, s:o, s:o*, s:o, s:s*}", "difference", what,
		    "address", admin_json_text(change->name), "before",
		    change->seen.owner.there ? admin_json_text(change->seen.owner.text) : NULL,
		    "owner", admin_json_text(change->owner), "why", why(change)));
	else if (change->result == CHANGE_REFUSED)
		printf("%s %s %s -> %s: %s\n", mark, name,
		    change->seen.owner.there ? log_quote(change->seen.owner.text) : "-",
		    log_quote(change->owner), why(change));
	else if (change->seen.owner.there)
		printf("%s %s %s -> %s\n", mark, name, log_quote(change->seen.owner.text),
		    log_quote(change->owner));
	else
		printf("%s %s %s\n", mark, name, log_quote(change->owner));
}

static void
count_one(struct import *import, const struct change *change, size_t row)
{
	struct counts *counts = &import->counts;

	if (change->result == CHANGE_UNCHANGED) {
		counts->unchanged++;
	} else if (change->result == CHANGE_REFUSED) {
		counts->refused++;
		if (import->show)
			show(import, change, "!", "refused");
		else if (counts->refused <= REFUSED_SHOWN_MOST)
			admin_fail(import->admin, EX_DATAERR, "line %" PRIu64 ": %s stays %s: %s",
			    load_line(import->load, row), log_quote(change->name),
			    change->seen.owner.there ? log_quote(change->seen.owner.text)
						     : "as it is",
			    why(change));
	} else if (change->seen.owner.there) {
		counts->changed++;
		if (import->show)
			show(import, change, "~", "changed");
	} else {
		counts->added++;
		if (import->show)
			show(import, change, "+", "added");
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
	size_t total = load_count(import->load), from = 0;
	struct progress progress;
	int rc = 0;

	import->counts = (struct counts){0};
	import->unsealed = import->right_count = 0;
	progress_start(&progress, doing, "accounts", total, import->admin->json);
	while (from < total && rc == 0) {
		size_t count = total - from < CHANGE_BATCH_MOST ? total - from : CHANGE_BATCH_MOST;
		unsigned sessions = client_sessions(client);
		uint64_t start = clock_us();
		struct seal seal = {.epoch = 0};

		for (size_t i = 0; i < count; i++)
			import->batch[i] =
			    (struct change){.name = load_name(import->load, from + i),
				.writes = CHANGE_OWNER,
				.owner = load_owner(import->load, from + i)};
		rc = write ? change_run(client, import->batch, count, &import->note, guard_owner,
				 &import->guard, &seal, fault_r)
			   : change_try(client, import->batch, count, guard_owner, &import->guard,
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

static int
summary(const struct import *import, bool written)
{
	const struct counts *counts = &import->counts;

	int code;

	if (import->admin->json) {
		json_t *object = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:f}", "written",
		    written, "added", (json_int_t)counts->added, "changed",
		    (json_int_t)counts->changed, "unchanged", (json_int_t)counts->unchanged,
		    "refused", (json_int_t)counts->refused, "epoch", (json_int_t)import->seal.epoch,
		    "slowest_ms", (double)import->slowest_us / 1000);

		if (written)
			confirming_json(&import->confirming, object);
		admin_print_json(object);
	} else {
		printf("%s%" PRIu64 " added, %" PRIu64 " changed, %" PRIu64 " unchanged, %" PRIu64
		       " refused (slowest batch %.1f ms)%s\n",
		    written ? "" : "would be: ", counts->added, counts->changed, counts->unchanged,
		    counts->refused, (double)import->slowest_us / 1000,
		    written && import->right_count > 0 ? confirming_words(&import->confirming)
						       : "");
	}
	code = confirming_end(&import->confirming, "the import", import->again);
	return code != 0 ? code : counts->refused > 0 ? EX_DATAERR : 0;
}

static int
broken(const struct import *import, const struct fault *fault, size_t done)
{
	admin_fault(import->admin, fault);
	if (done > 0)
		admin_note(import->admin,
		    "%zu rows were done, and are not confirmed; start the same import again, it writes "
		    "what is missing and confirms all: splitmx %s",
		    done, import->again);
	return EX_TEMPFAIL;
}

static size_t
done_so_far(const struct counts *counts)
{
	return counts->added + counts->changed + counts->unchanged + counts->refused;
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
		if (import->counts.added + import->counts.changed == 0)
			return finish(import);
		if ((code = admin_confirm(admin,
			 "%" PRIu64 " accounts would be added and %" PRIu64
			 " changed in the map at %s; %" PRIu64 " refused. Go on?",
			 import->counts.added, import->counts.changed, client_target(admin->client),
			 import->counts.refused)) != 0)
			return code;
	}
	import->slowest_us = 0;
	if (pass(import, true, "importing", &fault) == -1)
		return broken(import, &fault, done_so_far(&import->counts));
	return finish(import);
}

/* "import /root/tonight.txt --force": what makes the same changes again, from anywhere. */
static void
note_again(struct import *import, const char *name)
{
	static const char *const filters[] = {"owner", "domain"};
	const struct args *args = &import->admin->args;
	struct buf again = BUF_INIT;
	char *path = strcmp(name, "-") != 0 ? realpath(name, NULL) : NULL;

	buf_addf(&again, "import %s", shell_word(str_of(path != NULL ? path : name)));
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		if (args_has(args, filters[i]))
			buf_addf(&again, " --%s=%s", filters[i],
			    shell_word(str_of(args_value(args, filters[i]))));
	}
	if (args_has(args, "force"))
		buf_add_text(&again, " --force");
	import->again = xstrdup(buf_cstr(&again));
	buf_fini(&again);
	free(path);
}

static int
from_file(struct admin *admin, FILE *file, const char *name)
{
	struct import *import = xnew(struct import);
	struct filter filter;
	struct fault fault;
	int code = 0;

	import->admin = admin;
	if ((code = confirming_init(&import->confirming, admin)) != 0) {
		free(import);
		return code;
	}
	if (filter_init(&filter, &admin->args, &fault) == -1) {
		free(import);
		return admin_fail(admin, EX_USAGE, "%s", fault.text);
	}
	import->load = load_read(admin, file, name, &filter, &code);
	if (import->load != NULL) {
		import->guard = (struct guard){.settings = admin->settings,
		    .force = args_has(&admin->args, "force"),
		    .will_manage = will_manage,
		    .ctx = import->load};
		note_again(import, file == stdin ? "-" : name);
		import->note = (struct change_note){.who = admin_who(admin),
		    .what = "import",
		    .why = admin_why(admin),
		    .again =
			strlen(import->again) <= JOURNAL_TEXT_MOST_BYTES ? import->again : NULL,
		    .sha256 = load_sha256(import->load)};
		code = work(import);
	}
	confirming_fini(&import->confirming);
	load_free(&import->load);
	free(import->again);
	filter_fini(&filter);
	free(import);
	return code;
}

static int
run(struct admin *admin)
{
	const char *name = admin->args.words[0];
	FILE *file = stdin;
	int code;

	if ((code = admin_need_map(admin)) != 0)
		return code;
	if (strcmp(name, "-") == 0)
		return from_file(admin, stdin, "standard input");
	if ((file = fopen(name, "re")) == NULL)
		return admin_fail(admin, EX_NOINPUT, "%s: %s", name, strerror(errno));
	code = from_file(admin, file, name);
	fclose(file);
	return code;
}

const struct command cmd_import = {
    .name = "import",
    .usage = "FILE|- [--dry-run] [--owner DESTINATION] [--domain DOMAIN] [--force] [--yes]",
    .sentence = "Writes the owners that a file names, NDJSON or \"address destination\".",
    .options = options,
    .words_least = 1,
    .words_most = 1,
    .run = run,
    .asks = ASKS_WHERE_MANY,
    .writes = WRITES_MAP,
};
