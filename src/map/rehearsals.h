/*
 * rehearsals.h - whose turn a rehearsal is, and what came of it       (driver)
 *
 * Processes of several hosts see the logins of an account; together they are to try
 * its password at another destination once in an interval. So whoever wants to try
 * asks here, and what came of it is told here; rehearsed.h says how it is kept.
 *
 * Nothing of it decides where anybody goes, so it is not read in the transactions
 * that do: an answer that is an error (a user of Redis who may not write this) means
 * that nothing is tried, and the session goes on. What is told is written a little
 * later, all of it at once, and waits while Redis is away. The times in it are those
 * of wall clocks, which nothing else in the map believes.
 */
#ifndef MAP_REHEARSALS_H
#define MAP_REHEARSALS_H

#include "base/str.h"
#include "map/link.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct rehearsals;
struct rehearsals_question; /* one that is waiting */

enum {
	REHEARSALS_ASKED_MOST = 64,
	REHEARSALS_TOLD_MOST = 4096, /* that wait to be written; the oldest are dropped */
	REHEARSALS_PAUSE_MS = 60000, /* where it cannot be known: not before this */
};

struct rehearsals *rehearsals_new(struct loop *loop, struct link *link, const char *prefix);
void rehearsals_free(struct rehearsals **rehearsals); /* nothing is called any more */

/* The link has a session; has none any more. */
void rehearsals_live(struct rehearsals *rehearsals);
void rehearsals_lost(struct rehearsals *rehearsals);

/*
 * May this account's password be tried at the destination now? Then others will not
 * for a while. fn is called once, later, unless rehearsals_forget() comes first; where
 * it is not our turn, wait_ms says how long there is nothing to ask. NULL: cannot be
 * asked now.
 */
typedef void rehearsals_turn_fn(void *ctx, bool is_ours, uint64_t wait_ms);
struct rehearsals_question *rehearsals_ask(struct rehearsals *rehearsals, struct str account,
    struct str destination, uint64_t interval_ms, rehearsals_turn_fn *fn, void *ctx);
void rehearsals_forget(struct rehearsals_question **question); /* NULL is allowed */

/* What came of it, now; yes or no. Where there was no answer, nothing is told. */
void rehearsals_tell(struct rehearsals *rehearsals, struct str account, struct str destination,
    bool works);

#endif
