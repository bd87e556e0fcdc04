/*
 * snapshot_inside.h - the parts of a snapshot                         (driver)
 *
 * snapshot.c has its life, the tombstones and who waits for them,
 * snapshot_save.c writes the rows, snapshot_load.c reads them, snapshot_keys.c
 * hands over those that are a copy of the map.
 */
#ifndef MAP_SNAPSHOT_INSIDE_H
#define MAP_SNAPSHOT_INSIDE_H

#include "base/hash.h"
#include "base/sync_file.h"
#include "map/snapshot.h"
#include "map/tombs_file.h"

#include <sys/queue.h>

enum { SNAPSHOT_TOMBS_MOST_BYTES = 128 << 20 }; /* a larger file is not ours */

enum snapshot_disk {
	DISK_NONE, /* nothing there that anybody could use: nothing need be told */
	DISK_KEPT, /* tombs is there and takes what is told; perhaps a snapshot too */
	DISK_STUCK, /* what is there cannot be kept right: it must be removed */
};

enum snapshot_phase {
	SAVE_NONE,
	SAVE_ROWS, /* being written aside */
	SAVE_COMMIT, /* perhaps in its place already */
};

struct dead_name {
	UT_hash_handle hh;
	size_t len;
	char text[];
};

/* A copy of the map that is being handed over. */
struct snapshot_keys {
	struct buf bytes;
	struct snapshot_reader rows; /* in bytes */
	struct dead_name *dead, *next; /* what has changed since; the next to be handed over */
	uint64_t began_ms;
	struct timer *timer;
};

struct snapshot {
	struct loop *loop;
	struct snapshot_settings settings;
	struct snapshot_owner owner;
	void *ctx;
	struct syncer *syncer;
	struct watch *watch;
	struct sync_file *rows, *tombs;
	char *rows_path, *tombs_path;

	enum snapshot_disk disk;
	struct tombs_head head; /* of tombs */
	uint64_t number; /* of the last tombstone that was told */
	uint64_t synced; /* of the last that is durable */
	uint64_t sent; /* of the last that the append under way holds */
	uint64_t list_number; /* of the last that concerned the list of domains */
	struct buf unwritten; /* told, and not given to the thread */
	struct buf since; /* told since the save began */
	size_t tombs_bytes; /* what the file has grown to */
	bool appending, removing;
	int remove_error;
	bool rows_void; /* no finding in the file can be used */
	bool domains_void; /* the list of domains in it is not complete */
	bool list_lacks; /* and stuck: it may be, and does not know what was told */
	struct snapshot_end end; /* the last that was told */
	uint64_t dead_ms; /* from when no finding in any file of ours can be used */
	TAILQ_HEAD(, snapshot_waiter) waiters; /* in the order of their numbers */
	struct timer *flush;

	struct timer *save; /* the next save, or its next piece */
	enum snapshot_phase phase;
	bool started, adding; /* adding: a piece is with the thread */
	struct snapshot_writer *writer;
	uint64_t save_number; /* the last tombstone that its rows know */
	uint64_t save_began_ms, save_bytes;
	unsigned save_flags;
	bool save_has_domains; /* all of them */

	struct snapshot_keys *keys; /* NULL: none, or all were handed over */
	uint64_t valid_until_ms;
	struct snapshot_status status;
	struct fault alarm;
	struct fault slow; /* the alarm while the disk says nothing */
};

void snapshot_alarm(struct snapshot *snapshot, int error, const char *doing);

/* This end of a lease, or the earlier one that somebody waits to be told of. */
uint64_t snapshot_lease_most(const struct snapshot *snapshot, uint64_t lease_until_ms);

/* The files cannot be kept right: remove them. */
void snapshot_spoil(struct snapshot *snapshot);
void snapshot_tell(struct snapshot *snapshot, const struct tomb *tomb);
void snapshot_end_note(struct snapshot *snapshot, const struct snapshot_end *end);
void snapshot_flush(void *snapshot); /* write what was told now */
void snapshot_appended(void *snapshot, int error); /* what tombs was given last, or an errno */

/* snapshot_save.c */
void snapshot_save(void *snapshot); /* timer */
void snapshot_save_abandon(struct snapshot *snapshot);

/* snapshot_load.c */
void snapshot_load(struct snapshot *snapshot);

/* snapshot_keys.c */
void dead_add(struct dead_name **names, struct str name);
bool dead_has(const struct dead_name *names, struct str name);
void dead_free(struct dead_name **names);

/* Hand over the keys of this file, by and by. bytes and dead are taken, if there is to be any. */
void snapshot_keys_take(struct snapshot *snapshot, struct buf *bytes,
    const struct snapshot_reader *rows, struct dead_name **dead);
void snapshot_keys_drop(struct snapshot *snapshot); /* no more of them */

#endif
