/*
 * map.c - the ownership map, as a program asks it                     (driver)
 *
 * A question that memory does not answer joins the flight of its address: one
 * fetch for all who ask at the same time. A flight is queued until a session is
 * live and D has room, then sent: one MULTI..EXEC, in one write with all others
 * of the turn. Its names' stamps were noted when it was sent; if they have moved
 * when the reply is in, an invalidation has overtaken it, and it is sent again.
 * If the session ends, it is queued again. What bounds all this is the
 * question's deadline, after which it gets TEMP and the flight goes on without.
 *
 * Each transaction reads the map's id too: a Redis that was emptied a moment ago
 * has no owner for anybody, and that must not be taken for an answer.
 */
#include "map/map.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/fetch.h"
#include "map/map_inside.h"
#include "map/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SENT_MOST = 512,	 /* flights on D at one time */
	QUESTIONS_MOST = 10000, /* waiting; more are refused at once */
};

struct map_question {
	TAILQ_ENTRY(map_question) by_deadline, by_flight;
	struct map *map;
	struct flight *flight;
	uint64_t deadline_ms;
	map_found_fn *fn;
	void *ctx;
};

struct flight {
	UT_hash_handle hh;
	TAILQ_ENTRY(flight) entry; /* map->queued or map->sent */
	struct map *map;
	struct map_questions questions;
	struct fetch *fetch;
	struct cache_stamps stamps; /* of when it was sent */
	bool is_sent, is_outdated;  /* outdated: the rules of reading have changed */
	size_t len;
	char name[];
};

static struct str
flight_name(const struct flight *flight)
{
	return str_make(flight->name, flight->len);
}

/* ---- flights */

static bool
is_floor(void *ctx, struct str domain)
{
	struct map *map = ctx;

	return domains_is_floor(map->domains, domain);
}

static struct flight *
flight_new(struct map *map, const struct account *account)
{
	struct flight *flight = xcalloc(1, sizeof(*flight) + account->name.len + 1);

	flight->map = map;
	flight->len = account->name.len;
	memcpy(flight->name, account->name.ptr, account->name.len);
	flight->fetch = fetch_new(map->settings->redis.prefix, account, &map->rules, is_floor, map);
	TAILQ_INIT(&flight->questions);
	HASH_ADD_KEYPTR(hh, map->table, flight->name, flight->len, flight);
	TAILQ_INSERT_TAIL(&map->queued, flight, entry);
	return flight;
}

static void
flight_leave(struct flight *flight) /* its list and the table */
{
	struct map *map = flight->map;

	if (flight->is_sent)
		map->sent_count--;
	TAILQ_REMOVE(flight->is_sent ? &map->sent : &map->queued, flight, entry);
	HASH_DEL(map->table, flight);
}

static void
flight_free(struct flight *flight)
{
	must(TAILQ_EMPTY(&flight->questions));
	fetch_free(&flight->fetch);
	free(flight);
}

static void
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

/* ---- answers */

static void
question_free(struct map_question *question)
{
	struct map *map = question->map;

	TAILQ_REMOVE(&map->questions, question, by_deadline);
	TAILQ_REMOVE(&question->flight->questions, question, by_flight);
	map->question_count--;
	free(question);
}

static void
question_answer(struct map_question *question, const struct finding *finding)
{
	map_found_fn *fn = question->fn;
	void *ctx = question->ctx;

	question_free(question);
	fn(ctx, finding);
}

static struct finding
temp(struct map *map, struct str account, const char *reason)
{
	return (struct finding){.verdict = VERDICT_TEMP, .account = account, .source = SOURCE_REDIS,
	    .epoch = link_epoch(map->link), .reason = reason};
}

static void
unreadable_note(struct map *map, const char *reason)
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

static void
flight_answer(struct flight *flight)
{
	struct map *map = flight->map;
	struct finding finding = *fetch_finding(flight->fetch);
	struct map_question *question;

	finding.epoch = link_epoch(map->link);
	if (finding.verdict == VERDICT_TEMP)
		unreadable_note(map, finding.reason);
	cache_put(map->cache, flight_name(flight), &finding, &flight->stamps);
	flight_leave(flight); /* who asks from inside an answer finds memory, not us */
	while ((question = TAILQ_FIRST(&flight->questions)) != NULL)
		question_answer(question, &finding);
	flight_free(flight);
}

/* ---- fetching */

