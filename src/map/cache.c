/*
 * cache.c - what this process remembers of the ownership map          (machine)
 *
 * An entry is one allocation: the hash handle, whose list in order of arrival
 * is the CLOCK ring, then its stamps, then "owner:" and the address, which is
 * at once the key, the account and the deciding key of an account that is asked
 * for by its own name. What entries have in common (owners, deciding keys of
 * domains, targets of aliases, reasons) are words, counted by reference: so a
 * flood of strange values is bounded as the entries are.
 */
#include "map/cache.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
	STAMPS = 1 << 18,
	CHANCES_MOST = 256, /* entries that one eviction passes over: it takes bounded time */
};

static const struct str own_key = {"owner:", 6};

struct word {
	UT_hash_handle hh;
	uint32_t refs, len;
	char text[]; /* and a NUL */
};

struct entry {
	UT_hash_handle hh;
	struct word *said; /* the owner, or where there is none the reason; or NULL */
	struct word *account; /* NULL: the address */
	struct word *matched; /* NULL: own_key and the address */
	uint32_t sum, era;
	uint8_t verdict, hold, count;
	bool asked : 1; /* since the hand passed */
	bool is_unknown : 1;
	uint32_t slot[]; /* count of them; then the text */
};

struct cache {
	size_t size_bytes, held_bytes; /* held: entries and words, without tables and holes */
	struct entry *entries, *hand; /* hand: who may have to leave next; NULL: the first */
	struct entry *walk; /* the next that cache_walk() comes to; NULL: none */
	size_t walk_left;
	struct word *words;
	uint32_t *stamps;
	uint32_t era;
	struct cache_counters counters;
};

/* ---- memory */

static size_t
table_bytes(const UT_hash_table *table)
{
	return mem_chunk_bytes(sizeof(*table)) +
	       mem_chunk_bytes(table->num_buckets * sizeof(struct UT_hash_bucket));
}

/* Chunks of many sizes that come and go leave holes: a ninth more, under a flood of odd keys. */
static size_t
used_bytes(const struct cache *cache)
{
	return cache->held_bytes + cache->held_bytes / 8 +
	       (cache->entries ? table_bytes(cache->entries->hh.tbl) : 0) +
	       (cache->words ? table_bytes(cache->words->hh.tbl) : 0);
}

/* ---- words */

static struct word *
word_take(struct cache *cache, struct str text)
{
	struct word *word;
	unsigned hash;

	if (text.len == 0)
		text = STR(""); /* never a null pointer */
	HASH_VALUE(text.ptr, text.len, hash);
	HASH_FIND_BYHASHVALUE(hh, cache->words, text.ptr, (unsigned)text.len, hash, word);
	if (word == NULL) {
		word = xcalloc(1, sizeof(*word) + text.len + 1);
		memcpy(word->text, text.ptr, text.len);
		word->len = (uint32_t)text.len;
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, cache->words, word->text, word->len, hash, word);
		cache->held_bytes += mem_chunk_bytes(sizeof(*word) + text.len + 1);
	}
	word->refs++;
	return word;
}

static void
word_leave(struct cache *cache, struct word *word)
{
	if (word == NULL || --word->refs > 0)
		return;
	HASH_DEL(cache->words, word);
	cache->held_bytes -= mem_chunk_bytes(sizeof(*word) + word->len + 1);
	free(word);
}

static struct str
word_str(const struct word *word)
{
	return str_make(word->text, word->len);
}

/* ---- entries */

static char *
entry_text(struct entry *entry)
{
	return (char *)&entry->slot[entry->count];
}

static size_t
entry_bytes(size_t slots, size_t address_len)
{
	return offsetof(struct entry, slot) + slots * sizeof(uint32_t) + own_key.len + address_len;
}

static bool
is_own_key(struct str key, struct str address)
{
	return key.len == own_key.len + address.len &&
	       memcmp(key.ptr, own_key.ptr, own_key.len) == 0 &&
	       str_eq(str_from(key, own_key.len), address);
}

