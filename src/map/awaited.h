/*
 * awaited.h - the nodes that a change waits for                       (machine)
 *
 * FENCING, W5. A node is done with when the process that stands in the roster for
 * it has acknowledged our barrier, or when it has been silent for so long that whatever it knew
 * before has lapsed: the lease, the grace and the drain time that it declared, from when we saw it
 * first, which is after every member had the change, or from its last heartbeat that we saw. A node
 * that beats and does not acknowledge still acts on what it knew: no time makes it done.
 *
 * It is fed with what Redis answered and with the time, and remembers.
 */
#ifndef MAP_AWAITED_H
#define MAP_AWAITED_H

#include "base/str.h"
#include "map/barrier.h"
#include "map/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum awaited_state {
	AWAITED_ACKNOWLEDGED, /* done */
	AWAITED_OUT, /* done: silent for longer than anything of it can last */
	AWAITED_SILENT, /* no heartbeat yet, and its time is not over */
	AWAITED_ENTERED, /* the same, but it was not in the roster when we began */
	AWAITED_BEATS, /* it lives and has not acknowledged: it is not drained */
	AWAITED_UNREADABLE, /* nobody knows how long to wait: only an acknowledgement helps */
	AWAITED_STATES
};

const char *awaited_state_name(enum awaited_state state); /* "acknowledged", "beats" ... */

struct awaited_node {
	struct str id; /* any bytes where it is unreadable; lent as long as the table */
	char host[256], role[32];
	enum awaited_state state;
	uint64_t done_ms; /* AWAITED_ACKNOWLEDGED, AWAITED_OUT: so long after the barrier */
	uint64_t wait_ms; /* how long its silence must last; 0: unreadable */
	uint64_t left_ms; /* AWAITED_SILENT, _ENTERED: how much of it is still to come */

	/* Inside. */
	char *id_text;
	char run[ROSTER_RUN_BYTES]; /* of the entry, as the last look saw it */
	char acked[ROSTER_RUN_BYTES]; /* which run acknowledged last; of no use while it is not that
					 one */
	uint64_t acked_ms;
	uint32_t grace_ms, drain_ms; /* the most that was seen */
	uint64_t moved_ms; /* when its heartbeat was seen to move, or it was seen first */
	bool has_moved, has_beat;
	uint64_t look; /* the last that showed it, 1 is the first; 0: none yet */
	bool is_late; /* a look before did not show it, or another process of it */
	char *beat; /* as it was last, of beat_len bytes */
	size_t beat_len;
};

struct awaited;

/* Barriers carry "epoch" and "nonce", and nothing else is acknowledged to us. start_ms: W4's t1. */
struct awaited *awaited_new(uint64_t epoch, const char *nonce, uint64_t start_ms);
void awaited_free(struct awaited **awaited);

/*
 * A message of prefix.ack. One of another barrier, or that is none, does nothing;
 * one of another run than the entry's is kept until a look finds that run there.
 */
void awaited_take_ack(struct awaited *awaited, struct str message, uint64_t now_ms);

/*
 * The answers of HGETALL prefix.nodes and prefix.beats, and the longest lease that
 * may still run. asked_ms is when they were asked for: nobody was silent for
 * longer than until then. now_ms is when they came: a heartbeat that has moved
 * may have done so only then. False: an answer is none, and nothing was taken.
 */
bool awaited_look(struct awaited *awaited, const struct resp *nodes, const struct resp *beats,
    uint32_t lease_most_ms, uint64_t asked_ms, uint64_t now_ms);

/* After at least one look: is every node of the roster done with? */
bool awaited_is_over(const struct awaited *awaited);
bool awaited_by_time(const struct awaited *awaited); /* is one of them AWAITED_OUT? */

/* Those of the roster, in its order; lent until the next call. */
size_t awaited_count(const struct awaited *awaited);
const struct awaited_node *awaited_at(const struct awaited *awaited, size_t i);

/* FENCING: W, with what a node adds to it. */
uint64_t awaited_wait_ms(uint32_t lease_ms, uint32_t grace_ms, uint32_t drain_ms);

#endif
