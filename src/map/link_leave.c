/*
 * link_leave.c - out of the roster                                    (driver)
 *
 * Who is in the roster is waited for, so a process that ends takes itself out:
 * but only where every Redis server is there to hear it. Otherwise one that did
 * not would bring the entry back when it becomes the master, and the file of the
 * node would say that it is not there. Staying in it is always right: then this
 * was a crash, and the slot's next process finds its entry again, and may use
 * what was kept for it. So that is made useless only when all are there.
 *
 * What it takes out is its own entry only, in one transaction with a look at it:
 * another process may hold the id by now, and must be waited for.
 *
 * Who does not understand the map remembers nothing and answers nothing, and
 * whoever upgrades the others should see it: it leaves too, but goes on beating,
 * with the reason in its beat, until there is a map that it understands.
 */
#include "map/link_inside.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LEAVE_MOST_MS = 1500,
	PROBE_MS = 500, /* for all replicas */
	REFUSE_MS = 1000, /* between two looks at the map */
	REFUSE_SILENCE_MOST_MS = 15000
};

/*
 * Strangers count here (link_reach.c): what comes back behind a failover is an entry
 * of somebody who remembers nothing, and is waited out.
 */
static void
wait_replicas(struct link *link, redis_reply_fn *fn)
{
	struct wire *h = &link->wires[WIRE_H];
	char count[16], most[16];

	snprintf(count, sizeof(count), "%u", head_replicas_all(&link->head));
	snprintf(most, sizeof(most), "%d", PROBE_MS);
	redis_words(h->redis, fn, h, "WAIT", count, most, NULL);
}

static void
beat_write(struct link *link, redis_reply_fn *fn, const char *phase)
{
	struct wire *h = &link->wires[WIRE_H];
	char *beat = self_beat(link, phase);

	redis_words(h->redis, fn, h, "HSET", link->beats_key, node_id(link->node), beat, NULL);
	free(beat);
}

/* ---- our own entry: what stays although it should not is waited for, as after a crash */

static void refuse_beat(struct link *link);
static void on_out(void *ctx, const struct resp *reply);
static void take_out(struct link *link);

static void
is_out(struct link *link)
{
	if (link->phase == LINK_LEAVING) {
		wait_replicas(link, on_out);
		redis_flush(link->wires[WIRE_H].redis);
	} else {
		link->refuses_takes_out = false;
		refuse_beat(link);
	}
}

static bool
takes_out(const struct link *link)
{
	return link->phase == LINK_LEAVING ||
	       (link->phase == LINK_REFUSING && link->refuses_takes_out);
}

static void
on_taken_out(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct fault fault;

	if (reply == NULL || !takes_out(link))
		return;
	if (resp_type(reply) == RESP_NIL) { /* somebody came between: whose is it now? */
		take_out(link);
		return;
	}
	if (resp_count(reply) != 2) {
		server_error(reply, "a change of the roster", &fault);
		log_warning("node_stays", "node=%s why=%s", node_id(link->node),
		    log_quote_text(fault.text));
	}
	is_out(link);
}

static void
on_own_entry(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	const char *id = node_id(link->node);
	char run[ROSTER_RUN_BYTES] = "";

	if (reply == NULL || !takes_out(link))
		return;
	link->is_anothers =
	    resp_type(reply) == RESP_STRING && !self_wrote(link, resp_str(reply), run);
	if (link->is_anothers || resp_type(reply) != RESP_STRING) {
		if (link->is_anothers)
			log_warning("node_stays", "node=%s run=%s why=%s", id, log_quote_text(run),
			    log_quote(STR("it is another process now")));
		redis_words(h->redis, on_beat_queued, h, "UNWATCH", NULL);
		is_out(link);
		return;
	}
	redis_words(h->redis, on_beat_queued, h, "MULTI", NULL);
	redis_words(h->redis, on_beat_queued, h, "HDEL", link->nodes_key, id, NULL);
	redis_words(h->redis, on_beat_queued, h, "HDEL", link->beats_key, id, NULL);
	redis_words(h->redis, on_taken_out, h, "EXEC", NULL);
	redis_flush(h->redis);
}

static void
take_out(struct link *link)
{
	struct wire *h = &link->wires[WIRE_H];

	redis_words(h->redis, on_beat_queued, h, "WATCH", link->nodes_key, NULL);
	redis_words(h->redis, on_own_entry, h, "HGET", link->nodes_key, node_id(link->node), NULL);
	redis_flush(h->redis);
}

/* What was asked on D is not answered any more: lost_fn promises that. */
static void
data_close(struct link *link)
{
	redis_close(&link->wires[WIRE_D].redis);
	link->wires[WIRE_D].open = false;
}

/* ---- for good: from the end to the beginning */

void
leave_done(struct link *link)
{
	link_left_fn *fn = link->left_fn;

	timer_stop(link->timer);
	wires_close(link);
	link_enter(link, LINK_LEFT);
	link->left_fn = NULL;
	fn(link->left_ctx);
}

static void
on_out(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;

	if (reply == NULL || link->phase != LINK_LEAVING)
		return;
	log_info("node_left", "node=%s", node_id(link->node));
	leave_done(link);
}

static void
leave_not(struct link *link, const struct fault *why)
{
	log_warning("node_stays", "node=%s why=%s", node_id(link->node), log_quote_text(why->text));
	leave_done(link);
}

