/*
 * map.c - the ownership map, as a program asks it                     (driver)
 *
 * A question that memory does not answer joins the flight of its name, or
 * begins one, and waits until its deadline at most: then it gets TEMP, and the
 * flight goes on without it.
 */
#include "map/map.h"

#include "base/clock.h"
#include "base/mem.h"
#include "map/fetch.h"
#include "map/flight.h"
#include "map/holders.h"
#include "map/map_snapshot.h"
#include "map/recall.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUESTIONS_MOST = 10000 }; /* waiting; more are refused at once */

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

void
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
	return (struct finding){.verdict = VERDICT_TEMP,
	    .account = account,
	    .source = SOURCE_REDIS,
	    .epoch = link_epoch(map->link),
	    .reason = reason};
}

/* ---- what the link tells */

static void
on_live(void *ctx)
{
	struct map *map = ctx;

	cache_change_all(map->cache);
	map_snapshot_live(map);
	holders_change_all(map->holders);
	survey_start(map->survey);
	preload_start(map->preload);
	rehearsals_live(map->rehearsals);
}

static void
on_granted(void *ctx)
{
	struct map *map = ctx;

	map_snapshot_granted(map);
	flights_send(map);
	holders_granted(map->holders);
}

static void
on_lost(void *ctx)
{
	struct map *map = ctx;

	map_snapshot_lost(map);
	survey_stop(map->survey);
	preload_stop(map->preload);
	flights_recall(map);
	holders_lost(map->holders);
	rehearsals_lost(map->rehearsals);
	arrivals_writer_lost(map->arrivals);
}

static void
on_change(void *ctx, struct str key)
{
	struct map *map = ctx;
	struct str name;

	if (!fetch_key_name(map->settings->redis.prefix, key, &name))
		return;
	cache_change(map->cache, name);
	map_snapshot_change(map, name);
	holders_change(map->holders, name);
	domains_change(map->domains, key);
	preload_change(map->preload, key);
	survey_pump(map->survey);
}

static void
on_change_all(void *ctx)
{
	struct map *map = ctx;

	cache_change_all(map->cache);
	map_snapshot_change_all(map);
	holders_change_all(map->holders);
	domains_change_all(map->domains);
	preload_change_all(map->preload);
	survey_pump(map->survey);
}

static void
on_barrier(void *ctx, const struct barrier *barrier)
{
	struct map *map = ctx;

	holders_barrier(map->holders, barrier);
}

static bool
on_idle(void *ctx)
{
	const struct map *map = ctx;

	return holders_are_idle(map->holders);
}

static void
on_beat(void *ctx, struct roster_beat *beat)
{
	struct map *map = ctx;
	struct cache_counters counters;

	cache_count(map->cache, &counters);
	beat->entries = counters.entries;
	beat->answers = map->counters.asked;
	if (beat->alarm[0] == '\0')
		snprintf(beat->alarm, sizeof(beat->alarm), "%.*s", (int)sizeof(beat->alarm) - 1,
		    map_snapshot_alarm(map));
}

/* ---- deadlines */

