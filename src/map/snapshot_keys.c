/*
 * snapshot_keys.c - the copy of the map that an earlier process had    (driver)
 *
 * It may be large, and who starts has more to do than to wait for it: so it is
 * handed over by a timer, a millisecond at a time. All of it was judged before,
 * with the rest of the file (snapshot_load.c); whatever makes it useless on the
 * way ends it, and an unfinished copy says nothing of what is not there.
 */
#include "map/snapshot_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/fetch.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	PIECE_US = 1000, /* of the loop */
	STEP = 64, /* rows between two looks at the clock */
};

/* ---- names that have changed since */

void
dead_add(struct dead_name **names, struct str name)
{
	struct dead_name *dead;

	if (dead_has(*names, name))
		return;
	dead = xcalloc(1, sizeof(*dead) + name.len + 1);
	dead->len = name.len;
	memcpy(dead->text, name.ptr, name.len);
	HASH_ADD_KEYPTR(hh, *names, dead->text, dead->len, dead);
}

bool
dead_has(const struct dead_name *names, struct str name)
{
	struct dead_name *dead;

	HASH_FIND(hh, names, name.ptr, name.len, dead);
	return dead != NULL;
}

void
dead_free(struct dead_name **names)
{
	struct dead_name *dead, *next;

	HASH_ITER (hh, *names, dead, next) {
		HASH_DEL(*names, dead);
		free(dead);
	}
}

/* ---- keys */

/* Whatever the kind: also what was not there is unknown now. */
static void
dead_give(struct snapshot *snapshot, struct str name)
{
	struct buf key = BUF_INIT;

	for (size_t kind = 0; kind < FETCH_KINDS; kind++) {
		fetch_name_key(name, kind, &key);
		snapshot->owner.key_fn(snapshot->ctx, buf_str(&key), MIRROR_UNKNOWN, STR(""));
	}
	buf_fini(&key);
}

static void
row_give(struct snapshot *snapshot, const struct snapshot_row *row)
{
	bool is_dead;
	struct str name;

	must(fetch_own_key_name(row->key, &name)); /* snapshot_read() has seen to it */
	is_dead = dead_has(snapshot->keys->dead, name);
	snapshot->status.keys++;
	snapshot->owner.key_fn(snapshot->ctx, row->key, is_dead ? MIRROR_UNKNOWN : row->what,
	    is_dead ? STR("") : row->value);
}

/* False: that was all. */
static bool
one_give(struct snapshot *snapshot)
{
	struct snapshot_keys *keys = snapshot->keys;
	const struct dead_name *dead = keys->next;
	struct snapshot_row row;

	if (dead != NULL) {
		keys->next = dead->hh.next;
		dead_give(snapshot, str_make(dead->text, dead->len));
		return true;
	}
	if (!snapshot_next(&keys->rows, &row))
		return false;
	if (row.kind == SNAPSHOT_KEY)
		row_give(snapshot, &row);
	return true;
}

static void
give(void *ctx)
{
	struct snapshot *snapshot = ctx;
	uint64_t end_us = clock_us() + PIECE_US;
	bool has_more = true;

	while (has_more && clock_us() < end_us) {
		for (size_t i = 0; i < STEP && has_more; i++)
			has_more = one_give(snapshot);
	}
	if (has_more) {
		timer_start(snapshot->keys->timer, 0);
		return;
	}
	log_info("snapshot_loaded", "path=%s keys=%" PRIu64 " ms=%" PRIu64, snapshot->rows_path,
	    snapshot->status.keys, clock_ms() - snapshot->keys->began_ms);
	snapshot_keys_drop(snapshot);
	snapshot->owner.keys_end_fn(snapshot->ctx);
}

void
snapshot_keys_take(struct snapshot *snapshot, struct buf *bytes, const struct snapshot_reader *rows,
    struct dead_name **dead)
{
	struct snapshot_keys *keys;

	if (!snapshot->owner.keys_begin_fn(snapshot->ctx))
		return;
	keys = snapshot->keys = xnew(struct snapshot_keys);
	keys->bytes = *bytes;
	keys->rows = *rows;
	keys->dead = keys->next = *dead;
	*bytes = (struct buf)BUF_INIT;
	*dead = NULL;
	keys->began_ms = clock_ms();
	keys->timer = timer_new(snapshot->loop, give, snapshot);
	timer_start(keys->timer, 0);
}

void
snapshot_keys_drop(struct snapshot *snapshot)
{
	struct snapshot_keys *keys = snapshot->keys;

	if (keys == NULL)
		return;
	timer_free(&keys->timer);
	dead_free(&keys->dead);
	buf_fini(&keys->bytes);
	free(keys);
	snapshot->keys = NULL;
}
