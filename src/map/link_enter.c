/*
 * link_enter.c - into the roster                                      (driver)
 *
 * ENTERING, as link.c says. Whoever holds a lease must be in the roster on every
 * Redis server, or a writer behind a failover would not wait for him. What the
 * node's file says of that is believed, so that a restart while one replica is
 * away is no trouble; what it does not say is done again: write, WAIT for all.
 *
 * An entry or a beat that was not written by us, or by whoever held our slot
 * before, is another holder's of this id, and is watched until it has stood still
 * for a while at this one server; what another one showed says nothing of a
 * server that was promoted since. Who wrote it may be cut off and have a lease
 * yet: until that must be over, this node acknowledges nothing in his name. And
 * he may be back just now: entry and beat are written in one transaction with the
 * last look, and so he finds that he is not the holder any more.
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
static void on_head(void *ctx, const struct resp *reply);

/* The head too: whoever has become a member since it was read must have the entry as well. */
static void
wait_all(struct link *link)
{
	struct wire *h = &link->wires[WIRE_H];

	timer_start(link->timer, WAIT_ALL_MS + (uint64_t)link->settings->redis.connect_timeout_ms);
	redis_words(h->redis, on_head, h, "HGETALL", link->head_key, NULL);
	reach_ask(link, head_replicas_all(&link->head), WAIT_ALL_MS, on_waited_all);
}

static void
on_waited_all(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct link_reached reached;
	struct fault fault;

	if (reply == NULL || link->phase != LINK_ENTERING ||
	    reach_read(link, reply, &reached) == -1)
		return;
	if (reached.all >= reached.all_wanted) {
		entered(link);
		return;
	}
	fault_set(&fault, VERDICT_TEMP,
	    "only %u of %u replicas have this node, %s, in their roster: it must be on all of them "
	    "before it may answer",
	    reached.all, reached.all_wanted, node_id(link->node));
	/* Perhaps they follow another master: a sentinel that is asked may know. */
	if (link->sentinel != NULL && clock_ms() - link->roster.waits_ms >= REPLICAS_AWAY_MOST_MS) {
		link_lost(link, &fault);
		return;
	}
	trouble_note(link, &fault);
	wait_all(link);
}

static uint32_t
greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Is it on all members already, as the file and the entry say? */
static bool
is_everywhere(const struct link *link, const struct roster_entry *there)
{
	const struct link_roster *roster = &link->roster;

	return there->grace_ms == roster->entry_grace_ms &&
	       there->drain_ms == roster->entry_drain_ms &&
	       node_has_entered(link->node, link->head.id, there->grace_ms, there->drain_ms);
}

static void look(struct link *link);

static void
on_written(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct link_roster *roster = &link->roster;

	if (reply == NULL || link->phase != LINK_ENTERING)
		return;
	if (resp_type(reply) == RESP_NIL) { /* somebody came between: this is not what we saw */
		free(roster->entry);
		roster->entry = NULL;
		look(link);
	} else if (resp_count(reply) != 2) {
		link_refuse(link, reply, "an entry in the roster");
	} else if (head_replicas_all(&link->head) == 0 || roster->is_everywhere) {
		entered(link);
	} else {
		roster->waits_ms = clock_ms();
		wait_all(link);
	}
}

/* Under WATCH: only if what was looked at is what is there. */
static void
write_self(struct link *link)
{
	struct link_roster *roster = &link->roster;
	struct wire *h = &link->wires[WIRE_H];

	roster->entry = self_entry(link, roster->entry_grace_ms, roster->entry_drain_ms);
	free(roster->beat);
	roster->beat = self_beat(link, "entering");
	redis_words(h->redis, on_beat_queued, h, "MULTI", NULL);
	redis_words(h->redis, on_beat_queued, h, "HSET", link->nodes_key, node_id(link->node),
	    roster->entry, NULL);
	redis_words(h->redis, on_beat_queued, h, "HSET", link->beats_key, node_id(link->node),
	    roster->beat, NULL);
	redis_words(h->redis, on_written, h, "EXEC", NULL);
	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms);
}

/*
 * The id is ours: say so. Where nobody waits for us, because there is no entry, or
 * another's, what we remember is forgotten; and a file that says that the entry is
 * on all servers is taken back before the entry is written, or else whoever
 * starts in the middle of it would believe both.
 */
static void
adopt(struct link *link, bool was_anothers)
{
	struct link_roster *roster = &link->roster;
	struct roster_entry there = {0};
	struct fault fault;
	bool is_there =
	    roster->found != NULL && roster_entry_read(str_of(roster->found), &there, &fault) == 0;

	if (!is_there)
		there.grace_ms = there.drain_ms = 0;
	roster->entry_grace_ms = greater(roster->grace_ms, there.grace_ms);
	roster->entry_drain_ms = greater(roster->drain_ms, there.drain_ms);
	roster->is_everywhere = is_there && !was_anothers && is_everywhere(link, &there);
	if (!is_there || was_anothers) {
		link_forget(link);
		if (node_note_left(link->node, &fault) == -1) {
			enter_failed(link, &fault);
			return;
		}
	}
	if (clock_ms() >= roster->acks_from_ms && node_note_begun(link->node, &fault) == -1) {
		enter_failed(link, &fault);
		return;
	}
	write_self(link);
}

