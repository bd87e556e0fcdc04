/*
 * link.c - a session with Redis, kept alive and believed no longer than it may (driver)
 *
 *	AWAY		pausing before the next attempt
 *	CONNECTING	T, D and H are being opened
 *	CHECKING	are they one process, a master, our map, and not an older state of it?
 *	LISTENING	T: CLIENT ID, CLIENT TRACKING, SUBSCRIBE, in this order
 *	ECHOING		T hears; the first heartbeat is on its way
 *	LIVE		it has succeeded
 *
 * T redirects its tracking to itself. With two connections, one that tracks and
 * one that listens, the death of the first leaves the second silent and
 * answering PING, stale for ever; here a dead socket is no feed, and nothing is
 * in between. Changes between TRACKING and SUBSCRIBE are lost without a word,
 * so nothing that is read before the reply to SUBSCRIBE is kept.
 *
 * Old entries and the old lease stay usable until the first heartbeat of the new
 * session has succeeded; then live_fn drops the entries, and only from then on is
 * anything read on D. Whatever goes wrong ends the session, which is harmless.
 */
#include "map/link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/identity.h"
#include "map/lease.h"
#include "map/private.h"
#include "map/server.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	HEARTBEAT_MS = 1000,
	SILENCE_MOST_MS = 15000, /* without a heartbeat; the lease's length where that is less */
	STEADY_MS = 1000,	 /* a session that lived so long makes the next pause short again */
	REPEAT_MS = 60000,	 /* the same trouble is logged again after so long */
	CHECKS = 5		 /* replies to wait for in CHECKING */
};

enum link_phase { LINK_AWAY, LINK_CONNECTING, LINK_CHECKING, LINK_LISTENING, LINK_ECHOING, LINK_LIVE, LINK_PHASES };
static const char *const phase_names[] = {
	[LINK_AWAY] = "away",
	[LINK_CONNECTING] = "connecting",
	[LINK_CHECKING] = "checking",
	[LINK_LISTENING] = "listening",
	[LINK_ECHOING] = "echoing",
	[LINK_LIVE] = "live",
};
_Static_assert(ARRAY_LEN(phase_names) == LINK_PHASES, "a phase lacks a name");

enum wire_role { WIRE_T, WIRE_D, WIRE_H, WIRES };
static const char *const wire_names[WIRES] = {"splitmx-tracking", "splitmx-data", "splitmx-heart"};

struct wire {
	struct link *link;
	struct redis *redis;
	bool open;
	char run_id[SERVER_RUN_ID_BYTES];
};

struct link {
	struct loop *loop;
	const struct settings *settings; /* the redis group and state_dir never change */
	struct link_events events;
	void *ctx;
	struct redis_target *target;
	struct identity *identity;
	struct timer *timer;
	enum link_phase phase;
	struct wire wires[WIRES];
	unsigned checks_left, attempt;
	struct map_head head;
	struct lease lease;
	char *head_key, *prefix, *barrier;
	uint64_t live_ms;
	uint64_t sessions, heartbeats, messages;
	struct fault trouble, alarm;
	uint64_t trouble_ms, logged_ms;
};

uint64_t
link_pause_ms(unsigned attempt, uint64_t least_ms, uint64_t most_ms, uint32_t random)
{
	uint64_t top_ms = least_ms;

	while (attempt-- > 0 && top_ms < most_ms)
		top_ms *= 2;
	if (top_ms > most_ms)
		top_ms = most_ms;
	if (top_ms <= least_ms)
		return least_ms;
	return least_ms + random % (top_ms - least_ms + 1);
}

/* ---- the end of a session, and the next attempt */

static void
link_enter(struct link *link, enum link_phase phase)
{
	log_debug("link_phase", "from=%s to=%s", phase_names[link->phase], phase_names[phase]);
	link->phase = phase;
}

