/*
 * origin.c - how an owner came into the map                           (driver)
 */
#include "admin/origin.h"

#include "admin/shell.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The last change of one key, copied. */
struct last {
	const struct origin_key *key;
	bool found;
	bool only_confirms; /* "confirm": it found what a change before it wrote */
	size_t order; /* of its entry, the newest is 1 */
	bool confirmed;
	uint64_t epoch;
	struct buf who, what, op, after;
	char at[ENTRY_TIME_BYTES];
	int64_t at_s;
};

/* A confirmation that was met on the way back, so it is newer than what comes. */
struct proof {
	char op[HEAD_NONCE_BYTES];
	uint64_t epoch;
};

struct search {
	struct last lasts[2];
	size_t count;
	size_t order;
	struct proof *proofs;
	size_t proof_count;
	uint64_t all_epoch; /* of a confirmed barrier for everything; 0: none yet */
};

static const struct proof *
find_proof(const struct search *search, struct str op)
{
	for (size_t i = 0; i < search->proof_count; i++) {
		if (str_is(op, search->proofs[i].op))
			return &search->proofs[i];
	}
	return NULL;
}

static void
add_proof(struct search *search, const struct entry *entry)
{
	struct proof proof = {.epoch = 0};

	if (!head_word_read(entry->op, proof.op, sizeof(proof.op)))
		return;
	str_number(entry->epoch, INT64_MAX, &proof.epoch);
	search->proofs =
	    xrealloc(search->proofs, (search->proof_count + 1) * sizeof(search->proofs[0]));
	search->proofs[search->proof_count++] = proof;
}

/* "1763730000000-0" */
static int64_t
seconds_of(struct str id)
{
	uint64_t ms = 0;

	str_number(str_make(id.ptr, str_find(id, '-')), INT64_MAX, &ms);
	return (int64_t)(ms / 1000);
}

static void
take_last(struct search *search, struct last *last, const struct entry *entry, struct str after)
{
	const struct proof *proof = find_proof(search, entry->op);

	if (last->found && !str_eq(buf_str(&last->after), after)) {
		last->only_confirms = false; /* it found an edit by hand, and nobody knows more */
		return;
	}
	if (!last->confirmed) {
		last->confirmed = proof != NULL || search->all_epoch > 0;
		last->epoch = proof != NULL ? proof->epoch : search->all_epoch;
	}
	last->found = true;
	last->only_confirms = str_is(entry->what, "confirm");
	last->order = search->order;
	buf_clear(&last->who);
	buf_clear(&last->what);
	buf_clear(&last->op);
	buf_clear(&last->after);
	buf_add_str(&last->who, entry->who);
	buf_add_str(&last->what, entry->what);
	buf_add_str(&last->op, entry->op);
	buf_add_str(&last->after, after);
	entry_time(entry->id, last->at);
	last->at_s = seconds_of(entry->id);
}

static bool
on_entry(void *ctx, const struct entry *entry)
{
	struct search *search = ctx;
	const struct proof *proof;
	struct entry_walk walk;
	struct entry_change change;
	bool all = true;

	search->order++;
	if (str_is(entry->what, "confirmed"))
		add_proof(search, entry);
	else if (str_is(entry->accounts, "*") && search->all_epoch == 0 &&
		 (proof = find_proof(search, entry->op)) != NULL)
		search->all_epoch = proof->epoch;
	entry_walk_begin(&walk, entry);
	while (entry_walk_next(&walk, entry, &change)) {
		for (size_t i = 0; i < search->count; i++) {
			struct last *last = &search->lasts[i];

			if ((!last->found || last->only_confirms) &&
			    str_eq(change.name, last->key->name))
				take_last(search, last, entry, change.after);
		}
	}
	for (size_t i = 0; i < search->count; i++)
		all = all && search->lasts[i].found && !search->lasts[i].only_confirms;
	return !all;
}

/* ---- judging */

static bool
is_as_noted(const struct last *last)
{
	const struct change_value *value = &last->key->value;

	if (!last->found)
		return !value->there; /* nobody noted one, and there is none */
	return str_eq(entry_value(value->there, value->text), buf_str(&last->after));
}

/*
 * The account's own key where it is there, or is not what was noted; else the newer
 * change of the two, because both made what is now.
 */
static const struct last *
choose(const struct search *search)
{
	const struct last *own = &search->lasts[0], *domain = &search->lasts[1];

	if (search->count == 1 || own->key->value.there || !is_as_noted(own))
		return own;
	if (!domain->found || !is_as_noted(domain))
		return domain;
	return own->found && own->order < domain->order ? own : domain;
}

