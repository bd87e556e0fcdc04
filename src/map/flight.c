/*
 * flight.c - one fetch on its way, for all who asked the same         (driver)
 *
 * A flight is queued until a session is live and D has room, then sent: one
 * MULTI..EXEC. Its names' stamps were noted when it was sent; if they have moved
 * when the reply is in, an invalidation has overtaken it, and it is sent again,
 * as it is when a login key led elsewhere. If the session ends, it is queued
 * again. It ends with its answer, or when nobody waits for it before it is sent.
 */
#include "map/flight.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/server.h"

#include <stdio.h>
#include <stdlib.h>

enum { SENT_MOST = 512 }; /* flights on D at one time */

/* ---- life */

struct str
flight_name(const struct flight *flight)
{
	return str_make(flight->name, flight->len);
}

static bool
is_floor(void *ctx, struct str domain)
{
	struct map *map = ctx;

	return domains_is_floor(map->domains, domain);
}

struct fetch *
flight_fetch(struct map *map, const struct account *account)
{
	return fetch_new(map->settings->redis.prefix, account, &map->rules, is_floor, map);
}

struct flight *
flight_new(struct map *map, const struct account *account)
{
	struct flight *flight = xcalloc(1, sizeof(*flight) + account->name.len + 1);

	flight->map = map;
	flight->len = account->name.len;
	memcpy(flight->name, account->name.ptr, account->name.len);
	flight->fetch = flight_fetch(map, account);
	TAILQ_INIT(&flight->questions);
	HASH_ADD_KEYPTR(hh, map->table, flight->name, flight->len, flight);
	TAILQ_INSERT_TAIL(&map->queued, flight, entry);
	return flight;
}

void
flight_leave(struct flight *flight)
{
	struct map *map = flight->map;

	if (flight->is_sent)
		map->sent_count--;
	TAILQ_REMOVE(flight->is_sent ? &map->sent : &map->queued, flight, entry);
	HASH_DEL(map->table, flight);
}

void
flight_free(struct flight *flight)
{
	must(TAILQ_EMPTY(&flight->questions));
	fetch_free(&flight->fetch);
	free(flight);
}

void
flight_drop(struct flight *flight)
{
	flight_leave(flight);
	flight_free(flight);
}

static void
flight_requeue(struct flight *flight)
{
	struct map *map = flight->map;

	TAILQ_REMOVE(&map->sent, flight, entry);
	map->sent_count--;
	flight->is_sent = false;
	TAILQ_INSERT_TAIL(&map->queued, flight, entry);
}

/* ---- the answer */

void
flight_note_unreadable(struct map *map, const char *reason)
{
	const char *quoted = log_quote_text(reason);

	map->counters.unreadable++;
	for (size_t i = 0; i < MAP_ALARMS; i++) {
		if (strncmp(map->alarms[i], quoted, MAP_ALARM_BYTES - 1) == 0)
			return;
	}
	log_error("map_record", "why=%s", quoted);
	snprintf(map->alarms[map->alarm_next++ % MAP_ALARMS], MAP_ALARM_BYTES, "%s", quoted);
}

void
flight_end(struct flight *flight, const struct finding *finding)
{
	struct map_question *question;

	flight_leave(flight); /* who asks from inside an answer finds memory, not us */
	while ((question = TAILQ_FIRST(&flight->questions)) != NULL)
		question_answer(question, finding);
	flight_free(flight);
}

static void
flight_answer(struct flight *flight)
{
	struct map *map = flight->map;
	struct finding finding = *fetch_finding(flight->fetch);

	finding.epoch = link_epoch(map->link);
	if (finding.verdict == VERDICT_TEMP)
		flight_note_unreadable(map, finding.reason);
	cache_put(map->cache, flight_name(flight), &finding, &flight->stamps);
	flight_end(flight, &finding);
}

/* ---- fetching */

static void flight_send(struct flight *flight);

