/*
 * bridge.c - a session: a client and its backend                      (driver)
 *
 *	RUNNING --(the account moves)--> ENDING
 *	ENDING  --(a boundary)---------> LEAVING
 *	LEAVING --(the backend closes)-> gone
 *
 * The follow machine has these phases. Each side is read only while the other
 * takes what is written to it.
 *
 * There is one end, the backend's. A client may go before, or be sent away when
 * time is up: its backend hears that nothing follows, may complete what it was
 * told, and until it has closed the claim stays. Only where nobody can be believed
 * any more do we leave first.
 *
 * Longer than our files are: moving bytes, hearing of ends and ending by ourselves
 * meet in every callback, and are easier to check side by side.
 */
#include "front/bridge.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/server_inside.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	OUT_HIGH_BYTES = 128 * 1024, /* so much unsent: the other side is not read */
	LINGER_MS = 2000, /* for a client that has got everything */
	LAST_MS = 60000, /* for a slow one to get the rest, and our last words behind it */
	HURRY_MS = 2000, /* for what is still to be said after the patience has ended */
	RELAY_LEAST_BYTES = 32 * 1024, /* fewer unseen bytes go through the buffers */
};

/* What came first. */
enum bridge_end {
	BRIDGE_END_BACKEND, /* closed */
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

static const char *const end_names[] = {
    [BRIDGE_END_BACKEND] = "backend_closed",
    [BRIDGE_END_CLIENT] = "client_closed",
    [BRIDGE_END_BROKEN_CLIENT] = "client_failed",
    [BRIDGE_END_BROKEN_BACKEND] = "backend_failed",
    [BRIDGE_END_IDLE] = "idle",
    [BRIDGE_END_UNREADABLE] = "unreadable",
    [BRIDGE_END_MOVED] = "moved",
    [BRIDGE_END_KICKED] = "kicked",
    [BRIDGE_END_CUT] = "cut",
    [BRIDGE_END_STOPPED] = "stopped",
};

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
	uint64_t bytes[SIDE_COUNT]; /* that came from there */
	uint64_t relayed[SIDE_COUNT]; /* that conn_relay() was asked to move, or has when it is
					 stopped */
	uint64_t passed; /* of all bytes, when the deadline was last looked at */
	enum dialect_kind kind;
	enum bye why; /* BYE_COUNT: nobody has asked it to end */
	enum bridge_end end;
	bool is_moved; /* the claim is to end */
	bool nobody_believed; /* the lease is over: the claim ends with our patience */
	bool said_stuck, said_end; /* the latter to the backend: nothing follows */
	bool is_hurried; /* what could be waited for is waited for no longer */
	uint8_t relays,
	    stopped; /* bits by side: conn_relay() is under way, and to come to its end */
	uint8_t eof; /* bit by side */
	uint8_t quiet; /* bit by side: silent for the idle time */
	uint16_t owner_len, backend_len, ip_len;
	char session[17];
	char text[]; /* owner, backend, client's address; each NUL-terminated */
};

static struct str
text_at(const struct bridge *bridge, unsigned i)
{
	const size_t lens[] = {bridge->owner_len, bridge->backend_len, bridge->ip_len};
	const char *at = bridge->text;

	for (unsigned j = 0; j < i; j++)
		at += lens[j] + 1;
	return str_make(at, lens[i]);
}

enum { OWNER, BACKEND, CLIENT_IP };

static enum side
other(enum side side)
{
	return side == SIDE_CLIENT ? SIDE_BACKEND : SIDE_CLIENT;
}

static uint8_t
bit(enum side side)
{
	return (uint8_t)(1U << side);
}

static bool
is_relaying(const struct bridge *bridge, enum side from)
{
	return (bridge->relays & bit(from)) != 0;
}

static uint64_t
bytes_from(const struct bridge *bridge, enum side side)
{
	uint64_t bytes = bridge->bytes[side];

	if (is_relaying(bridge, side)) {
		bytes += bridge->relayed[side];
		if (!(bridge->stopped & bit(side)))
			bytes -= conn_relay_left(bridge->conns[side]);
	}
	return bytes;
}

/* ---- the end */

/* Flushed first, so that what the kernel takes at once costs nobody time. */
static void
say_goodbye(struct conn **client)
{
	if (*client == NULL)
		return;
	conn_flush(*client);
	conn_finish(client, buf_len(conn_out(*client)) > 0 ? LAST_MS : LINGER_MS);
}