/* It was another's, and may have a lease yet that was granted with its last beat. */
static void
take_over(struct link *link)
{
	struct link_roster *roster = &link->roster;
	struct roster_entry there = {0};
	struct fault fault;

	if (roster->found != NULL)
		(void)roster_entry_read(str_of(roster->found), &there,
		    &fault); /* it was read before */
	roster->acks_from_ms = roster->still_ms + lease_wait_ms(link->head.lease_most_ms) +
			       there.grace_ms + there.drain_ms;
	log_warning("node_taken_over", "node=%s acknowledges_in_ms=%" PRIu64 " why=%s",
	    node_id(link->node),
	    roster->acks_from_ms > clock_ms() ? roster->acks_from_ms - clock_ms() : 0,
	    log_quote(STR("the process that held it has not been heard any more")));
	adopt(link, true);
}

/* Somebody else's: is he there? */
static void
watch(struct link *link, const char *run)
{
	struct link_roster *roster = &link->roster;
	struct wire *h = &link->wires[WIRE_H];
	uint64_t now_ms = clock_ms();
	struct fault fault;

	if (roster->is_watching && !roster->has_moved &&
	    now_ms - roster->still_ms >= NODE_STILL_MS) {
		take_over(link);
		return;
	}
	redis_words(h->redis, on_beat_queued, h, "UNWATCH", NULL);
	if (!roster->is_watching || roster->has_moved) {
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
		roster->still_ms = now_ms;
		roster->is_watching = true;
	}
	timer_start(link->timer, WATCH_MS);
}

/* Keep what is there now; has it moved since the last look? */
static void
keep(struct link_roster *roster, char **kept, const struct resp *reply)
{
	struct str text = resp_str(reply);
	bool is_there = resp_type(reply) == RESP_STRING;

	if (is_there != (*kept != NULL) || (is_there && !str_is(text, *kept)))
		roster->has_moved = true;
	free(*kept);
	*kept = is_there ? xstrndup(text.ptr, text.len) : NULL;
}

/*
 * Perhaps of a later version, whose process may be alive or have died: nobody can
 * say for how long it answers from memory, so no silence is long enough, and
 * writers would not wait for it any more if our entry stood there.
 */
static void
unreadable(struct link *link, const struct fault *why)
{
	struct fault fault;

	fault_set(&fault, VERDICT_TEMP,
	    "%s has an entry for %s that cannot be read (%s), perhaps a later version's: when no "
	    "such process runs any more, splitmx node rm %s --force",
	    link->nodes_key, node_id(link->node), why->text, node_id(link->node));
	enter_failed(link, &fault);
}

static void
on_beat(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct link_roster *roster = &link->roster;
	char run[ROSTER_RUN_BYTES];
	struct roster_entry entry;
	struct fault why;

	if (reply == NULL || link->phase != LINK_ENTERING)
		return;
	if (resp_type(reply) != RESP_STRING && resp_type(reply) != RESP_NIL) {
		link_refuse(link, reply, "the beat of this node");
		return;
	}
	if (roster->found != NULL && roster_entry_read(str_of(roster->found), &entry, &why) == -1) {
		unreadable(link, &why);
		return;
	}
	keep(roster, &roster->beat, reply);
	if (roster->beat != NULL) {
		self_run(str_of(roster->beat), run);
		if (!self_knows(link, run)) {
			watch(link, run);
			return;
		}
	}
	if (roster->found != NULL && !self_wrote(link, str_of(roster->found), run))
		watch(link, run);
	else
		adopt(link, false);
}

static void
on_entry(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link_roster *roster = &h->link->roster;

	if (reply == NULL || h->link->phase != LINK_ENTERING)
		return;
	if (resp_type(reply) != RESP_STRING && resp_type(reply) != RESP_NIL)
		link_refuse(h->link, reply, "the entry of this node");
	else
		keep(roster, &roster->found, reply);
}

static void
on_head(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;

	if (reply != NULL && h->link->phase == LINK_ENTERING)
		(void)head_take(h->link, reply);
}

/* All nodes beat, and so disturb: that matters only where another's beat must not have moved. */
static void
look(struct link *link)
{
	struct wire *h = &link->wires[WIRE_H];
	const char *beats_key = link->roster.is_watching ? link->beats_key : NULL;

	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms);
	link->roster.has_moved = false;
	redis_words(h->redis, on_beat_queued, h, "WATCH", link->nodes_key, beats_key, NULL);
	redis_words(h->redis, on_head, h, "HGETALL", link->head_key, NULL);
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