static void
trouble_note(struct link *link, const struct fault *why)
{
	uint64_t now_ms = clock_ms();
	bool is_new = strcmp(link->trouble.text, why->text) != 0 || link->logged_ms == 0;

	link->trouble = *why;
	link->trouble_ms = now_ms;
	if (!is_new && now_ms - link->logged_ms < REPEAT_MS)
		return;
	link->logged_ms = now_ms;
	log_warning("link_lost", "server=%s phase=%s lease_left_ms=%" PRIu64 " why=%s",
	    redis_target_name(link->target), phase_names[link->phase],
	    lease_left_ms(&link->lease, now_ms), log_quote_text(why->text));
}

static void
alarm_raise(struct link *link, const struct fault *why)
{
	if (strcmp(link->alarm.text, why->text) != 0)
		log_error("map_alarm", "why=%s", log_quote_text(why->text));
	link->alarm = *why;
}

static void
link_lost(struct link *link, const struct fault *why)
{
	const struct settings *settings = link->settings;
	bool was_live = link->phase == LINK_LIVE, was_connecting = link->phase == LINK_CONNECTING;
	struct fault fault = *why;

	if (link->phase == LINK_AWAY)
		return;
	for (int i = 0; i < WIRES; i++) {
		redis_close(&link->wires[i].redis);
		link->wires[i].open = false;
	}
	if (was_connecting && settings->redis.url == NULL)
		private_start(settings, &fault); /* or says why it cannot */
	trouble_note(link, &fault);
	link_enter(link, LINK_AWAY);
	if (was_live && clock_ms() - link->live_ms >= STEADY_MS)
		link->attempt = 0;
	timer_start(link->timer, link_pause_ms(link->attempt++, (uint64_t)settings->redis.reconnect_least_ms,
	    (uint64_t)settings->redis.reconnect_most_ms, randombytes_random()));
	if (was_live)
		link->events.lost_fn(link->ctx);
}

void
link_fail(struct link *link, const struct fault *why)
{
	link_lost(link, why);
}

static void
link_refuse(struct link *link, const struct resp *reply, const char *doing)
{
	struct fault fault;

	server_error(reply, doing, &fault);
	link_lost(link, &fault);
}

/* ---- ECHOING and LIVE: heartbeats */

static void
link_granted(struct link *link)
{
	link->heartbeats++;
	if (link->phase == LINK_ECHOING) {
		link_enter(link, LINK_LIVE);
		link->live_ms = clock_ms();
		link->sessions++;
		log_info("link_live", "server=%s run_id=%s map=%s epoch=%" PRIu64, redis_target_name(link->target),
		    link->wires[WIRE_T].run_id, link->head.id, link->head.epoch);
		link->logged_ms = 0;
		link->events.live_fn(link->ctx);
	}
	if (link->phase == LINK_LIVE)
		link->events.granted_fn(link->ctx);
}

/* The reply to "PING h<n>" of a subscribed connection: ["pong", "h<n>"]. */
static void
on_echo(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct link *link = wire->link;
	struct fault fault;
	char expected[24];
	bool right = false, renewed = false;

	if (reply == NULL)
		return;
	snprintf(expected, sizeof(expected), "h%" PRIu64, link->lease.echoed + 1);
	if (resp_count(reply) == 2 && str_is(resp_str(resp_at(reply, 0)), "pong") &&
	    str_is(resp_str(resp_at(reply, 1)), expected))
		renewed = lease_echo(&link->lease, link->lease.echoed + 1, &right);
	if (!right) {
		server_error(reply, "PING", &fault);
		link_lost(link, &fault);
	} else if (renewed) {
		link_granted(link);
	}
}

static void
on_queued(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;

	if (reply != NULL && resp_type(reply) != RESP_STATUS)
		link_refuse(wire->link, reply, "the heartbeat");
}

