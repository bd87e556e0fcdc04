/*
 * link.c - a session with Redis, kept alive and believed no longer than it may (driver)
 *
 *	AWAY		pausing before the next attempt
 *	ASKING		the sentinels, if there are any, where the master is
 *	CONNECTING	T, D and H are being opened
 *	CHECKING	are they one process, a master, our map, and not an older state of it?
 *	LISTENING	T: CLIENT ID, CLIENT TRACKING, SUBSCRIBE, in this order
 *	ENTERING	T hears; H: are we in the roster, and nobody else in our place?
 *	ECHOING		the first heartbeat is on its way
 *	LIVE		it has succeeded
 *	REFUSING	we do not understand the map, say so, and wait for one that we do
 *	LEAVING		out of the roster
 *	LEFT		for good
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
#include "map/link_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/private.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

enum {
	STEADY_MS = 1000, /* a session that lived so long makes the next pause short again */
	REPEAT_MS = 60000 /* the same trouble is logged again after so long */
};

static const char *const phase_names[] = {
    [LINK_AWAY] = "away",
    [LINK_ASKING] = "asking",
    [LINK_CONNECTING] = "connecting",
    [LINK_CHECKING] = "checking",
    [LINK_LISTENING] = "listening",
    [LINK_ENTERING] = "entering",
    [LINK_ECHOING] = "echoing",
    [LINK_LIVE] = "live",
    [LINK_REFUSING] = "refusing",
    [LINK_LEAVING] = "leaving",
    [LINK_LEFT] = "left",
};
_Static_assert(ARRAY_LEN(phase_names) == LINK_PHASES, "a phase lacks a name");

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

void
link_enter(struct link *link, enum link_phase phase)
{
	log_debug("link_phase", "from=%s to=%s", phase_names[link->phase], phase_names[phase]);
	link->phase = phase;
}

bool
link_beats(const struct link *link)
{
	return link->phase == LINK_ECHOING || link->phase == LINK_LIVE;
}

void
trouble_note(struct link *link, const struct fault *why)
{
	uint64_t now_ms = clock_ms();
	bool is_new = strcmp(link->trouble.text, why->text) != 0 || link->logged_ms == 0;

	link->trouble = *why;
	link->trouble_ms = now_ms;
	if (!is_new && now_ms - link->logged_ms < REPEAT_MS)
		return;
	link->logged_ms = now_ms;
	log_warning(link->wires[WIRE_H].open ? "link_trouble" : "link_lost",
	    "server=%s phase=%s lease_left_ms=%" PRIu64 " why=%s",
	    log_quote_text(redis_target_name(link->target)), phase_names[link->phase],
	    lease_left_ms(&link->lease, now_ms), log_quote_text(why->text));
}

void
alarm_raise(struct link *link, enum link_alarm alarm, const struct fault *why)
{
	if (strcmp(link->alarms[alarm].text, why->text) != 0)
		log_error("map_alarm", "why=%s", log_quote_text(why->text));
	link->alarms[alarm] = *why;
}

void
alarm_clear(struct link *link, enum link_alarm alarm)
{
	link->alarms[alarm].text[0] = '\0';
}

void
link_forget(struct link *link)
{
	lease_end(&link->lease);
	link->events.change_all_fn(link->ctx);
}

void
wires_close(struct link *link)
{
	for (int i = 0; i < WIRES; i++) {
		redis_close(&link->wires[i].redis);
		link->wires[i].open = false;
	}
	self_forget(link);
	barriers_forget(link);
}

