/*
 * members.h - the Redis servers that hold the map                     (driver)
 *
 * FENCING: what is to outlive a failover must be on every member that may be
 * promoted, which is each one that is not declared dead.
 */
#ifndef ADMIN_MEMBERS_H
#define ADMIN_MEMBERS_H

#include "map/client.h"

#include <stdint.h>

enum { MEMBERS_WAIT_MS = 10000 };

/*
 * Wait until what was written on this connection is on all replicas that count.
 * -1 and *fault_r: Redis is gone, or fewer than that have it when most_ms are over.
 */
int members_wait(struct client *client, uint64_t most_ms, struct fault *fault_r);

#endif
