/*
 * tombs_file.h - what a snapshot must not be believed in any more, as bytes (pure)
 *
 * A head, then records in the order in which things happened, each numbered one
 * higher than the one before it and each with checksums of its own. A process
 * appends and makes durable in this order, and acknowledges only what is
 * durable: so a last record that is cut short was never acknowledged and ends
 * the file harmlessly. Anything else that is wrong, and a record that is missing
 * or of another series, makes the file, and with it the snapshot, unusable.
 */
#ifndef MAP_TOMBS_FILE_H
#define MAP_TOMBS_FILE_H

#include "map/snapshot_file.h"

struct tombs_head {
	uint8_t
	    series[SNAPSHOT_KEY_BYTES]; /* drawn when a node has no file; snapshots refer to it */
	uint64_t base; /* the number of the record before the first */
};

enum tomb_kind {
	TOMB_NAME, /* something of this name changed: "a@x", "@x" or a login */
	TOMB_ROWS, /* anything may have: no finding before it is good */
	TOMB_DOMAINS, /* the list of domains is not complete any more */
	TOMB_END, /* from here it may be used so long, not longer and not shorter */
};

struct tomb {
	enum tomb_kind kind;
	struct str name; /* NAME: at most TOMB_NAME_MOST bytes; lent from the bytes */
	struct snapshot_end end; /* END */
};
enum { TOMB_NAME_MOST = 10001 }; /* no finding depends on a longer one */

void tombs_write_head(const struct tombs_head *head, struct buf *out);
void tombs_write(const struct tombs_head *head, uint64_t number, const struct tomb *tomb,
    struct buf *out);

struct tombs_reader {
	struct tombs_head head;
	uint64_t number; /* of the last record that was read */
	struct str rest;
	bool is_torn; /* the end was cut short */
};

/* -1 and a sentence where this is no such file. */
int tombs_read(struct tombs_reader *reader, struct str bytes, struct fault *fault_r);

/* 1 a record, 0 that was all, -1 and a sentence: the file is unusable, what was read of it too. */
int tombs_next(struct tombs_reader *reader, struct tomb *tomb_r, struct fault *fault_r);

#endif
