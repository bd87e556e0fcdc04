/*
 * flight.h - one fetch on its way, for all who asked the same         (driver)
 */
#ifndef MAP_FLIGHT_H
#define MAP_FLIGHT_H

#include "base/hash.h"
#include "map/fetch.h"
#include "map/map_inside.h"

struct flight {
	UT_hash_handle hh;
	TAILQ_ENTRY(flight) entry; /* map->queued or map->sent */
	struct map *map;
	struct map_questions questions;
	struct fetch *fetch;
	struct cache_stamps stamps; /* of when it was sent */
	bool is_sent, is_outdated; /* outdated: the rules of reading have changed */
	size_t len;
	char name[];
};

/* The fetch for an account under the map's present rules; the caller's. */
struct fetch *flight_fetch(struct map *map, const struct account *account);

/* A record of the map is unreadable: counted, and told to the operator once. */
void flight_note_unreadable(struct map *map, const char *reason);

/* In the map's table and queue from here, without questions. */
struct flight *flight_new(struct map *map, const struct account *account);
struct str flight_name(const struct flight *flight);

/* Out of the table and its list; then it is to be freed. Or both. */
void flight_leave(struct flight *flight);
void flight_free(struct flight *flight); /* nobody may wait for it */
void flight_drop(struct flight *flight);

/* What is queued, if a session is live, and as many as D takes. */
void flights_send(struct map *map);
/* Its questions get this answer, which outlives the call, and it is gone. */
void flight_end(struct flight *flight, const struct finding *finding);
void flights_recall(struct map *map); /* what was sent will not be answered: the session is over */

#endif
