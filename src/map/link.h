/*
 * link.h - a session with Redis, kept alive and believed no longer than it may (driver)
 *
 * A session is three connections to the same server process that live and die
 * together: T tracks what changes and hears of it, D reads, H does heartbeats
 * (a reply on one never waits behind the other's). It is LIVE from its first
 * successful heartbeat; before that, and between sessions, what is remembered
 * may be used until the lease ends and nothing new is read. doc: the phases are
 * in link.c, the reasons in splitmx-map(7).
 *
 * Later a session may also begin with asking Sentinel where the master is, and a
 * heartbeat may also write and wait for replicas; nobody above would notice.
 */
#ifndef MAP_LINK_H
#define MAP_LINK_H

#include "base/settings.h"
#include "map/redis.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct link;

struct link_events {
	void (*live_fn)(void *ctx);	 /* a new session: everything older is to be forgotten */
	void (*granted_fn)(void *ctx);	 /* the lease was renewed; after live_fn too */
	void (*lost_fn)(void *ctx);	 /* a session that was live is over; replies on D will not come */
	void (*change_fn)(void *ctx, struct str key); /* this key has changed */
	void (*change_all_fn)(void *ctx);	      /* any key may have */
};

/* Starts connecting. NULL and *fault_r for what settings alone make impossible. */
struct link *link_new(struct loop *loop, const struct settings *settings,
    const struct link_events *events, void *ctx, struct fault *fault_r);
void link_free(struct link **link); /* no event follows */

/* The settings moved; nothing that matters here has changed. */
void link_set_settings(struct link *link, const struct settings *settings);

/* D, to read from, or NULL while no session is live; good until lost_fn. */
struct redis *link_data(const struct link *link);

/* May what is remembered be used now? */
bool link_lease_runs(const struct link *link);

/* Whoever read something impossible ends the session with it; lost_fn is called from inside. */
void link_fail(struct link *link, const struct fault *why);

/* Why there is no live session: a sentence for the operator, lent until the next turn. */
const char *link_trouble(const struct link *link);

const char *link_map_id(const struct link *link); /* of the live session, or the last */
uint64_t link_epoch(const struct link *link);	  /* the highest seen */

struct link_status {
	const char *phase, *server, *run_id, *map_id;
	uint64_t epoch, lease_left_ms, lease_ms, sessions, heartbeats, messages;
	const char *trouble; /* the last one, "" = none yet; trouble_ms ago */
	uint64_t trouble_ago_ms;
	const char *alarm; /* what an operator must look at, or "" */
};
void link_count(const struct link *link, struct link_status *status_r);

/*
 * The pause before attempt n (0, 1, ...) to connect: doubling, with full jitter
 * between least and what it has grown to, at most "most".
 */
uint64_t link_pause_ms(unsigned attempt, uint64_t least_ms, uint64_t most_ms, uint32_t random);

#endif
