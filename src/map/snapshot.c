/*
 * snapshot.c - what this node knows, for the process that will be it next (driver)
 *
 * What is told is numbered, gathered for a moment, and appended by the syncer's
 * thread; who waits for a number is called when it is durable. When an append
 * fails nobody knows what the disk holds: then both files are removed, and the
 * next save begins with new ones. Where they cannot be removed either, nothing
 * is acknowledged until no finding in them can be used any more; nor then, once
 * the list of domains in them, which has no end, lacks what was told.
 */
#include "map/snapshot_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOW_MS = 5000, /* that somebody waits for the disk */
	FLUSH_MS = 200, /* a change that nobody waits for */
	AGAIN_MS = 1000, /* to try to remove what could not be removed */
	EXTEND_PART = 8, /* a new end is written when it is later by this part of the time left */
	ROWS_MOST_BYTES = 4 << 20, /* of tombstones: above it no finding is worth keeping */
	DOMAINS_MOST_BYTES = 8 << 20, /* nor the list of domains */
	FILE_MOST_BYTES = SNAPSHOT_TOMBS_MOST_BYTES / 2, /* nor anything */
};

struct snapshot_waiter {
	TAILQ_ENTRY(snapshot_waiter) entry;
	uint64_t number;
	uint64_t lease_until_ms; /* none may be longer when it is called */
	uint64_t since_ms;
	snapshot_synced_fn *fn;
	void *ctx;
};

/* ---- who waits */

static void
waiters_call(struct snapshot *snapshot, uint64_t number, bool is_synced)
{
	struct snapshot_waiter *waiter;

	while ((waiter = TAILQ_FIRST(&snapshot->waiters)) != NULL && waiter->number <= number) {
		snapshot_synced_fn *fn = waiter->fn;
		void *ctx = waiter->ctx;

		TAILQ_REMOVE(&snapshot->waiters, waiter, entry);
		free(waiter);
		fn(ctx, is_synced);
	}
}

uint64_t
snapshot_lease_most(const struct snapshot *snapshot, uint64_t lease_until_ms)
{
	const struct snapshot_waiter *waiter;

	TAILQ_FOREACH (waiter, &snapshot->waiters, entry) {
		if (waiter->lease_until_ms < lease_until_ms)
			lease_until_ms = waiter->lease_until_ms;
	}
	return lease_until_ms;
}

void
snapshot_alarm(struct snapshot *snapshot, int error, const char *doing)
{
	struct fault was = snapshot->alarm;

	errno = error;
	fault_set_errno(&snapshot->alarm, VERDICT_TEMP, "%s: %s", snapshot->rows_path, doing);
	if (strcmp(was.text, snapshot->alarm.text) != 0)
		log_error("snapshot", "why=%s", log_quote_text(snapshot->alarm.text));
}

/* ---- removing */

/* What is there and cannot be removed says nothing that was told to be wrong. */
static bool
stuck_is_harmless(const struct snapshot *snapshot)
{
	return clock_ms() >= snapshot->dead_ms && !snapshot->list_lacks;
}

static void
on_rows_removed(void *ctx, int error)
{
	struct snapshot *snapshot = ctx;

	snapshot->remove_error = error;
}

/* One of the two is enough: neither is used without the other. */
static void
on_removed(void *ctx, int error)
{
	struct snapshot *snapshot = ctx;
	uint64_t told = snapshot->number; /* who is called may tell more, and wait for it */

	snapshot->removing = false;
	if (error == 0 || snapshot->remove_error == 0) {
		snapshot->disk = DISK_NONE;
		snapshot->list_lacks = false;
		snapshot->synced = told;
		if (snapshot->started)
			timer_start(snapshot->save, snapshot->settings.first_save_ms);
		waiters_call(snapshot, told, true);
		return;
	}
	snapshot_alarm(snapshot, error, "cannot be removed, and nothing is acknowledged meanwhile");
	waiters_call(snapshot, told, stuck_is_harmless(snapshot));
	timer_start(snapshot->flush, AGAIN_MS);
}

static void
remove_files(struct snapshot *snapshot)
{
	if (snapshot->removing)
		return;
	snapshot->removing = true;
	sync_remove(snapshot->rows, on_rows_removed, snapshot);
	sync_remove(snapshot->tombs, on_removed, snapshot);
}