static void
log_end(const struct bridge *bridge)
{
	log_info("session_ended",
	    "proto=%s session=%s user=%s from=%s destination=%s to=%s secs=%" PRIu64 " in=%" PRIu64
	    " out=%" PRIu64 " why=%s",
	    bridge->dialect->name, bridge->session, log_quote(household_account(&bridge->member)),
	    text_at(bridge, CLIENT_IP).ptr, text_at(bridge, OWNER).ptr,
	    log_quote(text_at(bridge, BACKEND)), (clock_ms() - bridge->since_ms) / 1000,
	    bytes_from(bridge, SIDE_CLIENT), bytes_from(bridge, SIDE_BACKEND),
	    end_names[bridge->end]);
}

/* The backend has closed, or we leave first. */
static void
finish(struct bridge *bridge)
{
	struct server *server = bridge->server;

	if (bridge->follow == NULL)
		return;
	log_end(bridge);
	tally_session(&server->tally, bridge->kind, bytes_from(bridge, SIDE_CLIENT),
	    bytes_from(bridge, SIDE_BACKEND));
	say_goodbye(&bridge->conns[SIDE_CLIENT]);
	conn_close(&bridge->conns[SIDE_BACKEND]);
	bridge->dialect->follow.free(bridge->follow);
	bridge->follow = NULL;
	claim_release(&bridge->claim);
	household_leave(server->households, &bridge->member);
	timer_free(&bridge->deadline);
	crowd_leave(server->crowd, &bridge->address);
	seats_give_back(server->seats);
	TAILQ_REMOVE(&server->bridges, bridge, entry);
	loop_bury(server->loop, bridge, free);
	server_left(server);
}

/* Only what came first is the reason. */
static void
note_end(struct bridge *bridge, enum bridge_end end)
{
	if (bridge->end == BRIDGE_END_BACKEND)
		bridge->end = end;
}

/* ---- what passes */

/* Few bytes that nobody looks at: through the buffers. */
static bool
pass_unseen(struct bridge *bridge, enum side from)
{
	struct buf *in = conn_in(bridge->conns[from]);
	uint64_t *unseen = &bridge->follow->unseen[from];
	size_t len = buf_len(in);

	if (len > *unseen)
		len = (size_t)*unseen;
	if (len == 0)
		return false;
	buf_add(conn_out(bridge->conns[other(from)]), buf_str(in).ptr, len);
	buf_consume(in, len);
	*unseen -= len;
	return true;
}

/* Many: the connections move them by themselves, until CONN_RELAYED. */
static void
relay(struct bridge *bridge, enum side from)
{
	bridge->relayed[from] = bridge->follow->unseen[from];
	bridge->relays |= bit(from);
	conn_relay(bridge->conns[from], bridge->conns[other(from)], bridge->relayed[from]);
}

/* CONN_RELAYED comes all the same, when what was read already has gone, or is lost. */
static void
relay_stop(struct bridge *bridge, enum side from)
{
	if (!is_relaying(bridge, from) || (bridge->stopped & bit(from)))
		return;
	bridge->stopped |= bit(from);
	bridge->relayed[from] -= conn_relay_left(bridge->conns[from]);
	conn_relay_stop(bridge->conns[from]);
}

static void
relay_done(struct bridge *bridge, enum side from)
{
	bridge->bytes[from] += bridge->relayed[from];
	bridge->relays &= (uint8_t)~bit(from);
	bridge->stopped &= (uint8_t)~bit(from);
	bridge->relayed[from] = 0;
	bridge->follow->unseen[from] = 0;
}

static bool
is_full(const struct bridge *bridge, enum side side)
{
	return bridge->conns[side] != NULL &&
	       buf_len(conn_out(bridge->conns[side])) >= OUT_HIGH_BYTES;
}

/*
 * May this side be listened to? A client is answered, too, where it says what does
 * not pass. A backend that waits until it is read must not wait for its own reader.
 */
static bool
may_take(const struct bridge *bridge, enum side from)
{
	return !is_full(bridge, other(from)) && (from == SIDE_BACKEND || !is_full(bridge, from));
}

/* The follow machine, or what it lets pass unseen; true when something was taken. */
static bool
pass_some(struct bridge *bridge, enum side from)
{
	struct conn *conn = bridge->conns[from], *to = bridge->conns[other(from)];

	if (bridge->follow->unseen[from] > 0)
		return pass_unseen(bridge, from);
	return bridge->dialect->follow.pass(bridge->follow, from, conn_in(conn), conn_out(to),
	    conn_out(conn));
}

