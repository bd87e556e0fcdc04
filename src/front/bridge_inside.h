/*
 * bridge_inside.h - what the parts of a session share                 (driver)
 *
 * bridge.c has its life and what its connections tell, bridge_pass.c moves the bytes,
 * bridge_end.c knows when it is over, bridge_leave.c ends it where nobody else does.
 */
#ifndef FRONT_BRIDGE_INSIDE_H
#define FRONT_BRIDGE_INSIDE_H

#include "front/bridge.h"
#include "front/server_inside.h"

/* What came first. */
enum bridge_end {
	BRIDGE_END_BACKEND, /* closed, as it was asked to, or has said that it would */
	BRIDGE_END_LOST, /* the backend closed, and nobody knows why */
	BRIDGE_END_CLIENT, /* closed */
	BRIDGE_END_BROKEN_CLIENT,
	BRIDGE_END_BROKEN_BACKEND,
	BRIDGE_END_IDLE,
	BRIDGE_END_UNREADABLE, /* what passes is not this protocol */
	BRIDGE_END_MOVED,
	BRIDGE_END_KICKED,
	BRIDGE_END_CUT, /* the backend did not close in time, and nobody can be believed any more */
	BRIDGE_END_STOPPED,
};

enum bridge_text { BRIDGE_OWNER, BRIDGE_BACKEND, BRIDGE_CLIENT_IP, BRIDGE_TEXTS };

struct bridge {
	TAILQ_ENTRY(bridge) entry;
	struct household_member member; /* of its account's */
	struct server *server;
	const struct dialect *dialect;
	struct conn *conns[SIDE_COUNT]; /* NULL: has ended */
	struct follow *follow;
	struct claim *claim;
	struct timer *deadline; /* only while it is ending, or its client has said its last */
	struct sockaddr_storage address;
	uint64_t since_ms;
	uint64_t bytes[SIDE_COUNT]; /* that came from there, or that a relay is to bring */
	uint64_t passed; /* of all bytes, when the deadline was last looked at */
	enum dialect_kind kind;
	enum bye why; /* BYE_COUNT: nobody has asked it to end */
	enum bridge_end end;
	bool is_moved; /* the claim is to end */
	bool nobody_believed; /* the lease is over: the claim ends with our patience */
	bool said_stuck, said_end; /* the latter to the backend: nothing follows */
	bool is_hurried; /* what could be waited for is waited for no longer */
	bool has_left; /* its seat: the client has gone, and the backend does not end in time */
	uint8_t relays; /* bit by side: conn_relay() is under way */
	uint8_t eof; /* bit by side */
	uint8_t quiet; /* bit by side: silent for the idle time */
	uint16_t text_lens[BRIDGE_TEXTS];
	char session[17];
	char text[]; /* all of enum bridge_text, each NUL-terminated */
};

static inline enum side
bridge_other(enum side side)
{
	return side == SIDE_CLIENT ? SIDE_BACKEND : SIDE_CLIENT;
}

static inline uint8_t
bridge_bit(enum side side)
{
	return (uint8_t)(1U << side);
}

/* One of the texts behind the struct; NUL-terminated. */
struct str bridge_text(const struct bridge *bridge, enum bridge_text which);

/* Move what can be moved, see what follows from it, and from what was heard. */
void bridge_pump(struct bridge *bridge);

/* ---- bridge_pass.c */

/* Both ways until nothing moves; then each side is read that may be. */
void bridge_move(struct bridge *bridge);

uint64_t bridge_bytes(const struct bridge *bridge, enum side from); /* that came from there */

/*
 * What the connections move by themselves: it has come to its end; it is to do so, when
 * what was read already has gone, or is lost; its "from" is about to be closed.
 */
void bridge_relay_done(struct bridge *bridge, enum side from);
void bridge_relay_stop(struct bridge *bridge, enum side from);
void bridge_relay_drop(struct bridge *bridge, enum side from);

/* ---- bridge_end.c */

/* Only what came first is the reason. */
void bridge_note_end(struct bridge *bridge, enum bridge_end end);

/* From now on what the backend says is read and dropped, so that it comes to its end. */
void bridge_let_client_go(struct bridge *bridge, bool politely);

/* To the backend: nothing follows. What it was told it completes, and then it closes. */
void bridge_say_end(struct bridge *bridge);

/* Last words for the client, whatever runs, where there is something to be said. */
bool bridge_break_off(struct bridge *bridge, enum bye why);

/* A client that has gone does not count for ever, however long its backend takes. */
void bridge_leave_seat(struct bridge *bridge);

/* The backend has closed, or we leave first. Harmless when it is over already. */
void bridge_finish(struct bridge *bridge);

/* ---- bridge_leave.c */

/* From now on it may take so long; then it is asked more firmly. */
void bridge_start_deadline(struct bridge *bridge);

/* A claim is the session's from now on, and ends it when it must. */
void bridge_hold(struct bridge *bridge, struct claim *claim);

#endif
