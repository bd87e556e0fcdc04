/*
 * map_status.c - how the map is doing, for whoever runs it            (driver)
 */
#include "map/holders.h"
#include "map/map_snapshot.h"

/* A sentence that may have been cut in the middle of a character. */
static json_t *
text_json(const char *text)
{
	json_t *json = json_string(text);

	return json != NULL ? json : json_string("(not UTF-8, see the log)");
}

static json_t *
link_status_json(const struct map *map)
{
	struct link_status s;

	link_count(map->link, &s);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I}", "state",
	    s.phase, "server", s.server, "run_id", s.run_id, "map", s.map_id, "epoch",
	    (json_int_t)s.epoch, "lease_ms", (json_int_t)s.lease_ms, "lease_left_ms",
	    (json_int_t)s.lease_left_ms, "sessions", (json_int_t)s.sessions, "heartbeats",
	    (json_int_t)s.heartbeats, "messages", (json_int_t)s.messages, "trouble",
	    text_json(s.trouble), "trouble_ago_ms", (json_int_t)s.trouble_ago_ms);
}

/* What this process is to those who change the map. */
static json_t *
node_status_json(const struct map *map)
{
	struct link_status s;

	link_count(map->link, &s);
	return json_pack("{s:o, s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:o}", "id", text_json(s.node),
	    "run", s.run, "entered", (int)s.is_entered, "memory", s.memory, "grace_ms",
	    (json_int_t)s.grace_ms, "grace_left_ms", (json_int_t)s.grace_left_ms, "acknowledged",
	    (json_int_t)s.acknowledged, "barrier_bytes", (json_int_t)s.barrier_bytes, "refuses",
	    text_json(s.refuses));
}

static json_t *
cache_status_json(const struct map *map)
{
	struct cache_counters c;

	cache_count(map->cache, &c);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "entries",
	    (json_int_t)c.entries, "used_bytes", (json_int_t)c.used_bytes, "size_bytes",
	    (json_int_t)c.size_bytes, "hits", (json_int_t)c.hits, "misses", (json_int_t)c.misses,
	    "stale", (json_int_t)c.stale, "evicted", (json_int_t)c.evicted, "changes",
	    (json_int_t)c.changes);
}

static json_t *
questions_status_json(const struct map *map)
{
	const struct map_counters *c = &map->counters;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "asked",
	    (json_int_t)c->asked, "unmanaged", (json_int_t)c->unmanaged, "remembered",
	    (json_int_t)c->remembered, "recalled", (json_int_t)c->recalled, "answers_in_grace",
	    (json_int_t)c->in_grace, "fetched", (json_int_t)c->fetched, "shared",
	    (json_int_t)c->shared, "poisoned", (json_int_t)c->poisoned, "late", (json_int_t)c->late,
	    "refused", (json_int_t)c->refused, "waiting", (json_int_t)map->question_count,
	    "on_the_way", (json_int_t)map->sent_count);
}

static json_t *
alarms_json(const struct map *map)
{
	json_t *alarms = json_array();
	struct link_status s;

	link_count(map->link, &s);
	for (int i = 0; i < LINK_ALARMS; i++) {
		if (s.alarms[i][0] != '\0')
			json_array_append_new(alarms, text_json(s.alarms[i]));
	}
	if (map_snapshot_alarm(map)[0] != '\0')
		json_array_append_new(alarms, text_json(map_snapshot_alarm(map)));
	for (size_t i = 0; i < MAP_ALARMS; i++) {
		if (map->alarms[i][0] != '\0')
			json_array_append_new(alarms, text_json(map->alarms[i]));
	}
	return alarms;
}

json_t *
map_status(const struct map *map)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:b}, s:I, s:o, s:o}", "link",
	    link_status_json(map), "node", node_status_json(map), "cache", cache_status_json(map),
	    "preload", preload_status(map->preload), "questions", questions_status_json(map),
	    "claims", holders_status(map->holders), "domains", "known",
	    (json_int_t)domains_count(map->domains), "complete",
	    (int)domains_are_complete(map->domains), "unreadable",
	    (json_int_t)map->counters.unreadable, "alarms", alarms_json(map), "snapshot",
	    map_snapshot_json(map));
}

/* ---- in numbers */

static void
gauge(struct openmetrics *text, const char *name, const char *help, uint64_t value)
{
	openmetrics_family(text, OPENMETRICS_GAUGE, name, NULL, help);
	openmetrics_sample(text, NULL, value);
}

