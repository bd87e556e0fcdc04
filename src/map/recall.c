/*
 * recall.c - an answer from the copy of the map                       (machine)
 *
 * The same fetch that a flight makes, with values from the mirror in the place of
 * those of an EXEC. All of it happens at once, so nothing can overtake it.
 */
#include "map/recall.h"

#include "map/fetch.h"
#include "map/flight.h"

static bool
values_recall(struct map *map, const struct fetch *fetch, struct fetch_value *values,
    size_t *count_r)
{
	static const enum fetch_value_kind kinds[] = {
	    [MIRROR_ABSENT] = FETCH_ABSENT,
	    [MIRROR_STRING] = FETCH_STRING,
	    [MIRROR_ODD] = FETCH_WRONG_TYPE,
	};
	const struct mirror *mirror = preload_mirror(map->preload);
	size_t prefix_len = strlen(map->settings->redis.prefix) + 1;
	const struct str *keys;
	enum mirror_what what;

	*count_r = fetch_keys(fetch, &keys);
	for (size_t i = 0; i < *count_r; i++) {
		values[i].text = STR("");
		what = mirror_get(mirror, str_from(keys[i], prefix_len), &values[i].text);
		if (what == MIRROR_UNKNOWN)
			return false;
		values[i].kind = kinds[what];
	}
	return true;
}

bool
recall(struct map *map, const struct account *account, struct finding *finding_r)
{
	struct fetch_value values[FETCH_KEYS_MOST];
	struct cache_stamps stamps;
	const struct str *names;
	size_t count;

	if (!mirror_is_complete(preload_mirror(map->preload)))
		return false;
	fetch_free(&map->recalled);
	map->recalled = flight_fetch(map, account);
	do {
		if (!values_recall(map, map->recalled, values, &count))
			return false;
	} while (fetch_take(map->recalled, values, count) == FETCH_AGAIN);
	*finding_r = *fetch_finding(map->recalled);
	count = fetch_names(map->recalled, &names);
	cache_note(map->cache, names, count, &stamps);
	cache_put(map->cache, account->name, finding_r, &stamps);
	if (finding_r->verdict == VERDICT_TEMP)
		flight_note_unreadable(map, finding_r->reason);
	map->counters.recalled++;
	return true;
}

static bool
recall_flight(struct map *map, struct flight *flight)
{
	struct account account;
	struct fetch *fetch;
	struct finding finding;
	bool is_known;

	account_init(&account);
	is_known = account_read(&account, flight_name(flight), &map->rules) &&
		   recall(map, &account, &finding);
	account_fini(&account);
	if (!is_known)
		return false;
	fetch = map->recalled; /* who is answered may ask again */
	map->recalled = NULL;
	finding.source = link_memory(map->link) == MEMORY_GRACE ? SOURCE_GRACE : SOURCE_MEMORY;
	finding.epoch = link_epoch(map->link);
	flight_end(flight, &finding);
	fetch_free(&fetch);
	return true;
}

void
recall_waiting(struct map *map)
{
	struct flight *flight;
	size_t count = 0;

	TAILQ_FOREACH (flight, &map->queued, entry)
		count++;
	for (; count > 0 && (flight = TAILQ_FIRST(&map->queued)) != NULL; count--) {
		if (link_memory(map->link) == MEMORY_NONE)
			return;
		if (!recall_flight(map, flight)) {
			TAILQ_REMOVE(&map->queued, flight, entry);
			TAILQ_INSERT_TAIL(&map->queued, flight, entry);
		}
	}
}