void
snapshot_spoil(struct snapshot *snapshot)
{
	snapshot_save_abandon(snapshot);
	snapshot->list_lacks = snapshot->list_lacks || snapshot->list_number > snapshot->synced;
	snapshot->disk = DISK_STUCK;
	buf_clear(&snapshot->unwritten);
	remove_files(snapshot);
}

/* ---- appending */

void
snapshot_appended(void *ctx, int error)
{
	struct snapshot *snapshot = ctx;

	snapshot->appending = false;
	if (snapshot->disk != DISK_KEPT)
		return; /* being removed: that will tell */
	if (error != 0) {
		if (error != ESTALE) /* removed by who knows that nobody waits for us: begin anew */
			snapshot_alarm(snapshot, error, "tombstones cannot be written");
		snapshot_spoil(snapshot);
		return;
	}
	snapshot->synced = snapshot->sent;
	waiters_call(snapshot, snapshot->synced, true);
	if (!TAILQ_EMPTY(&snapshot->waiters))
		snapshot_flush(snapshot);
	else if (buf_len(&snapshot->unwritten) > 0)
		timer_start(snapshot->flush, FLUSH_MS);
}

void
snapshot_flush(void *ctx)
{
	struct snapshot *snapshot = ctx;

	timer_stop(snapshot->flush);
	switch (snapshot->disk) {
	case DISK_NONE:
		break;
	case DISK_STUCK:
		remove_files(snapshot);
		break;
	case DISK_KEPT:
		if (snapshot->appending || buf_len(&snapshot->unwritten) == 0)
			break;
		snapshot->appending = true;
		snapshot->sent = snapshot->number;
		sync_append(snapshot->tombs, &snapshot->unwritten, snapshot_appended, snapshot);
		break;
	}
}

/* ---- telling */

void
snapshot_tell(struct snapshot *snapshot, const struct tomb *tomb)
{
	size_t before = buf_len(&snapshot->unwritten);
	bool is_of_list =
	    tomb->kind == TOMB_DOMAINS || (tomb->kind == TOMB_NAME && str_starts(tomb->name, "@"));
	struct str record;

	if (snapshot->disk == DISK_STUCK && is_of_list && !snapshot->domains_void)
		snapshot->list_lacks = true;
	if (snapshot->disk != DISK_KEPT)
		return;
	tombs_write(&snapshot->head, ++snapshot->number, tomb, &snapshot->unwritten);
	if (is_of_list)
		snapshot->list_number = snapshot->number;
	record = str_from(buf_str(&snapshot->unwritten), before);
	snapshot->tombs_bytes += record.len;
	snapshot->status.tombstones++;
	if (snapshot->phase != SAVE_NONE)
		buf_add_str(&snapshot->since, record);
	if (!timer_is_running(snapshot->flush))
		timer_start(snapshot->flush, FLUSH_MS);
}

static void
rows_end(struct snapshot *snapshot)
{
	static const struct tomb rows = {.kind = TOMB_ROWS};

	snapshot_keys_drop(snapshot);
	snapshot_save_abandon(snapshot); /* what it has written is wrong already */
	if (!snapshot->rows_void)
		snapshot_tell(snapshot, &rows);
	snapshot->rows_void = true;
}

static void
domains_end(struct snapshot *snapshot)
{
	static const struct tomb domains = {.kind = TOMB_DOMAINS};

	if (!snapshot->domains_void)
		snapshot_tell(snapshot, &domains);
	snapshot->domains_void = true;
}

void
snapshot_change_all(struct snapshot *snapshot)
{
	rows_end(snapshot);
	domains_end(snapshot);
}

void
snapshot_change(struct snapshot *snapshot, struct str name)
{
	struct tomb tomb = {.kind = TOMB_NAME, .name = name};
	bool is_domain = str_starts(name, "@");
	size_t told_bytes =
	    snapshot->phase == SAVE_NONE ? snapshot->tombs_bytes : buf_len(&snapshot->since);

	if (name.len > TOMB_NAME_MOST)
		return; /* nothing that is kept depends on such a name */
	if (snapshot->disk == DISK_KEPT && snapshot->tombs_bytes > FILE_MOST_BYTES)
		snapshot_spoil(snapshot);
	if (snapshot->disk != DISK_KEPT) {
		snapshot_tell(snapshot, &tomb);
		return;
	}
	if (told_bytes > ROWS_MOST_BYTES && (!snapshot->rows_void || snapshot->phase != SAVE_NONE))
		rows_end(snapshot); /* once: each begins the wait for a save anew */
	if (told_bytes > DOMAINS_MOST_BYTES)
		domains_end(snapshot);
	if (snapshot->phase != SAVE_NONE || !snapshot->rows_void ||
	    (is_domain && !snapshot->domains_void))
		snapshot_tell(snapshot, &tomb);
}

