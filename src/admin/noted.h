/*
 * noted.h - the last noted owner of each account                      (machine)
 *
 * Fed with the audit stream from its beginning, it knows of each account what the
 * last change wrote and whether that was confirmed. Its memory grows with the
 * accounts that were ever changed, not with the entries.
 */
#ifndef ADMIN_NOTED_H
#define ADMIN_NOTED_H

#include "admin/entry.h"

#include <stdbool.h>
#include <stddef.h>

struct noted; /* all accounts */

struct noted *noted_new(void);
void noted_free(struct noted **noted);

/* The next entry; always true, as a history_fn. */
bool noted_take(void *noted, const struct entry *entry);

/* Did the stream begin with the map, so that what it does not know was never noted? */
bool noted_is_whole(const struct noted *noted);

struct noted_owner {
	struct str name, after; /* as entries write it; "-": none */
	bool confirmed;
};

/* Lent until the next noted_take(). False: no change of it. Remembers that it was asked for. */
bool noted_find(struct noted *noted, struct str name, struct noted_owner *owner_r);

/* Those that were never asked for, in no order. */
typedef void noted_fn(void *ctx, const struct noted_owner *owner);
void noted_rest(const struct noted *noted, noted_fn *fn, void *ctx);

#endif
