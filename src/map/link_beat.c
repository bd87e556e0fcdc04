/*
 * link_beat.c - what keeps a session alive, and what it hears         (driver)
 *
 * A heartbeat is a PING on T, whose echo says that all that was queued before it
 * has been heard, and a reading of the map's head on H. Several may be on their
 * way. When both halves of the first are in, the session is live.
 */
#include "map/link_inside.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	HEARTBEAT_MS = 1000,
	SILENCE_MOST_MS = 15000, /* without a heartbeat; the lease's length where that is less */
	DATA_SILENCE_MOST_MS = 3000 /* of D, when asked, while heartbeats are younger than that */
};

/* ---- heartbeats */

static void
link_granted(struct link *link)
{
	link->heartbeats++;
	if (link->phase == LINK_ECHOING) {
		link_enter(link, LINK_LIVE);
		link->live_ms = clock_ms();
		link->sessions++;
		log_info("link_live", "server=%s run_id=%s map=%s epoch=%" PRIu64,
		    log_quote_text(redis_target_name(link->target)), link->wires[WIRE_T].run_id,
		    link->head.id, link->head.epoch);
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
int
head_take(struct link *link, const struct resp *reply)
{
	struct map_head head;
	struct fault fault;

	if (map_head_read(reply, link->prefix, &head, &fault) == -1 ||
	    head_readable(&head, link->prefix, &fault) == -1)
		goto refused;
	if (identity_check(link->identity, &head, &fault) == -1) {
		alarm_raise(link, &fault);
		goto refused;
	}
	link->head = head;
	if (link->phase == LINK_CHECKING)
		return 0; /* nothing is learned from a server that has not passed all checks */
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
	struct fault fault;

	if (reply == NULL)
		return;
	if (resp_count(reply) != 2)
		link_refuse(link, reply, "the heartbeat");
	else if (server_is_master(resp_at(reply, 0), &fault) == -1)
		link_lost(link, &fault);
	else if (head_take(link, resp_at(reply, 1)) == 0 &&
		 lease_confirm(&link->lease, link->head.lease_ms))
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
	/* A master that is demoted says no word. */
	redis_words(h->redis, on_queued, h, "ROLE", NULL);
	redis_words(h->redis, on_queued, h, "HGETALL", link->head_key, NULL);
	redis_words(h->redis, on_head, h, "EXEC", NULL);
	redis_flush(t->redis);
	if (h->redis != NULL)
		redis_flush(h->redis);
}

void
link_beat(struct link *link)
{
	uint64_t now_ms = clock_ms(), silence_ms = lease_silence_ms(&link->lease, now_ms);
	uint64_t most_ms =
	    link->head.lease_ms < SILENCE_MOST_MS ? link->head.lease_ms : SILENCE_MOST_MS;
	uint64_t data_ms = redis_silence_ms(link->wires[WIRE_D].redis, now_ms);
	struct fault fault;

	if (silence_ms >= most_ms) {
		fault_set(&fault, VERDICT_TEMP, "Redis at %s has not answered for %" PRIu64 " ms",
		    redis_target_name(link->target), silence_ms);
	} else if (data_ms >= DATA_SILENCE_MOST_MS && silence_ms < DATA_SILENCE_MOST_MS) {
		fault_set(&fault, VERDICT_TEMP,
		    "Redis at %s answers heartbeats, but has not answered lookups for %" PRIu64
		    " ms",
		    redis_target_name(link->target), data_ms);
	} else {
		heartbeat(link);
		return;
	}
	link_lost(link, &fault);
}

void
link_listens(struct link *link)
{
	link_enter(link, LINK_ECHOING);
	lease_session(&link->lease, clock_ms());
	heartbeat(link);
}

/* ---- T: what it hears */

void
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