void
snapshot_end_note(struct snapshot *snapshot, const struct snapshot_end *end)
{
	uint64_t until_ms = end->lease_until_ms + end->grace_ms;

	snapshot->end = *end;
	if (end->grace_ms > 0 &&
	    until_ms > snapshot->dead_ms) /* without grace, no finding is kept */
		snapshot->dead_ms = until_ms;
}

void
snapshot_lease(struct snapshot *snapshot, uint64_t lease_until_ms)
{
	struct tomb tomb = {.kind = TOMB_END};
	uint64_t now_ms = clock_ms(), until_ms, left_ms;

	lease_until_ms = snapshot_lease_most(snapshot, lease_until_ms);
	tomb.end = (struct snapshot_end){lease_until_ms, snapshot->settings.grace_ms, now_ms};
	until_ms = lease_until_ms + tomb.end.grace_ms;
	left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	if (snapshot->disk != DISK_KEPT || (snapshot->rows_void && snapshot->phase == SAVE_NONE))
		return;
	if (lease_until_ms >= snapshot->end.lease_until_ms &&
	    lease_until_ms - snapshot->end.lease_until_ms <= left_ms / EXTEND_PART)
		return;
	snapshot_end_note(snapshot, &tomb.end);
	snapshot_tell(snapshot, &tomb);
}

static bool
when_synced(struct snapshot *snapshot, uint64_t lease_until_ms, snapshot_synced_fn *fn, void *ctx)
{
	struct snapshot_waiter *waiter;

	if (snapshot->disk == DISK_NONE ||
	    (snapshot->disk == DISK_KEPT && snapshot->synced == snapshot->number) ||
	    (snapshot->disk == DISK_STUCK && stuck_is_harmless(snapshot)))
		return true;
	waiter = xnew(struct snapshot_waiter);
	waiter->number = snapshot->number;
	waiter->lease_until_ms = lease_until_ms;
	waiter->since_ms = clock_ms();
	waiter->fn = fn;
	waiter->ctx = ctx;
	TAILQ_INSERT_TAIL(&snapshot->waiters, waiter, entry);
	snapshot_flush(snapshot);
	return false;
}

bool
snapshot_when_synced(struct snapshot *snapshot, snapshot_synced_fn *fn, void *ctx)
{
	return when_synced(snapshot, UINT64_MAX, fn, ctx);
}

bool
snapshot_cut(struct snapshot *snapshot, uint64_t lease_until_ms, snapshot_synced_fn *fn, void *ctx)
{
	snapshot_lease(snapshot, lease_until_ms);
	return when_synced(snapshot, lease_until_ms, fn, ctx);
}

bool
snapshot_remove(struct snapshot *snapshot, snapshot_synced_fn *fn, void *ctx)
{
	snapshot_stop(snapshot);
	rows_end(snapshot);
	return snapshot_when_synced(snapshot, fn, ctx);
}

/* A save that is being renamed at this moment is removed behind it: the thread has one queue. */
int
snapshot_drop(struct snapshot *snapshot, bool all, struct fault *fault_r)
{
	rows_end(snapshot);
	if (all && snapshot->disk != DISK_NONE)
		snapshot_spoil(snapshot);
	while (snapshot->disk == DISK_KEPT && snapshot->synced != snapshot->number) {
		snapshot_flush(snapshot);
		syncer_wait(snapshot->syncer);
	}
	syncer_wait(snapshot->syncer);
	if (snapshot->disk != DISK_STUCK || (!all && clock_ms() >= snapshot->dead_ms))
		return 0;
	*fault_r = snapshot->alarm;
	return -1;
}

/* ---- life */

void
snapshot_start(struct snapshot *snapshot)
{
	snapshot->started = true;
	if (snapshot->phase == SAVE_NONE)
		timer_start(snapshot->save, snapshot->settings.first_save_ms);
}

void
snapshot_stop(struct snapshot *snapshot)
{
	snapshot->started = false;
	snapshot_save_abandon(snapshot);
}

static void
on_done(int ready, void *ctx)
{
	struct snapshot *snapshot = ctx;

	syncer_reap(snapshot->syncer);
}

