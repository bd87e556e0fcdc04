/*
 * recall.h - an answer from the copy of the map                       (machine)
 */
#ifndef MAP_RECALL_H
#define MAP_RECALL_H

#include "map/map_inside.h"

/*
 * What a fetch would find, where the mirror is complete and knows every key that
 * it takes: true and *finding_r, lent until the next call; the cache has it too.
 * To be called only while what is remembered may be used.
 */
bool recall(struct map *map, const struct account *account, struct finding *finding_r);

/* The same for all who wait, when a copy has become complete. */
void recall_waiting(struct map *map);

#endif
