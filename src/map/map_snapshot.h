/*
 * map_snapshot.h - what the map remembers, kept over a restart        (driver)
 *
 * Between map.c and snapshot.c: which rows there are, and when to save them.
 */
#ifndef MAP_MAP_SNAPSHOT_H
#define MAP_MAP_SNAPSHOT_H

#include "map/map_inside.h"

/*
 * Takes the node's slot, and what an earlier process of this node has saved. Where
 * that cannot be done yet, it is tried again with a session, and nothing is
 * acknowledged before.
 */
void map_snapshot_open(struct map *map);
void map_snapshot_close(struct map *map);

/* What the link tells, as far as it concerns a snapshot. */
void map_snapshot_live(struct map *map);
void map_snapshot_granted(struct map *map);
void map_snapshot_lost(struct map *map);
void map_snapshot_change(struct map *map, struct str name);
void map_snapshot_change_all(struct map *map);
void map_snapshot_reload(struct map *map); /* the settings for reading are other ones */

/* Acknowledge this barrier as soon as all that was told before it is durable. */
void map_snapshot_barrier(struct map *map, const struct barrier *barrier);

/* An event of the link: make the snapshot useless; then the link leaves the roster. */
void map_snapshot_leaving(void *map);

json_t *map_snapshot_json(const struct map *map);
const char *map_snapshot_alarm(const struct map *map); /* "" = none */

#endif