static void map_pump(struct map *map);
static void flight_send(struct flight *flight, struct redis *data);

static void
map_refused(struct map *map, const struct resp *reply)
{
	struct fault fault;

	server_error(reply, "a lookup", &fault);
	link_fail(map->link, &fault);
}

static void
on_queued(void *ctx, const struct resp *reply)
{
	if (reply != NULL && resp_type(reply) != RESP_STATUS)
		map_refused(ctx, reply);
}

/* Is what the transaction read our map still? Otherwise the session has been ended. */
static bool
is_our_map(struct map *map, const struct resp *id)
{
	struct fault fault;

	if (resp_type(id) == RESP_STRING && str_is(resp_str(id), link_map_id(map->link)))
		return true;
	if (resp_type(id) == RESP_NIL)
		fault_set(&fault, VERDICT_TEMP, "the map is gone (no %s any more): restore it, or run splitmx init",
		    map->head_key);
	else if (resp_type(id) == RESP_STRING)
		fault_set(&fault, VERDICT_TEMP, "the map was exchanged: %s has another id", map->head_key);
	else
		server_error(id, "a lookup", &fault);
	link_fail(map->link, &fault);
	return false;
}

/* The values of an EXEC; false where one ended the session. */
static bool
values_read(struct map *map, const struct resp *reply, struct fetch_value *values, size_t count)
{
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
			map_refused(map, value);
			return false;
		}
	}
	return true;
}

static void
flight_again(struct flight *flight)
{
	struct map *map = flight->map;
	struct redis *data = link_data(map->link);

	flight_requeue(flight);
	if (TAILQ_EMPTY(&flight->questions))
		flight_drop(flight);
	else if (data != NULL)
		flight_send(flight, data);
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
	if (resp_count(reply) != count + 1) {
		map_refused(map, reply);
		return;
	}
	if (!is_our_map(map, resp_at(reply, 0)) || !values_read(map, reply, values, count))
		return;
	if (flight->is_outdated || !cache_is_current(map->cache, &flight->stamps)) {
		map->counters.poisoned++;
		flight_again(flight);
	} else if (fetch_take(flight->fetch, values, count) == FETCH_AGAIN) {
		flight_again(flight);
	} else if (!link_lease_runs(map->link)) {
		flight_requeue(flight); /* nobody may answer now; the next heartbeat sends it again */
		return;
	} else {
		flight_answer(flight);
	}
	map_pump(map);
}

/* The rules of reading have changed: begin anew with the address. */
static void
flight_renew(struct flight *flight)
{
	struct map *map = flight->map;
	struct account account;

	account_init(&account);
	if (account_parse(&account, flight_name(flight), &map->rules) == ACCOUNT_ADDRESS) {
		fetch_free(&flight->fetch);
		flight->fetch = fetch_new(map->settings->redis.prefix, &account, &map->rules, is_floor, map);
	}
	account_fini(&account);
	flight->is_outdated = false;
}

static void
flight_send(struct flight *flight, struct redis *data)
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
	redis_words(data, on_queued, map, "MULTI", NULL);
	redis_words(data, on_queued, map, "HGET", map->head_key, "id", NULL);
	for (size_t i = 0; i < count; i++) {
		get[1] = keys[i];
		redis_command(data, on_queued, map, get, ARRAY_LEN(get));
	}
	redis_words(data, on_exec, flight, "EXEC", NULL);
	TAILQ_REMOVE(&map->queued, flight, entry);
	TAILQ_INSERT_TAIL(&map->sent, flight, entry);
	map->sent_count++;
	flight->is_sent = true;
	map->counters.fetched++;
}

static void
map_pump(struct map *map)
{
	struct redis *data = link_data(map->link);
	struct flight *flight;

	while (data != NULL && map->sent_count < SENT_MOST && (flight = TAILQ_FIRST(&map->queued)) != NULL) {
		if (TAILQ_EMPTY(&flight->questions))
			flight_drop(flight);
		else
			flight_send(flight, data);
	}
}

/* ---- what the link tells */

static void
on_live(void *ctx)
{
	struct map *map = ctx;

	cache_change_all(map->cache);
	survey_start(map->survey);
}

static void
on_granted(void *ctx)
{
	map_pump(ctx);
}

