/*
 * link.h - a session with Redis, kept alive and believed no longer than it may (driver)
 *
 * A session is three connections to the same server process that live and die
 * together: T tracks what changes and hears of it, D reads, H does heartbeats
 * (a reply on one never waits behind the other's). It is LIVE from its first
 * successful heartbeat; before that, and between sessions, what is remembered
 * may be used until the lease ends and nothing new is read. The phases are in
 * link.c.
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
	void (*live_fn)(void *ctx); /* a new session: everything older is to be forgotten */
	void (*granted_fn)(void *ctx); /* the lease was renewed; after live_fn too */
	void (*lost_fn)(void *ctx); /* a live session is over; replies on D will not come */
	void (*change_fn)(void *ctx, struct str key); /* this key has changed */
	void (*change_all_fn)(void *ctx); /* any key may have */
};

/* Starts connecting. NULL and *fault_r for what settings alone make impossible. */
struct link *link_new(struct loop *loop, const struct settings *settings,
    const struct link_events *events, void *ctx, struct fault *fault_r);
void link_free(struct link **link); /* no event follows */

/* The settings moved; nothing that matters here has changed. */
void link_set_settings(struct link *link, const struct settings *settings);

bool link_is_live(const struct link *link);

/*
 * Read through D, while a session is live: begin, any number of commands, end;
 * all leave in one transaction, with whatever else the turn has to send. fn gets
 * the reply to EXEC, or NULL when the session is over (lost_fn comes too), or
 * nothing when it is we who ended it (then only lost_fn comes).
 */
void link_read_begin(struct link *link);
void link_read(struct link *link, const struct str *argv, size_t argc);
void link_read_end(struct link *link, redis_reply_fn *fn, void *ctx);

/*
 * Is that reply from our map, with "count" replies from element 1 on? Where not,
 * the session has been ended and lost_fn was called from inside.
 */
bool link_read_is_good(struct link *link, const struct resp *reply, size_t count);

/* May what is remembered be used now? */
bool link_lease_runs(const struct link *link);

/* Whoever read something impossible ends the session with it; lost_fn is called from inside. */
void link_fail(struct link *link, const struct fault *why);

/* Why there is no live session: a sentence for the operator, lent until the next turn. */
const char *link_trouble(const struct link *link);

uint64_t link_epoch(const struct link *link); /* the highest seen */

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
