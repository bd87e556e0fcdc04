/*
 * history.h - what the audit stream tells                             (driver)
 *
 * In pages, so that a stream of millions of entries keeps nobody else waiting.
 */
#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "admin/entry.h"
#include "map/client.h"

enum { HISTORY_BACK_MOST = 10000, HISTORY_ID_BYTES = 64 };

/* How far the stream was read: the last entry's id; "": not at all. */
struct history_place {
	char id[HISTORY_ID_BYTES];
};

/* An entry, lent for the call. Return false to end the walk early. */
typedef bool history_fn(void *ctx, const struct entry *entry);

/* The newest first, at most HISTORY_BACK_MOST of them. 0, or -1 and *fault_r. */
int history_back(struct client *client, history_fn *fn, void *ctx, struct fault *fault_r);

/* All behind *place, the oldest first; *place is then behind them. */
int history_forth(struct client *client, struct history_place *place, history_fn *fn, void *ctx,
    struct fault *fault_r);

/*
 * The same of one page, inside a transaction of the caller's: queue the command, and
 * take what EXEC has for it. *more_r: there may be another page. 0, or -1 and
 * *fault_r.
 */
void history_ask_next(struct client *client, const struct history_place *place);
int history_take_next(struct history_place *place, const struct resp *reply, history_fn *fn,
    void *ctx, bool *more_r, struct fault *fault_r);

#endif