static struct entry *
entry_new(struct cache *cache, struct str address, const struct finding *finding,
    const struct cache_stamps *stamps)
{
	size_t bytes = entry_bytes(stamps->count, address.len);
	struct entry *entry = xcalloc(1, bytes);

	entry->count = (uint8_t)stamps->count;
	entry->sum = stamps->sum;
	entry->era = stamps->era;
	memcpy(entry->slot, stamps->slot, stamps->count * sizeof(uint32_t));
	memcpy(entry_text(entry), own_key.ptr, own_key.len);
	memcpy(entry_text(entry) + own_key.len, address.ptr, address.len);
	entry->verdict = (uint8_t)finding->verdict;
	entry->hold = (uint8_t)finding->hold;
	entry->is_unknown = finding->is_unknown;
	if (finding->verdict == VERDICT_FOUND)
		entry->said = word_take(cache, finding->owner);
	else if (finding->reason != NULL)
		entry->said = word_take(cache, str_of(finding->reason));
	if (!str_eq(finding->account, address))
		entry->account = word_take(cache, finding->account);
	if (!is_own_key(finding->matched, address))
		entry->matched = word_take(cache, finding->matched);
	cache->held_bytes += mem_chunk_bytes(bytes);
	return entry;
}

static void
entry_drop(struct cache *cache, struct entry *entry)
{
	if (cache->hand == entry)
		cache->hand = entry->hh.next;
	if (cache->walk == entry)
		cache->walk = entry->hh.next;
	cache->held_bytes -= mem_chunk_bytes(entry_bytes(entry->count, entry->hh.keylen));
	HASH_DEL(cache->entries, entry);
	word_leave(cache, entry->said);
	word_leave(cache, entry->account);
	word_leave(cache, entry->matched);
	free(entry);
}

static uint32_t
stamp_sum(const struct cache *cache, const uint32_t *slot, uint32_t count)
{
	uint32_t sum = 0; /* stamps only grow, so the sum stands still when each of them does */

	for (uint32_t i = 0; i < count; i++)
		sum += cache->stamps[slot[i]];
	return sum;
}

static bool
entry_is_current(const struct cache *cache, const struct entry *entry)
{
	return entry->era == cache->era &&
	       entry->sum == stamp_sum(cache, entry->slot, entry->count);
}

/* The hand goes round: who was asked for since it passed stays for another round. */
static void
evict_one(struct cache *cache)
{
	struct entry *entry;

	for (int passed = 0;; passed++) {
		entry = cache->hand ? cache->hand : cache->entries;
		cache->hand = entry->hh.next;
		if (passed == CHANCES_MOST || !entry->asked || !entry_is_current(cache, entry))
			break;
		entry->asked = false;
	}
	entry_drop(cache, entry);
	cache->counters.evicted++;
}

static void
evict(struct cache *cache)
{
	while (cache->entries != NULL && used_bytes(cache) > cache->size_bytes)
		evict_one(cache);
}

/* ---- from outside */

struct cache *
cache_new(size_t size_bytes)
{
	struct cache *cache = xnew(struct cache);

	cache->size_bytes = size_bytes;
	cache->stamps = xnew_array(uint32_t, STAMPS);
	return cache;
}

void
cache_free(struct cache **cachep)
{
	struct cache *cache = *cachep;

	*cachep = NULL;
	if (cache == NULL)
		return;
	while (cache->entries != NULL)
		entry_drop(cache, cache->entries);
	must(cache->words == NULL && cache->held_bytes == 0);
	free(cache->stamps);
	free(cache);
}

void
cache_set_size(struct cache *cache, size_t size_bytes)
{
	cache->size_bytes = size_bytes;
	evict(cache);
}

static uint32_t
slot_of(struct str name)
{
	return (uint32_t)(hash_bytes(name.ptr, name.len) % STAMPS);
}

void
cache_note(const struct cache *cache, const struct str *names, size_t count,
    struct cache_stamps *stamps_r)
{
	must(count <= CACHE_NAMES_MOST);
	*stamps_r = (struct cache_stamps){.count = (uint32_t)count, .era = cache->era};
	for (size_t i = 0; i < count; i++)
		stamps_r->slot[i] = slot_of(names[i]);
	stamps_r->sum = stamp_sum(cache, stamps_r->slot, stamps_r->count);
}

