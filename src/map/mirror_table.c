/*
 * mirror_table.c - the records of a mirror                            (machine)
 *
 * Many small tables, by the first bits of a key's hash: growing one of them, or
 * going through it, never takes long.
 */
#include "map/mirror_inside.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

enum { BUCKETS_LEAST = 16 };

/* ---- one table */

uint64_t
mirror_hash(struct str key)
{
	return hash_bytes(key.ptr, key.len);
}

static size_t
table_of(uint64_t hash)
{
	return hash >> (64 - TABLE_BITS);
}

struct record **
mirror_find(const struct mirror *mirror, struct str key, uint64_t hash)
{
	const struct table *table = &mirror->tables[table_of(hash)];
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

struct record **
mirror_add(struct mirror *mirror, struct str key, uint64_t hash, size_t value_len)
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

void
mirror_adopt(struct mirror *mirror, struct record *record)
{
	if (!mirror_is_old(mirror, record))
		return;
	record->round = mirror->round;
	record->what = MIRROR_UNKNOWN;
	record->changed = 0;
	mirror->old--;
	mirror->unknown++;
}

struct record *
mirror_resize(struct mirror *mirror, struct record **at, size_t value_len)
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

void
mirror_become(struct mirror *mirror, struct record *record, enum mirror_what what)
{
	mirror->unknown -= record->what == MIRROR_UNKNOWN;
	mirror->unknown += what == MIRROR_UNKNOWN;
	record->what = (uint8_t)what;
}

static void
record_remove(struct mirror *mirror, struct table *table, struct record **at)
{
	struct record *record = *at;

	if (mirror_is_old(mirror, record))
		mirror->old--;
	else
		mirror->unknown -= record->what == MIRROR_UNKNOWN;
	*at = record->next;
	table->count--;
	mirror->count--;
	mirror->held_bytes -= record_bytes(record->key_len, record->value_len);
	free(record);
}

void
mirror_remove(struct mirror *mirror, uint64_t hash, struct record **at)
{
	struct table *table = &mirror->tables[table_of(hash)];

	record_remove(mirror, table, at);
	if (table->count == 0)
		table_empty(mirror, table);
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
			if (mirror_is_old(mirror, *at))
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
			if (!mirror_is_old(mirror, record))
				fn(ctx, record_key(record), record->what,
				    record->what == MIRROR_STRING ? record_value(record) : STR(""));
		}
	}
	return *cursor < TABLES;
}
