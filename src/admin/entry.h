/*
 * entry.h - one entry of the audit stream                               (pure)
 *
 * What splitmx(1) says of it, read back: by whom, what, and which owners it
 * changed. Values stand there as log_quote() writes them and "-" for a key that is
 * not there, so a stored value is compared in the same form: entry_value().
 */
#ifndef ADMIN_ENTRY_H
#define ADMIN_ENTRY_H

#include "base/buf.h"
#include "base/str.h"
#include "map/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ENTRY_TIME_BYTES = 32 };

/* All lent from the reply. A field that is not there is empty. */
struct entry {
	struct str id; /* "1763730000000-0": milliseconds by Redis's clock, which decides nothing */
	struct str who, what, why, op, epoch;
	struct str account, before, after; /* one account */
	struct str accounts; /* how many; "*": a barrier for everything */
	struct str changes; /* several: a line "name before after" for each */
	struct str
	    found; /* of a barrier: their owners at that moment, a line "name owner" for each */
};

/* One of XRANGE's answer: [id, [name, value, ...]]. False: it is none. */
bool entry_read(const struct resp *resp, struct entry *entry_r);

struct entry_change {
	struct str name, before, after;
};

struct entry_walk {
	struct str rest;
	bool one; /* still to come: the entry's single account */
};

/*
 * The owners that an entry notes, one after another until false: those it changed,
 * and those that a barrier found. A line that cannot be read is passed over; an
 * entry that left the owner alone (a hold) notes none.
 */
void entry_walk_begin(struct entry_walk *walk, const struct entry *entry);
bool entry_walk_next(struct entry_walk *walk, const struct entry *entry,
    struct entry_change *change_r);

/* A stored value as entries write it; lent as log_quote()'s. */
struct str entry_value(bool there, struct str value);

/* "2026-11-21 13:00:00 UTC"; "?" for an id that has no time. */
const char *entry_time(struct str id, char room_r[static ENTRY_TIME_BYTES]);

#endif
