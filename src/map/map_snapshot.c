/*
 * map_snapshot.c - what the map remembers, kept over a restart        (driver)
 */
#include "map/map_snapshot.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/fetch.h"
#include "map/holders.h"
#include "map/identity.h"
#include "map/recall.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP = 32, /* entries, or domains, looked at before the clock is */
	LIST_WAIT_MS = 600000, /* for the list of domains, before a snapshot is saved without it */
	BARRIERS_MOST = 1024, /* that wait for the disk; another is heard again, when it answers */
};

struct map_barrier {
	LIST_ENTRY(map_barrier) entry;
	struct map *map;
	uint64_t epoch;
	char nonce[HEAD_NONCE_BYTES];
};

/* ---- what an earlier process has saved */

static void
take_finding(void *ctx, struct str asked, const struct finding *finding, const struct str *names,
    size_t count)
{
	struct map *map = ctx;
	struct cache_stamps stamps;

	cache_note(map->cache, names, count, &stamps);
	cache_put(map->cache, asked, finding, &stamps);
}

static void
take_domain(void *ctx, struct str domain, bool is_sure)
{
	struct map *map = ctx;

	domains_restore(map->domains, domain, is_sure);
}

static void
take_complete(void *ctx)
{
	struct map *map = ctx;

	domains_restore_complete(map->domains);
}

static bool
take_keys(void *ctx)
{
	struct map *map = ctx;

	return preload_restore_begin(map->preload);
}

static void
take_key(void *ctx, struct str key, enum mirror_what what, struct str value)
{
	struct map *map = ctx;

	preload_restore(map->preload, key, what, value);
}

static void
take_keys_end(void *ctx)
{
	struct map *map = ctx;

	if (preload_restore_end(map->preload))
		recall_waiting(map);
}

/* ---- what we save */

static bool
begin(void *ctx, struct snapshot_head *head_r)
{
	struct map *map = ctx;
	uint64_t now_ms = clock_ms();
	struct link_status link;

	link_count(map->link, &link);
	if (!link_is_live(map->link) || link.lease_left_ms == 0 || link.map_id[0] == '\0')
		return false;
	if (!domains_are_complete(map->domains) && now_ms - map->kept.live_ms < LIST_WAIT_MS)
		return false;
	head_r->map_id = str_of(link.map_id);
	head_r->epoch = link.epoch;
	head_r->end.lease_until_ms = now_ms + link.lease_left_ms;
	map->kept.has_all_domains = domains_list_is_complete(map->domains);
	map->kept.at = AT_DOMAINS;
	domains_walk_begin(map->domains);
	return true;
}

struct saving {
	struct map *map;
	struct snapshot_writer *writer;
	struct buf *out;
};

static void
save_domain(void *ctx, struct str domain, bool is_sure)
{
	struct saving *saving = ctx;

	if (domain.len <= SNAPSHOT_TEXT_MOST) /* nobody asks for a longer one */
		snapshot_write_domain(saving->writer, domain, is_sure, saving->out);
}

/* Do we know all names on which this finding depends? Not where a login key hides one. */
static bool
names_are_known(struct map *map, struct str asked, const struct finding *finding,
    const struct cache_stamps *stamps)
{
	struct account *a = &map->kept.asked, *b = &map->kept.account;
	struct str names[FETCH_NAMES_MOST];
	struct cache_stamps known;
	size_t count;

	if (!account_read(a, asked, &map->rules) ||
	    account_parse(b, finding->account, &map->rules) != ACCOUNT_ADDRESS)
		return false;
	count = fetch_finding_names(a, b, names);
	cache_note(map->cache, names, count, &known);
	return known.count == stamps->count &&
	       memcmp(known.slot, stamps->slot, known.count * sizeof(known.slot[0])) == 0;
}

static void
save_finding(void *ctx, struct str asked, const struct finding *finding,
    const struct cache_stamps *stamps)
{
	struct saving *saving = ctx;

	if (finding->verdict == VERDICT_FOUND &&
	    names_are_known(saving->map, asked, finding, stamps))
		snapshot_write_finding(saving->writer, asked, finding, saving->out);
}

static void
save_key(void *ctx, struct str key, enum mirror_what what, struct str value)
{
	struct saving *saving = ctx;

	snapshot_write_key(saving->writer, key, what, value, saving->out);
}

/* Of one load, whole from before the first key until after the last: else it says nothing. */
static bool
has_same_keys(const struct map *map)
{
	const struct mirror *mirror = preload_mirror(map->preload);

	return mirror_is_complete(mirror) && mirror_round(mirror) == map->kept.round;
}

