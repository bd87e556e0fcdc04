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
#include "map/mirror.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/queue.h>

enum {
	TABLE_BITS = 12,
	TABLES = 1 << TABLE_BITS,
	BUCKETS_LEAST = 16,
	PASSED_MOST = 1000, /* due keys that one mirror_next() passes over */
};

struct record {
	struct record *next; /* in its bucket */
	uint64_t changed;
	uint32_t hash, round;
	uint16_t key_len, value_len; /* of an unknown one: room for a value */
	uint8_t what;
	bool is_due;
	char text[]; /* key, value */
};

struct table {
	struct record **buckets;
	uint32_t size, count;
};

struct due {
	STAILQ_ENTRY(due) queue;
	size_t len;
	char key[];
};

struct mirror {
	enum { CLOSED, LOADING, COMPLETE } state;
	bool is_full;
	uint32_t round;
	uint64_t now, began, forgot;
	size_t most;
	size_t count, old, unknown; /* all; of older rounds; unknown of this round */
	size_t held_bytes;
	unsigned swept; /* tables, since there may be something to sweep */
	STAILQ_HEAD(, due) due;
	struct table tables[TABLES];
};

/* ---- one table */

static uint64_t
hash_of(struct str key)
{
	return hash_bytes(key.ptr, key.len);
}

static size_t
table_of(uint64_t hash)
{
	return hash >> (64 - TABLE_BITS);
}

static struct str
record_key(const struct record *record)
{
	return str_make(record->text, record->key_len);
}

static struct str
record_value(const struct record *record)
{
	return str_make(record->text + record->key_len, record->value_len);
}

/* Where the pointer to the key's record stands, or NULL. */
static struct record **
table_find(const struct table *table, struct str key, uint64_t hash)
{
	struct record **at;

	if (table->size == 0)
		return NULL;
	for (at = &table->buckets[hash % table->size]; *at != NULL; at = &(*at)->next) {
		if ((*at)->hash == (uint32_t)hash && str_eq(record_key(*at), key))
			return at;
	}
	return NULL;
}

static void
table_grow(struct mirror *mirror, struct table *table)
{
	struct table grown = {.size = table->size ? table->size * 2 : BUCKETS_LEAST};
	struct record *record;

	grown.buckets = xnew_array(struct record *, grown.size);
	for (uint32_t i = 0; i < table->size; i++) {
		while ((record = table->buckets[i]) != NULL) {
			struct record **bucket = &grown.buckets[record->hash % grown.size];

			table->buckets[i] = record->next;
			record->next = *bucket;
			*bucket = record;
		}
	}
	mirror->held_bytes += mem_chunk_bytes(grown.size * sizeof(struct record *));
	if (table->size > 0)
		mirror->held_bytes -= mem_chunk_bytes(table->size * sizeof(struct record *));
	free(table->buckets);
	grown.count = table->count;
	*table = grown;
}

static void
table_empty(struct mirror *mirror, struct table *table)
{
	if (table->size > 0)
		mirror->held_bytes -= mem_chunk_bytes(table->size * sizeof(struct record *));
	free(table->buckets);
	*table = (struct table){0};
}

/* ---- one record */

static size_t
record_bytes(size_t key_len, size_t value_len)
{
	return mem_chunk_bytes(offsetof(struct record, text) + key_len + value_len);
}

static bool
is_old(const struct mirror *mirror, const struct record *record)
{
	return record->round != mirror->round;
}

/* Unknown, until it is told what it is; where the pointer to it stands. */
static struct record **
record_new(struct mirror *mirror, struct str key, uint64_t hash, size_t value_len)
{
	struct table *table = &mirror->tables[table_of(hash)];
	struct record *record, **bucket;

	if (value_len > MIRROR_VALUE_MAX_BYTES)
		value_len = 0;
	record = xcalloc(1, offsetof(struct record, text) + key.len + value_len);
	if (table->count >= table->size)
		table_grow(mirror, table);
	bucket = &table->buckets[hash % table->size];
	record->next = *bucket;
	*bucket = record;
	record->hash = (uint32_t)hash;
	record->round = mirror->round;
	record->key_len = (uint16_t)key.len;
	record->value_len = (uint16_t)value_len;
	memcpy(record->text, key.ptr, key.len);
	table->count++;
	mirror->count++;
	mirror->unknown++;
	mirror->held_bytes += record_bytes(key.len, value_len);
	return bucket;
}

/* From an older load, if it is: now of this one, and unknown. */
static void
record_adopt(struct mirror *mirror, struct record *record)
{
	if (!is_old(mirror, record))
		return;
	record->round = mirror->round;
	record->what = MIRROR_UNKNOWN;
	record->changed = 0;
	mirror->old--;
	mirror->unknown++;
}

static struct record *
record_resize(struct mirror *mirror, struct record **at, size_t value_len)
{
	struct record *record = *at;

	if (record->value_len == value_len)
		return record;
	mirror->held_bytes -= record_bytes(record->key_len, record->value_len);
	record = xrealloc(record, offsetof(struct record, text) + record->key_len + value_len);
	record->value_len = (uint16_t)value_len;
	mirror->held_bytes += record_bytes(record->key_len, value_len);
	*at = record;
	return record;
}

