/*
 * confirm.h - is a change known everywhere?                           (driver)
 *
 * FENCING, W3 to W5. Whoever has written a change, by change_run() or another
 * MULTI that raised the epoch and set "change" to a nonce of its own, asks here,
 * on the same client. First every Redis server that may become master must have
 * it; then every node is told, and has said that it knows and that nothing of
 * what it carries follows the former state, or has been silent for so long that
 * it cannot any more. Confirmed means: no node gives the former answer, now or
 * later.
 *
 * Not confirmed means that nobody can say so yet. The change stays written; what
 * is asked once more later ("splitmx barrier") may well be confirmed.
 */
#ifndef MAP_CONFIRM_H
#define MAP_CONFIRM_H

#include "base/settings.h"
#include "map/awaited.h"
#include "map/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONFIRM_LOOK_MS = 200 }; /* between two looks, each with the barrier once more */

enum confirm_state {
	CONFIRM_NOT, /* the time is over; nodes, members and trouble say what is missing */
	CONFIRM_LOST, /* a master that a majority follows does not have it: a failover undid it */
	CONFIRM_DONE, /* all nodes acknowledged */
	CONFIRM_DONE_BY_TIME /* the same, and some were waited out */
};

struct confirm_result {
	enum confirm_state state;
	uint64_t epoch;
	uint64_t took_ms;

	/* Replicas beside the master: how many must have it, and how many have. */
	unsigned members_wanted, members_reached;
	struct head_servers members_missing; /* where the map names its members */
	bool members_done; /* so the nodes were asked */

	/* The roster; lent until confirm_result_free(), or for the call of progress_fn. */
	struct awaited *nodes; /* NULL: not asked yet; awaited_count(), awaited_at() */

	/* What kept us from going on, last; "" = nothing. Not a reason by itself. */
	char trouble[FAULT_TEXT_BYTES];
};

typedef void confirm_progress_fn(void *ctx, const struct confirm_result *so_far);

struct confirm_request {
	const struct str *names; /* canonical, "alice@example.org" or "@example.org"; lent */
	size_t count; /* 0, or more than a barrier holds: everything */
	uint64_t epoch; /* the change's, or a later one */
	const char *nonce; /* the change's, as in splitmx.map and as "op" in the audit stream */
	enum confirm_members members; /* settings->redis.confirm_members */
	uint64_t wait_ms; /* how long to try; less than a look takes: look once */
	confirm_progress_fn *progress_fn; /* NULL: nobody wants to know; called with each look */
	void *ctx;
};

/*
 * Try until it is confirmed, lost, or wait_ms have passed. A lost connection is
 * opened again, to whoever is master then. Never NULL.
 */
struct confirm_result *confirm_run(struct client *client, const struct confirm_request *request);
void confirm_result_free(struct confirm_result **result);

static inline bool
confirm_is_done(const struct confirm_result *result)
{
	return result->state == CONFIRM_DONE || result->state == CONFIRM_DONE_BY_TIME;
}

/* How many nodes of the result are in this state. */
size_t confirm_count(const struct confirm_result *result, enum awaited_state state);

/* How long the slowest node that is silent must still be waited for; 0: none is. */
uint64_t confirm_left_ms(const struct confirm_result *result);

#endif
