/*
 * batch.h - names of keys, copied until their values have come          (pure)
 */
#ifndef MAP_BATCH_H
#define MAP_BATCH_H

#include "base/buf.h"
#include "map/resp.h"

struct batch {
	struct buf bytes;
	struct str *keys; /* count of them, in bytes; lent until the batch changes */
	size_t count, size;
};

void batch_fini(struct batch *batch); /* a zeroed one is ready for use */
void batch_clear(struct batch *batch);
void batch_swap(struct batch *a, struct batch *b);
void batch_add(struct batch *batch, struct str key);
void batch_fill(struct batch *batch, const struct resp *keys); /* with an array of strings */

#endif