static void
settings_copy(struct snapshot_settings *to, const struct snapshot_settings *from)
{
	*to = *from;
	to->path = xstrdup(from->path);
	to->map_id = xstrdup(from->map_id);
	to->prefix = xstrdup(from->prefix);
	to->boot_id = xstrdup(from->boot_id);
	to->rules.delimiters = xstrdup(from->rules.delimiters);
}

static void
settings_fini(struct snapshot_settings *settings)
{
	free((char *)(uintptr_t)settings->path);
	free((char *)(uintptr_t)settings->map_id);
	free((char *)(uintptr_t)settings->prefix);
	free((char *)(uintptr_t)settings->boot_id);
	free((char *)(uintptr_t)settings->rules.delimiters);
}

void
snapshot_reread(struct snapshot *snapshot, const uint8_t reading[static SNAPSHOT_KEY_BYTES],
    const struct account_rules *rules)
{
	struct snapshot_settings was = snapshot->settings, is = was;

	memcpy(is.reading, reading, sizeof(is.reading));
	is.rules = *rules;
	settings_copy(&snapshot->settings, &is);
	settings_fini(&was);
	rows_end(snapshot);
}

struct snapshot *
snapshot_new(struct loop *loop, const struct snapshot_settings *settings,
    const struct snapshot_owner *owner, void *ctx, struct fault *fault_r)
{
	struct snapshot *snapshot = xnew(struct snapshot);

	if ((snapshot->syncer = syncer_new(fault_r)) == NULL) {
		free(snapshot);
		return NULL;
	}
	snapshot->loop = loop;
	snapshot->owner = *owner;
	snapshot->ctx = ctx;
	settings_copy(&snapshot->settings, settings);
	TAILQ_INIT(&snapshot->waiters);
	snapshot->rows_path = xasprintf("%s.snapshot", settings->path);
	snapshot->tombs_path = xasprintf("%s.tombs", settings->path);
	snapshot->rows = sync_file_new(snapshot->syncer, snapshot->rows_path);
	snapshot->tombs = sync_file_new(snapshot->syncer, snapshot->tombs_path);
	snapshot->flush = timer_new(loop, snapshot_flush, snapshot);
	snapshot->save = timer_new(loop, snapshot_save, snapshot);
	snapshot->watch = watch_new(loop, syncer_fd(snapshot->syncer), on_done, snapshot);
	watch_set(snapshot->watch, WATCH_READ);
	fault_set(&snapshot->slow, VERDICT_TEMP,
	    "%s: the disk has not answered for %d s, and nothing is acknowledged meanwhile",
	    snapshot->tombs_path, SLOW_MS / 1000);
	snapshot->rows_void = snapshot->domains_void = true;
	snapshot_load(snapshot);
	return snapshot;
}

void
snapshot_free(struct snapshot **snapshotp)
{
	struct snapshot *snapshot = *snapshotp;
	struct snapshot_waiter *waiter;

	*snapshotp = NULL;
	if (snapshot == NULL)
		return;
	snapshot_keys_drop(snapshot);
	snapshot_stop(snapshot);
	while ((waiter = TAILQ_FIRST(&snapshot->waiters)) != NULL) {
		TAILQ_REMOVE(&snapshot->waiters, waiter, entry);
		free(waiter);
	}
	syncer_wait(snapshot->syncer);
	snapshot_flush(snapshot);
	sync_file_free(&snapshot->rows);
	sync_file_free(&snapshot->tombs);
	syncer_free(&snapshot->syncer);
	watch_free(&snapshot->watch);
	timer_free(&snapshot->flush);
	timer_free(&snapshot->save);
	snapshot_writer_free(&snapshot->writer);
	buf_fini(&snapshot->unwritten);
	buf_fini(&snapshot->since);
	settings_fini(&snapshot->settings);
	free(snapshot->rows_path);
	free(snapshot->tombs_path);
	free(snapshot);
}

uint64_t
snapshot_valid_until_ms(const struct snapshot *snapshot)
{
	return snapshot->valid_until_ms;
}

void
snapshot_count(const struct snapshot *snapshot, struct snapshot_status *status_r)
{
	const struct snapshot_waiter *first = TAILQ_FIRST(&snapshot->waiters);
	bool is_slow = first != NULL && clock_ms() - first->since_ms >= SLOW_MS;

	*status_r = snapshot->status;
	status_r->alarm =
	    is_slow && snapshot->alarm.text[0] == '\0' ? snapshot->slow.text : snapshot->alarm.text;
}