void
link_lost(struct link *link, const struct fault *why)
{
	const struct settings *settings = link->settings;
	bool was_live = link->phase == LINK_LIVE, was_connecting = link->phase == LINK_CONNECTING;
	struct fault fault = *why;

	if (link->phase == LINK_AWAY || link->phase == LINK_LEFT)
		return;
	if (link->phase == LINK_LEAVING) {
		leave_done(link);
		return;
	}
	wires_close(link);
	if (link->sentinel != NULL && link->phase == LINK_ASKING)
		sentinel_cancel(link->sentinel);
	else if (link->sentinel != NULL)
		sentinel_doubt(link->sentinel); /* it may be the one that is cut off */
	if (was_connecting && settings_redis_is_private(settings))
		private_start(settings, &fault); /* or says why it cannot */
	trouble_note(link, &fault);
	link_enter(link, LINK_AWAY);
	if (was_live && clock_ms() - link->live_ms >= STEADY_MS)
		link->attempt = 0;
	timer_start(link->timer,
	    link_pause_ms(link->attempt++, (uint64_t)settings->redis.reconnect_least_ms,
		(uint64_t)settings->redis.reconnect_most_ms, randombytes_random()));
	if (was_live)
		link->events.lost_fn(link->ctx);
}

void
link_fail(struct link *link, const struct fault *why)
{
	link_lost(link, why);
}

void
link_refuse(struct link *link, const struct resp *reply, const char *doing)
{
	struct fault fault;

	server_error(reply, doing, &fault);
	link_lost(link, &fault);
}

void
on_beat_queued(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;

	if (reply != NULL && resp_type(reply) != RESP_STATUS)
		link_refuse(wire->link, reply, "the heartbeat");
}

/* ---- outside */

static void
on_timer(void *ctx)
{
	struct link *link = ctx;
	struct fault fault;

	switch (link->phase) {
	case LINK_AWAY:
		link_connect(link);
		return;
	case LINK_ECHOING:
	case LINK_LIVE:
		link_beat(link);
		return;
	case LINK_ENTERING:
		enter_timer(link);
		return;
	case LINK_REFUSING:
		refuse_timer(link);
		return;
	case LINK_LEAVING:
		leave_done(link);
		return;
	case LINK_LEFT:
		return;
	case LINK_ASKING:
	case LINK_CONNECTING:
	case LINK_CHECKING:
	case LINK_LISTENING:
	case LINK_PHASES:
		break;
	}
	fault_set(&fault, VERDICT_TEMP,
	    "Redis at %s accepted a connection and did not answer in time",
	    redis_target_name(link->target));
	link_lost(link, &fault);
}

struct link *
link_new(struct loop *loop, const struct settings *settings, const char *role, uint32_t drain_ms,
    const struct link_events *events, void *ctx, struct fault *fault_r)
{
	struct redis_target *target = redis_target_new(settings, fault_r);
	struct sentinel *sentinel = NULL;
	struct link *link;

	if (target != NULL && settings->redis.sentinel_count > 0 &&
	    (sentinel = sentinel_new(loop, settings, fault_r)) == NULL)
		redis_target_free(&target);
	if (target == NULL)
		return NULL;
	link = xnew(struct link);
	link->loop = loop;
	link->settings = settings;
	link->events = *events;
	link->ctx = ctx;
	link->target = target;
	link->sentinel = sentinel;
	link->identity = identity_open(settings->state_dir);
	if (identity_use_thread(link->identity, loop, barriers_settle, link, fault_r) == -1)
		log_error("map_identity", "why=%s", log_quote_text(fault_r->text));
	link->node = node_new(settings->state_dir, settings->instance, role);
	/* Early, for whoever keeps files of the slot; where it fails, ENTERING says so. */
	(void)node_hold(link->node, fault_r);
	link->roster.drain_ms = drain_ms;
	link->roster.grace_ms = (uint32_t)settings->grace_ms;
	barriers_init(link);
	link->timer = timer_new(loop, on_timer, link);
	link->prefix = xstrdup(settings->redis.prefix);
	link->head_key = xasprintf("%s.map", link->prefix);
	link->nodes_key = xasprintf("%s.nodes", link->prefix);
	link->beats_key = xasprintf("%s.beats", link->prefix);
	link->barrier = xasprintf("%s.barrier", link->prefix);
	link->ack = xasprintf("%s.ack", link->prefix);
	for (int i = 0; i < WIRES; i++)
		link->wires[i].link = link;
	fault_set(&link->trouble, VERDICT_TEMP, "not yet connected to Redis at %s",
	    redis_target_name(target));
	timer_start(link->timer, 0);
	if (sentinel != NULL)
		sentinel_listen(sentinel, link_hear, link);
	return link;
}

