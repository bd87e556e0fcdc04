/*
 * map_inside.h - what map.c, flight.c, recall.c and map_status.c share         (driver)
 */
#ifndef MAP_MAP_INSIDE_H
#define MAP_MAP_INSIDE_H

#include "map/cache.h"
#include "map/domains.h"
#include "map/link.h"
#include "map/map.h"
#include "map/preload.h"
#include "map/snapshot.h"
#include "map/survey.h"

#include <sys/queue.h>

enum { MAP_ALARMS = 16, MAP_ALARM_BYTES = 256 };

struct flight;
struct holders;
TAILQ_HEAD(flights, flight);
TAILQ_HEAD(map_questions, map_question);

struct map_question {
	TAILQ_ENTRY(map_question) by_deadline, by_flight;
	struct map *map;
	struct flight *flight;
	uint64_t deadline_ms;
	map_found_fn *fn;
	void *ctx;
};

struct map_counters {
	uint64_t asked, unmanaged, remembered, recalled, in_grace, fetched, shared, poisoned, late,
	    refused, unreadable;
};

/* What map_snapshot.c has of a map. */
struct map_kept {
	struct snapshot *snapshot; /* NULL: none could be had yet */
	uint64_t live_ms; /* when the last session began */
	enum { AT_DOMAINS, AT_FINDINGS, AT_KEYS } at; /* of the save under way */
	bool has_all_domains;
	uint32_t round; /* the mirror's, when its first key was written */
	unsigned cursor;
	struct account asked, account; /* parsed anew for each finding */
	LIST_HEAD(, map_barrier) barriers; /* that wait for the disk */
	size_t barrier_count;
};

struct map {
	struct loop *loop;
	const struct settings *settings;
	struct account_rules rules;
	struct link *link;
	struct cache *cache;
	struct domains *domains;
	struct survey *survey;
	struct preload *preload;
	struct fetch *recalled; /* of the last recall(), whose finding is lent */
	struct map_kept kept;
	struct holders *holders;
	struct rehearsals *rehearsals;
	struct arrivals_writer *arrivals;

	struct flight *table; /* by the name that was asked for */
	struct flights queued; /* to be sent */
	struct flights sent; /* on D */
	size_t sent_count;
	struct map_questions questions; /* in the order of their deadlines */
	size_t question_count;
	struct timer *deadline;
	struct fault reason; /* why the last question was not answered */

	struct map_counters counters;
	char alarms[MAP_ALARMS][MAP_ALARM_BYTES]; /* unreadable records, the newest */
	size_t alarm_next;
};

/* Its fn is called and it is gone. */
void question_answer(struct map_question *question, const struct finding *finding);

#endif
