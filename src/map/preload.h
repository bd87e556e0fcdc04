/*
 * preload.h - the whole map, read in the background                   (driver)
 *
 * Where the map is small enough, each session begins to read all of it into a
 * mirror (mirror.h), a batch at a time, beside the questions: names by SCAN, the
 * values of the batch before in the same transaction. When it is complete, no
 * account waits for Redis any more. What changes later is read again in the
 * background.
 *
 * Redis has other clients: it is never asked for more than a batch, and when a
 * batch took long, because it is busy (with the preloads of others, say), we
 * pause as long.
 */
#ifndef MAP_PRELOAD_H
#define MAP_PRELOAD_H

#include "map/link.h"
#include "map/mirror.h"

#include <jansson.h>

struct preload;

/* link is lent for its life; a map of more than keys_most keys is not read, 0: none is. */
struct preload *preload_new(struct loop *loop, struct link *link, const char *prefix,
    uint64_t keys_most);
void preload_free(struct preload **preload);
void preload_set_most(struct preload *preload, uint64_t keys_most);

/* Lent as long as the preload. To be asked under a lease only. */
struct mirror *preload_mirror(struct preload *preload);

/* What the link tells: in a new session nothing is known until it was read again. */
void preload_start(struct preload *preload);
void preload_stop(struct preload *preload); /* what is complete may be used while the lease runs */
void preload_change(struct preload *preload, struct str key); /* whole, with prefix */
void preload_change_all(struct preload *preload);

/*
 * What an earlier process has saved, before the first session: begin, what is known
 * of a key, and end. False: it is none of use any more; give no more.
 */
bool preload_restore_begin(struct preload *preload);
bool preload_restore(struct preload *preload, struct str key, enum mirror_what what,
    struct str value);
bool preload_restore_end(struct preload *preload);

json_t *preload_status(const struct preload *preload); /* the caller's */

#endif
