/*
 * mirror.c - a copy of the whole map, where it is small enough        (machine)
 *
 * A change is a tick of the mirror's clock, and a record has the tick of its
 * last change. A record that is removed because Redis no longer has the key
 * takes its tick along; "forgot" is the latest such tick, and a reply from
 * before it proves nothing about a key that has no record.
 *
 * A load has a round; records of an older round are not seen, but are taken over
 * when the load puts their key again, or swept.
 */
#include "map/mirror_inside.h"

#include "base/mem.h"

#include <stdlib.h>

enum { PASSED_MOST = 1000 }; /* due keys that one mirror_next() passes over */

/* ---- what is due to be read */

static void
due_add(struct mirror *mirror, struct record *record)
{
	struct due *due;

	if (record->is_due)
		return;
	record->is_due = true;
	due = xcalloc(1, sizeof(*due) + record->key_len);
	due->len = record->key_len;
	memcpy(due->key, record->text, record->key_len);
	STAILQ_INSERT_TAIL(&mirror->due, due, queue);
	mirror->held_bytes += mem_chunk_bytes(sizeof(*due) + due->len);
}

static void
due_drop(struct mirror *mirror)
{
	struct due *due = STAILQ_FIRST(&mirror->due);

	STAILQ_REMOVE_HEAD(&mirror->due, queue);
	mirror->held_bytes -= mem_chunk_bytes(sizeof(*due) + due->len);
	free(due);
}

bool
mirror_has_due(const struct mirror *mirror)
{
	return !STAILQ_EMPTY(&mirror->due);
}

bool
mirror_next(struct mirror *mirror, struct str *key_r)
{
	struct record **at, *record;
	struct due *due;

	for (int i = 0; i < PASSED_MOST && (due = STAILQ_FIRST(&mirror->due)) != NULL; i++) {
		struct str key = str_make(due->key, due->len);
		uint64_t hash = mirror_hash(key);

		at = mirror_find(mirror, key, hash);
		record = at != NULL ? *at : NULL;
		due_drop(mirror);
		if (record == NULL)
			continue;
		record->is_due = false;
		if (mirror_is_old(mirror, record) || record->what != MIRROR_UNKNOWN)
			continue;
		*key_r = record_key(record);
		return true;
	}
	return false;
}

/* ---- life */

struct mirror *
mirror_new(void)
{
	struct mirror *mirror = xnew(struct mirror);

	STAILQ_INIT(&mirror->due);
	mirror->held_bytes = mem_chunk_bytes(sizeof(*mirror));
	return mirror;
}

void
mirror_free(struct mirror **mirrorp)
{
	struct mirror *mirror = *mirrorp;

	*mirrorp = NULL;
	if (mirror == NULL)
		return;
	mirror_change_all(mirror);
	while (mirror_sweep(mirror))
		continue;
	while (mirror_has_due(mirror))
		due_drop(mirror);
	must(mirror->count == 0 && mirror->held_bytes == mem_chunk_bytes(sizeof(*mirror)));
	free(mirror);
}

/* ---- loads */

void
mirror_change_all(struct mirror *mirror)
{
	mirror->now++;
	mirror->round++;
	mirror->state = CLOSED;
	mirror->old = mirror->count;
	mirror->unknown = 0;
	mirror->swept = 0;
}

void
mirror_begin(struct mirror *mirror, size_t records_most)
{
	mirror_change_all(mirror);
	mirror->state = LOADING;
	mirror->is_full = false;
	mirror->most = records_most;
	mirror->began = mirror->now;
	mirror->forgot = 0;
}

bool
mirror_end(struct mirror *mirror, uint64_t moment)
{
	if (mirror->state != LOADING || moment < mirror->began)
		return false;
	mirror->state = COMPLETE;
	return true;
}

bool
mirror_is_open(const struct mirror *mirror)
{
	return mirror->state != CLOSED;
}

bool
mirror_is_complete(const struct mirror *mirror)
{
	return mirror->state == COMPLETE;
}

bool
mirror_is_full(const struct mirror *mirror)
{
	return mirror->is_full;
}

