/*
 * snapshot_save.c - writing down what this node knows, piece by piece (driver)
 *
 * A piece is a fraction of a millisecond of the loop, then the thread writes it,
 * then comes the next. What changes meanwhile is told to tombs as ever, with
 * higher numbers than the one that the new file begins with: so it counts for
 * the old file and for the new one, whichever is found.
 */
#include "map/snapshot_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <sodium.h>

enum {
	PIECE_US = 400, /* of the loop, and then a pause */
	PIECE_BYTES = 128 * 1024,
	PAUSE_MS = 2,
	POSTPONE_MS = 5000, /* not the moment */
	REST_PART = 20, /* of the time a save has taken, before the next */
	COMPACT_BYTES = 1 << 20, /* tombs is written anew when it is larger */
	FILE_MOST_BYTES = 1 << 30, /* what is beyond it is left out */
};

void
snapshot_save_abandon(struct snapshot *snapshot)
{
	if (snapshot->phase == SAVE_COMMIT)
		return; /* too late: what is told now counts for the new file too */
	timer_stop(snapshot->save);
	if (snapshot->phase == SAVE_ROWS)
		sync_abandon(snapshot->rows);
	snapshot->phase = SAVE_NONE;
	buf_clear(&snapshot->since);
	if (snapshot->started)
		timer_start(snapshot->save, snapshot->settings.first_save_ms);
}

static void
save_failed(struct snapshot *snapshot, int error)
{
	snapshot_alarm(snapshot, error, "cannot be saved");
	snapshot->phase = SAVE_NONE;
	sync_abandon(snapshot->rows);
	buf_clear(&snapshot->since);
	if (snapshot->started)
		timer_start(snapshot->save, snapshot->settings.save_every_ms);
}

/* ---- tombs */

/* A file with what was told since number base, in the place of what is there. */
static void
tombs_write_anew(struct snapshot *snapshot, uint64_t base, struct buf *records)
{
	struct buf bytes = BUF_INIT;

	must(!snapshot->appending);
	snapshot->head.base = base;
	tombs_write_head(&snapshot->head, &bytes);
	if (records != NULL)
		buf_add_str(&bytes, buf_str(records));
	snapshot->tombs_bytes = buf_len(&bytes);
	snapshot->appending = true;
	snapshot->sent = snapshot->number;
	sync_begin(snapshot->tombs);
	sync_add(snapshot->tombs, &bytes, NULL, NULL);
	sync_commit(snapshot->tombs, snapshot_appended, snapshot);
}

/* The saved rows know more: what they know need not be told any more. */
static void
tombs_compact(struct snapshot *snapshot)
{
	if (snapshot->tombs_bytes < COMPACT_BYTES || snapshot->appending)
		return; /* after the next save, then */
	buf_clear(&snapshot->unwritten); /* since holds that too */
	tombs_write_anew(snapshot, snapshot->save_number, &snapshot->since);
}

/* Nothing is there: tombs comes first, so that what changes while we save has a place. */
static void
tombs_create(struct snapshot *snapshot)
{
	randombytes_buf(snapshot->head.series, sizeof(snapshot->head.series));
	snapshot->disk = DISK_KEPT;
	snapshot->rows_void = snapshot->domains_void = true; /* of a snapshot that is not there */
	tombs_write_anew(snapshot, snapshot->number, NULL);
}

/* ---- a save */

static void
on_committed(void *ctx, int error)
{
	struct snapshot *snapshot = ctx;
	uint64_t took_ms = clock_ms() - snapshot->save_began_ms;
	uint64_t pause_ms = snapshot->settings.save_every_ms;
	struct snapshot_counts counts;

	snapshot->phase = SAVE_NONE;
	if (snapshot->disk != DISK_KEPT) { /* and the new file is removed too */
		snapshot_save_abandon(snapshot);
		return;
	}
	if (error != 0) {
		save_failed(snapshot, error);
		return;
	}
	snapshot->rows_void = snapshot->rows_void || snapshot->settings.grace_ms == 0;
	snapshot->domains_void = snapshot->domains_void || !snapshot->save_has_domains;
	snapshot->alarm.text[0] = '\0';
	tombs_compact(snapshot);
	buf_clear(&snapshot->since);
	counts = snapshot_writer_counts(snapshot->writer);
	snapshot->status.findings = counts.findings;
	snapshot->status.domains = counts.domains;
	snapshot->status.keys = counts.keys;
	snapshot->status.saves++;
	snapshot->status.saved_ms = clock_ms();
	snapshot->status.tombstones = snapshot->number - snapshot->save_number;
	log_debug("snapshot_saved",
	    "path=%s findings=%" PRIu64 " domains=%" PRIu64 " keys=%" PRIu64 " ms=%" PRIu64,
	    snapshot->rows_path, counts.findings, counts.domains, counts.keys, took_ms);
	if (pause_ms < took_ms * REST_PART)
		pause_ms = took_ms * REST_PART;
	if (snapshot->started)
		timer_start(snapshot->save, pause_ms);
}

