/*
 * link_inside.h - the parts of a session                              (driver)
 *
 * link.c has its life and its end, link_begin.c how it comes about, link_enter.c
 * how it enters the roster and link_self.c what it says there, link_beat.c what
 * keeps it alive and what it hears, link_reach.c which members have what it
 * writes, link_barrier.c how it says that it has heard,
 * link_leave.c how it takes itself out of the roster, link_read.c how others read
 * through it.
 */
#ifndef MAP_LINK_INSIDE_H
#define MAP_LINK_INSIDE_H

#include "map/barrier.h"
#include "map/identity.h"
#include "map/lease.h"
#include "map/link.h"
#include "map/node.h"
#include "map/sentinel.h"
#include "map/server.h"

#include <sys/queue.h>

enum link_phase {
	LINK_AWAY,
	LINK_ASKING,
	LINK_CONNECTING,
	LINK_CHECKING,
	LINK_LISTENING,
	LINK_ENTERING,
	LINK_ECHOING,
	LINK_LIVE,
	LINK_REFUSING,
	LINK_LEAVING,
	LINK_LEFT,
	LINK_PHASES
};

/* Without them, and with sentinels, a session that never was live is given up. */
enum { REPLICAS_AWAY_MOST_MS = 4000 };

enum wire_role { WIRE_T, WIRE_D, WIRE_H, WIRES };

struct wire {
	struct link *link;
	struct redis *redis;
	bool open;
	char run_id[SERVER_RUN_ID_BYTES];
};

/* What this process is in the map, and what a session found of it there. */
struct link_roster {
	uint32_t drain_ms; /* of the role */
	uint32_t grace_ms; /* of the settings */
	char *found; /* our entry when the session began; NULL = none */
	char *entry; /* as we wrote it */
	uint32_t entry_grace_ms, entry_drain_ms; /* what it says; no less than ours */
	char *lower; /* written, not yet answered */
	uint64_t
	    lower_ms; /* when an entry that says more than is true may say it; 0 = it does not */
	char *beat; /* the one that we found; NULL = none */
	uint64_t still_ms; /* since when we see it unchanged */
	bool is_watching; /* it is another's: is that one alive? */
	bool has_moved; /* it, or the entry, since the look before the last */
	bool is_everywhere; /* our entry was on all servers before we wrote it */
	uint64_t waits_ms; /* since when we wait until it is */
	bool is_beating; /* a beat of this session has been written */
	uint64_t acks_from_ms; /* the id was another's; before that we speak for it to nobody */
	uint64_t beats; /* of this run */
};

struct barrier_wait; /* link_barrier.c: one on its way */
struct barrier_heard; /* one that the map has been told of */
TAILQ_HEAD(barrier_waits, barrier_wait);
TAILQ_HEAD(barrier_heards, barrier_heard);

struct link_barriers {
	struct barrier_waits waits;
	struct barrier_heards heards;
	size_t wait_count, wait_bytes, heard_count;
	uint64_t sent, echoed; /* PINGs of this session */
	uint64_t acknowledged; /* the highest epoch */
};

struct link {
	struct loop *loop;
	const struct settings *settings; /* the redis group and state_dir never change */
	struct link_events events;
	void *ctx;
	struct redis_target *target;
	struct sentinel *sentinel; /* NULL: target never moves */
	struct identity *identity;
	struct node *node;
	struct timer *timer;
	enum link_phase phase;
	struct wire wires[WIRES];
	unsigned checks_left, attempt;
	struct map_head head;
	uint64_t reach_offset; /* of what was written on H last, and is asked for */
	unsigned reach_others; /* replicas that count for nothing, when they were looked at last */
	struct lease lease;
	struct link_roster roster;
	struct link_barriers barriers;
	char *head_key, *nodes_key, *beats_key, *prefix, *barrier, *ack;
	uint64_t live_ms;
	uint64_t timed_beat, timed_us; /* whose echo is waited for, when it was sent; 0: none */
	uint64_t round_trip_us; /* of the last that was timed; 0: none was yet */
	uint64_t sessions, heartbeats, messages;
	struct fault trouble, alarms[LINK_ALARMS];
	struct fault lacking; /* replicas, at the last heartbeat; "" = none */
	struct fault refuses; /* the map: why; "" = we understand it */
	bool refuses_outside; /* and we are out of the roster */
	bool refuses_takes_out; /* that is under way */
	bool is_anothers; /* our id, when we wanted to leave */
	uint64_t trouble_ms, logged_ms;
	link_left_fn *left_fn;
	void *left_ctx;
};

