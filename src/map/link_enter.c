/*
 * link_enter.c - into the roster                                      (driver)
 *
 * ENTERING, as link.c says. Whoever holds a lease must be in the roster on every
 * Redis server, or a writer behind a failover would not wait for him. What the
 * node's file says of that is believed, so that a restart while one replica is
 * away is no trouble; what it does not say is done again: write, WAIT for all.
 *
 * A beat that was not written by us, or by whoever held our slot before, is
 * watched until it has stood still for a while. Who wrote it may be cut off and
 * have a lease yet: until that must be over, this node acknowledges nothing in
 * his name.
 */
#include "map/link_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	NODE_STILL_MS = 5000, /* another's beat; then the id is ours */
	WATCH_MS = 1000, /* between two looks at it */
	WAIT_ALL_MS = 1000
};

static void
enter_failed(struct link *link, const struct fault *why)
{
	struct fault fault;

	fault_set(&fault, VERDICT_TEMP, "no place in the roster for this process: %s", why->text);
	alarm_raise(link, ALARM_NODE, &fault);
	link_lost(link, &fault);
}

static void
entered(struct link *link)
{
	struct link_roster *roster = &link->roster;
	struct fault fault;

	if (node_note_entered(link->node, link->head.id, roster->entry_grace_ms,
		roster->entry_drain_ms, &fault) == -1) {
		enter_failed(link, &fault);
		return;
	}
	alarm_clear(link, ALARM_NODE);
	roster->lower_ms = 0;
	if (roster->entry_grace_ms > roster->grace_ms || roster->entry_drain_ms > roster->drain_ms)
		roster->lower_ms = clock_ms() + lease_wait_ms(link->head.lease_most_ms) +
				   roster->entry_grace_ms + roster->entry_drain_ms;
	link_listens(link);
}

static void on_waited_all(void *ctx, const struct resp *reply);

static void
wait_all(struct link *link)
{
	struct wire *h = &link->wires[WIRE_H];
	char count[16], most[16];

	timer_start(link->timer, WAIT_ALL_MS + (uint64_t)link->settings->redis.connect_timeout_ms);
	snprintf(count, sizeof(count), "%u", head_replicas_all(&link->head));
	snprintf(most, sizeof(most), "%d", WAIT_ALL_MS);
	redis_words(h->redis, on_waited_all, h, "WAIT", count, most, NULL);
}

static void
on_waited_all(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	unsigned all = head_replicas_all(&link->head);
	struct fault fault;

	if (reply == NULL || link->phase != LINK_ENTERING)
		return;
	if (resp_type(reply) != RESP_INTEGER) {
		link_refuse(link, reply, "WAIT");
	} else if (resp_int(reply) >= (int64_t)all) {
		entered(link);
	} else {
		fault_set(&fault, VERDICT_TEMP,
		    "only %" PRId64 " of %u replicas have this node, %s, in their roster: it must "
		    "be on all of them before it may answer",
		    resp_int(reply), all, node_id(link->node));
		trouble_note(link, &fault);
		wait_all(link);
	}
}

static void
on_written(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;

	if (reply != NULL && resp_type(reply) != RESP_INTEGER)
		link_refuse(h->link, reply, "an entry in the roster");
}

static uint32_t
greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* The id is ours: say so. */
static void
adopt(struct link *link)
{
	struct link_roster *roster = &link->roster;
	struct wire *h = &link->wires[WIRE_H];
	struct roster_entry there = {0};
	struct fault fault;
	bool is_there =
	    roster->found != NULL && roster_entry_read(str_of(roster->found), &there, &fault) == 0;

	if (!is_there)
		there.grace_ms = there.drain_ms = 0;
	roster->entry_grace_ms = greater(roster->grace_ms, there.grace_ms);
	roster->entry_drain_ms = greater(roster->drain_ms, there.drain_ms);
	if (!is_there && node_note_left(link->node, &fault) == -1) {
		enter_failed(link, &fault);
		return;
	}
	if (clock_ms() >= roster->acks_from_ms && node_note_begun(link->node, &fault) == -1) {
		enter_failed(link, &fault);
		return;
	}
	roster->entry = self_entry(link, roster->entry_grace_ms, roster->entry_drain_ms);
	redis_words(h->redis, on_written, h, "HSET", link->nodes_key, node_id(link->node),
	    roster->entry, NULL);
	if (head_replicas_all(&link->head) == 0 ||
	    (is_there && there.grace_ms == roster->entry_grace_ms &&
		there.drain_ms == roster->entry_drain_ms &&
		node_has_entered(link->node, link->head.id, there.grace_ms, there.drain_ms)))
		entered(link);
	else
		wait_all(link);
}