static void
tell(struct origin *origin, const struct last *last)
{
	buf_add_str(&origin->name, last->key->name);
	buf_add_str(&origin->who, buf_str(&last->who));
	buf_add_str(&origin->what, buf_str(&last->what));
	buf_add_str(&origin->op, buf_str(&last->op));
	buf_add_str(&origin->noted, buf_str(&last->after));
	memcpy(origin->at, last->at, sizeof(origin->at));
	origin->at_s = last->at_s;
	origin->epoch = last->epoch;
	if (!last->found)
		origin->state = ORIGIN_UNKNOWN;
	else if (!is_as_noted(last))
		origin->state = ORIGIN_DIFFERS;
	else
		origin->state = last->confirmed ? ORIGIN_CONFIRMED : ORIGIN_WRITTEN;
}

int
origin_find(struct origin *origin, struct client *client, const struct origin_key *account,
    const struct origin_key *domain, struct fault *fault_r)
{
	struct search search = {
	    .lasts = {{.key = account}, {.key = domain}}, .count = domain != NULL ? 2 : 1};
	int rc = history_back(client, on_entry, &search, fault_r);

	if (rc == 0)
		tell(origin, choose(&search));
	for (size_t i = 0; i < ARRAY_LEN(search.lasts); i++) {
		buf_fini(&search.lasts[i].who);
		buf_fini(&search.lasts[i].what);
		buf_fini(&search.lasts[i].op);
		buf_fini(&search.lasts[i].after);
	}
	free(search.proofs);
	return rc;
}

void
origin_fini(struct origin *origin)
{
	buf_fini(&origin->name);
	buf_fini(&origin->who);
	buf_fini(&origin->what);
	buf_fini(&origin->op);
	buf_fini(&origin->noted);
}

/* Who only confirmed what is there did not make it. */
int64_t
origin_flip_s(const struct origin *origin)
{
	struct str what = buf_str(&origin->what);

	if (origin->state == ORIGIN_UNKNOWN || origin->state == ORIGIN_DIFFERS ||
	    str_is(what, "barrier") || str_is(what, "confirm"))
		return 0;
	return origin->at_s;
}

/* ---- words */

static const char *const state_names[] = {
    [ORIGIN_UNKNOWN] = "unknown",
    [ORIGIN_CONFIRMED] = "confirmed",
    [ORIGIN_WRITTEN] = "written",
    [ORIGIN_DIFFERS] = "differs",
};
_Static_assert(ARRAY_LEN(state_names) == ORIGIN_STATES, "a state lacks its name");

static void
print_change(const struct origin *origin)
{
	printf("%s by ", log_quote(buf_str(&origin->what)));
	admin_print_text(stdout, buf_str(&origin->who));
	printf(", %s", origin->at);
	if (origin->epoch > 0)
		printf(", epoch %" PRIu64, origin->epoch);
}

void
origin_print(const struct origin *origin)
{
	const char *name = log_quote(buf_str(&origin->name));

	fputs("changed    ", stdout);
	switch (origin->state) {
	case ORIGIN_UNKNOWN:
		printf("%s: no change noted in the last %d entries of the audit stream\n", name,
		    HISTORY_BACK_MOST);
		break;
	case ORIGIN_CONFIRMED:
		print_change(origin);
		puts(", confirmed");
		break;
	case ORIGIN_WRITTEN:
		print_change(origin);
		printf("; written, not confirmed: run splitmx barrier%s\n",
		    shell_name(buf_str(&origin->name)));
		break;
	case ORIGIN_DIFFERS:
		printf("%s differs from the last noted change (", name);
		print_change(origin);
		fputs(" wrote ", stdout);
		admin_print_text(stdout, buf_str(&origin->noted));
		printf("): edited by hand, or lost in a failover; splitmx barrier%s confirms what "
		       "is there\n",
		    shell_name(buf_str(&origin->name)));
		break;
	case ORIGIN_STATES:
		break;
	}
}

json_t *
origin_json(const struct origin *origin)
{
	json_t *object = json_pack("{s:s, s:o}", "state", state_names[origin->state], "name",
	    admin_json_text(buf_str(&origin->name)));

	if (origin->state == ORIGIN_UNKNOWN)
		return object;
	json_object_set_new(object, "what", admin_json_text(buf_str(&origin->what)));
	json_object_set_new(object, "who", admin_json_text(buf_str(&origin->who)));
	json_object_set_new(object, "at", json_string(origin->at));
	json_object_set_new(object, "op", admin_json_text(buf_str(&origin->op)));
	json_object_set_new(object, "noted", admin_json_text(buf_str(&origin->noted)));
	if (origin->epoch > 0)
		json_object_set_new(object, "epoch", json_integer((json_int_t)origin->epoch));
	return object;
}