void link_enter(struct link *link, enum link_phase phase);
bool link_beats(const struct link *link); /* ECHOING or LIVE */
void alarm_raise(struct link *link, enum link_alarm alarm, const struct fault *why);
void alarm_clear(struct link *link, enum link_alarm alarm);
void trouble_note(struct link *link, const struct fault *why);

/* Nothing that is remembered may be used from now on. */
void link_forget(struct link *link);

/* The session is over, or did not come about: pause, then try again. */
void link_lost(struct link *link, const struct fault *why);
void link_refuse(struct link *link, const struct resp *reply, const char *doing);
void wires_close(struct link *link);
void on_beat_queued(void *ctx, const struct resp *reply); /* of a wire: "QUEUED", or the end */

/* link_begin.c */
void link_connect(struct link *link);
void link_hear(void *ctx, const struct endpoint *address); /* a sentinel: the master has moved */

/* link_enter.c */
void enter_start(struct link *link); /* into the roster; then link_listens() */
void enter_timer(struct link *link);

/* link_self.c */
char *self_entry(const struct link *link, uint32_t grace_ms, uint32_t drain_ms); /* caller's */
void self_run(struct str text, char run_r[static ROSTER_RUN_BYTES]); /* "?": unreadable */
bool self_knows(const struct link *link, const char *run); /* ours, or that before us in our slot */
bool self_wrote(const struct link *link, struct str entry, char run_r[static ROSTER_RUN_BYTES]);
void self_twice(struct link *link, const char *run, struct fault *fault_r); /* it is here too */
void self_drop(struct link *link); /* what was granted to this id, in memory and on disk */
void self_tick(struct link *link); /* with each heartbeat */
void self_forget(struct link *link); /* the session is over */
char *self_beat(struct link *link, const char *phase); /* the text of the next; the caller's */

/*
 * What a heartbeat read of ourselves, before it wrote: is it what we left there?
 * -1: the session was ended.
 */
int self_check(struct link *link, const struct resp *entry, const struct resp *beat);

/* link_reach.c */
struct link_reached {
	unsigned most; /* replicas that count for a majority of the members */
	unsigned all, all_wanted; /* those that may be promoted */
};
void reach_ask(struct link *link, unsigned count, uint64_t most_ms,
    redis_reply_fn *fn); /* WAIT on H for what was queued there; fn is given reach_read()'s */
int reach_read(struct link *link, const struct resp *reply,
    struct link_reached *reached_r); /* -1: the session was ended */

/* link_beat.c */
void link_listens(struct link *link); /* the first heartbeat */
void link_beat(struct link *link); /* the next, or the end of a session that is silent */
int head_take(struct link *link,
    const struct resp *reply); /* -1: the session was ended, or refuses */
void on_push(void *ctx, const struct resp *message);

/* link_barrier.c */
void barriers_init(struct link *link);
void barriers_settle(void *link); /* what waits for the file of the map's identity */
void barriers_hear(struct link *link, struct str message);
void barriers_forget(struct link *link); /* the session is over */

/* link_leave.c */
void refuse_start(struct link *link); /* link->refuses says why */
void refuse_timer(struct link *link);
void leave_done(struct link *link);

#endif