/*
 * Everything from this side that can pass now; true when something did. What an
 * ended side has said goes out in any case: it is bounded, and nobody asks again.
 */
static bool
pass(struct bridge *bridge, enum side from)
{
	struct buf *in = conn_in(bridge->conns[from]);
	size_t before = buf_len(in);

	if (is_relaying(bridge, from)) {
		if (bridge->follow->unseen[from] == 0)
			relay_stop(bridge, from); /* the other side has said what ends it */
		return false;
	}
	if (bridge->conns[other(from)] == NULL) {
		buf_clear(in); /* what a backend still says is for nobody */
		return false;
	}
	while ((bridge->eof & bit(from)) || may_take(bridge, from)) {
		if (bridge->follow->unseen[from] >= RELAY_LEAST_BYTES) {
			bridge->bytes[from] += before - buf_len(in);
			relay(bridge, from);
			return true;
		}
		if (!pass_some(bridge, from))
			break;
	}
	bridge->bytes[from] += before - buf_len(in);
	return buf_len(in) != before;
}

/* ---- a client that goes before its backend */

static timer_fn on_deadline;

static void
start_deadline(struct bridge *bridge)
{
	if (bridge->deadline == NULL)
		bridge->deadline = timer_new(bridge->server->loop, on_deadline, bridge);
	timer_start(bridge->deadline, (uint64_t)bridge->server->settings->frontd.end_timeout_ms);
}

/* From now on what the backend says is read and dropped, so that it comes to its end. */
static void
let_client_go(struct bridge *bridge, bool politely)
{
	bridge->bytes[SIDE_CLIENT] = bytes_from(bridge, SIDE_CLIENT);
	bridge->relays &= (uint8_t)~bit(SIDE_CLIENT);
	if (politely)
		say_goodbye(&bridge->conns[SIDE_CLIENT]);
	else
		conn_close(&bridge->conns[SIDE_CLIENT]);
	relay_stop(bridge, SIDE_BACKEND); /* not before: it has nobody to wait for any more */
	buf_clear(conn_in(bridge->conns[SIDE_BACKEND]));
	conn_read(bridge->conns[SIDE_BACKEND], true);
}

/* Nothing follows: what it was told a backend completes, and then it closes. */
static void
say_end(struct bridge *bridge)
{
	if (!bridge->said_end)
		conn_end_out(bridge->conns[SIDE_BACKEND]);
	bridge->said_end = true;
	if (bridge->deadline == NULL)
		start_deadline(bridge);
}

/*
 * A client that has said its last may still listen. Its backend hears of the end
 * when everything has passed, or what is left is no whole command.
 */
static void
see_client_end(struct bridge *bridge)
{
	struct conn *client = bridge->conns[SIDE_CLIENT];

	if (client != NULL && conn_has_failed(client))
		let_client_go(bridge, false); /* it has ended, so it is told by nobody else */
	else if (client != NULL && buf_len(conn_in(client)) > 0 &&
		 !bridge->dialect->follow.is_idle(bridge->follow))
		return;
	say_end(bridge);
}

/* ---- the pump */

/* Both ways until nothing moves: what one side said may let the other go on. */
static void
move_all(struct bridge *bridge)
{
	bool moved;

	do {
		moved = false;
		for (enum side side = 0; side < SIDE_COUNT; side++)
			if (bridge->conns[side] != NULL)
				moved |= pass(bridge, side);
		for (enum side side = 0; side < SIDE_COUNT; side++)
			if (bridge->conns[side] != NULL)
				conn_flush(bridge->conns[side]);
	} while (moved);
	for (enum side side = 0; side < SIDE_COUNT; side++)
		if (bridge->conns[side] != NULL)
			conn_read(bridge->conns[side], may_take(bridge, side));
}

static void
pump(struct bridge *bridge)
{
	move_all(bridge);
	switch (bridge->follow->phase) {
	case FOLLOW_RUNNING:
	case FOLLOW_ENDING:
		if (bridge->eof & bit(SIDE_CLIENT))
			see_client_end(bridge);
		break;
	case FOLLOW_LEAVING: /* the client has its last words, the backend was asked to close */
		let_client_go(bridge, true);
		if (bridge->deadline == NULL)
			start_deadline(bridge);
		break;
	case FOLLOW_OVER:
		note_end(bridge, BRIDGE_END_UNREADABLE);
		let_client_go(bridge, true);
		say_end(bridge);
		break;
	}
	if (bridge->eof & bit(SIDE_BACKEND))
		finish(bridge);
}

