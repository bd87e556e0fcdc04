/*
 * noted.c - the last noted owner of each account                      (machine)
 */
#include "admin/noted.h"

#include "base/hash.h"
#include "base/mem.h"
#include "map/head.h"

#include <stdlib.h>
#include <string.h>

/* A change, as long as it is the last one of an account, or a barrier for everything. */
struct op {
	char nonce[HEAD_NONCE_BYTES];
	size_t accounts; /* whose last change it is */
	uint64_t order; /* of its entry */
	bool confirmed, is_all;
	UT_hash_handle hh;
};

struct account {
	char *name, *after;
	struct op *op; /* NULL: the entry has none, it is older than confirmations */
	uint64_t order;
	bool asked;
	UT_hash_handle hh;
};

struct noted {
	struct account *accounts;
	struct op *ops;
	uint64_t order; /* of the entry that is read */
	uint64_t all_order; /* everything up to this entry was confirmed at once */
	bool whole;
};

struct noted *
noted_new(void)
{
	return xnew(struct noted);
}

static void
op_free(struct noted *noted, struct op *op)
{
	HASH_DEL(noted->ops, op);
	free(op);
}

void
noted_free(struct noted **noted)
{
	struct account *account, *next_account;
	struct op *op, *next_op;

	if (*noted == NULL)
		return;
	HASH_ITER (hh, (*noted)->accounts, account, next_account) {
		HASH_DEL((*noted)->accounts, account);
		free(account->name);
		free(account->after);
		free(account);
	}
	HASH_ITER (hh, (*noted)->ops, op, next_op) {
		op_free(*noted, op);
	}
	free(*noted);
	*noted = NULL;
}

/* ---- changes and what came of them */

static struct op *
find_op(const struct noted *noted, struct str nonce)
{
	struct op *op = NULL;

	if (nonce.len > 0)
		HASH_FIND(hh, noted->ops, nonce.ptr, nonce.len, op);
	return op;
}

static struct op *
find_or_add_op(struct noted *noted, struct str nonce)
{
	struct op *op = find_op(noted, nonce), *fresh;

	if (op != NULL)
		return op;
	fresh = xnew(struct op);
	if (!head_word_read(nonce, fresh->nonce, sizeof(fresh->nonce))) {
		free(fresh);
		return NULL;
	}
	fresh->order = noted->order;
	HASH_ADD(hh, noted->ops, nonce, nonce.len, fresh);
	return fresh;
}

static void
op_release(struct noted *noted, struct op *op)
{
	if (op != NULL && --op->accounts == 0 && !op->is_all)
		op_free(noted, op);
}

static void
take_change(struct noted *noted, const struct entry_change *change, struct op *op)
{
	struct account *account = NULL;

	HASH_FIND(hh, noted->accounts, change->name.ptr, change->name.len, account);
	if (account == NULL) {
		account = xnew(struct account);
		account->name = xstrndup(change->name.ptr, change->name.len);
		HASH_ADD_KEYPTR(hh, noted->accounts, account->name, change->name.len, account);
	}
	if (op != NULL)
		op->accounts++;
	op_release(noted, account->op);
	free(account->after);
	account->after = xstrndup(change->after.ptr, change->after.len);
	account->op = op;
	account->order = noted->order;
}

static void
take_confirmation(struct noted *noted, struct str nonce)
{
	struct op *op = find_op(noted, nonce);

	if (op == NULL)
		return;
	op->confirmed = true;
	if (op->is_all && op->order > noted->all_order)
		noted->all_order = op->order;
}

bool
noted_take(void *ctx, const struct entry *entry)
{
	struct noted *noted = ctx;
	struct entry_walk walk;
	struct entry_change change;
	struct op *op;

	noted->order++;
	if (noted->order == 1)
		noted->whole = str_is(entry->what, "init");
	if (str_is(entry->what, "confirmed")) {
		take_confirmation(noted, entry->op);
		return true;
	}
	if ((op = find_or_add_op(noted, entry->op)) != NULL) {
		op->is_all = op->is_all || str_is(entry->accounts, "*");
		op->accounts++; /* ours, while we look */
	}
	entry_walk_begin(&walk, entry);
	while (entry_walk_next(&walk, entry, &change))
		take_change(noted, &change, op);
	op_release(noted, op);
	return true;
}

/* ---- asking */

bool
noted_is_whole(const struct noted *noted)
{
	return noted->whole;
}

static struct noted_owner
show(const struct noted *noted, const struct account *account)
{
	return (struct noted_owner){.name = str_of(account->name),
	    .after = str_of(account->after),
	    .confirmed = (account->op != NULL && account->op->confirmed) ||
			 account->order <= noted->all_order};
}

bool
noted_find(struct noted *noted, struct str name, struct noted_owner *owner_r)
{
	struct account *account = NULL;

	HASH_FIND(hh, noted->accounts, name.ptr, name.len, account);
	if (account == NULL)
		return false;
	account->asked = true;
	*owner_r = show(noted, account);
	return true;
}

void
noted_rest(const struct noted *noted, noted_fn *fn, void *ctx)
{
	for (const struct account *account = noted->accounts; account != NULL;
	     account = account->hh.next) {
		struct noted_owner owner = show(noted, account);

		if (!account->asked)
			fn(ctx, &owner);
	}
}
