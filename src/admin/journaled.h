/*
 * journaled.h - what was changed from here, and is it in the map?     (machine)
 *
 * HOSTILE, A15. Fed with this host's journal and then with the audit stream from
 * its beginning, it knows which changes were written from here and are not in the
 * stream, although it reaches back so far: a failover, or an old copy, undid them.
 *
 * Only the last of an account counts. Whoever changes it again from here, or
 * confirms with a barrier what is there now, has decided, and nothing is lost any
 * more. Of a change of many accounts the journal knows how many they were, a
 * digest and the command, so it is the same one again that makes up for it, or a barrier for
 * everything. Its memory grows with the journal, which has a limit of its own.
 */
#ifndef ADMIN_JOURNALED_H
#define ADMIN_JOURNALED_H

#include "admin/entry.h"
#include "map/journal_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journaled; /* all changes of one map */

struct journaled *journaled_new(const char *map);
void journaled_free(struct journaled **journaled);

/* The next line, a journal_line_fn; then the next entry, a history_fn. Always true. */
bool journaled_take_line(void *journaled, const struct journal_line *line);
bool journaled_take_entry(void *journaled, const struct entry *entry);

/* Lent until journaled_free(). */
struct journaled_change {
	struct str name; /* "": several accounts, or the head of the map */
	const char *last; /* of several, the last one's name; else NULL */
	const char *command, *who, *time;
	const char *before, *after; /* as entries write them; NULL: none */
	const char *complete; /* what was written to the complete key, too; NULL: nothing was */
	const char *again, *sha256; /* as in journal_line.h; NULL: none */
	const char *nonce;
	uint64_t epoch, accounts;
	enum journal_what what; /* the last that was said of it */
};

/*
 * What is lost, the oldest first. "whole": the stream began with the map; else only
 * those are told that a former change of ours in the stream, or the map's epoch,
 * proves to be missing.
 */
typedef void journaled_fn(void *ctx, const struct journaled_change *change);
void journaled_lost(const struct journaled *journaled, bool whole, uint64_t epoch, journaled_fn *fn,
    void *ctx);

/* Was the change with this nonce made here? */
bool journaled_has(const struct journaled *journaled, struct str nonce);

/* Was the last hold of this account that was written from here confirmed? */
bool journaled_hold_is_confirmed(const struct journaled *journaled, struct str name);

#endif
