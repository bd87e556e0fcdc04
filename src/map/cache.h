/*
 * cache.h - what this process remembers of the ownership map          (machine)
 *
 * One entry per address or login that was asked for, bounded in bytes, the least asked
 * ones leave first (CLOCK). An entry is never removed because its account
 * changed: each name that an entry depends on has a stamp, an invalidation
 * moves the stamp, and an entry whose stamps have moved since its values were
 * *asked for* is simply no hit. That is also what poisons a fetch in flight:
 * its stamps were noted when it was sent. Several names may share a stamp; then
 * a change of one costs the other a fetch, and nothing else.
 *
 * Knows nothing of Redis, leases or sessions: link.c and map.c feed it.
 */
#ifndef MAP_CACHE_H
#define MAP_CACHE_H

#include "map/finding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

/* The stamps of up to CACHE_NAMES_MOST names, as they were at one moment. */
enum { CACHE_NAMES_MOST = 6 };
struct cache_stamps {
	uint32_t slot[CACHE_NAMES_MOST];
	uint32_t count;
	uint32_t sum;
	uint32_t era;
};

/*
 * size_bytes bounds everything that grows: entries, the words they share and
 * the tables, with what malloc adds. The stamps are 1 MiB beside it.
 */
struct cache *cache_new(size_t size_bytes);
void cache_free(struct cache **cache);
void cache_set_size(struct cache *cache, size_t size_bytes); /* smaller: evicts at once */

/* Note the stamps of these names now: before the fetch that will read them is sent. */
void cache_note(const struct cache *cache, const struct str *names, size_t count,
    struct cache_stamps *stamps_r);

/* Has anything changed since? Then what was read under them must not be used. */
bool cache_is_current(const struct cache *cache, const struct cache_stamps *stamps);

/*
 * Remember a finding (FOUND, ABSENT, or TEMP for a record that is unreadable)
 * under the address that was asked. Stamps that are no longer current: nothing
 * is stored.
 */
void cache_put(struct cache *cache, struct str address, const struct finding *finding,
    const struct cache_stamps *stamps);

/*
 * Look one up: true and *finding_r, lent until the next call on this cache,
 * when it is remembered and nothing it depends on has changed. source is
 * SOURCE_MEMORY, epoch 0: the caller's to set. Never allocates; one hash.
 */
bool cache_get(struct cache *cache, struct str address, struct finding *finding_r);

void cache_change(struct cache *cache, struct str name); /* something of this name changed */
void cache_change_all(struct cache *cache); /* anything may have changed */

/*
 * Go over what is remembered and right, in pieces: after begin, each call passes
 * over at most entries_most entries and is true while there may be more. Between
 * calls anything may happen to the cache; what was there at begin and is still
 * right comes once. fn gets what cache_get() would say, and the stamps that it
 * was read under, all lent; it may not change the cache.
 */
typedef void cache_walk_fn(void *ctx, struct str address, const struct finding *finding,
    const struct cache_stamps *stamps);
void cache_walk_begin(struct cache *cache);
bool cache_walk(struct cache *cache, size_t entries_most, cache_walk_fn *fn, void *ctx);

struct cache_counters {
	uint64_t entries, used_bytes, size_bytes;
	uint64_t hits; /* found, and right */
	uint64_t misses; /* not there */
	uint64_t stale; /* there, but something changed since */
	uint64_t evicted; /* for want of room */
	uint64_t changes; /* told by cache_change() and cache_change_all() */
};
void cache_count(const struct cache *cache, struct cache_counters *counters_r);

#endif
