/*
 * members.h - the Redis servers that hold the map                     (driver)
 *
 * FENCING: what is to outlive a failover must be on every member that may be
 * promoted, which is each one that is not declared dead. Which they are stands
 * in the head of the map, by name or only by number; who is there, the master
 * tells.
 */
#ifndef ADMIN_MEMBERS_H
#define ADMIN_MEMBERS_H

#include "map/client.h"
#include "map/server.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	MEMBERS_WAIT_MS = 10000,
	MEMBERS_ROWS_MOST = 2 * HEAD_MEMBERS_MOST + SERVER_REPLICAS_MOST + 1
};

enum member_state {
	MEMBER_MASTER,
	MEMBER_ONLINE, /* a replica that follows */
	MEMBER_SYNCS, /* a replica that is still being filled */
	MEMBER_MISSING, /* named, and not there */
	MEMBER_DEAD, /* the same, and declared dead: nobody waits for it */
	MEMBER_STATES
};

const char *member_state_name(enum member_state state);

struct member {
	char address[HEAD_ADDRESS_BYTES]; /* "" = the master's, which is not known */
	enum member_state state;
	bool is_stranger; /* the map names its members, and not this one */
	bool is_declared_dead;
	uint64_t offset, behind_bytes; /* a replica that is there */
	int64_t heard_s; /* and how long ago it said so; -1: not known */
};

struct members {
	struct member list[MEMBERS_ROWS_MOST];
	unsigned count;
	uint64_t offset; /* the master's */
	unsigned wanted, majority; /* FENCING: ALL and K */
	unsigned online; /* replicas that follow and count for ALL */
	unsigned online_dead; /* and those that count for K only */
};

/*
 * Put together what the head says, what the master told, and where we reached it
 * ("10.0.0.1:6379"; "": nobody knows).                                  (pure)
 */
void members_judge(struct members *members_r, const struct map_head *head,
    const struct server_replication *replication, const char *reached);

const struct member *members_find(const struct members *members, const char *address);

/*
 * Ask the master, then judge; "as": by a head that the map does not have (yet).
 * -1 and *fault_r: it did not answer.
 */
int members_read_as(struct members *members_r, const struct map_head *head, struct client *client,
    struct fault *fault_r);
int members_read(struct members *members_r, struct client *client, struct fault *fault_r);

/*
 * Wait until what is in Redis now is on every member that may be promoted, as the
 * map names them now: client_map() is read again. -1 and *fault_r: Redis is gone,
 * or fewer than that have it when most_ms are over.
 */
int members_wait(struct client *client, uint64_t most_ms, struct fault *fault_r);

#endif