static void
on_lost(void *ctx)
{
	struct map *map = ctx;
	struct flight *flight;

	survey_stop(map->survey);
	while ((flight = TAILQ_FIRST(&map->sent)) != NULL) {
		flight_requeue(flight);
		if (TAILQ_EMPTY(&flight->questions))
			flight_drop(flight);
	}
}

static void
on_change(void *ctx, struct str key)
{
	struct map *map = ctx;
	struct str name;

	if (!fetch_key_name(map->settings->redis.prefix, key, &name))
		return;
	cache_change(map->cache, name);
	domains_change(map->domains, key);
	survey_pump(map->survey);
}

static void
on_change_all(void *ctx)
{
	struct map *map = ctx;

	cache_change_all(map->cache);
	domains_change_all(map->domains);
	survey_pump(map->survey);
}

/* ---- deadlines */

static void
question_expire(struct map_question *question)
{
	struct map *map = question->map;
	struct flight *flight = question->flight;
	struct finding finding;
	bool is_last;

	if (link_data(map->link) == NULL)
		fault_set(&map->reason, VERDICT_TEMP, "%s", link_trouble(map->link));
	else
		fault_set(&map->reason, VERDICT_TEMP, "Redis did not answer within question_timeout, %" PRId64 " ms",
		    map->settings->question_timeout_ms);
	map->counters.late++;
	finding = temp(map, flight_name(flight), map->reason.text);
	is_last = !flight->is_sent && TAILQ_NEXT(TAILQ_FIRST(&flight->questions), by_flight) == NULL;
	if (is_last)
		flight_leave(flight); /* nobody needs it; its name is lent until we are back */
	question_answer(question, &finding);
	if (is_last)
		flight_free(flight);
}

static void
on_deadline(void *ctx)
{
	struct map *map = ctx;
	uint64_t now_ms = clock_ms();
	struct map_question *question;

	while ((question = TAILQ_FIRST(&map->questions)) != NULL && question->deadline_ms <= now_ms)
		question_expire(question);
	if (question != NULL)
		timer_start(map->deadline, question->deadline_ms - now_ms);
}

static struct map_question *
question_new(struct map *map, struct flight *flight, map_found_fn *fn, void *ctx)
{
	struct map_question *question = xnew(struct map_question), *last;

	question->map = map;
	question->flight = flight;
	question->fn = fn;
	question->ctx = ctx;
	question->deadline_ms = clock_ms() + (uint64_t)map->settings->question_timeout_ms;
	/* Deadlines grow, but for a moment after question_timeout was made shorter. */
	last = TAILQ_LAST(&map->questions, map_questions);
	if (last != NULL && last->deadline_ms > question->deadline_ms)
		question->deadline_ms = last->deadline_ms;
	TAILQ_INSERT_TAIL(&map->questions, question, by_deadline);
	TAILQ_INSERT_TAIL(&flight->questions, question, by_flight);
	map->question_count++;
	if (!timer_is_running(map->deadline))
		timer_start(map->deadline, (uint64_t)map->settings->question_timeout_ms);
	return question;
}

/* ---- asking */

struct map_question *
map_ask(struct map *map, const struct account *account, map_found_fn *fn, void *ctx, struct finding *finding_r)
{
	struct flight *flight;
	struct map_question *question;

	map->counters.asked++;
	if (domains_find(map->domains, account->domain) == DOMAIN_UNMANAGED) {
		map->counters.unmanaged++;
		*finding_r = (struct finding){.verdict = VERDICT_ABSENT, .account = account->name,
		    .source = map->settings->domains_complete ? SOURCE_CONFIG : SOURCE_MEMORY,
		    .epoch = link_epoch(map->link)};
		return NULL;
	}
	if (link_lease_runs(map->link) && cache_get(map->cache, account->name, finding_r)) {
		map->counters.remembered++;
		finding_r->source = SOURCE_MEMORY;
		finding_r->epoch = link_epoch(map->link);
		return NULL;
	}
	if (map->question_count >= QUESTIONS_MOST) {
		map->counters.refused++;
		*finding_r = temp(map, account->name, "too many questions are waiting for Redis");
		return NULL;
	}
	HASH_FIND(hh, map->table, account->name.ptr, account->name.len, flight);
	if (flight != NULL)
		map->counters.shared++;
	else
		flight = flight_new(map, account);
	question = question_new(map, flight, fn, ctx);
	map_pump(map);
	return question;
}

