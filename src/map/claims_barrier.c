/*
 * claims_barrier.c - barriers that wait for claims                    (machine)
 */
#include "map/claims_inside.h"

#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- waiting */

static bool
topic_blocks(const struct topic *topic, uint64_t since)
{
	const struct link_to *first = TAILQ_FIRST(&topic->unsure);

	return first != NULL && first->claim->since <= since;
}

static void
pending_wait(struct pending *pending, struct topic *topic)
{
	pending->topic = topic;
	LIST_INSERT_HEAD(&topic->waiting, pending, waits);
}

static size_t
names_bytes(const struct pending *pending)
{
	return buf_len(&pending->store) + pending->count * sizeof(pending->names[0]);
}

static void
names_forget(struct pending *pending)
{
	free(pending->names);
	buf_fini(&pending->store);
	pending->names = NULL;
	pending->count = pending->next = 0;
}

static void
pending_remove(struct claims *claims, struct pending *pending)
{
	TAILQ_REMOVE(&claims->barriers, pending, entry);
	claims->barrier_count--;
	claims->name_bytes -= names_bytes(pending);
}

/* On to the first name that is in the way; past the last, it is agreed to. */
static void
pending_go_on(struct claims *claims, struct pending *pending)
{
	struct topic *topic;

	if (pending->everything && topic_blocks(claims->all, pending->since)) {
		pending_wait(pending, claims->all);
		return;
	}
	for (; pending->next < pending->count; pending->next++) {
		topic = topic_find(claims, pending->names[pending->next]);
		if (topic != NULL && topic_blocks(topic, pending->since)) {
			pending_wait(pending, topic);
			return;
		}
	}
	pending_remove(claims, pending);
	TAILQ_INSERT_TAIL(&claims->agreed, pending, entry);
}

static void
pending_stop(struct pending *pending)
{
	if (pending->topic != NULL)
		LIST_REMOVE(pending, waits);
	pending->topic = NULL;
}

static void
pending_free(struct pending *pending)
{
	names_forget(pending);
	free(pending);
}

void
topic_settle(struct claims *claims, struct topic *topic)
{
	struct pending *pending = LIST_FIRST(&topic->waiting), *next;

	for (; pending != NULL; pending = next) {
		next = LIST_NEXT(pending, waits);
		if (topic_blocks(topic, pending->since))
			continue;
		pending_stop(pending);
		pending_go_on(claims, pending);
	}
}

/* ---- barriers */

static void
name_add(struct pending *pending, struct str name)
{
	buf_add_str(&pending->store, name);
	pending->names[pending->count++].len = name.len;
}

static void
said_hash(const struct barrier *barrier, uint8_t hash_r[static 16])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, 16);
	for (size_t i = 0; i < barrier->count; i++) {
		const struct str *name = &barrier->names[i];

		crypto_generichash_update(&state, (const unsigned char *)&name->len,
		    sizeof(name->len));
		crypto_generichash_update(&state, (const unsigned char *)name->ptr, name->len);
	}
	crypto_generichash_final(&state, hash_r, 16);
}

static struct pending *
pending_new(struct claims *claims, const struct barrier *barrier)
{
	struct pending *pending = xnew(struct pending);
	struct str base;
	const char *text;

	pending->epoch = barrier->epoch;
	memcpy(pending->nonce, barrier->nonce, sizeof(pending->nonce));
	pending->since = claims->moment;
	pending->everything = barrier->everything;
	said_hash(barrier, pending->said);
	pending->names = xnew_array(struct str, barrier->count * 2 + 1);
	for (size_t i = 0; claims->total > 0 && !barrier->everything && i < barrier->count; i++) {
		name_add(pending, barrier->names[i]);
		if (claims_base_of(claims, barrier->names[i], &base))
			name_add(pending, base);
	}
	text = buf_str(&pending->store).ptr;
	for (size_t i = 0; i < pending->count; i++) {
		pending->names[i].ptr = text;
		text += pending->names[i].len;
	}
	return pending;
}

static struct pending *
pending_find(struct claims *claims, const struct barrier *barrier)
{
	struct pending *pending;

	TAILQ_FOREACH (pending, &claims->barriers, entry) {
		if (pending->epoch == barrier->epoch && strcmp(pending->nonce, barrier->nonce) == 0)
			break;
	}
	return pending;
}

static void
pending_drop(struct claims *claims, struct pending *pending)
{
	pending_remove(claims, pending);
	pending_stop(pending);
	pending_free(pending);
}

/* Who waits for these is waited for himself: they are asked about before others. */
static void
pending_hurry(struct claims *claims, const struct pending *pending)
{
	for (size_t i = 0; i < pending->count; i++) {
		struct topic *topic = topic_find(claims, pending->names[i]);
		struct link_to *link;

		if (topic == NULL)
			continue;
		TAILQ_FOREACH (link, &topic->unsure, entry) {
			if (link->claim->state == CLAIM_UNSURE || link->claim->state == CLAIM_LATER)
				claim_enter(link->claim, CLAIM_NAMED);
		}
	}
}

void
claims_barrier(struct claims *claims, const struct barrier *barrier)
{
	struct pending *pending = pending_new(claims, barrier), *old;

	if ((old = pending_find(claims, barrier)) != NULL) {
		if (memcmp(old->said, pending->said, sizeof(old->said)) == 0) {
			/* it goes on where it was */
			pending_free(pending);
			return;
		}
		pending_drop(claims, old);
	}
	if (claims->barrier_count == CLAIMS_BARRIERS_MOST)
		pending_drop(claims, TAILQ_FIRST(&claims->barriers));
	pending_hurry(claims, pending);
	if (names_bytes(pending) > CLAIMS_NAMES_MOST_BYTES - claims->name_bytes) {
		names_forget(pending);
		pending->everything = true;
	}
	TAILQ_INSERT_TAIL(&claims->barriers, pending, entry);
	claims->barrier_count++;
	claims->name_bytes += names_bytes(pending);
	pending_go_on(claims, pending);
}

bool
claims_agreed(struct claims *claims, uint64_t *epoch_r, char nonce_r[static HEAD_NONCE_BYTES])
{
	struct pending *pending = TAILQ_FIRST(&claims->agreed);

	if (pending == NULL)
		return false;
	*epoch_r = pending->epoch;
	memcpy(nonce_r, pending->nonce, HEAD_NONCE_BYTES);
	TAILQ_REMOVE(&claims->agreed, pending, entry);
	pending_free(pending);
	return true;
}

void
claims_forget_barriers(struct claims *claims)
{
	struct pending *pending;

	while ((pending = TAILQ_FIRST(&claims->barriers)) != NULL)
		pending_drop(claims, pending);
	while ((pending = TAILQ_FIRST(&claims->agreed)) != NULL) {
		TAILQ_REMOVE(&claims->agreed, pending, entry);
		pending_free(pending);
	}
}