void
link_free(struct link **linkp)
{
	struct link *link = *linkp;

	if (link == NULL)
		return;
	*linkp = NULL;
	wires_close(link);
	timer_free(&link->timer);
	sentinel_free(&link->sentinel);
	identity_close(&link->identity);
	node_free(&link->node);
	/* Connections that were closed in this turn still read the target's name. */
	redis_target_free(&link->target);
	free(link->prefix);
	free(link->head_key);
	free(link->nodes_key);
	free(link->beats_key);
	free(link->barrier);
	free(link->ack);
	free(link);
}

void
link_set_settings(struct link *link, const struct settings *settings)
{
	link->settings = settings;
}

bool
link_is_live(const struct link *link)
{
	return link->phase == LINK_LIVE;
}

bool
link_lease_runs(const struct link *link)
{
	return lease_runs(&link->lease, clock_ms());
}

enum link_memory
link_memory(const struct link *link)
{
	uint64_t now_ms = clock_ms();

	if (lease_runs(&link->lease, now_ms))
		return MEMORY_LEASE;
	return lease_grace_runs(&link->lease, now_ms) ? MEMORY_GRACE : MEMORY_NONE;
}

int
link_hold(struct link *link, struct fault *fault_r)
{
	return node_hold(link->node, fault_r);
}

char *
link_node_path(const struct link *link)
{
	char *path = node_path(link->node, "");

	path[strlen(path) - 1] = '\0'; /* the dot */
	return path;
}

void
link_restore(struct link *link, uint64_t grace_until_ms)
{
	lease_restore(&link->lease, grace_until_ms);
}

void
link_set_keeper(struct link *link, node_drop_fn *fn, void *ctx)
{
	node_set_keeper(link->node, fn, ctx);
}

const struct node *
link_node(const struct link *link)
{
	return link->node;
}

const char *
link_trouble(const struct link *link)
{
	return link->trouble.text;
}

uint64_t
link_epoch(const struct link *link)
{
	uint64_t known = identity_epoch(link->identity);

	return link->head.epoch > known ? link->head.epoch : known;
}

void
link_count(const struct link *link, struct link_status *status_r)
{
	static const char *const memories[] = {
	    [MEMORY_NONE] = "none", [MEMORY_GRACE] = "grace", [MEMORY_LEASE] = "lease"};
	uint64_t now_ms = clock_ms();

	*status_r = (struct link_status){
	    .phase = phase_names[link->phase],
	    .server = redis_target_name(link->target),
	    .run_id = link->wires[WIRE_T].run_id,
	    .map_id = identity_id(link->identity),
	    .epoch = link_epoch(link),
	    .lease_left_ms = lease_left_ms(&link->lease, now_ms),
	    .lease_ms = link->head.lease_ms,
	    .round_trip_us = link->round_trip_us,
	    .is_live = link->phase == LINK_LIVE,
	    .sessions = link->sessions,
	    .heartbeats = link->heartbeats,
	    .messages = link->messages,
	    .trouble = link->trouble_ms != 0 ? link->trouble.text : "",
	    .trouble_ago_ms = link->trouble_ms != 0 ? now_ms - link->trouble_ms : 0,
	    .node = node_id(link->node),
	    .run = node_run(link->node),
	    .memory = memories[link_memory(link)],
	    .refuses = link->refuses.text,
	    .is_entered = node_has_entered(link->node, link->head.id, link->roster.grace_ms,
		link->roster.drain_ms),
	    .grace_ms = link->roster.grace_ms,
	    .grace_left_ms = lease_grace_left_ms(&link->lease, now_ms),
	    .acknowledged = link->barriers.acknowledged,
	    .barrier_bytes = link->barriers.wait_bytes,
	};
	for (int i = 0; i < LINK_ALARMS; i++)
		status_r->alarms[i] = link->alarms[i].text;
}
