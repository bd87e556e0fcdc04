/*
 * mirror_inside.h - the records of a mirror                           (machine)
 *
 * mirror.c says what is believed of a key, mirror_table.c keeps the records.
 */
#ifndef MAP_MIRROR_INSIDE_H
#define MAP_MIRROR_INSIDE_H

#include "map/mirror.h"

#include <sys/queue.h>

enum { TABLE_BITS = 12, TABLES = 1 << TABLE_BITS };

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

static inline struct str
record_key(const struct record *record)
{
	return str_make(record->text, record->key_len);
}

static inline struct str
record_value(const struct record *record)
{
	return str_make(record->text + record->key_len, record->value_len);
}

static inline bool
mirror_is_old(const struct mirror *mirror, const struct record *record)
{
	return record->round != mirror->round;
}

/* ---- mirror_table.c */

uint64_t mirror_hash(struct str key);

/* Where the pointer to the key's record stands, or NULL. */
struct record **mirror_find(const struct mirror *mirror, struct str key, uint64_t hash);

/* Unknown, until it is told what it is; where the pointer to it stands. */
struct record **mirror_add(struct mirror *mirror, struct str key, uint64_t hash, size_t value_len);

/* From an older load, if it is: now of this one, and unknown. */
void mirror_adopt(struct mirror *mirror, struct record *record);

/* It may stand elsewhere afterwards. */
struct record *mirror_resize(struct mirror *mirror, struct record **at, size_t value_len);

void mirror_become(struct mirror *mirror, struct record *record, enum mirror_what what);
void mirror_remove(struct mirror *mirror, uint64_t hash, struct record **at);

#endif