/* The values of an EXEC; false where one ended the session. */
static bool
values_read(struct map *map, const struct resp *reply, struct fetch_value *values, size_t count)
{
	struct fault fault;

	for (size_t i = 0; i < count; i++) {
		const struct resp *value = resp_at(reply, i + 1);

		values[i].text = resp_str(value);
		if (resp_type(value) == RESP_STRING) {
			values[i].kind = FETCH_STRING;
		} else if (resp_type(value) == RESP_NIL) {
			values[i].kind = FETCH_ABSENT;
		} else if (resp_is_error(value, "WRONGTYPE")) {
			values[i].kind = FETCH_WRONG_TYPE;
		} else {
			server_error(value, "a lookup", &fault);
			link_fail(map->link, &fault);
			return false;
		}
	}
	return true;
}

static void
flight_again(struct flight *flight)
{
	flight_requeue(flight);
	if (TAILQ_EMPTY(&flight->questions))
		flight_drop(flight);
	else
		flight_send(flight);
}

static void
on_exec(void *ctx, const struct resp *reply)
{
	struct flight *flight = ctx;
	struct map *map = flight->map;
	struct fetch_value values[FETCH_KEYS_MOST];
	const struct str *keys;
	size_t count = fetch_keys(flight->fetch, &keys);

	if (reply == NULL)
		return; /* the session is over: on_lost() queues it again */
	if (!link_read_is_good(map->link, reply, count) || !values_read(map, reply, values, count))
		return; /* and this flight is queued again, or gone */
	if (flight->is_outdated || !cache_is_current(map->cache, &flight->stamps)) {
		map->counters.poisoned++;
		flight_again(flight);
	} else if (fetch_take(flight->fetch, values, count) == FETCH_AGAIN) {
		flight_again(flight);
	} else if (!link_lease_runs(map->link)) {
		flight_requeue(
		    flight); /* nobody may answer now; the next heartbeat sends it again */
		return;
	} else {
		flight_answer(flight);
	}
	flights_send(map);
}

/* The rules of reading have changed: begin anew with the name. */
static void
flight_renew(struct flight *flight)
{
	struct map *map = flight->map;
	struct account account;

	account_init(&account);
	if (account_read(&account, flight_name(flight), &map->rules)) {
		fetch_free(&flight->fetch);
		flight->fetch = flight_fetch(map, &account);
	}
	account_fini(&account);
	flight->is_outdated = false;
}

static void
flight_send(struct flight *flight)
{
	struct map *map = flight->map;
	struct str get[2] = {STR("GET")};
	const struct str *keys, *names;
	size_t count;

	if (flight->is_outdated)
		flight_renew(flight);
	count = fetch_names(flight->fetch, &names);
	cache_note(map->cache, names, count, &flight->stamps);
	count = fetch_keys(flight->fetch, &keys);
	link_read_begin(map->link);
	for (size_t i = 0; i < count; i++) {
		get[1] = keys[i];
		link_read(map->link, get, ARRAY_LEN(get));
	}
	link_read_end(map->link, on_exec, flight);
	TAILQ_REMOVE(&map->queued, flight, entry);
	TAILQ_INSERT_TAIL(&map->sent, flight, entry);
	map->sent_count++;
	flight->is_sent = true;
	map->counters.fetched++;
}

void
flights_send(struct map *map)
{
	struct flight *flight;

	while (link_is_live(map->link) && map->sent_count < SENT_MOST &&
	       (flight = TAILQ_FIRST(&map->queued)) != NULL) {
		if (TAILQ_EMPTY(&flight->questions))
			flight_drop(flight);
		else
			flight_send(flight);
	}
}

void
flights_recall(struct map *map)
{
	struct flight *flight;

	while ((flight = TAILQ_FIRST(&map->sent)) != NULL) {
		flight_requeue(flight);
		if (TAILQ_EMPTY(&flight->questions))
			flight_drop(flight);
	}
}
