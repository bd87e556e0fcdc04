/*
 * snapshot.h - what this node knows, for the process that will be it next (driver)
 *
 * A process that starts while Redis is away knows nothing. So a node keeps its
 * findings, its copy of the map where it has a whole one, and the list of managed
 * domains, in a file, and the next process with the same node id goes on with
 * them: as long as this one might have, and never with what this one has
 * acknowledged as gone.
 *
 * Two files. PATH.snapshot is saved every minute, in pieces between which the
 * loop goes on; PATH.tombs takes every change since, as it is heard. A barrier is
 * acknowledged when what was told before it is durable there, or there is no
 * snapshot any more: snapshot_when_synced(). The model of it, with what happens
 * where a step is left out, is tests/model/snapshot.pml.
 *
 * Findings and the copy are used under the same boot of the machine, the same map and the
 * same settings for reading it, until the end that was saved: a lease and the
 * grace declared with it, in CLOCK_BOOTTIME. The list of domains has no end, as
 * in memory (domains.h): it is used for the same map, whatever else is different.
 *
 * Knows neither cache nor Redis: its owner has the rows. Whoever uses it holds
 * the lock of the node id, so that there is never a second one.
 */
#ifndef MAP_SNAPSHOT_H
#define MAP_SNAPSHOT_H

#include "map/account.h"
#include "map/snapshot_file.h"
#include "net/loop.h"

struct snapshot;

struct snapshot_settings {
	const char *path; /* without ".snapshot" */
	const char *map_id, *prefix, *boot_id; /* map_id "": not known yet, boot_id "": cannot be */
	uint8_t reading[SNAPSHOT_KEY_BYTES]; /* hash of the settings that decide how it is read */
	struct account_rules rules;
	uint64_t grace_ms; /* what is declared now; 0: findings are not kept */
	uint64_t first_save_ms, save_every_ms; /* SNAPSHOT_FIRST_MS and SNAPSHOT_EVERY_MS */
};
enum { SNAPSHOT_FIRST_MS = 3000, SNAPSHOT_EVERY_MS = 60000 };

struct snapshot_owner {
	/*
	 * From inside snapshot_new(), what an earlier process has saved and nothing has
	 * made wrong since. A finding comes with the names that it depends on.
	 */
	void (*finding_fn)(void *ctx, struct str asked, const struct finding *finding,
	    const struct str *names, size_t count);
	void (*domain_fn)(void *ctx, struct str domain, bool is_sure);
	void (*domains_complete_fn)(void *ctx);

	/*
	 * A copy of the map: begin, from inside snapshot_new(), and true if it is wanted;
	 * then, from the loop and in pieces, every key that is there or of which nothing
	 * is known, some of them twice, UNKNOWN first; then end. It ends without end, and
	 * for good, with the first snapshot_change_all().
	 */
	bool (*keys_begin_fn)(void *ctx);
	void (*key_fn)(void *ctx, struct str key, enum mirror_what what, struct str value);
	void (*keys_end_fn)(void *ctx);

	/*
	 * To save: begin fills in map_id, epoch and end.lease_until_ms, or is false when
	 * this is not the moment. Then rows writes a few rows at each call; false: that
	 * was all, and *flags_r what snapshot_write_trailer() wants.
	 */
	bool (*begin_fn)(void *ctx, struct snapshot_head *head_r);
	bool (*rows_fn)(void *ctx, struct snapshot_writer *writer, struct buf *out,
	    unsigned *flags_r);
};

/*
 * Reads what is there, makes it durable what was read, and hands it over; blocks.
 * settings and owner are copied, the strings in settings too. NULL and *fault_r
 * only where the system has no thread for us: trouble with the files is an alarm.
 */
struct snapshot *snapshot_new(struct loop *loop, const struct snapshot_settings *settings,
    const struct snapshot_owner *owner, void *ctx, struct fault *fault_r);
void
snapshot_free(struct snapshot **snapshot); /* what was told is written before; no fn is called */

/* Until when findings and keys that were handed over may be used; 0: there were none. */
uint64_t snapshot_valid_until_ms(const struct snapshot *snapshot);

/* The settings for reading have changed: nothing that was kept is good under them. */
void snapshot_reread(struct snapshot *snapshot, const uint8_t reading[static SNAPSHOT_KEY_BYTES],
    const struct account_rules *rules);

/* Saving begins (a session lives), and no save begins any more (it does not). */
void snapshot_start(struct snapshot *snapshot);
void snapshot_stop(struct snapshot *snapshot);

/*
 * Something of this name ("a@x", "@x", a login) has changed; anything may have: whatever
 * makes what is remembered unknown, in the same step. A session's first lease and
 * a barrier before it are "all" too.
 */
void snapshot_change(struct snapshot *snapshot, struct str name);
void snapshot_change_all(struct snapshot *snapshot);

/* The end of the lease that memory has now. Call it whenever that moved. */
void snapshot_lease(struct snapshot *snapshot, uint64_t lease_until_ms);

/*
 * Is everything that was told before durable, or nothing left that it could make
 * wrong? True: it is. Else fn is called once, later: false when neither could be
 * had. Then nothing may be acknowledged; ask again with the next barrier.
 */
typedef void snapshot_synced_fn(void *ctx, bool is_synced);
bool snapshot_when_synced(struct snapshot *snapshot, snapshot_synced_fn *fn, void *ctx);

/*
 * The same before an acknowledgement that cuts the lease to this end: no file says a
 * later one then, nor a save that begins or a lease that is renewed until fn is
 * called, from inside which memory is to be cut too.
 */
bool snapshot_cut(struct snapshot *snapshot, uint64_t lease_until_ms, snapshot_synced_fn *fn,
    void *ctx);

/*
 * Before this node leaves the roster: no finding is kept any more, durably; the
 * list of domains stays. As snapshot_when_synced(): after false, do not leave.
 */
bool snapshot_remove(struct snapshot *snapshot, snapshot_synced_fn *fn, void *ctx);

/*
 * At once, and blocking, whatever is being written: no finding is kept any more; with
 * "all" no list of domains either. Whoever waits is called from inside. -1 and
 * *fault_r: what is there may yet be found.
 */
int snapshot_drop(struct snapshot *snapshot, bool all, struct fault *fault_r);

struct snapshot_status {
	uint64_t saves, findings, domains, keys; /* of the last save, or of what was handed over */
	uint64_t saved_ms; /* CLOCK_BOOTTIME of the last save; 0: none yet */
	uint64_t tombstones; /* since then */
	const char *alarm; /* what an operator must look at, or "" */
};
void snapshot_count(const struct snapshot *snapshot, struct snapshot_status *status_r);

#endif
