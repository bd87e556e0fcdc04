/*
 * crowd.h - who is here from which address, and who guesses           (machine)
 *
 * Counts connections and parked logins by address (an IPv6 network of 64 bits is
 * one address), and failed logins by address *and* name: somebody who guesses at
 * one account waits longer and longer, and the thousand others behind the same
 * NAT do not notice. Bounded: under a flood of new pairs the oldest are forgotten.
 *
 * The wait for a refusal binds nobody who does not wait for it, and many could ask in
 * the same moment. So the logins of a pair that guesses also stand in line, and take
 * turns. One line, in the order of coming: the owner of the account, behind the same
 * address, waits no longer than everybody who came before, and whoever leaves and comes
 * again is the last. A pair that owes no wait has no line.
 */
#ifndef FRONT_CROWD_H
#define FRONT_CROWD_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

enum {
	CROWD_PAIRS_MOST = 65536,
	CROWD_PENALTY_MOST_MS = 30000,
	CROWD_FORGET_MS = 15 * 60 * 1000, /* without another failure */
	CROWD_PACE_MS = 250, /* between two turns of a pair */
	CROWD_LINE_PACES = 40, /* a long line: more at a turn, so that it takes no more of them */
};

struct crowd;

struct crowd *crowd_new(void);
void crowd_free(struct crowd **crowd);

/* False: there are as many as there may be. Leave once for each true. */
bool crowd_enter(struct crowd *crowd, const struct sockaddr_storage *address, size_t most);
void crowd_leave(struct crowd *crowd, const struct sockaddr_storage *address);
bool crowd_park(struct crowd *crowd, const struct sockaddr_storage *address, size_t most);
void crowd_unpark(struct crowd *crowd, const struct sockaddr_storage *address);
size_t crowd_parked(const struct crowd *crowd); /* from all addresses */

/*
 * How much longer than others this pair waits for its refusal: nothing after the
 * first failure, then doubling from least_ms.
 */
uint64_t crowd_failed(struct crowd *crowd, const struct sockaddr_storage *address, struct str login,
    uint64_t now_ms, uint64_t least_ms);
void crowd_succeeded(struct crowd *crowd, const struct sockaddr_storage *address, struct str login);

/* A place in the line of a pair; zeroed: none. The owner's, who leaves before it goes. */
struct crowd_turn {
	TAILQ_ENTRY(crowd_turn) entry;
	struct pair *pair; /* NULL: does not stand in line */
	void *owner; /* for the owner alone */
};

/*
 * True: this login may go to the backend now. False: it stands in line until
 * crowd_next_turn() returns its turn, or crowd_leave_turn().
 */
bool crowd_take_turn(struct crowd *crowd, struct crowd_turn *turn,
    const struct sockaddr_storage *address, struct str login, uint64_t now_ms);
void crowd_leave_turn(struct crowd *crowd, struct crowd_turn *turn); /* harmless without one */

/* Whose turn it is now; stands in line no longer. NULL: nobody's. */
struct crowd_turn *crowd_next_turn(struct crowd *crowd, uint64_t now_ms);

/* In how long to ask that again; UINT64_MAX: nobody stands in line. */
uint64_t crowd_next_turn_ms(const struct crowd *crowd, uint64_t now_ms);

#endif
