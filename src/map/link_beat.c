/*
 * link_beat.c - what keeps a session alive, and what it hears         (driver)
 *
 * A heartbeat is a PING on T, whose echo says that all that was queued before it
 * has been heard, and a transaction on H: are we in the roster, was our last beat
 * still there, here is the next, is this a master, what does the map's head say;
 * and where there are replicas, WAIT for as many as make a majority. A master that
 * was cut off from them can so renew nothing. Several heartbeats may be on their
 * way. When both halves of the first are in, the session is live.
 *
 * A master may be demoted and promoted again between two heartbeats, and our
 * connections outlive that: REPLICAOF closes only those that wait for something. We
 * do not notice, and need not, because no lease rests on who was the master meanwhile.
 * A change that its writer waits for a lease for was on every server before, on this
 * one too, as a master or as a replica; and then its invalidation was queued here,
 * since what a replica applies is tracked like what a client writes, and a copy that
 * takes the place of all its data says that everything has changed. The echo of a
 * heartbeat that was sent later comes behind that. What this server lost with such a
 * copy nobody has confirmed, and it is forgotten with all else; if our entry is among
 * it, self_check() ends the session. A WAIT may count replicas that came later: they
 * follow this server now, and that is all that it is for.
 */
#include "map/link_inside.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	HEARTBEAT_MS = 1000,
	SILENCE_MOST_MS = 15000, /* without a heartbeat; the lease's length where that is less */
	DATA_SILENCE_MOST_MS = 3000, /* of D, when asked, while heartbeats are younger than that */
	WAIT_MOST_MS = 500 /* for replicas */
};

enum beat_reply { BEAT_ENTRY, BEAT_LAST, BEAT_WRITTEN, BEAT_ROLE, BEAT_HEAD, BEAT_REPLIES };

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

	if (reply == NULL || !link_beats(link))
		return;
	snprintf(expected, sizeof(expected), "h%" PRIu64, link->lease.echoed + 1);
	if (resp_count(reply) == 2 && str_is(resp_str(resp_at(reply, 0)), "pong") &&
	    str_is(resp_str(resp_at(reply, 1)), expected))
		renewed = lease_echo(&link->lease, link->lease.echoed + 1, &right);
	if (right && link->lease.echoed == link->timed_beat) {
		link->round_trip_us = clock_us() - link->timed_us;
		link->timed_beat = 0;
	}
	if (!right) {
		server_error(reply, "PING", &fault);
		link_lost(link, &fault);
	} else if (renewed) {
		link_granted(link);
	}
}

/* Is this still our map? Ends the session where not. */
int
head_take(struct link *link, const struct resp *reply)
{
	struct map_head head;
	struct fault fault;

	if (map_head_read(reply, link->prefix, &head, &fault) == -1) {
		/* A Redis that refuses is trouble; one that has lost a map which was there is more.
		 */
		if (resp_type(reply) == RESP_ARRAY && identity_id(link->identity)[0] != '\0')
			alarm_raise(link, ALARM_MAP, &fault);
		goto refused;
	}
	if (identity_check(link->identity, &head, &fault) == -1) {
		alarm_raise(link, ALARM_MAP, &fault);
		goto refused;
	}
	if (head.epoch < link->head.epoch && strcmp(head.id, link->head.id) == 0)
		log_warning("map_undone", "epoch=%" PRIu64 " was=%" PRIu64 " why=%s", head.epoch,
		    link->head.epoch,
		    log_quote(
			STR("a failover undid changes that nobody confirmed: \"splitmx doctor\" "
			    "says which, on the host that made them")));
	link->head = head;
	if (head_readable(&head, link->prefix, &link->refuses) == 0 ||
	    link->phase == LINK_CHECKING) /* check_done() looks again */
		return 0;
	if (link->phase != LINK_REFUSING)
		refuse_start(link);
	return -1;
refused:
	link_lost(link, &fault);
	return -1;
}

/*
 * Which map this is, for the next start, and how far it surely has come: what
 * barriers have said, or what is read here where there is only one server
 * (identity.h). A majority is not enough: a failover may promote who lacks it.
 */
static void
epoch_note(struct link *link)
{
	struct fault fault;

	if (identity_note(link->identity, &link->head, &fault) == -1)
		alarm_raise(link, ALARM_MAP,
		    &fault); /* it is tried again with the next heartbeat */
	else
		alarm_clear(link, ALARM_MAP);
}

static void
renew(struct link *link, uint32_t length_ms)
{
	uint64_t known = link->lease.mark;
	bool renewed = lease_confirm(&link->lease, length_ms, link->head.lease_epoch);

	if (link->lease.mark != known)
		timer_start(link->timer, 0); /* the next one may renew */
	if (renewed)
		link_granted(link);
}

/* False: the session was ended, or does not care for heartbeats any more. */
static bool
beat_is_good(struct link *link, const struct resp *reply)
{
	struct fault fault;

	if (reply == NULL || !link_beats(link))
		return false;
	if (resp_count(reply) != BEAT_REPLIES) {
		link_refuse(link, reply, "the heartbeat");
		return false;
	}
	if (server_is_master(resp_at(reply, BEAT_ROLE), &fault) == -1) {
		link_lost(link, &fault);
		return false;
	}
	return head_take(link, resp_at(reply, BEAT_HEAD)) == 0 &&
	       self_check(link, resp_at(reply, BEAT_ENTRY), resp_at(reply, BEAT_LAST)) == 0;
}

