/*
 * snapshot_file.h - what a node knows, as bytes                         (pure)
 *
 * A head, rows, and a trailer with what was counted and a BLAKE2b checksum of
 * all before it. Written in pieces, read whole: nothing in it is believed before
 * the checksum is right and every row was understood. The file is this host's
 * own, of one version of the program: its format is no interface.
 *
 * Which tombstones belong to it the head says: those of the same series
 * (tombs_file.h) with a higher number came after the rows were collected.
 */
#ifndef MAP_SNAPSHOT_FILE_H
#define MAP_SNAPSHOT_FILE_H

#include "base/buf.h"
#include "base/fault.h"
#include "map/finding.h"
#include "map/mirror.h"

enum {
	SNAPSHOT_KEY_BYTES = 16,
	SNAPSHOT_TEXT_MOST = 255, /* an id, a prefix, a domain */
};

/*
 * How long it may be used, in milliseconds of CLOCK_BOOTTIME: the lease's end,
 * and the grace that was declared with it. said_ms is when that was so.
 */
struct snapshot_end {
	uint64_t lease_until_ms, grace_ms, said_ms;
};

struct snapshot_head {
	struct str map_id, prefix; /* of which map */
	struct str boot_id; /* whose CLOCK_BOOTTIME */
	uint8_t reading[SNAPSHOT_KEY_BYTES]; /* hash of the settings that decide how it is read */
	uint8_t series[SNAPSHOT_KEY_BYTES];
	uint64_t number; /* the last tombstone that the rows know */
	uint64_t epoch;
	struct snapshot_end end;
};

enum { /* flags: there is nothing but what is in the rows */
	SNAPSHOT_ALL_DOMAINS = 1,
	SNAPSHOT_ALL_KEYS = 2,
	SNAPSHOT_FLAGS = 3
};

struct snapshot_counts {
	uint64_t findings, domains, keys;
};

struct snapshot_writer;
struct snapshot_writer *snapshot_writer_new(void);
void snapshot_writer_free(struct snapshot_writer **writer);

/* Each appends to out what comes next: the head, any rows, the trailer. */
void snapshot_write_head(struct snapshot_writer *writer, const struct snapshot_head *head,
    struct buf *out);
void snapshot_write_finding(struct snapshot_writer *writer, struct str asked,
    const struct finding *finding, struct buf *out); /* a FOUND one */
void snapshot_write_domain(struct snapshot_writer *writer, struct str name, bool is_sure,
    struct buf *out); /* at most SNAPSHOT_TEXT_MOST bytes */
/*
 * Of a copy of the map; without prefix. A key that no finding depends on, or that is
 * longer than one may be, is passed over: nobody asks for it.
 */
void snapshot_write_key(struct snapshot_writer *writer, struct str key, enum mirror_what what,
    struct str value, struct buf *out);
void snapshot_write_trailer(struct snapshot_writer *writer, unsigned flags, struct buf *out);

struct snapshot_counts snapshot_writer_counts(const struct snapshot_writer *writer);

struct snapshot_row {
	enum { SNAPSHOT_FINDING, SNAPSHOT_DOMAIN, SNAPSHOT_KEY } kind;
	struct str asked; /* FINDING */
	struct finding finding; /* source MEMORY, epoch that of the head */
	struct str domain; /* DOMAIN */
	bool is_sure;
	struct str key, value; /* KEY; what is never ABSENT */
	enum mirror_what what;
};

struct snapshot_reader {
	struct snapshot_head head; /* lent from the bytes, as the rows are */
	unsigned flags;
	struct snapshot_counts counts;
	struct str rows; /* those that snapshot_next() has not come to */
};

/* A whole file. -1 and a sentence where a bit of it is wrong; then nothing of it is used. */
int snapshot_read(struct snapshot_reader *reader, struct str bytes, struct fault *fault_r);

/* The next row, after snapshot_read() said 0; false when there is none. */
bool snapshot_next(struct snapshot_reader *reader, struct snapshot_row *row_r);

#endif
