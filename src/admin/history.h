/*
 * history.h - what the audit stream tells                             (driver)
 *
 * In pages, so that a stream of millions of entries keeps nobody else waiting.
 */
#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "admin/entry.h"
#include "map/client.h"

enum { HISTORY_BACK_MOST = 10000 };

/* An entry, lent for the call. Return false to end the walk early. */
typedef bool history_fn(void *ctx, const struct entry *entry);

/* The newest first, at most HISTORY_BACK_MOST of them. 0, or -1 and *fault_r. */
int history_back(struct client *client, history_fn *fn, void *ctx, struct fault *fault_r);

/* All of them, the oldest first. */
int history_forth(struct client *client, history_fn *fn, void *ctx, struct fault *fault_r);

#endif