static bool
rows(void *ctx, struct snapshot_writer *writer, struct buf *out, unsigned *flags_r)
{
	struct map *map = ctx;
	struct mirror *mirror = preload_mirror(map->preload);
	struct saving saving = {map, writer, out};

	switch (map->kept.at) {
	case AT_DOMAINS:
		if (domains_walk(map->domains, STEP, save_domain, &saving))
			return true;
		if (map->kept.has_all_domains && domains_list_is_complete(map->domains))
			*flags_r |= SNAPSHOT_ALL_DOMAINS;
		map->kept.at = AT_FINDINGS;
		cache_walk_begin(map->cache);
		return map->settings->grace_ms > 0;
	case AT_FINDINGS:
		if (cache_walk(map->cache, STEP, save_finding, &saving))
			return true;
		map->kept.at = AT_KEYS;
		map->kept.round = mirror_round(mirror);
		map->kept.cursor = 0;
		return has_same_keys(map);
	case AT_KEYS:
		if (!has_same_keys(map))
			return false;
		if (mirror_walk(mirror, &map->kept.cursor, save_key, &saving))
			return true;
		*flags_r |= SNAPSHOT_ALL_KEYS;
		return false;
	}
	return false;
}

/* ---- life */

static void
boot_id_read(struct buf *out)
{
	buf_init(out, 0);
	if (file_read("/proc/sys/kernel/random/boot_id", out) == -1 ||
	    buf_len(out) > SNAPSHOT_TEXT_MOST)
		buf_clear(out); /* then findings are not used */
	while (buf_len(out) > 0 && buf_str(out).ptr[buf_len(out) - 1] == '\n')
		buf_truncate(out, buf_len(out) - 1);
}

/* All that reads_alike() in map.c looks at. */
static void
reading_hash(const struct settings *settings, uint8_t hash_r[static SNAPSHOT_KEY_BYTES])
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "%d %d %s\n", settings->fold_local, settings->domains_complete,
	    settings->recipient_delimiter);
	for (size_t i = 0; i < settings->domain_count; i++)
		buf_addf(&text, "%s\n", settings->domains[i]);
	crypto_generichash(hash_r, SNAPSHOT_KEY_BYTES, (const unsigned char *)buf_str(&text).ptr,
	    buf_len(&text), NULL, 0);
	buf_fini(&text);
}

static int
drop(void *ctx, bool all, struct fault *fault_r)
{
	struct map *map = ctx;

	return snapshot_drop(map->kept.snapshot, all, fault_r);
}

/* First: nobody has told us of any change yet, so what was saved may be used. */
static void
open_files(struct map *map, bool is_first)
{
	static const struct snapshot_owner owner = {
	    .finding_fn = take_finding,
	    .domain_fn = take_domain,
	    .domains_complete_fn = take_complete,
	    .keys_begin_fn = take_keys,
	    .key_fn = take_key,
	    .keys_end_fn = take_keys_end,
	    .begin_fn = begin,
	    .rows_fn = rows,
	};
	struct identity *identity = identity_open(map->settings->state_dir);
	char *path = link_node_path(map->link);
	struct snapshot_settings settings = {
	    .path = path,
	    .map_id = is_first ? identity_id(identity) : "",
	    .prefix = map->settings->redis.prefix,
	    .rules = map->rules,
	    .grace_ms = (uint64_t)map->settings->grace_ms,
	    .first_save_ms = SNAPSHOT_FIRST_MS,
	    .save_every_ms = SNAPSHOT_EVERY_MS,
	};
	struct fault fault;
	struct buf boot_id;

	boot_id_read(&boot_id);
	settings.boot_id = buf_cstr(&boot_id);
	reading_hash(map->settings, settings.reading);
	map->kept.snapshot = snapshot_new(map->loop, &settings, &owner, map, &fault);
	if (map->kept.snapshot == NULL)
		log_error("snapshot", "why=%s", log_quote_text(fault.text));
	else
		link_set_keeper(map->link, drop, map);
	if (map->kept.snapshot != NULL && snapshot_valid_until_ms(map->kept.snapshot) > 0)
		link_restore(map->link, snapshot_valid_until_ms(map->kept.snapshot));
	buf_fini(&boot_id);
	identity_close(&identity);
	free(path);
}

void
map_snapshot_open(struct map *map)
{
	struct fault fault;

	account_init(&map->kept.asked);
	account_init(&map->kept.account);
	LIST_INIT(&map->kept.barriers);
	if (link_hold(map->link, &fault) == 0)
		open_files(map, true);
	else
		log_warning("snapshot", "why=%s", log_quote_text(fault.text));
}

static void
barriers_forget(struct map *map)
{
	struct map_barrier *barrier;

	while ((barrier = LIST_FIRST(&map->kept.barriers)) != NULL) {
		LIST_REMOVE(barrier, entry);
		free(barrier);
	}
	map->kept.barrier_count = 0;
}

void
map_snapshot_close(struct map *map)
{
	snapshot_free(&map->kept.snapshot); /* and calls nobody any more */
	barriers_forget(map);
	account_fini(&map->kept.asked);
	account_fini(&map->kept.account);
}