/* Is this still our map? Ends the session where not. */
static int
head_take(struct link *link, const struct resp *reply)
{
	struct map_head head;
	struct fault fault;

	if (map_head_read(reply, link->prefix, &head, &fault) == -1)
		goto refused;
	if (identity_check(link->identity, &head, &fault) == -1) {
		alarm_raise(link, &fault);
		goto refused;
	}
	link->head = head;
	if (identity_note(link->identity, &head, &fault) == -1)
		alarm_raise(link, &fault); /* it is tried again with the next heartbeat */
	else
		link->alarm.text[0] = '\0';
	return 0;
refused:
	link_lost(link, &fault);
	return -1;
}

static void
on_head(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct link *link = wire->link;

	if (reply == NULL)
		return;
	if (resp_count(reply) != 1)
		link_refuse(link, reply, "the heartbeat");
	else if (head_take(link, resp_at(reply, 0)) == 0 && lease_confirm(&link->lease, link->head.lease_ms))
		link_granted(link);
}

static uint64_t
heartbeat_ms(const struct link *link)
{
	return link->head.lease_ms / 3 < HEARTBEAT_MS ? link->head.lease_ms / 3 : HEARTBEAT_MS;
}

static void
heartbeat(struct link *link)
{
	struct wire *t = &link->wires[WIRE_T], *h = &link->wires[WIRE_H];
	uint64_t now_ms = clock_ms(), number = lease_beat(&link->lease, now_ms);
	char echo[24];

	timer_start(link->timer, heartbeat_ms(link));
	if (number == 0)
		return;
	snprintf(echo, sizeof(echo), "h%" PRIu64, number);
	redis_words(t->redis, on_echo, t, "PING", echo, NULL);
	redis_words(h->redis, on_queued, h, "MULTI", NULL);
	redis_words(h->redis, on_queued, h, "HGETALL", link->head_key, NULL);
	redis_words(h->redis, on_head, h, "EXEC", NULL);
	redis_flush(t->redis);
	if (h->redis != NULL)
		redis_flush(h->redis);
}

static void
heartbeat_or_end(struct link *link)
{
	uint64_t silence_ms = lease_silence_ms(&link->lease, clock_ms());
	uint64_t most_ms = link->head.lease_ms < SILENCE_MOST_MS ? link->head.lease_ms : SILENCE_MOST_MS;
	struct fault fault;

	if (silence_ms < most_ms) {
		heartbeat(link);
		return;
	}
	fault_set(&fault, VERDICT_TEMP, "Redis at %s has not answered for %" PRIu64 " ms",
	    redis_target_name(link->target), silence_ms);
	link_lost(link, &fault);
}

/* ---- T: what it hears */

static void
on_push(void *ctx, const struct resp *message)
{
	struct wire *wire = ctx;
	struct link *link = wire->link;
	struct str channel = resp_str(resp_at(message, 1));
	const struct resp *payload = resp_at(message, 2);

	if (str_is(channel, link->barrier))
		return; /* a writer waits for registered nodes only */
	link->messages++;
	for (size_t i = 0; i < resp_count(payload); i++) {
		if (resp_type(resp_at(payload, i)) != RESP_STRING) {
			link->events.change_all_fn(link->ctx);
			return;
		}
	}
	/* No list of keys: FLUSHALL says nil; what is not understood means the same. */
	if (!str_is(channel, "__redis__:invalidate") || resp_type(payload) != RESP_ARRAY) {
		link->events.change_all_fn(link->ctx);
		return;
	}
	for (size_t i = 0; i < resp_count(payload); i++)
		link->events.change_fn(link->ctx, resp_str(resp_at(payload, i)));
}

/* ---- LISTENING */

static void
on_subscribed(void *ctx, const struct resp *reply)
{
	struct wire *t = ctx;
	struct link *link = t->link;

	if (reply == NULL)
		return;
	if (resp_count(reply) != 3 || !str_is(resp_str(resp_at(reply, 0)), "subscribe")) {
		link_refuse(link, reply, "SUBSCRIBE");
		return;
	}
	if (!str_is(resp_str(resp_at(reply, 1)), link->barrier))
		return; /* the first of two */
	link_enter(link, LINK_ECHOING);
	lease_session(&link->lease, clock_ms());
	heartbeat(link);
}