/* It was another's, and may have a lease yet that was granted with its last beat. */
static void
take_over(struct link *link)
{
	struct link_roster *roster = &link->roster;
	struct roster_entry there = {0};
	struct fault fault;

	if (roster->found != NULL && roster_entry_read(str_of(roster->found), &there, &fault) == -1)
		there = (struct roster_entry){.grace_ms = GRACE_MOST_MS, .drain_ms = DRAIN_MOST_MS};
	roster->acks_from_ms = roster->still_ms + lease_wait_ms(link->head.lease_most_ms) +
			       there.grace_ms + there.drain_ms;
	log_warning("node_taken_over", "node=%s acknowledges_in_ms=%" PRIu64 " why=%s",
	    node_id(link->node), roster->acks_from_ms - clock_ms(),
	    log_quote(STR("the process that held it has not been heard any more")));
	adopt(link);
}

/* A beat of somebody else: is he there? */
static void
watch(struct link *link, struct str text, const char *run)
{
	struct link_roster *roster = &link->roster;
	uint64_t now_ms = clock_ms();
	bool is_same = roster->is_watching && str_is(text, roster->beat);
	struct fault fault;

	if (is_same && now_ms - roster->still_ms >= NODE_STILL_MS) {
		take_over(link);
		return;
	}
	if (!is_same) {
		if (roster->is_watching) {
			self_twice(link, run, &fault);
		} else {
			fault_set(&fault, VERDICT_TEMP,
			    "the node %s was another process, run %s: looking for %d ms whether "
			    "that is there",
			    node_id(link->node), log_quote_text(run), NODE_STILL_MS);
			self_drop(link);
		}
		trouble_note(link, &fault);
		free(roster->beat);
		roster->beat = xstrndup(text.ptr, text.len);
		roster->still_ms = now_ms;
		roster->is_watching = true;
	}
	timer_start(link->timer, WATCH_MS);
}

static void
on_beat(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct link_roster *roster = &link->roster;
	struct str text = resp_str(reply);
	char run[ROSTER_RUN_BYTES] = "";

	if (reply == NULL || link->phase != LINK_ENTERING)
		return;
	if (resp_type(reply) != RESP_STRING && resp_type(reply) != RESP_NIL) {
		link_refuse(link, reply, "the beat of this node");
		return;
	}
	if (resp_type(reply) == RESP_STRING) {
		self_run(text, run);
		if (strcmp(run, node_run(link->node)) != 0 &&
		    strcmp(run, node_last_run(link->node)) != 0) {
			watch(link, text, run);
			return;
		}
	}
	free(roster->beat);
	roster->beat = resp_type(reply) == RESP_STRING ? xstrndup(text.ptr, text.len) : NULL;
	adopt(link);
}

static void
on_entry(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link_roster *roster = &h->link->roster;

	if (reply == NULL)
		return;
	if (resp_type(reply) != RESP_STRING && resp_type(reply) != RESP_NIL) {
		link_refuse(h->link, reply, "the entry of this node");
		return;
	}
	free(roster->found);
	roster->found = resp_type(reply) == RESP_STRING
			    ? xstrndup(resp_str(reply).ptr, resp_str(reply).len)
			    : NULL;
}

static void
look(struct link *link)
{
	struct wire *h = &link->wires[WIRE_H];

	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms);
	redis_words(h->redis, on_entry, h, "HGET", link->nodes_key, node_id(link->node), NULL);
	redis_words(h->redis, on_beat, h, "HGET", link->beats_key, node_id(link->node), NULL);
}

void
enter_start(struct link *link)
{
	struct fault fault;

	link_enter(link, LINK_ENTERING);
	if (node_hold(link->node, &fault) == -1)
		enter_failed(link, &fault);
	else
		look(link);
}

/* Either a pause has ended, or an answer has not come. */
void
enter_timer(struct link *link)
{
	struct fault fault;

	if (link->roster.is_watching && link->roster.entry == NULL &&
	    redis_silence_ms(link->wires[WIRE_H].redis, clock_ms()) == 0) {
		look(link);
		return;
	}
	fault_set(&fault, VERDICT_TEMP, "Redis at %s did not answer in time",
	    redis_target_name(link->target));
	link_lost(link, &fault);
}