uint32_t
mirror_round(const struct mirror *mirror)
{
	return mirror->round;
}

/* ---- keys */

enum mirror_what
mirror_get(const struct mirror *mirror, struct str key, struct str *value_r)
{
	uint64_t hash = mirror_hash(key);
	struct record **at;

	if (mirror->state == CLOSED || key.len > MIRROR_KEY_MAX_BYTES)
		return MIRROR_UNKNOWN;
	at = mirror_find(mirror, key, hash);
	if (at == NULL || mirror_is_old(mirror, *at))
		return mirror->state == COMPLETE ? MIRROR_ABSENT : MIRROR_UNKNOWN;
	if ((*at)->what == MIRROR_STRING)
		*value_r = record_value(*at);
	return (*at)->what;
}

uint64_t
mirror_now(const struct mirror *mirror)
{
	return mirror->now;
}

/* Room for one more record? Where not, the mirror has given up. */
static bool
has_room(struct mirror *mirror)
{
	if (mirror->count < mirror->most)
		return true;
	mirror_change_all(mirror);
	mirror->is_full = true;
	return false;
}

/* Redis does not have the key: no record of it either. */
static void
forget(struct mirror *mirror, uint64_t hash, struct record **at, uint64_t moment)
{
	if (at == NULL || mirror_is_old(mirror, *at) || moment < (*at)->changed)
		return;
	if (mirror->forgot < (*at)->changed)
		mirror->forgot = (*at)->changed;
	mirror_remove(mirror, hash, at);
}

static void
settle(struct mirror *mirror, struct record **at, enum mirror_what what, struct str value)
{
	struct record *record = *at;

	if (what == MIRROR_STRING && value.len > MIRROR_VALUE_MAX_BYTES) {
		mirror_become(mirror, record, MIRROR_UNKNOWN); /* and not due: for ever */
		return;
	}
	if (what == MIRROR_STRING) {
		record = mirror_resize(mirror, at, value.len);
		if (value.len > 0)
			memcpy(record->text + record->key_len, value.ptr, value.len);
	} else if (what == MIRROR_UNKNOWN) {
		due_add(mirror, record);
	}
	mirror_become(mirror, record, what);
}

void
mirror_put(struct mirror *mirror, struct str key, enum mirror_what what, struct str value,
    uint64_t moment)
{
	uint64_t hash = mirror_hash(key);
	struct record **at = mirror_find(mirror, key, hash);

	if (mirror->state == CLOSED || moment < mirror->began || key.len > MIRROR_KEY_MAX_BYTES)
		return;
	if (what == MIRROR_ABSENT) {
		forget(mirror, hash, at, moment);
		return;
	}
	if (at != NULL) {
		mirror_adopt(mirror, *at);
		if (moment < (*at)->changed)
			return; /* overtaken: it is due already */
	} else {
		if (!has_room(mirror))
			return;
		if (moment < mirror->forgot)
			what = MIRROR_UNKNOWN;
		at = mirror_add(mirror, key, hash, what == MIRROR_STRING ? value.len : 0);
	}
	settle(mirror, at, what, value);
}

void
mirror_change(struct mirror *mirror, struct str key)
{
	uint64_t hash;
	struct record **at;

	mirror->now++;
	if (mirror->state == CLOSED || key.len > MIRROR_KEY_MAX_BYTES)
		return;
	hash = mirror_hash(key);
	at = mirror_find(mirror, key, hash);
	if (at == NULL && !has_room(mirror))
		return;
	if (at == NULL)
		at = mirror_add(mirror, key, hash, 0);
	mirror_adopt(mirror, *at);
	(*at)->changed = mirror->now;
	mirror_become(mirror, *at, MIRROR_UNKNOWN);
	due_add(mirror, *at);
}

/* ---- in numbers */

void
mirror_count(const struct mirror *mirror, struct mirror_counters *counters_r)
{
	*counters_r = (struct mirror_counters){
	    .records = mirror->count - mirror->old,
	    .unknown = mirror->unknown,
	    .old = mirror->old,
	    .used_bytes = mirror->held_bytes,
	};
}
