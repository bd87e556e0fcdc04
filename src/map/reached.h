/*
 * reached.h - which Redis servers have a change                         (pure)
 *
 * FENCING, W3: whichever of them becomes master must have it. A master does not
 * tell its own address, and it may be one that the map does not expect: a
 * stranger, or one that was declared dead and was promoted all the same. Then
 * there is no member that need not have it for being the master itself.
 */
#ifndef MAP_REACHED_H
#define MAP_REACHED_H

#include "map/server.h"

struct reached {
	unsigned wanted; /* how many replicas must have it, for all to have it */
	unsigned count; /* and how many have */
	struct head_servers missing; /* who has not, where the map names its members */
};

/*
 * "master" is where we reached it, "host:port", or "" where that is not known;
 * "offset" is that of the change.
 */
void reached_count(struct reached *reached_r, const struct map_head *head,
    const struct server_replication *replication, const char *master, uint64_t offset);

/*
 * How many replicas of those that make a majority have it (FENCING: K), members
 * that are declared dead among them, because two halves must never both have so many.
 * A stranger is none; where members have no names there are no strangers. "offset" > 0.
 */
unsigned reached_most(const struct map_head *head, const struct server_replication *replication,
    uint64_t offset);

#endif
