/*
 * node.h - who this process is among the map's readers                (driver)
 *
 * Writers wait for every node of the roster, so a node must be known by a name
 * that stays: "instance/role/slot", such as "mx1/policyd/0". A process takes the
 * first slot of its role that no other process of the host holds, by a lock on a
 * file of the state directory, and holds it as long as it lives; who starts
 * again finds the slot that it had. The lock belongs to the process that calls
 * node_hold(): a daemon's worker, not its master.
 *
 * Beside the lock is what must survive: which run held the slot last, and
 * whether the node is in the roster, on every Redis server, with at least the
 * grace and drain that it declares. What is not surely known counts as not so.
 */
#ifndef MAP_NODE_H
#define MAP_NODE_H

#include "base/fault.h"
#include "map/roster.h"

#include <stdbool.h>
#include <stdint.h>

enum { NODE_SLOTS_MOST = 1024 };

struct node;

struct node *node_new(const char *state_dir, const char *instance, const char *role);
void node_free(struct node **node); /* the slot is free again */

/*
 * Take a slot, where none is held yet. -1 and a sentence: no slot, no lease; call
 * again later.
 */
int node_hold(struct node *node, struct fault *fault_r);

const char *node_id(const struct node *node); /* "" = no slot yet */
const char *node_role(const struct node *node);
const char *node_run(const struct node *node); /* of this process, random */
const char *node_last_run(const struct node *node); /* whose slot this was before; "" = not known */

/* "STATE_DIR/nodes/policyd-0.WHAT", for files that belong to the slot; the caller's. */
char *node_path(const struct node *node, const char *what);

/* Is it surely in the roster of this map, everywhere, with no less than this? */
bool node_has_entered(const struct node *node, const char *map_id, uint32_t grace_ms,
    uint32_t drain_ms);

/*
 * Who keeps ".snapshot" and ".tombs" of the slot, and may have one of them in hand:
 * he makes useless what is in them, durably before he returns; with "all" the list
 * of domains too. -1 and *fault_r where he cannot. Nobody: they are removed here.
 */
typedef int node_drop_fn(void *ctx, bool all, struct fault *fault_r);
void node_set_keeper(struct node *node, node_drop_fn *fn, void *ctx);

/*
 * Durable before they return; all need a slot. begun: from now on a beat of this
 * run is the slot's own. left: and what the slot remembered of accounts is useless
 * first, because nobody waits for it any more.
 */
int node_note_begun(struct node *node, struct fault *fault_r);
int node_note_entered(struct node *node, const char *map_id, uint32_t grace_ms, uint32_t drain_ms,
    struct fault *fault_r);
int node_note_left(struct node *node, struct fault *fault_r);

/* That alone, and the list of domains too: nothing that was remembered is used again. */
int node_drop_memory(const struct node *node, struct fault *fault_r);

#endif
