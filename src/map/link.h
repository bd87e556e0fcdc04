/*
 * link.h - a session with Redis, kept alive and believed no longer than it may (driver)
 *
 * A session is three connections to the same server process that live and die
 * together: T tracks what changes and hears of it, D reads, H does heartbeats
 * (a reply on one never waits behind the other's). It is LIVE from its first
 * successful heartbeat; before that, and between sessions, what is remembered
 * may be used until the lease ends and nothing new is read. The phases are in
 * link.c.
 *
 * To the map this process is a node (node.h): it stands in the roster before it
 * has a lease, says with every heartbeat that it is there, and acknowledges the
 * barriers of those who change something.
 */
#ifndef MAP_LINK_H
#define MAP_LINK_H

#include "base/settings.h"
#include "map/barrier.h"
#include "map/node.h"
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

	/*
	 * Every change before this barrier has been told. Call link_acknowledge(), now
	 * or later, when nothing that this process has begun for one of its names
	 * follows what was before. The barrier is lent for the call; who did not get an
	 * answer repeats it, and it comes again.
	 */
	void (*barrier_fn)(void *ctx, const struct barrier *barrier);
	bool (*idle_fn)(void *ctx); /* does nothing go on that was begun on an answer? */
	void (*beat_fn)(void *ctx, struct roster_beat *beat); /* answers, entries, an alarm */

	/*
	 * link_leave(), and every server is there to hear it: make what is kept for the
	 * next process of this node useless, durably, then call link_leave_on().
	 */
	void (*leaving_fn)(void *ctx);
};

/*
 * Starts connecting. "role" is the middle of the node's id; drain_ms is how long
 * this program goes on with what it has begun when nothing may be believed any
 * more. NULL and *fault_r for what settings alone make impossible.
 */
struct link *link_new(struct loop *loop, const struct settings *settings, const char *role,
    uint32_t drain_ms, const struct link_events *events, void *ctx, struct fault *fault_r);
void link_free(struct link **link); /* no event follows */

/*
 * The clean end: nothing remembered may be used from now on, and if all Redis
 * servers are there to hear it, this node leaves the roster; if not, it stays in
 * it, as after a crash. fn is called once, perhaps from inside, within 1.5 s.
 * Nothing but link_free() may follow.
 */
typedef void link_left_fn(void *ctx);
void link_leave(struct link *link, link_left_fn *fn, void *ctx);
void link_leave_on(struct link *link, bool is_useless); /* false: stay in it */

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

/* What was queued on D leaves now, not at the end of the turn: before the caller goes on to work.
 */
void link_flush(struct link *link);

/*
 * One command on D by itself, while a session is live. Its reply may be an error,
 * and says nothing that may be believed of the map; NULL as above.
 */
void link_ask(struct link *link, const struct str *argv, size_t argc, redis_reply_fn *fn,
    void *ctx);

/*
 * While a session is live: one more connection to its server, for what may take its
 * time and must not stand in the way of what is read. It is the caller's, who closes
 * it when the session is over. link_map_id() is what its map must have as its id.
 */
struct redis *link_beside(struct link *link, const char *name, const struct redis_events *events,
    void *ctx);
const char *link_map_id(const struct link *link);

/*
 * Is that reply from our map, with "count" replies from element 1 on? Where not,
 * the session has been ended and lost_fn was called from inside.
 */
bool link_read_is_good(struct link *link, const struct resp *reply, size_t count);

/* May what is remembered be used now? One look at the clock. */
bool link_lease_runs(const struct link *link);

/* And if not, is it the grace that was declared for a time without Redis? */
enum link_memory { MEMORY_NONE, MEMORY_GRACE, MEMORY_LEASE };
enum link_memory link_memory(const struct link *link);

/*
 * Tell whoever sent this barrier that we are done with it, as soon as this host
 * surely remembers its epoch, and keep no lease longer than they think we have. One that belongs to
 * an ended session, or was never told, is passed over. May end the session.
 */
void link_acknowledge(struct link *link, uint64_t epoch, const char *nonce);

/* Whoever read something impossible ends the session with it; lost_fn is called from inside. */
void link_fail(struct link *link, const struct fault *why);

/* Why there is no live session: a sentence for the operator, lent until the next turn. */
const char *link_trouble(const struct link *link);

uint64_t link_epoch(const struct link *link); /* the highest seen */
/* To how much that will cut the lease; 0: it was never told. */
uint32_t link_barrier_lease_ms(const struct link *link, uint64_t epoch, const char *nonce);

/*
 * Before the first session: take a slot now; then the place of this node's files
 * ("STATE_DIR/nodes/policyd-0", the caller's), and what an earlier process of this
 * node was granted.
 */
int link_hold(struct link *link, struct fault *fault_r);
char *link_node_path(const struct link *link);
void link_restore(struct link *link, uint64_t grace_until_ms);
void link_set_keeper(struct link *link, node_drop_fn *fn, void *ctx); /* of those files: node.h */

const struct node *link_node(const struct link *link); /* its id is "" while it has no slot */

enum link_alarm { ALARM_MAP, ALARM_NODE, ALARM_REPLICAS, ALARM_SCHEMA, LINK_ALARMS };

struct link_status {
	const char *phase, *server, *run_id, *map_id;
	uint64_t epoch, lease_left_ms, lease_ms, sessions, heartbeats, messages;
	uint64_t
	    round_trip_us; /* of a heartbeat, through the connection that hears changes; 0: none */
	bool is_live; /* a session with a lease */
	const char *trouble; /* the last one, "" = none yet; trouble_ms ago */
	uint64_t trouble_ago_ms;
	const char *alarms[LINK_ALARMS]; /* what an operator must look at, or "" */
	const char *node, *run, *memory, *refuses; /* "" = no slot yet; it does not */
	bool is_entered; /* in the roster, on all servers, as far as we know */
	uint64_t grace_ms, grace_left_ms, acknowledged;
	uint64_t barrier_bytes; /* names in barriers that are on their way */
};
void link_count(const struct link *link, struct link_status *status_r);

/*
 * The pause before attempt n (0, 1, ...) to connect: doubling, with full jitter
 * between least and what it has grown to, at most "most".
 */
uint64_t link_pause_ms(unsigned attempt, uint64_t least_ms, uint64_t most_ms, uint32_t random);

#endif