/* ---- what the link tells */

void
map_snapshot_change(struct map *map, struct str name)
{
	if (map->kept.snapshot != NULL)
		snapshot_change(map->kept.snapshot, name);
}

void
map_snapshot_change_all(struct map *map)
{
	if (map->kept.snapshot != NULL)
		snapshot_change_all(map->kept.snapshot);
}

void
map_snapshot_live(struct map *map)
{
	map->kept.live_ms = clock_ms();
	if (map->kept.snapshot == NULL)
		open_files(map, false); /* a session has a slot */
	if (map->kept.snapshot == NULL)
		return;
	snapshot_change_all(map->kept.snapshot);
	snapshot_start(map->kept.snapshot);
}

void
map_snapshot_granted(struct map *map)
{
	struct link_status link;

	link_count(map->link, &link);
	if (map->kept.snapshot != NULL)
		snapshot_lease(map->kept.snapshot, clock_ms() + link.lease_left_ms);
}

void
map_snapshot_lost(struct map *map)
{
	if (map->kept.snapshot != NULL)
		snapshot_stop(map->kept.snapshot);
}

void
map_snapshot_reload(struct map *map)
{
	uint8_t reading[SNAPSHOT_KEY_BYTES];

	if (map->kept.snapshot == NULL)
		return;
	reading_hash(map->settings, reading);
	snapshot_reread(map->kept.snapshot, reading, &map->rules);
}

/* ---- barriers */

static void
on_barrier_synced(void *ctx, bool is_synced)
{
	struct map_barrier *barrier = ctx;

	LIST_REMOVE(barrier, entry);
	barrier->map->kept.barrier_count--;
	if (is_synced) {
		link_acknowledge(barrier->map->link, barrier->epoch, barrier->nonce);
		holders_acknowledged(barrier->map->holders);
	}
	free(barrier); /* else the writer repeats it */
}

static bool
is_waiting(const struct map *map, const struct barrier *barrier)
{
	const struct map_barrier *other;

	LIST_FOREACH (other, &map->kept.barriers, entry) {
		if (other->epoch == barrier->epoch && strcmp(other->nonce, barrier->nonce) == 0)
			return true;
	}
	return false;
}

/* To what acknowledging cuts the lease: what is on the disk may not run longer either. */
static uint64_t
lease_cut_ms(struct map *map, const struct barrier *barrier)
{
	uint64_t most_ms = link_barrier_lease_ms(map->link, barrier->epoch, barrier->nonce);
	struct link_status link;

	link_count(map->link, &link);
	return clock_ms() + (link.lease_left_ms < most_ms ? link.lease_left_ms : most_ms);
}

void
map_snapshot_barrier(struct map *map, const struct barrier *barrier)
{
	struct map_barrier *waiting;

	if (map->kept.snapshot == NULL || is_waiting(map, barrier) ||
	    map->kept.barrier_count == BARRIERS_MOST)
		return;
	waiting = xnew(struct map_barrier);
	waiting->map = map;
	waiting->epoch = barrier->epoch;
	memcpy(waiting->nonce, barrier->nonce, sizeof(waiting->nonce));
	LIST_INSERT_HEAD(&map->kept.barriers, waiting, entry);
	map->kept.barrier_count++;
	if (snapshot_cut(map->kept.snapshot, lease_cut_ms(map, barrier), on_barrier_synced,
		waiting))
		on_barrier_synced(waiting, true);
}

/* ---- leaving */

static void
on_removed(void *ctx, bool is_synced)
{
	struct map *map = ctx;

	link_leave_on(map->link, is_synced);
}

void
map_snapshot_leaving(void *ctx)
{
	struct map *map = ctx;

	if (map->kept.snapshot == NULL || snapshot_remove(map->kept.snapshot, on_removed, map))
		on_removed(map, true);
}

/* ---- status */

json_t *
map_snapshot_json(const struct map *map)
{
	struct snapshot_status s = {.alarm = ""};
	uint64_t now_ms = clock_ms();

	if (map->kept.snapshot != NULL)
		snapshot_count(map->kept.snapshot, &s);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "saves", (json_int_t)s.saves,
	    "saved_ago_ms", (json_int_t)(s.saved_ms == 0 ? 0 : now_ms - s.saved_ms), "findings",
	    (json_int_t)s.findings, "domains", (json_int_t)s.domains, "keys", (json_int_t)s.keys,
	    "tombstones", (json_int_t)s.tombstones, "barriers",
	    (json_int_t)map->kept.barrier_count);
}

const char *
map_snapshot_alarm(const struct map *map)
{
	static struct snapshot_status s;

	if (map->kept.snapshot == NULL)
		return "";
	snapshot_count(map->kept.snapshot, &s);
	return s.alarm;
}