static void
on_tracking(void *ctx, const struct resp *reply)
{
	struct wire *t = ctx;

	if (reply == NULL)
		return;
	if (resp_type(reply) != RESP_STATUS) {
		link_refuse(t->link, reply, "CLIENT TRACKING");
		return;
	}
	redis_words(t->redis, on_subscribed, t, "SUBSCRIBE", "__redis__:invalidate", NULL);
	redis_words(t->redis, on_subscribed, t, "SUBSCRIBE", t->link->barrier, NULL);
}

static void
on_client_id(void *ctx, const struct resp *reply)
{
	struct wire *t = ctx;
	char id[24], prefix[512];

	if (reply == NULL)
		return;
	if (resp_type(reply) != RESP_INTEGER) {
		link_refuse(t->link, reply, "CLIENT ID");
		return;
	}
	snprintf(id, sizeof(id), "%" PRId64, resp_int(reply));
	snprintf(prefix, sizeof(prefix), "%s:", t->link->prefix);
	redis_words(t->redis, on_tracking, t, "CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST", "PREFIX", prefix,
	    NULL);
}

static void
listen_start(struct link *link)
{
	struct wire *t = &link->wires[WIRE_T];

	link_enter(link, LINK_LISTENING);
	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms);
	redis_words(t->redis, on_client_id, t, "CLIENT", "ID", NULL);
}

/* ---- CHECKING */

static void
check_done(struct link *link)
{
	struct fault fault;

	if (--link->checks_left > 0)
		return;
	for (int i = 1; i < WIRES; i++) {
		if (strcmp(link->wires[0].run_id, link->wires[i].run_id) == 0)
			continue;
		fault_set(&fault, VERDICT_TEMP,
		    "two connections to %s reached two servers: there must be no balancer in front of Redis",
		    redis_target_name(link->target));
		link_lost(link, &fault);
		return;
	}
	listen_start(link);
}

static void
on_info(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct fault fault;

	if (reply == NULL)
		return;
	if (server_run_id(reply, wire->run_id, &fault) == -1)
		link_lost(wire->link, &fault);
	else
		check_done(wire->link);
}

static void
on_role(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct fault fault;

	if (reply == NULL)
		return;
	if (server_is_master(reply, &fault) == -1)
		link_lost(wire->link, &fault);
	else
		check_done(wire->link);
}

static void
on_first_head(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;

	if (reply != NULL && head_take(wire->link, reply) == 0)
		check_done(wire->link);
}

static void
check_start(struct link *link)
{
	struct wire *wires = link->wires;

	link_enter(link, LINK_CHECKING);
	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms);
	link->checks_left = CHECKS;
	identity_refresh(link->identity);
	for (int i = 0; i < WIRES; i++)
		redis_words(wires[i].redis, on_info, &wires[i], "INFO", "server", NULL);
	redis_words(wires[WIRE_T].redis, on_role, &wires[WIRE_T], "ROLE", NULL);
	redis_words(wires[WIRE_D].redis, on_first_head, &wires[WIRE_D], "HGETALL", link->head_key, NULL);
}

/* ---- CONNECTING */

static void
on_open(void *ctx, struct redis *redis)
{
	struct wire *wire = ctx;
	struct wire *wires = wire->link->wires;

	wire->open = true;
	if (wires[WIRE_T].open && wires[WIRE_D].open && wires[WIRE_H].open)
		check_start(wire->link);
}

static void
on_closed(void *ctx, const struct fault *why)
{
	struct wire *wire = ctx;

	wire->redis = NULL; /* it is gone already */
	link_lost(wire->link, why);
}

