/*
 * arrivals_writer_inside.h - what the two files of the writer share   (driver)
 *
 * arrivals_writer.c looks at what is there, arrivals_writer_put.c counts and writes.
 */
#ifndef MAP_ARRIVALS_WRITER_INSIDE_H
#define MAP_ARRIVALS_WRITER_INSIDE_H

#include "base/hash.h"
#include "map/arrivals_writer.h"
#include "map/batch.h"

/* An account of the part. */
struct tally_slot {
	UT_hash_handle hh; /* by account */
	struct str account;
	struct buf key;
	struct arrivals before, after;
	bool is_odd; /* no hash */
	bool is_changed;
	struct arrivals_texts texts;
};

struct arrivals_writer {
	struct loop *loop;
	struct link *link;
	char *prefix;
	struct redis *redis; /* NULL: none is open */
	bool is_open;
	struct timer *patience;
	bool has_warned; /* in this session */
	struct arrivals_place last; /* surely in Redis */
	char *last_node; /* of which node */

	const struct arrivals_part *part; /* NULL: nothing to do */
	arrivals_written_fn *fn;
	void *ctx;
	unsigned tries;
	struct tally_slot *slots, *by_account;
	size_t slot_count;
	size_t *slot_of; /* each entry's */
	bool *is_repeated; /* each report */
	struct batch old; /* ids of reports that nobody repeats any more */
	struct buf place_key, reports_key, all_key;
	size_t looked_reports, looked_slots;
	struct arrivals_place found;
	bool is_refused; /* a reply of this try cannot be worked with */
	struct arrivals_written written;
};

/* A part is looked at, and again where somebody came between. */
void writer_look(struct arrivals_writer *writer);
void writer_send(struct arrivals_writer *writer, redis_reply_fn *fn, const struct str *argv,
    size_t argc);

/* Would what somebody has counted for another owner go, who may be the one of now? */
bool writer_is_doubted(const struct arrivals_writer *writer);

/* What was looked at is counted and written; has_lost: what was there before has gone. */
void writer_put(struct arrivals_writer *writer, bool has_lost);

/* The part is done; or it is given up, and what was sent may still come to pass. */
void writer_end(struct arrivals_writer *writer, bool is_counted);
void writer_give_up(struct arrivals_writer *writer);

/* To the log, once in a session; refused: a reply of this try cannot be worked with. */
void writer_warn(struct arrivals_writer *writer, const struct fault *fault);
void writer_refused(struct arrivals_writer *writer, const struct resp *reply, const char *doing);

#endif