/* ---- what the connections tell */

static void
ended(struct bridge *bridge, enum side side)
{
	bridge->eof |= bit(side);
	if (side == SIDE_CLIENT)
		note_end(bridge, BRIDGE_END_CLIENT);
	pump(bridge);
}

static void
failed(struct bridge *bridge, enum side side)
{
	log_debug("session_failed", "session=%s side=%s reason=%s", bridge->session,
	    side == SIDE_CLIENT ? "client" : "backend",
	    log_quote_text(conn_fault(bridge->conns[side])->text));
	note_end(bridge,
	    side == SIDE_CLIENT ? BRIDGE_END_BROKEN_CLIENT : BRIDGE_END_BROKEN_BACKEND);
	if (side == SIDE_BACKEND) {
		finish(bridge);
		return;
	}
	bridge->eof |= bit(SIDE_CLIENT);
	let_client_go(bridge, false);
	say_end(bridge);
}

static void
on_event(struct conn *conn, enum conn_event event, void *ctx)
{
	struct bridge *bridge = ctx;
	enum side side = conn == bridge->conns[SIDE_CLIENT] ? SIDE_CLIENT : SIDE_BACKEND;

	switch (event) {
	case CONN_DATA:
	case CONN_DRAINED:
		bridge->quiet = 0;
		pump(bridge);
		break;
	case CONN_EOF:
		ended(bridge, side);
		break;
	case CONN_FAILED:
		failed(bridge, side);
		break;
	case CONN_IDLE:
		/* Both sides: a client that only listens, or only sends, is not idle. */
		bridge->quiet |= bit(side);
		if (bridge->quiet == (bit(SIDE_CLIENT) | bit(SIDE_BACKEND)))
			bridge_end(bridge, BYE_SLOW);
		break;
	case CONN_RELAYED:
		bridge->quiet = 0;
		relay_done(bridge, side);
		pump(bridge);
		break;
	case CONN_OPEN:
		break;
	}
}

/* ---- ending it */

/* The destination's own way to end the sessions of an account. */
static void
kick(const struct bridge *bridge)
{
	const struct home *home = server_home(bridge->server, text_at(bridge, OWNER));

	if (home != NULL && home->kick != NULL)
		kick_run(home->kick, household_account(&bridge->member), text_at(bridge, OWNER));
}

static void
ask_end(struct bridge *bridge)
{
	bridge->dialect->follow.end(bridge->follow, bridge->why,
	    conn_out(bridge->conns[SIDE_CLIENT]), conn_out(bridge->conns[SIDE_BACKEND]));
	pump(bridge);
}

/* Has anything passed since this was last asked? Then somebody is still there. */
static bool
goes_on(struct bridge *bridge)
{
	uint64_t passed = bytes_from(bridge, SIDE_CLIENT) + bytes_from(bridge, SIDE_BACKEND);
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
	log_warning("session_stuck", "proto=%s session=%s user=%s destination=%s to=%s reason=%s",
	    bridge->dialect->name, bridge->session, log_quote(household_account(&bridge->member)),
	    text_at(bridge, OWNER).ptr, log_quote(text_at(bridge, BACKEND)),
	    "\"the backend has not closed the session of an account that moves\"");
}

/*
 * Time is up. The client is sent away, and whatever its backend still does is
 * waited for, because it may do it to the mailbox.
 */
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
		finish(bridge);
		return;
	}
	if (bridge->why == BYE_COUNT && bridge->conns[SIDE_CLIENT] != NULL && goes_on(bridge)) {
		start_deadline(bridge); /* half closed, and listening */
		return;
	}
	let_client_go(bridge, true);
	say_end(bridge);
	if (!bridge->is_moved)
		return;
	say_stuck(bridge);
	kick(bridge);
	start_deadline(bridge);
}

static void
end_gently(struct bridge *bridge, enum bye why, enum bridge_end end)
{
	if (bridge->follow == NULL || bridge->why != BYE_COUNT)
		return;
	note_end(bridge, end);
	bridge->why = why;
	start_deadline(bridge);
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

	return !is_held && str_eq(server_owner(bridge->server, finding), text_at(bridge, OWNER)) &&
	       str_eq(finding->account, household_account(&bridge->member));
}

static void
end(void *ctx, const struct finding *finding)
{
	struct bridge *bridge = ctx;

	bridge->is_moved = true;
	bridge->nobody_believed = finding == NULL;
	if (bridge->why != BYE_COUNT)
		start_deadline(bridge); /* is ending already; from now on it has this long */
	end_gently(bridge, BYE_MOVED, BRIDGE_END_MOVED);
}

