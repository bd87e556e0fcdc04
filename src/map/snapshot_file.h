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

enum { SNAPSHOT_ALL_DOMAINS = 1 }; /* flags: no domain is managed but those in the rows */

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
void snapshot_write_trailer(struct snapshot_writer *writer, unsigned flags, struct buf *out);

void snapshot_writer_count(const struct snapshot_writer *writer, uint64_t *findings_r,
    uint64_t *domains_r);

struct snapshot_row {
	enum { SNAPSHOT_FINDING, SNAPSHOT_DOMAIN } kind;
	struct str asked; /* FINDING */
	struct finding finding; /* source MEMORY, epoch that of the head */
	struct str domain; /* DOMAIN */
	bool is_sure;
};

struct snapshot_reader {
	struct snapshot_head head; /* lent from the bytes, as the rows are */
	unsigned flags;
	uint64_t findings, domains;
	struct str rows;
};

/* A whole file. -1 and a sentence where a bit of it is wrong; then nothing of it is used. */
int snapshot_read(struct snapshot_reader *reader, struct str bytes, struct fault *fault_r);

/* The next row, after snapshot_read() said 0; false when there is none. */
bool snapshot_next(struct snapshot_reader *reader, struct snapshot_row *row_r);

#endif
