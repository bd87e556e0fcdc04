/*
 * bridge_leave.c - a session that is to end                           (driver)
 *
 * Because its account moves, or somebody wants it to. It is asked gently; when time
 * is up the client is sent away, and whatever its backend still does is waited for,
 * because it may do it to the mailbox.
 */
#include "front/bridge_inside.h"

#include "base/log.h"

enum {
	HURRY_MS = 2000, /* for what is still to be said after the patience has ended */
	GRACE_MS = 2000, /* for a backend to see that nothing follows, before it counts as stuck */
};

static void
ask_end(struct bridge *bridge)
{
	bridge->dialect->follow.end(bridge->follow, bridge->why,
	    conn_out(bridge->conns[SIDE_CLIENT]), conn_out(bridge->conns[SIDE_BACKEND]));
	bridge_pump(bridge);
}

/* ---- time is up */

/* Has anything passed since this was last asked? Then somebody is still there. */
static bool
goes_on(struct bridge *bridge)
{
	uint64_t passed = bridge_bytes(bridge, SIDE_CLIENT) + bridge_bytes(bridge, SIDE_BACKEND);
	bool goes = passed != bridge->passed;

	bridge->passed = passed;
	return goes;
}

static void
say_stuck(struct bridge *bridge)
{
	if (bridge->said_stuck)
		return;
	bridge->said_stuck = true;
	log_at(bridge->is_moved ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "session_stuck",
	    "proto=%s session=%s user=%s destination=%s to=%s moves=%s reason=%s",
	    bridge->dialect->name, bridge->session, log_quote(household_account(&bridge->member)),
	    bridge_text(bridge, BRIDGE_OWNER).ptr, log_quote(bridge_text(bridge, BRIDGE_BACKEND)),
	    bridge->is_moved ? "yes" : "no",
	    "\"the backend has not closed: end what it has of this account there\"");
}

/* The client goes, and its backend hears of it. False: it has known that for long. */
static bool
cut(struct bridge *bridge)
{
	bool is_news = !bridge->said_end;

	if (bridge->why != BYE_COUNT)
		bridge_break_off(bridge, bridge->why);
	bridge_let_client_go(bridge, true);
	bridge_say_end(bridge);
	return is_news;
}

static void
on_deadline(void *ctx)
{
	struct bridge *bridge = ctx;

	if (!bridge->is_hurried && bridge->follow->phase == FOLLOW_ENDING &&
	    bridge->conns[SIDE_CLIENT] != NULL) {
		bridge->is_hurried = true;
		timer_start(bridge->deadline, HURRY_MS);
		ask_end(bridge);
		return;
	}
	if (bridge->nobody_believed) {
		bridge->end = BRIDGE_END_CUT;
		bridge_break_off(bridge, bridge->why);
		bridge_finish(bridge);
		return;
	}
	if (bridge->why == BYE_COUNT && bridge->conns[SIDE_CLIENT] != NULL && goes_on(bridge)) {
		bridge_start_deadline(bridge); /* half closed, and listening */
		return;
	}
	if (cut(bridge)) {
		timer_start(bridge->deadline, GRACE_MS);
		return;
	}
	bridge_leave_seat(bridge);
	say_stuck(bridge);
	if (!bridge->is_moved)
		return;
	server_run_kick(bridge->server, household_account(&bridge->member),
	    bridge_text(bridge, BRIDGE_OWNER));
	bridge_start_deadline(bridge);
}

void
bridge_start_deadline(struct bridge *bridge)
{
	if (bridge->deadline == NULL)
		bridge->deadline = timer_new(bridge->server->loop, on_deadline, bridge);
	timer_start(bridge->deadline, (uint64_t)bridge->server->settings->frontd.end_timeout_ms);
}

/* ---- why it is to end */

static void
end_gently(struct bridge *bridge, enum bye why, enum bridge_end end)
{
	if (bridge->follow == NULL || bridge->why != BYE_COUNT)
		return;
	bridge_note_end(bridge, end);
	bridge->why = why;
	bridge_start_deadline(bridge);
	if (bridge->conns[SIDE_CLIENT] == NULL)
		return; /* has gone already; its backend's end is awaited */
	ask_end(bridge);
}

void
bridge_end(struct bridge *bridge, enum bye why)
{
	end_gently(bridge, why, why == BYE_SLOW ? BRIDGE_END_IDLE : BRIDGE_END_KICKED);
}

static bool
stands(void *ctx, const struct finding *finding)
{
	const struct bridge *bridge = ctx;
	bool is_held = finding->hold == HOLD_ALL && bridge->dialect->park_ms != 0;

	return !is_held &&
	       str_eq(server_owner(bridge->server, finding), bridge_text(bridge, BRIDGE_OWNER)) &&
	       str_eq(finding->account, household_account(&bridge->member));
}

static void
end(void *ctx, const struct finding *finding)
{
	struct bridge *bridge = ctx;

	bridge->is_moved = true;
	bridge->said_stuck = false; /* if it was, nobody was waiting for it */
	bridge->nobody_believed = finding == NULL;
	if (bridge->why != BYE_COUNT)
		bridge_start_deadline(bridge); /* is ending already; from now on it has this long */
	end_gently(bridge, BYE_MOVED, BRIDGE_END_MOVED);
}

static const struct claim_events claim_events = {.stands_fn = stands, .end_fn = end};

void
bridge_hold(struct bridge *bridge, struct claim *claim)
{
	bridge->claim = claim;
	claim_hand_over(claim, &claim_events, bridge);
}

/* If nothing runs, both may as well be told; if something does, the client. */
void
bridge_stop(struct bridge *bridge)
{
	bridge->end = BRIDGE_END_STOPPED;
	if (bridge->conns[SIDE_CLIENT] != NULL) {
		bridge->dialect->follow.end(bridge->follow, BYE_SHUTDOWN,
		    conn_out(bridge->conns[SIDE_CLIENT]), conn_out(bridge->conns[SIDE_BACKEND]));
		conn_flush(bridge->conns[SIDE_BACKEND]);
		bridge_break_off(bridge, BYE_SHUTDOWN);
	}
	bridge_finish(bridge);
}
