/*
 * identity.h - which map this is, and that it never goes back         (driver)
 *
 * A Redis that came back empty, or from an old copy, answers as happily as
 * before. What it would say is worse than silence. So the map has an id, drawn
 * once when it was made, and an epoch that only grows, both in the hash
 * "prefix.map"; each host keeps the id and the highest epoch that it knows to be
 * on every Redis server in a file of the state directory, shared by all its
 * processes, and believes no map that has another id or less. What was seen on
 * one of several servers only may be undone by a failover: that is no data lost,
 * because nobody was told that it is confirmed.
 */
#ifndef MAP_IDENTITY_H
#define MAP_IDENTITY_H

#include "base/fault.h"
#include "map/head.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct identity;

/* Never fails: a file that is missing is a host that has seen no map yet. */
struct identity *identity_open(const char *state_dir);
void identity_close(struct identity **identity);

/*
 * From now on a thread writes the file, because a disk may take its time and the loop
 * has none. fn is called whenever an attempt to write has ended, well or not. -1:
 * there is no thread for us, and notes are written as before.
 */
typedef void identity_tried_fn(void *ctx);
int identity_use_thread(struct identity *identity, struct loop *loop, identity_tried_fn *fn,
    void *ctx, struct fault *fault_r);

/* Look again at what the other processes of this host have seen. */
void identity_refresh(struct identity *identity);

/* Is this our map, and not an older state of it? -1 and a sentence when it is not. */
int identity_check(const struct identity *identity, const struct map_head *head,
    struct fault *fault_r);

/*
 * Remember this head, which was checked, in memory, and in the file where that
 * knows less: its id, and its epoch where the map is on one server only. -1: the
 * file could not be written (call again later); the memory knows all the same.
 * With a thread: it is being written, or -1 as the last attempt ended, or as this
 * one does not end.
 */
int identity_note(struct identity *identity, const struct map_head *head, struct fault *fault_r);

/*
 * This epoch is on every server. In memory; identity_note() writes it with the next
 * head, a thread at once.
 */
void identity_raise(struct identity *identity, uint64_t epoch);

/*
 * May it be acknowledged? It is in the file, durably, or an attempt to write it has
 * ended otherwise: that is an alarm, and not worth that no change is confirmed any
 * more. What was not raised is nothing to be remembered.
 */
bool identity_is_settled(const struct identity *identity, uint64_t epoch);

const char *identity_id(const struct identity *identity); /* "" = none seen yet */
uint64_t identity_epoch(const struct identity *identity);

#endif