static void
question_expire(struct map_question *question)
{
	struct map *map = question->map;
	struct flight *flight = question->flight;
	struct finding finding;
	bool is_last;

	if (!link_is_live(map->link))
		fault_set(&map->reason, VERDICT_TEMP, "%s", link_trouble(map->link));
	else
		fault_set(&map->reason, VERDICT_TEMP,
		    "Redis did not answer within question_timeout, %" PRId64 " ms",
		    map->settings->question_timeout_ms);
	map->counters.late++;
	finding = temp(map, flight_name(flight), map->reason.text);
	is_last =
	    !flight->is_sent && TAILQ_NEXT(TAILQ_FIRST(&flight->questions), by_flight) == NULL;
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
map_ask(struct map *map, const struct account *account, map_found_fn *fn, void *ctx,
    struct finding *finding_r)
{
	struct flight *flight;
	struct map_question *question;
	enum link_memory memory;

	map->counters.asked++;
	if (account->kind == ACCOUNT_ADDRESS &&
	    domains_find(map->domains, account->domain) == DOMAIN_UNMANAGED) {
		map->counters.unmanaged++;
		*finding_r = (struct finding){.verdict = VERDICT_ABSENT,
		    .account = account->name,
		    .source = map->settings->domains_complete ? SOURCE_CONFIG : SOURCE_MEMORY,
		    .epoch = link_epoch(map->link)};
		return NULL;
	}
	memory = link_memory(map->link);
	if (memory != MEMORY_NONE &&
	    (cache_get(map->cache, account->name, finding_r) || recall(map, account, finding_r))) {
		map->counters.remembered++;
		finding_r->source = SOURCE_MEMORY;
		if (memory == MEMORY_GRACE) {
			map->counters.in_grace++;
			finding_r->source = SOURCE_GRACE;
		}
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
	flights_send(map);
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

struct rehearsals *
map_rehearsals(struct map *map)
{
	return map->rehearsals;
}

struct arrivals_writer *
map_arrivals(struct map *map)
{
	return map->arrivals;
}

char *
map_node_path(const struct map *map)
{
	return node_id(link_node(map->link))[0] != '\0' ? link_node_path(map->link) : NULL;
}

const char *
map_node_id(const struct map *map)
{
	return node_id(link_node(map->link));
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
	    was->domain_count != is->domain_count ||
	    strcmp(was->recipient_delimiter, is->recipient_delimiter) != 0)
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
	preload_set_most(map->preload, (uint64_t)settings->cache_preload);
	if (alike)
		return;
	floor_set(map, settings);
	cache_change_all(map->cache);
	map_snapshot_reload(map);
	holders_set_rules(map->holders);
	HASH_ITER (hh, map->table, flight, next)
		flight->is_outdated = true;
	survey_pump(map->survey);
}

void
map_leave(struct map *map, map_left_fn *fn, void *ctx)
{
	must(holders_are_idle(map->holders)); /* nobody would wait for them */
	link_leave(map->link, fn, ctx);
}

struct map *
map_new(struct loop *loop, const struct settings *settings, const struct map_role *role,
    struct fault *fault_r)
{
	static const struct link_events events = {
	    .live_fn = on_live,
	    .granted_fn = on_granted,
	    .lost_fn = on_lost,
	    .change_fn = on_change,
	    .change_all_fn = on_change_all,
	    .barrier_fn = on_barrier,
	    .beat_fn = on_beat,
	    .idle_fn = on_idle,
	    .leaving_fn = map_snapshot_leaving,
	};
	struct map *map = xnew(struct map);

	map->link = link_new(loop, settings, role->name, role->drain_ms, &events, map, fault_r);
	if (map->link == NULL) {
		free(map);
		return NULL;
	}
	map->loop = loop;
	map->settings = settings;
	map->rules = (struct account_rules){settings->fold_local, settings->recipient_delimiter};
	map->cache = cache_new((size_t)settings->cache_size_bytes);
	map->domains = domains_new(settings->redis.prefix);
	map->holders = holders_new(map);
	map->survey = survey_new(map->domains, map->link, settings->redis.prefix);
	map->preload =
	    preload_new(loop, map->link, settings->redis.prefix, (uint64_t)settings->cache_preload);
	map->rehearsals = rehearsals_new(loop, map->link, settings->redis.prefix);
	map->arrivals = arrivals_writer_new(loop, map->link, settings->redis.prefix);
	map->deadline = timer_new(loop, on_deadline, map);
	TAILQ_INIT(&map->queued);
	TAILQ_INIT(&map->sent);
	TAILQ_INIT(&map->questions);
	floor_set(map, settings);
	map_snapshot_open(map);
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
	arrivals_writer_free(&map->arrivals); /* its connection is the session's */
	link_free(&map->link);
	map_snapshot_close(map);
	HASH_ITER (hh, map->table, flight, next)
		flight_drop(flight);
	holders_free(&map->holders);
	survey_free(&map->survey);
	preload_free(&map->preload);
	rehearsals_free(&map->rehearsals);
	fetch_free(&map->recalled);
	domains_free(&map->domains);
	cache_free(&map->cache);
	timer_free(&map->deadline);
	free(map);
}
