/*
 * journaled.c - what was changed from here, and is it in the map?     (machine)
 */
#include "admin/journaled.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A change; the table keeps them in the order in which they began. */
struct op {
	char nonce[HEAD_NONCE_BYTES], time[32];
	char *command, *who, *name, *before, *after, *complete, *digest, *again, *sha256;
	char *subject; /* what it changed: see subject_of() */
	uint64_t order, epoch, accounts;
	enum journal_what what;
	bool is_there; /* in the stream */
	UT_hash_handle hh;
};

/* What was changed, and when for the last time. */
struct subject {
	char *name;
	uint64_t order;
	UT_hash_handle hh;
};

struct journaled {
	char map[HEAD_ID_BYTES];
	struct op *ops;
	struct subject *subjects;
	uint64_t order;
	uint64_t all_order; /* of the last barrier for everything */
};

struct journaled *
journaled_new(const char *map)
{
	struct journaled *journaled = xnew(struct journaled);

	snprintf(journaled->map, sizeof(journaled->map), "%s", map);
	return journaled;
}

static void
forget_subjects(struct journaled *journaled)
{
	struct subject *subject, *next;

	HASH_ITER (hh, journaled->subjects, subject, next) {
		HASH_DEL(journaled->subjects, subject);
		free(subject->name);
		free(subject);
	}
}

static void
op_clear(struct op *op)
{
	free(op->command);
	free(op->who);
	free(op->name);
	free(op->before);
	free(op->after);
	free(op->complete);
	free(op->digest);
	free(op->again);
	free(op->sha256);
	free(op->subject);
}

void
journaled_free(struct journaled **journaled)
{
	struct op *op, *next;

	if (*journaled == NULL)
		return;
	forget_subjects(*journaled);
	HASH_ITER (hh, (*journaled)->ops, op, next) {
		HASH_DEL((*journaled)->ops, op);
		op_clear(op);
		free(op);
	}
	free(*journaled);
	*journaled = NULL;
}

/* ---- what an operation is about */

/* A hold is not about the owner, and a barrier writes nothing that could be lost. */
static bool
is_change(const struct op *op)
{
	static const char *const others[] = {
	    "hold", "confirm hold", "release", "barrier", "confirm", "accept"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (op->command == NULL || strcmp(op->command, others[i]) == 0)
			return false;
	}
	return true;
}