/* From here the new file may be in the place at any time, or the old one stay there. */
static void
save_commit(struct snapshot *snapshot, unsigned flags, struct buf *out)
{
	snapshot_write_trailer(snapshot->writer, flags, out);
	sync_add(snapshot->rows, out, NULL, NULL);
	snapshot->phase = SAVE_COMMIT;
	snapshot->save_has_domains = (flags & SNAPSHOT_ALL_DOMAINS) != 0;
	if (snapshot->settings.grace_ms > 0)
		snapshot->rows_void = false;
	if (snapshot->save_has_domains)
		snapshot->domains_void = false;
	sync_commit(snapshot->rows, on_committed, snapshot);
}

static void
on_piece(void *ctx, int error)
{
	struct snapshot *snapshot = ctx;

	snapshot->adding = false;
	if (snapshot->phase != SAVE_ROWS)
		return;
	if (error != 0)
		save_failed(snapshot, error);
	else
		timer_start(snapshot->save, PAUSE_MS);
}

static void
save_give(struct snapshot *snapshot, struct buf *out)
{
	snapshot->adding = true;
	snapshot->save_bytes += buf_len(out);
	sync_add(snapshot->rows, out, on_piece, snapshot);
}

static void
save_piece(struct snapshot *snapshot)
{
	uint64_t end_us = clock_us() + PIECE_US;
	struct buf out = BUF_INIT;
	bool has_more;

	do {
		has_more = snapshot->owner.rows_fn(snapshot->ctx, snapshot->writer, &out,
		    &snapshot->save_flags);
	} while (has_more && buf_len(&out) < PIECE_BYTES && clock_us() < end_us);
	if (has_more && snapshot->save_bytes < FILE_MOST_BYTES)
		save_give(snapshot, &out);
	else
		save_commit(snapshot, snapshot->save_flags, &out);
}

static void
save_begin(struct snapshot *snapshot, struct snapshot_head *head)
{
	const struct snapshot_settings *settings = &snapshot->settings;
	struct tomb here = {.kind = TOMB_END};
	struct buf out = BUF_INIT;

	head->end.lease_until_ms = snapshot_lease_most(snapshot, head->end.lease_until_ms);
	head->end.grace_ms = settings->grace_ms;
	head->end.said_ms = snapshot->save_began_ms = clock_ms();
	here.end = head->end;
	if (snapshot->disk == DISK_NONE) {
		tombs_create(snapshot);
	} else { /* if tombs was removed, this will tell */
		snapshot_tell(snapshot, &here);
		snapshot_flush(snapshot);
	}
	head->prefix = str_of(settings->prefix);
	head->boot_id = str_of(settings->boot_id);
	memcpy(head->reading, settings->reading, sizeof(head->reading));
	memcpy(head->series, snapshot->head.series, sizeof(head->series));
	head->number = snapshot->save_number = snapshot->number;
	snapshot_end_note(snapshot, &head->end);
	snapshot->phase = SAVE_ROWS;
	snapshot->save_flags = 0;
	snapshot->save_bytes = 0;
	snapshot_writer_free(&snapshot->writer);
	snapshot->writer = snapshot_writer_new();
	snapshot_write_head(snapshot->writer, head, &out);
	sync_begin(snapshot->rows);
	save_give(snapshot, &out);
}

void
snapshot_save(void *ctx)
{
	struct snapshot *snapshot = ctx;
	struct snapshot_head head = {.number = 0};

	if (snapshot->phase == SAVE_ROWS)
		save_piece(snapshot);
	else if (snapshot->phase == SAVE_NONE && snapshot->disk != DISK_STUCK &&
		 !snapshot->adding && snapshot->owner.begin_fn(snapshot->ctx, &head))
		save_begin(snapshot, &head);
	else
		timer_start(snapshot->save, POSTPONE_MS);
}