static void
gauge_us(struct openmetrics *text, const char *name, const char *help, uint64_t us)
{
	openmetrics_family(text, OPENMETRICS_GAUGE, name, "seconds", help);
	openmetrics_sample_us(text, NULL, us);
}

static void
gauge_bytes(struct openmetrics *text, const char *name, const char *help, uint64_t bytes)
{
	openmetrics_family(text, OPENMETRICS_GAUGE, name, "bytes", help);
	openmetrics_sample(text, NULL, bytes);
}

static void
counter(struct openmetrics *text, const char *name, const char *help, uint64_t value)
{
	openmetrics_family(text, OPENMETRICS_COUNTER, name, NULL, help);
	openmetrics_sample(text, NULL, value);
}

static void
link_numbers(const struct map *map, struct openmetrics *text)
{
	struct link_status s;

	link_count(map->link, &s);
	gauge(text, "splitmx_map_live", "1 while a session with Redis has a lease.", s.is_live);
	counter(text, "splitmx_map_sessions", "Sessions with Redis that were begun.", s.sessions);
	gauge_us(text, "splitmx_map_lease_seconds", "Length of the lease, as the map says it.",
	    s.lease_ms * 1000);
	gauge_us(text, "splitmx_map_lease_left_seconds",
	    "How long what is remembered may still be believed without hearing from Redis.",
	    s.lease_left_ms * 1000);
	gauge_us(text, "splitmx_map_grace_left_seconds",
	    "How long known accounts are still answered, the grace included.",
	    s.grace_left_ms * 1000);
	gauge(text, "splitmx_map_entered", "1 while this process stands in the roster of the map.",
	    s.is_entered);
	gauge(text, "splitmx_map_epoch", "Epoch of the map, as this process knows it.", s.epoch);
	gauge(text, "splitmx_map_acknowledged_epoch",
	    "The last epoch that this process acknowledged.", s.acknowledged);
	counter(text, "splitmx_map_heartbeats", "Heartbeats that renewed the lease.", s.heartbeats);
	counter(text, "splitmx_map_messages", "Messages about changes.", s.messages);
	if (s.round_trip_us != 0)
		gauge_us(text, "splitmx_map_round_trip_seconds",
		    "How long the echo of the last heartbeat took to come back from Redis.",
		    s.round_trip_us);
}

static void
cache_numbers(const struct map *map, struct openmetrics *text)
{
	struct cache_counters c;

	cache_count(map->cache, &c);
	gauge(text, "splitmx_map_cache_entries", "Answers that are remembered.", c.entries);
	gauge_bytes(text, "splitmx_map_cache_used_bytes", "Memory that they take.", c.used_bytes);
	gauge_bytes(text, "splitmx_map_cache_size_bytes", "Memory that they may take.",
	    c.size_bytes);
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_map_cache_lookups", NULL,
	    "Lookups in what is remembered: found and right, not there, changed since.");
	openmetrics_sample(text, OPENMETRICS_LABELS({"result", "hit"}), c.hits);
	openmetrics_sample(text, OPENMETRICS_LABELS({"result", "miss"}), c.misses);
	openmetrics_sample(text, OPENMETRICS_LABELS({"result", "stale"}), c.stale);
	counter(text, "splitmx_map_cache_evicted", "Answers that were forgotten for want of room.",
	    c.evicted);
}

static void
question_numbers(const struct map *map, struct openmetrics *text)
{
	const struct map_counters *c = &map->counters;

	counter(text, "splitmx_map_questions", "Questions that were asked.", c->asked);
	counter(text, "splitmx_map_fetches", "Questions that Redis was asked for.", c->fetched);
	counter(text, "splitmx_map_questions_late", "Questions whose answer did not come in time.",
	    c->late);
	counter(text, "splitmx_map_answers_in_grace",
	    "Answers that were given after the lease, within the grace.", c->in_grace);
	gauge(text, "splitmx_map_questions_waiting", "Questions that wait for Redis.",
	    map->question_count);
}

void
map_numbers(const struct map *map, struct openmetrics *text)
{
	json_t *alarms = alarms_json(map);

	link_numbers(map, text);
	cache_numbers(map, text);
	question_numbers(map, text);
	gauge(text, "splitmx_map_domains", "Managed domains that are known.",
	    domains_count(map->domains));
	gauge(text, "splitmx_map_alarms", "What \"splitmx status\" has to say to an operator.",
	    json_array_size(alarms));
	json_decref(alarms);
}
