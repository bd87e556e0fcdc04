/*
 * link_barrier.c - saying that we have heard                          (driver)
 *
 * A barrier is published after its change has reached every Redis server. The
 * message may still overtake the invalidation of that change, so a PING goes out
 * on T, and its echo comes behind it for certain. Meanwhile D is asked how long
 * leases are now: an acknowledgement promises that none of ours is longer.
 *
 * Where the session is not live, what we remember is of a former one, whose
 * successor never heard of this change: it is dropped before anybody is told.
 * Barriers that come before we are in the roster are passed over. Whoever waits
 * for us says it again, five times a second.
 *
 * A node that has acknowledged a change believes no map that lacks it, after a
 * restart either: so the epoch is in the identity's file first (identity.h). That is
 * written while the map thinks, and by a thread: a disk that hangs holds up
 * acknowledgements, and neither answers nor heartbeats.
 */
#include "map/link_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	WAITS_MOST = 256, /* on their way; beyond that somebody floods us */
	WAITS_MOST_BYTES = 4 << 20, /* of their names; beyond that they are "everything" */
	HEARDS_MOST = 1024 /* not acknowledged; the oldest is forgotten, and heard again */
};

struct barrier_wait {
	TAILQ_ENTRY(barrier_wait) entry;
	struct barrier barrier;
	uint64_t number; /* of its PING */
	size_t bytes; /* of its names */
	uint32_t lease_ms; /* 0: D has not answered yet */
};

struct barrier_heard {
	TAILQ_ENTRY(barrier_heard) entry;
	uint64_t epoch;
	char nonce[HEAD_NONCE_BYTES];
	uint32_t lease_ms;
	bool is_agreed; /* link_acknowledge() was called: only the identity's file lacks it */
};

void
barriers_init(struct link *link)
{
	TAILQ_INIT(&link->barriers.waits);
	TAILQ_INIT(&link->barriers.heards);
}

/* ---- told, and not yet acknowledged */

static struct barrier_heard *
heard_find(const struct link *link, uint64_t epoch, const char *nonce)
{
	struct barrier_heard *heard;

	TAILQ_FOREACH (heard, &link->barriers.heards, entry) {
		if (heard->epoch == epoch && strcmp(heard->nonce, nonce) == 0)
			return heard;
	}
	return NULL;
}

static void
heard_free(struct link *link, struct barrier_heard *heard)
{
	TAILQ_REMOVE(&link->barriers.heards, heard, entry);
	link->barriers.heard_count--;
	free(heard);
}

static void
heard_add(struct link *link, const struct barrier *barrier, uint32_t lease_ms)
{
	struct barrier_heard *heard = heard_find(link, barrier->epoch, barrier->nonce);

	if (heard == NULL) {
		if (link->barriers.heard_count == HEARDS_MOST)
			heard_free(link, TAILQ_FIRST(&link->barriers.heards));
		heard = xnew(struct barrier_heard);
		heard->epoch = barrier->epoch;
		memcpy(heard->nonce, barrier->nonce, sizeof(heard->nonce));
		TAILQ_INSERT_TAIL(&link->barriers.heards, heard, entry);
		link->barriers.heard_count++;
	}
	heard->lease_ms = lease_ms;
}

static void
on_published(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;

	if (reply != NULL && resp_type(reply) != RESP_INTEGER)
		link_refuse(h->link, reply, "an acknowledgement");
}

uint32_t
link_barrier_lease_ms(const struct link *link, uint64_t epoch, const char *nonce)
{
	const struct barrier_heard *heard = heard_find(link, epoch, nonce);

	return heard == NULL ? 0 : heard->lease_ms;
}

/* May end the session. */
static void
heard_acknowledge(struct link *link, struct barrier_heard *heard)
{
	struct wire *h = &link->wires[WIRE_H];
	struct str argv[3] = {STR("PUBLISH"), str_of(link->ack)};
	struct buf text = BUF_INIT;

	if (heard->epoch > link->barriers.acknowledged)
		link->barriers.acknowledged = heard->epoch;
	barrier_ack_write(&text, heard->epoch, heard->nonce, node_id(link->node),
	    node_run(link->node));
	heard_free(link, heard);
	argv[2] = buf_str(&text);
	redis_command(h->redis, on_published, h, argv, ARRAY_LEN(argv));
	redis_flush(h->redis); /* somebody waits for it */
	buf_fini(&text);
}

static struct barrier_heard *
heard_settled(const struct link *link)
{
	struct barrier_heard *heard;

	TAILQ_FOREACH (heard, &link->barriers.heards, entry) {
		if (heard->is_agreed && identity_is_settled(link->identity, heard->epoch))
			break;
	}
	return heard;
}

void
barriers_settle(void *ctx)
{
	struct link *link = ctx;
	struct barrier_heard *heard;

	while ((heard = heard_settled(link)) != NULL)
		heard_acknowledge(link, heard);
}

void
link_acknowledge(struct link *link, uint64_t epoch, const char *nonce)
{
	struct barrier_heard *heard = heard_find(link, epoch, nonce);

	if (heard == NULL)
		return;
	lease_cut(&link->lease, clock_ms() + heard->lease_ms);
	heard->is_agreed = true;
	if (identity_is_settled(link->identity, epoch))
		heard_acknowledge(link, heard);
}

