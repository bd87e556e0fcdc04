/*
 * link_inside.h - the parts of a session                              (driver)
 *
 * link.c has its life and its end, link_begin.c how it comes about, link_beat.c
 * what keeps it alive and what it hears, link_read.c how others read through it.
 */
#ifndef MAP_LINK_INSIDE_H
#define MAP_LINK_INSIDE_H

#include "map/identity.h"
#include "map/lease.h"
#include "map/link.h"
#include "map/sentinel.h"
#include "map/server.h"

enum link_phase {
	LINK_AWAY,
	LINK_ASKING,
	LINK_CONNECTING,
	LINK_CHECKING,
	LINK_LISTENING,
	LINK_ECHOING,
	LINK_LIVE,
	LINK_PHASES
};

enum wire_role { WIRE_T, WIRE_D, WIRE_H, WIRES };

struct wire {
	struct link *link;
	struct redis *redis;
	bool open;
	char run_id[SERVER_RUN_ID_BYTES];
};

struct link {
	struct loop *loop;
	const struct settings *settings; /* the redis group and state_dir never change */
	struct link_events events;
	void *ctx;
	struct redis_target *target;
	struct sentinel *sentinel; /* NULL: target never moves */
	struct identity *identity;
	struct timer *timer;
	enum link_phase phase;
	struct wire wires[WIRES];
	unsigned checks_left, attempt;
	struct map_head head;
	struct lease lease;
	char *head_key, *prefix, *barrier;
	uint64_t live_ms;
	uint64_t sessions, heartbeats, messages;
	struct fault trouble, alarm;
	uint64_t trouble_ms, logged_ms;
};

void link_enter(struct link *link, enum link_phase phase);
void alarm_raise(struct link *link, const struct fault *why);

/* The session is over, or did not come about: pause, then try again. */
void link_lost(struct link *link, const struct fault *why);
void link_refuse(struct link *link, const struct resp *reply, const char *doing);

/* link_begin.c */
void link_connect(struct link *link);
void link_hear(void *ctx, const struct endpoint *address); /* a sentinel: the master has moved */

/* link_beat.c */
void link_listens(struct link *link); /* the first heartbeat */
void link_beat(struct link *link); /* the next, or the end of a session that is silent */
int head_take(struct link *link, const struct resp *reply); /* -1: the session was ended */
void on_push(void *ctx, const struct resp *message);

#endif
