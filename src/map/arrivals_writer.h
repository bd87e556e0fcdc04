/*
 * arrivals_writer.h - what arrived, on its way into Redis             (driver)
 *
 * One part of a batch at a time, on a connection of its own beside the session: what
 * is counted never stands before what is asked. All that a part changes is watched,
 * read, changed here (arrivals.h) and written in one transaction, with the part's
 * place in the node's batches and the ids of the reports. So a part that is sent again
 * after a connection was lost changes nothing, not even where the lost one was only
 * late; nor does a report that two processes were told of.
 *
 * A reply that is an error (a user of Redis who may not write this) means that nothing
 * was counted, and a line in the log, once in a session.
 */
#ifndef MAP_ARRIVALS_WRITER_H
#define MAP_ARRIVALS_WRITER_H

#include "map/arrivals.h"
#include "map/link.h"
#include "net/loop.h"

enum {
	ARRIVALS_PATIENCE_MS = 10000, /* for all of a part */
	ARRIVALS_TRIES_MOST = 20, /* when others write to the same accounts all the time */
	ARRIVALS_REMEMBERED_S = 3600, /* ids of reports: who repeats one does it at once */
	ARRIVALS_FORGOTTEN_MOST = 200 /* older ones, with each part: more than a part has */
};

/* One account of one report. */
struct arrivals_entry {
	size_t report; /* whose; its position */
	struct str account; /* canonical */
	struct arrivals_message message;
	enum arrivals_owner {
		ARRIVALS_OWNED, /* "now" is the owner */
		ARRIVALS_UNMANAGED, /* nobody's any more: not counted */
		ARRIVALS_UNSURE /* nobody can say: becomes unknown, as of the message's owner */
	} owner;
	struct str now;
};

/* All lent until it is done. */
struct arrivals_part {
	const char *node; /* whose batch it is: our own, or one that does not come back */
	struct arrivals_place place;
	const struct str *reports; /* their ids */
	size_t report_count;
	const struct arrivals_entry *entries;
	size_t entry_count;
	/* The owners were asked for after a put that said is_doubted: they are right. */
	bool is_sure;
	int64_t unknown_s; /* something of all accounts was lost, and when */
	const char *unknown; /* why; NULL: it was not */
};

struct arrivals_written {
	bool is_counted; /* false: not now; put it again later */
	/*
	 * Not counted, as another one has counted an account in another owner's time: was
	 * there a flip since the owners were asked for? Ask again, and put it as is_sure.
	 */
	bool is_doubted;
	uint64_t messages, strays, late, repeated; /* late: of a former owner's time */
};

struct arrivals_writer;

struct arrivals_writer *arrivals_writer_new(struct loop *loop, struct link *link,
    const char *prefix);
void arrivals_writer_free(struct arrivals_writer **writer); /* nothing is called any more */

/* The session is over. */
void arrivals_writer_lost(struct arrivals_writer *writer);

/* Can anything be put? A session is live, and the last part is done. */
bool arrivals_writer_is_ready(const struct arrivals_writer *writer);

/* fn is called once, later. */
typedef void arrivals_written_fn(void *ctx, const struct arrivals_written *written);
void arrivals_writer_put(struct arrivals_writer *writer, const struct arrivals_part *part,
    arrivals_written_fn *fn, void *ctx);
void arrivals_writer_forget(struct arrivals_writer *writer); /* fn is not called any more */

#endif