/* ---- on their way */

static void
wait_free(struct link *link, struct barrier_wait *wait)
{
	TAILQ_REMOVE(&link->barriers.waits, wait, entry);
	link->barriers.wait_count--;
	link->barriers.wait_bytes -= wait->bytes;
	barrier_fini(&wait->barrier);
	free(wait);
}

void
barriers_forget(struct link *link)
{
	while (!TAILQ_EMPTY(&link->barriers.waits))
		wait_free(link, TAILQ_FIRST(&link->barriers.waits));
	while (!TAILQ_EMPTY(&link->barriers.heards))
		heard_free(link, TAILQ_FIRST(&link->barriers.heards));
	link->barriers.sent = link->barriers.echoed = 0;
}

/* What both connections have answered. Any callback may end the session. */
static void
barriers_tell(struct link *link)
{
	struct barrier_wait *wait;
	struct barrier barrier;

	while ((wait = TAILQ_FIRST(&link->barriers.waits)) != NULL &&
	       wait->number <= link->barriers.echoed && wait->lease_ms != 0) {
		heard_add(link, &wait->barrier, wait->lease_ms);
		barrier = wait->barrier;
		wait->barrier = (struct barrier){0};
		wait_free(link, wait);
		if (link->phase != LINK_LIVE)
			link_forget(link);
		link->events.barrier_fn(link->ctx, &barrier);
		barrier_fini(&barrier);
	}
}

/* The reply to "PING b<n>" of a subscribed connection: ["pong", "b<n>"]. */
static void
on_barrier_echo(void *ctx, const struct resp *reply)
{
	struct wire *t = ctx;
	struct link *link = t->link;
	char expected[24];

	if (reply == NULL || !link_beats(link))
		return;
	snprintf(expected, sizeof(expected), "b%" PRIu64, link->barriers.echoed + 1);
	if (resp_count(reply) != 2 || !str_is(resp_str(resp_at(reply, 0)), "pong") ||
	    !str_is(resp_str(resp_at(reply, 1)), expected)) {
		link_refuse(link, reply, "PING");
		return;
	}
	link->barriers.echoed++;
	barriers_tell(link);
}

/*
 * The first that has no length yet is the one that was asked for first. The head
 * is the one of our checks and heartbeats, which say what is wrong with it; it is
 * read here only for a length that is no older than the barrier.
 */
static void
on_lease(void *ctx, const struct resp *reply)
{
	struct wire *d = ctx;
	struct link *link = d->link;
	struct barrier_wait *wait;
	struct map_head head;
	struct fault fault;

	if (reply == NULL || !link_beats(link))
		return;
	if (map_head_read(reply, link->prefix, &head, &fault) == -1) {
		link_lost(link, &fault);
		return;
	}
	lease_teach(&link->lease, head.lease_epoch);
	TAILQ_FOREACH (wait, &link->barriers.waits, entry) {
		if (wait->lease_ms == 0)
			break;
	}
	must(wait != NULL);
	wait->lease_ms = head.lease_ms;
	if (wait->barrier.epoch <=
	    head.epoch) /* barriers come when every server has their change */
		identity_raise(link->identity, wait->barrier.epoch);
	barriers_tell(link);
}

static void
wait_send(struct link *link, const struct barrier *barrier)
{
	struct wire *t = &link->wires[WIRE_T], *d = &link->wires[WIRE_D];
	struct barrier_wait *wait = xnew(struct barrier_wait);
	char echo[24];

	wait->barrier = *barrier;
	if (barrier_bytes(barrier) > WAITS_MOST_BYTES - link->barriers.wait_bytes)
		barrier_widen(&wait->barrier);
	wait->bytes = barrier_bytes(&wait->barrier);
	link->barriers.wait_bytes += wait->bytes;
	wait->number = ++link->barriers.sent;
	TAILQ_INSERT_TAIL(&link->barriers.waits, wait, entry);
	link->barriers.wait_count++;
	snprintf(echo, sizeof(echo), "b%" PRIu64, wait->number);
	redis_words(t->redis, on_barrier_echo, t, "PING", echo, NULL);
	redis_words(d->redis, on_lease, d, "HGETALL", link->head_key, NULL);
	redis_flush(t->redis);
	redis_flush(d->redis);
}

void
barriers_hear(struct link *link, struct str message)
{
	struct barrier barrier;
	struct fault fault;

	if (!link_beats(link) || clock_ms() < link->roster.acks_from_ms)
		return;
	if (!barrier_read(message, &barrier)) {
		log_warning("barrier_unread", "text=%s", log_quote(message));
		return;
	}
	if (link->barriers.wait_count < WAITS_MOST) {
		wait_send(link, &barrier);
		return;
	}
	barrier_fini(&barrier);
	fault_set(&fault, VERDICT_TEMP, "%d barriers came faster than Redis at %s answers",
	    WAITS_MOST, redis_target_name(link->target));
	link_lost(link, &fault);
}