static bool
is_same(const char *one, const char *other)
{
	return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* What is said of a name beside its owner is decided by itself. */
static const char complete_of[] = "complete ";

/* An account's name; a digest where there are several; "window close ..." for the head. */
static char *
subject_of(const struct op *op)
{
	if (op->digest != NULL)
		return xstrdup(op->digest);
	if (op->name != NULL && op->complete != NULL && is_same(op->before, op->after))
		return xasprintf("%s%s", complete_of, op->name);
	if (op->name != NULL)
		return xstrdup(op->name);
	return xasprintf("%s %s", op->command, op->after != NULL ? op->after : "");
}

static void
note_subject(struct journaled *journaled, const char *name, uint64_t order)
{
	struct subject *subject = NULL;

	HASH_FIND_STR(journaled->subjects, name, subject);
	if (subject == NULL) {
		subject = xnew(struct subject);
		subject->name = xstrdup(name);
		HASH_ADD_KEYPTR(hh, journaled->subjects, subject->name, strlen(subject->name),
		    subject);
	}
	if (order > subject->order)
		subject->order = order;
}

static uint64_t
last_change_of(const struct journaled *journaled, const char *name)
{
	struct subject *subject = NULL;

	HASH_FIND_STR(journaled->subjects, name, subject);
	return subject != NULL ? subject->order : 0;
}

/* ---- the journal */

static struct op *
find_op(const struct journaled *journaled, struct str nonce)
{
	struct op *op = NULL;

	HASH_FIND(hh, journaled->ops, nonce.ptr, nonce.len, op);
	return op;
}

static char *
copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

static void
op_begin(struct journaled *journaled, const struct journal_line *line)
{
	struct op *op = find_op(journaled, str_of(line->nonce));

	if (op == NULL) {
		op = xnew(struct op);
		memcpy(op->nonce, line->nonce, sizeof(op->nonce));
		HASH_ADD_KEYPTR(hh, journaled->ops, op->nonce, strlen(op->nonce), op);
	} else {
		op_clear(op); /* another attempt of the same command */
	}
	memcpy(op->time, line->time, sizeof(op->time));
	op->command = copy(line->command);
	op->who = copy(line->who);
	op->name = copy(line->name);
	op->before = copy(line->before);
	op->after = copy(line->after);
	op->complete = copy(line->complete);
	op->digest = copy(line->digest);
	op->again = copy(line->again);
	op->sha256 = copy(line->sha256);
	op->accounts = line->accounts;
	op->subject = subject_of(op);
	op->what = JOURNAL_BEGUN;
	op->order = ++journaled->order;
}

bool
journaled_take_line(void *ctx, const struct journal_line *line)
{
	struct journaled *journaled = ctx;
	struct op *op;

	if (strcmp(line->map, journaled->map) != 0)
		return true;
	if (line->what == JOURNAL_BEGUN) {
		op_begin(journaled, line);
	} else if ((op = find_op(journaled, str_of(line->nonce))) != NULL) {
		op->what = line->what;
		op->epoch = line->epoch;
		if (is_change(op))
			note_subject(journaled, op->subject, op->order);
	}
	return true;
}

/* ---- the stream */

/* Names as the journal writes them. A barrier is about all that is said of them. */
static void
note_names(struct journaled *journaled, const struct entry *entry, bool all, uint64_t order)
{
	struct entry_change change;
	struct buf name = BUF_INIT;
	struct entry_walk walk;

	entry_walk_begin(&walk, entry);
	while (entry_walk_next(&walk, entry, &change)) {
		buf_clear(&name);
		buf_add_text(&name, complete_of);
		log_visible(&name, change.name);
		note_subject(journaled, buf_cstr(&name) + strlen(complete_of), order);
		if (all)
			note_subject(journaled, buf_cstr(&name), order);
	}
	buf_fini(&name);
}

bool
journaled_take_entry(void *ctx, const struct entry *entry)
{
	struct journaled *journaled = ctx;
	struct op *op;

	if (str_is(entry->what, "confirmed") || (op = find_op(journaled, entry->op)) == NULL)
		return true;
	op->is_there = true;
	/* An import that confirms everything was about its own rows, and decides nothing of others.
	 */
	if (str_is(entry->what, "barrier") && str_is(entry->accounts, "*") &&
	    op->order > journaled->all_order)
		journaled->all_order = op->order;
	if (is_change(op))
		note_subject(journaled, op->subject, op->order);
	if (is_change(op) || str_is(entry->what, "barrier") || str_is(entry->what, "confirm"))
		note_names(journaled, entry, !is_change(op), op->order);
	return true;
}

/* ---- asking */

static struct journaled_change
show(const struct op *op)
{
	bool has_name = op->digest == NULL && op->name != NULL;

	return (struct journaled_change){.name = has_name ? str_of(op->name) : STR(""),
	    .last = has_name ? NULL : op->name,
	    .command = op->command,
	    .who = op->who,
	    .time = op->time,
	    .before = op->before,
	    .after = op->after,
	    .complete = op->complete,
	    .again = op->again,
	    .sha256 = op->sha256,
	    .nonce = op->nonce,
	    .epoch = op->epoch,
	    .accounts = op->accounts,
	    .what = op->what};
}

static bool
is_last(const struct journaled *journaled, const struct op *op)
{
	return op->order > journaled->all_order &&
	       op->order >= last_change_of(journaled, op->subject);
}

void
journaled_lost(const struct journaled *journaled, bool whole, uint64_t epoch, journaled_fn *fn,
    void *ctx)
{
	uint64_t reaches = whole ? 0 : UINT64_MAX; /* the epoch that the stream reaches back to */

	for (const struct op *op = journaled->ops; op != NULL; op = op->hh.next) {
		struct journaled_change change;

		if (op->is_there && op->epoch > 0 && op->epoch < reaches)
			reaches = op->epoch;
		if (op->is_there || op->what == JOURNAL_BEGUN || !is_change(op))
			continue;
		if ((op->epoch <= reaches && op->epoch <= epoch) || !is_last(journaled, op))
			continue;
		change = show(op);
		fn(ctx, &change);
	}
}

bool
journaled_has(const struct journaled *journaled, struct str nonce)
{
	return find_op(journaled, nonce) != NULL;
}

static bool
is_hold(const struct op *op)
{
	return op->command != NULL &&
	       (strcmp(op->command, "hold") == 0 || strcmp(op->command, "confirm hold") == 0);
}

bool
journaled_hold_is_confirmed(const struct journaled *journaled, struct str name)
{
	bool confirmed = false;

	for (const struct op *op = journaled->ops; op != NULL; op = op->hh.next) {
		if (is_hold(op) && op->name != NULL && str_is(name, op->name))
			confirmed = op->what == JOURNAL_CONFIRMED;
	}
	return confirmed;
}
