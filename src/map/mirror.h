/*
 * mirror.h - a copy of the whole map, where it is small enough        (machine)
 *
 * The cache remembers answers that were asked for; the mirror holds the keys
 * themselves, so that an account that was never asked for is answered without
 * Redis. Once it is complete it may also say that a key is *not* there; a single
 * mistake about that would be somebody else's answer, so:
 *
 *	- a key that has changed is unknown until it was read again, whether it
 *	  was there or not: never absent;
 *	- a value counts only if nothing was heard of its key since the read that
 *	  brought it was sent (its "moment");
 *	- complete is what one session has loaded; when anything may have changed,
 *	  all is unknown until all was loaded again. What is loaded then finds its
 *	  old records; those it does not find are swept out afterwards.
 *
 * No call takes long, however large the map is: there are many small tables,
 * each of which grows alone, and what concerns all records (to sweep, to walk)
 * is done table by table. A record is one allocation with its key and its value
 * in it: values are short, and a pointer to a shared one would be no shorter.
 *
 * Keys are without prefix, "owner:alice@example.org". Knows nothing of Redis,
 * leases or sessions: preload.c feeds it.
 */
#ifndef MAP_MIRROR_H
#define MAP_MIRROR_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mirror;

/* What is longer is never known. A fetch asks for no longer key. */
enum { MIRROR_KEY_MAX_BYTES = 16384, MIRROR_VALUE_MAX_BYTES = 16384 };

enum mirror_what {
	MIRROR_UNKNOWN, /* ask Redis */
	MIRROR_ABSENT, /* surely not there */
	MIRROR_STRING,
	MIRROR_ODD /* there, and not a string */
};

struct mirror *mirror_new(void);
void mirror_free(struct mirror **mirror);

/*
 * A load begins: from here on changes are noted and values taken, until
 * mirror_change_all(). Holds at most so many records, unknown ones and old ones
 * included; one more and it gives up: mirror_change_all(), and mirror_is_full().
 */
void mirror_begin(struct mirror *mirror, size_t records_most);

/*
 * Every key has been put, or has changed since the load began; the moment is that
 * of its last read. False: that load was in vain, everything has changed since.
 */
bool mirror_end(struct mirror *mirror, uint64_t moment);

bool mirror_is_open(const struct mirror *mirror); /* being loaded, or complete */
bool mirror_is_complete(const struct mirror *mirror);
bool mirror_is_full(const struct mirror *mirror); /* gave up, and no load has begun since */

/* Another number after each mirror_change_all(): was it the same load all the time? */
uint32_t mirror_round(const struct mirror *mirror);

/*
 * What is known of a key. STRING lends *value_r until the mirror changes; the
 * others leave it alone. ABSENT only from a complete mirror.
 */
enum mirror_what mirror_get(const struct mirror *mirror, struct str key, struct str *value_r);

/* The moment: to be noted before a read is sent, and given with what it brings. */
uint64_t mirror_now(const struct mirror *mirror);

/*
 * What a read has found. UNKNOWN: somebody named the key, and its value is not
 * known: it is due to be read. Nothing is believed of a key that has changed
 * since the moment, or that another load began since; replies may come in any
 * order.
 */
void mirror_put(struct mirror *mirror, struct str key, enum mirror_what what, struct str value,
    uint64_t moment);

void mirror_change(struct mirror *mirror, struct str key); /* this key has changed */
void mirror_change_all(struct mirror *mirror); /* any may have: everything is unknown, no load */

/*
 * The next key that is unknown and due to be read; lent until the mirror changes.
 * Each comes once, and again when it has changed since. False: none now, though
 * when mirror_has_due() there may be one in the next turn: a call passes over
 * a bounded number of those that need no reading any more.
 */
bool mirror_next(struct mirror *mirror, struct str *key_r);
bool mirror_has_due(const struct mirror *mirror);

/* Removes old records from one table; true while there may be more. Not while a load goes on. */
bool mirror_sweep(struct mirror *mirror);

/*
 * Calls fn for each record that is not old, one table per call, the mirror not
 * to be changed by fn; true while there is more. *cursor begins at 0. Between
 * calls anything may change: what is there all the time is visited once.
 */
typedef void mirror_walk_fn(void *ctx, struct str key, enum mirror_what what, struct str value);
bool mirror_walk(const struct mirror *mirror, unsigned *cursor, mirror_walk_fn *fn, void *ctx);

struct mirror_counters {
	uint64_t records; /* not old, unknown ones included */
	uint64_t unknown, old;
	uint64_t used_bytes; /* with what malloc adds */
};
void mirror_count(const struct mirror *mirror, struct mirror_counters *counters_r);

#endif