static void
record_become(struct mirror *mirror, struct record *record, enum mirror_what what)
{
	mirror->unknown -= record->what == MIRROR_UNKNOWN;
	mirror->unknown += what == MIRROR_UNKNOWN;
	record->what = (uint8_t)what;
}

static void
record_remove(struct mirror *mirror, struct table *table, struct record **at)
{
	struct record *record = *at;

	if (is_old(mirror, record))
		mirror->old--;
	else
		mirror->unknown -= record->what == MIRROR_UNKNOWN;
	*at = record->next;
	table->count--;
	mirror->count--;
	mirror->held_bytes -= record_bytes(record->key_len, record->value_len);
	free(record);
}

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
		uint64_t hash = hash_of(key);

		at = table_find(&mirror->tables[table_of(hash)], key, hash);
		record = at != NULL ? *at : NULL;
		due_drop(mirror);
		if (record == NULL)
			continue;
		record->is_due = false;
		if (is_old(mirror, record) || record->what != MIRROR_UNKNOWN)
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
	for (size_t i = 0; i < TABLES; i++)
		table_empty(mirror, &mirror->tables[i]);
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
	uint64_t hash = hash_of(key);
	struct record **at;

	if (mirror->state == CLOSED || key.len > MIRROR_KEY_MAX_BYTES)
		return MIRROR_UNKNOWN;
	at = table_find(&mirror->tables[table_of(hash)], key, hash);
	if (at == NULL || is_old(mirror, *at))
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
forget(struct mirror *mirror, struct table *table, struct record **at, uint64_t moment)
{
	if (at == NULL || is_old(mirror, *at) || moment < (*at)->changed)
		return;
	if (mirror->forgot < (*at)->changed)
		mirror->forgot = (*at)->changed;
	record_remove(mirror, table, at);
	if (table->count == 0)
		table_empty(mirror, table);
}

static void
settle(struct mirror *mirror, struct record **at, enum mirror_what what, struct str value)
{
	struct record *record = *at;

	if (what == MIRROR_STRING && value.len > MIRROR_VALUE_MAX_BYTES) {
		record_become(mirror, record, MIRROR_UNKNOWN); /* and not due: for ever */
		return;
	}
	if (what == MIRROR_STRING) {
		record = record_resize(mirror, at, value.len);
		if (value.len > 0)
			memcpy(record->text + record->key_len, value.ptr, value.len);
	} else if (what == MIRROR_UNKNOWN) {
		due_add(mirror, record);
	}
	record_become(mirror, record, what);
}

void
mirror_put(struct mirror *mirror, struct str key, enum mirror_what what, struct str value,
    uint64_t moment)
{
	uint64_t hash = hash_of(key);
	struct table *table = &mirror->tables[table_of(hash)];
	struct record **at = table_find(table, key, hash);

	if (mirror->state == CLOSED || moment < mirror->began || key.len > MIRROR_KEY_MAX_BYTES)
		return;
	if (what == MIRROR_ABSENT) {
		forget(mirror, table, at, moment);
		return;
	}
	if (at != NULL) {
		record_adopt(mirror, *at);
		if (moment < (*at)->changed)
			return; /* overtaken: it is due already */
	} else {
		if (!has_room(mirror))
			return;
		if (moment < mirror->forgot)
			what = MIRROR_UNKNOWN;
		at = record_new(mirror, key, hash, what == MIRROR_STRING ? value.len : 0);
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
	hash = hash_of(key);
	at = table_find(&mirror->tables[table_of(hash)], key, hash);
	if (at == NULL && !has_room(mirror))
		return;
	if (at == NULL)
		at = record_new(mirror, key, hash, 0);
	record_adopt(mirror, *at);
	(*at)->changed = mirror->now;
	record_become(mirror, *at, MIRROR_UNKNOWN);
	due_add(mirror, *at);
}

/* ---- table by table */

bool
mirror_sweep(struct mirror *mirror)
{
	struct table *table;
	struct record **at;

	if (mirror->state == LOADING || mirror->old == 0 || mirror->swept == TABLES)
		return false;
	table = &mirror->tables[mirror->swept++];
	for (uint32_t i = 0; i < table->size; i++) {
		at = &table->buckets[i];
		while (*at != NULL) {
			if (is_old(mirror, *at))
				record_remove(mirror, table, at);
			else
				at = &(*at)->next;
		}
	}
	if (table->count == 0)
		table_empty(mirror, table);
	return mirror->old > 0;
}

bool
mirror_walk(const struct mirror *mirror, unsigned *cursor, mirror_walk_fn *fn, void *ctx)
{
	const struct table *table;
	const struct record *record;

	if (*cursor >= TABLES)
		return false;
	table = &mirror->tables[(*cursor)++];
	for (uint32_t i = 0; i < table->size; i++) {
		for (record = table->buckets[i]; record != NULL; record = record->next) {
			if (!is_old(mirror, record))
				fn(ctx, record_key(record), record->what,
				    record->what == MIRROR_STRING ? record_value(record) : STR(""));
		}
	}
	return *cursor < TABLES;
}

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
