/*
 * crowd.h - who is here from which address, and who guesses           (machine)
 *
 * Counts connections and parked logins by address (an IPv6 network of 64 bits is
 * one address), and failed logins by address *and* name: somebody who guesses at
 * one account waits longer and longer, and the thousand others behind the same
 * NAT do not notice. Bounded: under a flood of new pairs the oldest are forgotten.
 */
#ifndef FRONT_CROWD_H
#define FRONT_CROWD_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	CROWD_PAIRS_MOST = 65536,
	CROWD_PENALTY_MOST_MS = 30000,
	CROWD_FORGET_MS = 15 * 60 * 1000, /* without another failure */
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

#endif