void
map_forget(struct map_question **question)
{
	struct flight *flight;

	if (*question == NULL)
		return;
	flight = (*question)->flight;
	question_free(*question);
	*question = NULL;
	if (!flight->is_sent && TAILQ_EMPTY(&flight->questions))
		flight_drop(flight); /* one that was sent goes on, for whoever asks next */
}

enum verdict
map_domain(struct map *map, struct str domain)
{
	switch (domains_find(map->domains, domain)) {
	case DOMAIN_UNMANAGED:
		return VERDICT_ABSENT;
	case DOMAIN_MANAGED:
		return VERDICT_FOUND;
	case DOMAIN_UNKNOWN:
		break;
	}
	return VERDICT_TEMP;
}

/* ---- life */

static void
floor_set(struct map *map, const struct settings *settings)
{
	struct str *names = xnew_array(struct str, settings->domain_count + 1);
	struct buf text = BUF_INIT;
	size_t count = 0, start;

	for (size_t i = 0; i < settings->domain_count; i++) {
		start = buf_len(&text);
		if (account_domain(str_of(settings->domains[i]), &text))
			names[count++].len = buf_len(&text) - start;
		else
			buf_truncate(&text, start);
	}
	start = 0;
	for (size_t i = 0; i < count; i++) {
		names[i].ptr = buf_str(&text).ptr + start;
		start += names[i].len;
	}
	domains_set_floor(map->domains, names, count, settings->domains_complete);
	buf_fini(&text);
	free(names);
}

/* Would any answer be another one under these settings? */
static bool
reads_alike(const struct settings *was, const struct settings *is)
{
	if (was->fold_local != is->fold_local || was->domains_complete != is->domains_complete ||
	    was->domain_count != is->domain_count || strcmp(was->recipient_delimiter, is->recipient_delimiter) != 0)
		return false;
	for (size_t i = 0; i < is->domain_count; i++) {
		if (strcmp(was->domains[i], is->domains[i]) != 0)
			return false;
	}
	return true;
}

void
map_reload(struct map *map, const struct settings *settings)
{
	bool alike = reads_alike(map->settings, settings);
	struct flight *flight, *next;

	map->settings = settings;
	map->rules = (struct account_rules){settings->fold_local, settings->recipient_delimiter};
	link_set_settings(map->link, settings);
	cache_set_size(map->cache, (size_t)settings->cache_size_bytes);
	if (alike)
		return;
	floor_set(map, settings);
	cache_change_all(map->cache);
	HASH_ITER(hh, map->table, flight, next)
		flight->is_outdated = true;
	survey_pump(map->survey);
}

struct map *
map_new(struct loop *loop, const struct settings *settings, struct fault *fault_r)
{
	static const struct link_events events = {
	    .live_fn = on_live,
	    .granted_fn = on_granted,
	    .lost_fn = on_lost,
	    .change_fn = on_change,
	    .change_all_fn = on_change_all,
	};
	struct map *map = xnew(struct map);

	if ((map->link = link_new(loop, settings, &events, map, fault_r)) == NULL) {
		free(map);
		return NULL;
	}
	map->loop = loop;
	map->settings = settings;
	map->rules = (struct account_rules){settings->fold_local, settings->recipient_delimiter};
	map->cache = cache_new((size_t)settings->cache_size_bytes);
	map->domains = domains_new(settings->redis.prefix);
	map->survey = survey_new(map->domains, map->link, settings->redis.prefix);
	map->head_key = xasprintf("%s.map", settings->redis.prefix);
	map->deadline = timer_new(loop, on_deadline, map);
	TAILQ_INIT(&map->queued);
	TAILQ_INIT(&map->sent);
	TAILQ_INIT(&map->questions);
	floor_set(map, settings);
	return map;
}

void
map_free(struct map **mapp)
{
	struct map *map = *mapp;
	struct map_question *question;
	struct flight *flight, *next;
	struct finding finding;

	if (map == NULL)
		return;
	while ((question = TAILQ_FIRST(&map->questions)) != NULL) {
		finding = temp(map, flight_name(question->flight), "the program is ending");
		question_answer(question, &finding);
	}
	*mapp = NULL;
	link_free(&map->link);
	HASH_ITER(hh, map->table, flight, next)
		flight_drop(flight);
	survey_free(&map->survey);
	domains_free(&map->domains);
	cache_free(&map->cache);
	timer_free(&map->deadline);
	free(map->head_key);
	free(map);
}