static void
on_probed(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct fault fault;

	if (reply == NULL || link->phase != LINK_LEAVING)
		return;
	if (resp_type(reply) == RESP_INTEGER &&
	    resp_int(reply) >= (int64_t)head_replicas_all(&link->head)) {
		link->events.leaving_fn(link->ctx);
		return;
	}
	fault_set(&fault, VERDICT_TEMP, "not every Redis server is there to hear it");
	leave_not(link, &fault);
}

void
link_leave_on(struct link *link, bool is_useless)
{
	struct fault fault;

	if (link->phase != LINK_LEAVING)
		return; /* it took too long */
	if (!is_useless)
		fault_set(&fault, VERDICT_TEMP, "its snapshot cannot be removed");
	else if (node_note_left(link->node, &fault) == 0) {
		take_out(link);
		return;
	}
	leave_not(link, &fault);
}

static void
on_leaving(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;

	if (reply != NULL && resp_type(reply) != RESP_INTEGER)
		link_refuse(h->link, reply, "the last beat");
}

void
link_leave(struct link *link, link_left_fn *fn, void *ctx)
{
	bool was_live = link->phase == LINK_LIVE;
	bool can = link_beats(link) && clock_ms() >= link->roster.acks_from_ms;

	link->left_fn = fn;
	link->left_ctx = ctx;
	if (link->phase == LINK_ASKING)
		sentinel_cancel(link->sentinel);
	lease_end(&link->lease); /* what is on the disk goes when we may leave */
	data_close(link);
	link_enter(link, LINK_LEAVING);
	if (was_live)
		link->events.lost_fn(link->ctx);
	if (!can) {
		leave_done(link);
		return;
	}
	barriers_forget(link);
	timer_start(link->timer, LEAVE_MOST_MS);
	beat_write(link, on_leaving, "leaving"); /* so that there is something to WAIT for */
	wait_replicas(link, on_probed);
	redis_flush(link->wires[WIRE_H].redis);
}

/* ---- a map that we do not understand */

static void
on_refused(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct fault fault;

	if (reply == NULL || link->phase != LINK_REFUSING)
		return;
	if (resp_type(reply) == RESP_NIL)
		return; /* what was watched in the phase before this one */
	if (resp_count(reply) != 3) {
		link_refuse(link, reply, "the beat of a node that refuses the map");
	} else if (server_is_master(resp_at(reply, 1), &fault) == -1) {
		link_lost(link, &fault);
	} else if (head_take(link, resp_at(reply, 2)) == 0) {
		fault_set(&fault, VERDICT_TEMP, "the map can be read now: begin anew");
		link->refuses.text[0] = '\0';
		alarm_clear(link, ALARM_SCHEMA);
		link->attempt = 0;
		link_lost(link, &fault);
	}
}

static void
refuse_beat(struct link *link)
{
	struct wire *h = &link->wires[WIRE_H];

	timer_start(link->timer, REFUSE_MS);
	redis_words(h->redis, on_beat_queued, h, "MULTI", NULL);
	if (link->is_anothers) /* who holds the id would take ours for a sign of a second holder */
		redis_words(h->redis, on_beat_queued, h, "HGET", link->beats_key,
		    node_id(link->node), NULL);
	else
		beat_write(link, on_beat_queued, "refusing");
	redis_words(h->redis, on_beat_queued, h, "ROLE", NULL);
	redis_words(h->redis, on_beat_queued, h, "HGETALL", link->head_key, NULL);
	redis_words(h->redis, on_refused, h, "EXEC", NULL);
	redis_flush(h->redis);
}

/*
 * Nothing is remembered: nobody need wait for us, once what we have begun is over.
 * The file says it before the roster. 0: there is nothing to do, or not yet; 1: it
 * beats when that is done; -1: the session was ended.
 */
static int
refuse_leave(struct link *link)
{
	struct fault fault;

	if (link->refuses_outside || !link->events.idle_fn(link->ctx))
		return 0;
	if (node_hold(link->node, &fault) == -1 || node_note_left(link->node, &fault) == -1) {
		alarm_raise(link, ALARM_NODE, &fault);
		link_lost(link, &fault);
		return -1;
	}
	link->refuses_outside = link->refuses_takes_out = true;
	take_out(link);
	return 1;
}

void
refuse_timer(struct link *link)
{
	struct fault fault;

	if (redis_silence_ms(link->wires[WIRE_H].redis, clock_ms()) < REFUSE_SILENCE_MOST_MS) {
		timer_start(link->timer, REFUSE_MS);
		if (!link->refuses_takes_out && refuse_leave(link) == 0)
			refuse_beat(link);
		return;
	}
	fault_set(&fault, VERDICT_TEMP, "Redis at %s has not answered for %d ms",
	    redis_target_name(link->target), REFUSE_SILENCE_MOST_MS);
	link_lost(link, &fault);
}

void
refuse_start(struct link *link)
{
	bool was_live = link->phase == LINK_LIVE;

	alarm_raise(link, ALARM_SCHEMA, &link->refuses);
	trouble_note(link, &link->refuses);
	link_forget(link);
	data_close(link);
	barriers_forget(link);
	link_enter(link, LINK_REFUSING);
	if (was_live)
		link->events.lost_fn(link->ctx);
	link->refuses_outside = link->refuses_takes_out = link->is_anothers = false;
	timer_start(link->timer, REFUSE_MS);
	if (refuse_leave(link) == 0)
		refuse_beat(link);
}