/* A heartbeat that is followed by WAIT. */
static void
on_beat_first(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;

	(void)beat_is_good(wire->link, reply);
}

static void
on_beat_alone(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct link *link = wire->link;

	if (!beat_is_good(link, reply))
		return;
	if (head_replicas_most(&link->head) == 0) {
		epoch_note(link);
		renew(link, link->head.lease_ms);
	} else {
		renew(link, 0); /* the map has replicas since a moment ago: from the next one on */
	}
}

static void
replicas_lack(struct link *link, unsigned there, unsigned needed)
{
	bool continues = link->settings->redis.replicas_lacking == REPLICAS_CONTINUE;

	fault_set(&link->lacking, VERDICT_TEMP,
	    "only %u of %u replicas that make a majority confirmed the heartbeat: %s", there,
	    needed,
	    continues ? "redis.replicas_lacking says to go on, and a failover may lose changes"
		      : "the lease is not renewed");
	trouble_note(link, &link->lacking);
	if (continues)
		alarm_raise(link, ALARM_REPLICAS, &link->lacking);
	renew(link, continues ? link->head.lease_ms : 0);
}

static void
on_reached(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct link *link = wire->link;
	unsigned needed = head_replicas_most(&link->head);
	struct link_reached reached;

	if (reply == NULL || !link_beats(link) || reach_read(link, reply, &reached) == -1)
		return;
	if (reached.most < needed) {
		replicas_lack(link, reached.most, needed);
	} else {
		link->lacking.text[0] = '\0';
		alarm_clear(link, ALARM_REPLICAS);
		epoch_note(link);
		renew(link, link->head.lease_ms);
	}
}

static uint64_t
heartbeat_ms(const struct link *link)
{
	return link->head.lease_ms / 3 < HEARTBEAT_MS ? link->head.lease_ms / 3 : HEARTBEAT_MS;
}

static void
beat_send(struct link *link)
{
	struct wire *h = &link->wires[WIRE_H];
	unsigned replicas = head_replicas_most(&link->head);
	uint64_t wait_ms = heartbeat_ms(link) / 2;
	char *beat = self_beat(link, link->phase == LINK_LIVE ? "live" : "echoing");
	const char *id = node_id(link->node);

	redis_words(h->redis, on_beat_queued, h, "MULTI", NULL);
	redis_words(h->redis, on_beat_queued, h, "HGET", link->nodes_key, id, NULL);
	redis_words(h->redis, on_beat_queued, h, "HGET", link->beats_key, id, NULL);
	redis_words(h->redis, on_beat_queued, h, "HSET", link->beats_key, id, beat, NULL);
	/* A master that is demoted says no word. */
	redis_words(h->redis, on_beat_queued, h, "ROLE", NULL);
	redis_words(h->redis, on_beat_queued, h, "HGETALL", link->head_key, NULL);
	redis_words(h->redis, replicas > 0 ? on_beat_first : on_beat_alone, h, "EXEC", NULL);
	free(beat);
	if (replicas > 0)
		reach_ask(link, replicas, wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS,
		    on_reached);
	redis_flush(h->redis);
}

static void
heartbeat(struct link *link)
{
	struct wire *t = &link->wires[WIRE_T];
	uint64_t now_ms = clock_ms(), number;
	char echo[24];

	timer_start(link->timer, heartbeat_ms(link));
	self_tick(link);
	if ((number = lease_beat(&link->lease, now_ms, link->roster.grace_ms)) == 0)
		return;
	if (link->timed_beat == 0) {
		link->timed_beat = number;
		link->timed_us = clock_us();
	}
	snprintf(echo, sizeof(echo), "h%" PRIu64, number);
	redis_words(t->redis, on_echo, t, "PING", echo, NULL);
	redis_flush(t->redis);
	beat_send(link);
}

void
link_beat(struct link *link)
{
	uint64_t now_ms = clock_ms(), silence_ms = lease_silence_ms(&link->lease, now_ms);
	uint64_t most_ms =
	    link->head.lease_ms < SILENCE_MOST_MS ? link->head.lease_ms : SILENCE_MOST_MS;
	uint64_t data_ms = redis_silence_ms(link->wires[WIRE_D].redis, now_ms);
	struct fault fault;

	if (link->phase == LINK_ECHOING && link->lacking.text[0] != '\0' &&
	    link->sentinel != NULL && most_ms > REPLICAS_AWAY_MOST_MS)
		most_ms = REPLICAS_AWAY_MOST_MS; /* perhaps they follow another master */
	if (silence_ms >= most_ms && link->lacking.text[0] != '\0') {
		fault = link->lacking;
	} else if (silence_ms >= most_ms) {
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
	link->lacking.text[0] = '\0';
	link->timed_beat = 0;
	lease_session(&link->lease, clock_ms(), link->head.lease_epoch);
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

	if (str_is(channel, link->barrier)) {
		barriers_hear(link, resp_str(payload));
		return;
	}
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