bool
cache_is_current(const struct cache *cache, const struct cache_stamps *stamps)
{
	return stamps->era == cache->era &&
	       stamps->sum == stamp_sum(cache, stamps->slot, stamps->count);
}

void
cache_put(struct cache *cache, struct str address, const struct finding *finding,
    const struct cache_stamps *stamps)
{
	struct entry *entry, *old;
	unsigned hash;

	if (!cache_is_current(cache, stamps))
		return;
	HASH_VALUE(address.ptr, address.len, hash);
	HASH_FIND_BYHASHVALUE(hh, cache->entries, address.ptr, (unsigned)address.len, hash, old);
	entry = entry_new(cache, address, finding, stamps); /* first: finding may point into old */
	if (old != NULL)
		entry_drop(cache, old);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, cache->entries, entry_text(entry) + own_key.len,
	    (unsigned)address.len, hash, entry);
	evict(cache);
}

static struct finding
entry_finding(struct entry *entry)
{
	struct str text = str_make(entry_text(entry), own_key.len + entry->hh.keylen);
	struct finding finding = {
	    .verdict = entry->verdict,
	    .hold = entry->hold,
	    .is_unknown = entry->is_unknown,
	    .source = SOURCE_MEMORY,
	    .account = entry->account ? word_str(entry->account) : str_from(text, own_key.len),
	    .matched = entry->matched ? word_str(entry->matched) : text,
	};

	if (entry->verdict == VERDICT_FOUND)
		finding.owner = word_str(entry->said);
	else if (entry->said != NULL)
		finding.reason = entry->said->text;
	return finding;
}

bool
cache_get(struct cache *cache, struct str address, struct finding *finding_r)
{
	struct entry *entry;
	unsigned hash;

	HASH_VALUE(address.ptr, address.len, hash);
	HASH_FIND_BYHASHVALUE(hh, cache->entries, address.ptr, (unsigned)address.len, hash, entry);
	if (entry == NULL) {
		cache->counters.misses++;
		return false;
	}
	if (!entry_is_current(cache, entry)) {
		cache->counters.stale++;
		return false;
	}
	cache->counters.hits++;
	entry->asked = true;
	*finding_r = entry_finding(entry);
	return true;
}

void
cache_change(struct cache *cache, struct str name)
{
	cache->stamps[slot_of(name)]++;
	cache->counters.changes++;
}

void
cache_change_all(struct cache *cache)
{
	cache->era++;
	cache->counters.changes++;
}

void
cache_walk_begin(struct cache *cache)
{
	cache->walk = cache->entries;
	cache->walk_left = HASH_COUNT(cache->entries); /* newer ones stand behind these */
}

static void
entry_show(struct entry *entry, cache_walk_fn *fn, void *ctx)
{
	struct finding finding = entry_finding(entry);
	struct cache_stamps stamps = {.count = entry->count, .sum = entry->sum, .era = entry->era};

	memcpy(stamps.slot, entry->slot, entry->count * sizeof(uint32_t));
	fn(ctx, str_from(str_make(entry_text(entry), own_key.len + entry->hh.keylen), own_key.len),
	    &finding, &stamps);
}

bool
cache_walk(struct cache *cache, size_t entries_most, cache_walk_fn *fn, void *ctx)
{
	struct entry *entry;

	while (entries_most > 0 && cache->walk_left > 0 && (entry = cache->walk) != NULL) {
		cache->walk = entry->hh.next;
		cache->walk_left--;
		entries_most--;
		if (entry_is_current(cache, entry))
			entry_show(entry, fn, ctx);
	}
	return cache->walk != NULL && cache->walk_left > 0;
}

void
cache_count(const struct cache *cache, struct cache_counters *counters_r)
{
	*counters_r = cache->counters;
	counters_r->entries = HASH_COUNT(cache->entries);
	counters_r->used_bytes = used_bytes(cache);
	counters_r->size_bytes = cache->size_bytes;
}
