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
