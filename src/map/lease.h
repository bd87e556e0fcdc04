/*
 * lease.h - how long what we remember may be believed                 (machine)
 *
 * A Redis that is stopped, or cut off, sends no end of file: only a heartbeat
 * notices. Each has two halves: an echo through the connection that carries the
 * invalidations, which says that everything queued before it has been heard,
 * and a reading of the map's head, which says that it still is our map. When
 * both are in, the lease runs until the length of the lease after the heartbeat
 * was *sent*: not after it was answered, because a change that was made in
 * between may still be on its way. The lease outlives a session; the heartbeats
 * do not.
 *
 * The map says how long a lease is, and marks each change of that. The reading of
 * a slow heartbeat may come when the length was made short, all nodes had agreed,
 * writers relied on it, and it was made long again: so a heartbeat grants nothing
 * if it reads another mark than the one that was known when it was sent. It only
 * teaches that one, and the next grants.
 *
 * A node may declare a grace: a longer lease for the case that Redis is away.
 * It ends the declared time after the lease, and is cut and ended with it.
 *
 * Knows no clock: whoever calls says what time it is (clock_ms()).
 */
#ifndef MAP_LEASE_H
#define MAP_LEASE_H

#include <stdbool.h>
#include <stdint.h>

enum { LEASE_BEATS_MOST = 64 }; /* heartbeats on their way at one time */

struct lease {
	uint64_t until_ms; /* 0: none was ever granted, or it was ended */
	uint64_t grace_until_ms; /* never before until_ms */
	uint32_t grace_ms; /* as declared with the last heartbeat */
	uint64_t sent, echoed, confirmed; /* heartbeats of this session */
	uint64_t granted; /* the last whose halves are both in */
	uint64_t mark; /* as it is known */
	uint64_t heard_ms; /* when the session began, or such a heartbeat was sent */
	struct {
		uint64_t sent_ms, most_ms; /* it grants nothing beyond most_ms */
		uint64_t mark; /* that was known then */
		uint32_t length_ms, grace_ms;
	} beats[LEASE_BEATS_MOST];
};

/* A new session: its heartbeats are numbered from 1. The lease goes on. mark: as was read in it. */
void lease_session(struct lease *lease, uint64_t now_ms, uint64_t mark);

/*
 * The number of the heartbeat that is sent now, or 0 while too many are on their
 * way. grace_ms is what stands in the roster for us at this moment.
 */
uint64_t lease_beat(struct lease *lease, uint64_t now_ms, uint32_t grace_ms);

/*
 * The halves, each in the order of sending; true when the lease was renewed.
 * length_ms 0 confirms a heartbeat without renewing anything, and so does a mark
 * that was not known when it was sent. An echo of any other than the next
 * heartbeat is none: *right_r tells.
 */
bool lease_echo(struct lease *lease, uint64_t number, bool *right_r);
bool lease_confirm(struct lease *lease, uint32_t length_ms, uint64_t mark);

/* The mark was read beside the heartbeats. Marks grow; what was read is perhaps not the last. */
void lease_teach(struct lease *lease, uint64_t mark);

/*
 * Somebody was told that nothing runs beyond until_ms (and the grace after it):
 * neither what was granted, nor what heartbeats grant that are on their way. What
 * is sent from now on may grant more.
 */
void lease_cut(struct lease *lease, uint64_t until_ms);

/* No lease and no grace any more; heartbeats that are on their way may grant new ones. */
void lease_end(struct lease *lease);

/* What an earlier process of this node was granted: a grace only. */
void lease_restore(struct lease *lease, uint64_t grace_until_ms);

bool lease_runs(const struct lease *lease, uint64_t now_ms);
bool lease_grace_runs(const struct lease *lease, uint64_t now_ms); /* the lease, or its grace */
uint64_t lease_left_ms(const struct lease *lease, uint64_t now_ms);
uint64_t lease_grace_left_ms(const struct lease *lease, uint64_t now_ms); /* both together */

/* How long ago the last heartbeat that succeeded was sent, or the session began. */
uint64_t lease_silence_ms(const struct lease *lease, uint64_t now_ms);

/*
 * After so long a lease of this length that was granted before is surely over, by
 * the clock of any other host: their rates differ by less than 1 %.
 */
uint64_t lease_wait_ms(uint32_t length_ms);

#endif