static const struct claim_events claim_events = {.stands_fn = stands, .end_fn = end};

/* If nothing runs, both may as well be told. */
void
bridge_stop(struct bridge *bridge)
{
	bridge->end = BRIDGE_END_STOPPED;
	if (bridge->conns[SIDE_CLIENT] != NULL) {
		bridge->dialect->follow.end(bridge->follow, BYE_SHUTDOWN,
		    conn_out(bridge->conns[SIDE_CLIENT]), conn_out(bridge->conns[SIDE_BACKEND]));
		conn_flush(bridge->conns[SIDE_BACKEND]);
	}
	finish(bridge);
}

/* ---- life */

static uint64_t
idle_ms(const struct bridge *bridge)
{
	uint64_t set_ms = (uint64_t)bridge->server->settings->frontd.idle_timeout_ms;

	return set_ms > bridge->dialect->idle_least_ms ? set_ms : bridge->dialect->idle_least_ms;
}

void
bridge_new(struct server *server, const struct bridge_order *order)
{
	const struct str texts[] = {
	    str_of(order->owner), str_of(order->backend_name), str_of(order->client_ip)};
	size_t len = 0;
	struct bridge *bridge;
	char *at;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		len += texts[i].len + 1;
	bridge = xcalloc(1, sizeof(*bridge) + len);
	household_join(server->households, str_of(order->account), &bridge->member, bridge);
	bridge->owner_len = (uint16_t)texts[OWNER].len;
	bridge->backend_len = (uint16_t)texts[BACKEND].len;
	bridge->ip_len = (uint16_t)texts[CLIENT_IP].len;
	at = bridge->text;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		memcpy(at, texts[i].ptr, texts[i].len);
		at += texts[i].len + 1;
	}
	memcpy(bridge->session, order->session, sizeof(bridge->session));
	bridge->server = server;
	bridge->dialect = order->dialect;
	bridge->kind = order->kind;
	bridge->why = BYE_COUNT;
	bridge->address = *order->address;
	bridge->since_ms = clock_ms();
	bridge->conns[SIDE_CLIENT] = order->client;
	bridge->conns[SIDE_BACKEND] = order->backend;
	bridge->claim = *order->claim;
	*order->claim = NULL;
	claim_hand_over(bridge->claim, &claim_events, bridge);
	bridge->follow = order->dialect->follow.new();
	if (order->dialect->follow.learn != NULL)
		order->dialect->follow.learn(bridge->follow, order->offer);
	TAILQ_INSERT_TAIL(&server->bridges, bridge, entry);
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		conn_keep_secrets(bridge->conns[side], false);
		conn_hand_over(bridge->conns[side], on_event, bridge);
		conn_set_in_max(bridge->conns[side], 64 * 1024);
		conn_set_idle_ms(bridge->conns[side], idle_ms(bridge));
	}
	log_debug("session_began", "proto=%s session=%s user=%s from=%s destination=%s to=%s",
	    bridge->dialect->name, bridge->session, log_quote_text(order->account),
	    texts[CLIENT_IP].ptr, texts[OWNER].ptr, log_quote(texts[BACKEND]));
	pump(bridge);
}

struct bridge *
bridge_after(const struct bridge *bridge)
{
	return TAILQ_NEXT(bridge, entry);
}

struct str
bridge_account(const struct bridge *bridge)
{
	return household_account(&bridge->member);
}

const char *
bridge_session(const struct bridge *bridge)
{
	return bridge->session;
}

json_t *
bridge_status(const struct bridge *bridge)
{
	static const char *const phases[] = {
	    [FOLLOW_RUNNING] = "running",
	    [FOLLOW_ENDING] = "ending",
	    [FOLLOW_LEAVING] = "leaving",
	    [FOLLOW_OVER] = "over",
	};

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "session",
	    bridge->session, "protocol", bridge->dialect->name, "account",
	    household_account(&bridge->member).ptr, "from", text_at(bridge, CLIENT_IP).ptr,
	    "destination", text_at(bridge, OWNER).ptr, "to", text_at(bridge, BACKEND).ptr, "phase",
	    phases[bridge->follow->phase], "ms", (json_int_t)(clock_ms() - bridge->since_ms), "in",
	    (json_int_t)bytes_from(bridge, SIDE_CLIENT), "out",
	    (json_int_t)bytes_from(bridge, SIDE_BACKEND));
}