static void
connect_start(struct link *link)
{
	static const struct redis_events wire_events = {.open_fn = on_open, .push_fn = on_push, .closed_fn = on_closed};

	link_enter(link, LINK_CONNECTING);
	/* A little longer than the dialling may take, which has the better reason. */
	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms + 100);
	for (int i = 0; i < WIRES; i++)
		link->wires[i].redis = redis_open(link->loop, link->target, wire_names[i], &wire_events, &link->wires[i]);
}

static void
on_timer(void *ctx)
{
	struct link *link = ctx;
	struct fault fault;

	switch (link->phase) {
	case LINK_AWAY:
		connect_start(link);
		return;
	case LINK_ECHOING:
	case LINK_LIVE:
		heartbeat_or_end(link);
		return;
	case LINK_CONNECTING:
	case LINK_CHECKING:
	case LINK_LISTENING:
	case LINK_PHASES:
		break;
	}
	fault_set(&fault, VERDICT_TEMP, "Redis at %s accepted a connection and did not answer in time",
	    redis_target_name(link->target));
	link_lost(link, &fault);
}

/* ---- outside */

struct link *
link_new(struct loop *loop, const struct settings *settings, const struct link_events *events, void *ctx,
    struct fault *fault_r)
{
	struct redis_target *target = redis_target_new(settings, fault_r);
	struct link *link;

	if (target == NULL)
		return NULL;
	link = xnew(struct link);
	link->loop = loop;
	link->settings = settings;
	link->events = *events;
	link->ctx = ctx;
	link->target = target;
	link->identity = identity_open(settings->state_dir);
	link->timer = timer_new(loop, on_timer, link);
	link->prefix = xstrdup(settings->redis.prefix);
	link->head_key = xasprintf("%s.map", link->prefix);
	link->barrier = xasprintf("%s.barrier", link->prefix);
	for (int i = 0; i < WIRES; i++)
		link->wires[i].link = link;
	fault_set(&link->trouble, VERDICT_TEMP, "not yet connected to Redis at %s", redis_target_name(target));
	timer_start(link->timer, 0);
	return link;
}

void
link_free(struct link **linkp)
{
	struct link *link = *linkp;

	if (link == NULL)
		return;
	*linkp = NULL;
	for (int i = 0; i < WIRES; i++)
		redis_close(&link->wires[i].redis);
	timer_free(&link->timer);
	identity_close(&link->identity);
	/* Connections that were closed in this turn still read the target's name. */
	redis_target_free(&link->target);
	free(link->prefix);
	free(link->head_key);
	free(link->barrier);
	free(link);
}

void
link_set_settings(struct link *link, const struct settings *settings)
{
	link->settings = settings;
}

struct redis *
link_data(const struct link *link)
{
	return link->phase == LINK_LIVE ? link->wires[WIRE_D].redis : NULL;
}

bool
link_lease_runs(const struct link *link)
{
	return lease_runs(&link->lease, clock_ms());
}

const char *
link_trouble(const struct link *link)
{
	return link->trouble.text;
}

const char *
link_map_id(const struct link *link)
{
	return link->head.id;
}

uint64_t
link_epoch(const struct link *link)
{
	return identity_epoch(link->identity);
}

void
link_count(const struct link *link, struct link_status *status_r)
{
	uint64_t now_ms = clock_ms();

	*status_r = (struct link_status){
	    .phase = phase_names[link->phase],
	    .server = redis_target_name(link->target),
	    .run_id = link->wires[WIRE_T].run_id,
	    .map_id = identity_id(link->identity),
	    .epoch = identity_epoch(link->identity),
	    .lease_left_ms = lease_left_ms(&link->lease, now_ms),
	    .lease_ms = link->head.lease_ms,
	    .sessions = link->sessions,
	    .heartbeats = link->heartbeats,
	    .messages = link->messages,
	    .trouble = link->trouble_ms != 0 ? link->trouble.text : "",
	    .trouble_ago_ms = link->trouble_ms != 0 ? now_ms - link->trouble_ms : 0,
	    .alarm = link->alarm.text,
	};
}
