/*
 * bridge.c - a session: a client and its backend                      (driver)
 *
 *	RUNNING --(the account moves)--> ENDING --(a boundary)--> LEAVING --(EOF of the backend)-->
 *gone
 *
 * The follow machine has these phases. Each side is read only while the other
 * takes what is written to it.
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
	LINGER_MS = 2000,
	HURRY_MS = 2000, /* for what is still to be said after the patience has ended */
	RELAY_LEAST_BYTES = 32 * 1024, /* fewer unseen bytes go through the buffers */
};

enum bridge_end {
	BRIDGE_END_CLIENT, /* closed */
	BRIDGE_END_BACKEND, /* closed, after which the client was told */
	BRIDGE_END_BROKEN_CLIENT,
	BRIDGE_END_BROKEN_BACKEND,
	BRIDGE_END_IDLE,
	BRIDGE_END_UNREADABLE, /* what passes is not this protocol */
	BRIDGE_END_MOVED,
	BRIDGE_END_CUT, /* the backend did not close in time, and nobody can be believed any more */
	BRIDGE_END_STOPPED,
};

static const char *const end_names[] = {
    [BRIDGE_END_CLIENT] = "client_closed",
    [BRIDGE_END_BACKEND] = "backend_closed",
    [BRIDGE_END_BROKEN_CLIENT] = "client_failed",
    [BRIDGE_END_BROKEN_BACKEND] = "backend_failed",
    [BRIDGE_END_IDLE] = "idle",
    [BRIDGE_END_UNREADABLE] = "unreadable",
    [BRIDGE_END_MOVED] = "moved",
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
	struct timer *deadline; /* only while it is ending */
	struct sockaddr_storage address;
	uint64_t since_ms;
	uint64_t bytes[SIDE_COUNT]; /* that came from there */
	uint64_t relayed[SIDE_COUNT]; /* asked of conn_relay(), which is not done; 0: no relay */
	enum dialect_kind kind;
	enum bye why; /* BYE_COUNT: nobody has asked it to end */
	bool nobody_believed; /* the lease is over: the claim ends with our patience */
	bool said_stuck;
	bool is_hurried; /* what could be waited for is waited for no longer */
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

/* ---- the end */

static void
finish(struct bridge *bridge, enum bridge_end end)
{
	struct server *server = bridge->server;

	if (bridge->follow == NULL)
		return;
	log_info("session_ended",
	    "proto=%s session=%s user=%s from=%s destination=%s to=%s secs=%" PRIu64 " in=%" PRIu64
	    " out=%" PRIu64 " why=%s",
	    bridge->dialect->name, bridge->session, log_quote(household_account(&bridge->member)),
	    text_at(bridge, CLIENT_IP).ptr, text_at(bridge, OWNER).ptr,
	    log_quote(text_at(bridge, BACKEND)), (clock_ms() - bridge->since_ms) / 1000,
	    bridge->bytes[SIDE_CLIENT], bridge->bytes[SIDE_BACKEND], end_names[end]);
	tally_session(&server->tally, bridge->kind, bridge->bytes[SIDE_CLIENT],
	    bridge->bytes[SIDE_BACKEND]);
	if (end == BRIDGE_END_STOPPED || end == BRIDGE_END_BROKEN_CLIENT)
		conn_close(&bridge->conns[SIDE_CLIENT]);
	else
		conn_finish(&bridge->conns[SIDE_CLIENT], LINGER_MS);
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
	conn_relay(bridge->conns[from], bridge->conns[other(from)], bridge->relayed[from]);
}

static void
relay_done(struct bridge *bridge, enum side from)
{
	bridge->bytes[from] += bridge->relayed[from] - conn_relay_left(bridge->conns[from]);
	bridge->relayed[from] = 0;
	bridge->follow->unseen[from] = 0;
}

static bool
is_full(const struct bridge *bridge, enum side side)
{
	return bridge->conns[side] != NULL &&
	       buf_len(conn_out(bridge->conns[side])) >= OUT_HIGH_BYTES;
}

/* Everything from this side that can pass now; true when something did. */
static bool
pass(struct bridge *bridge, enum side from)
{
	struct conn *conn = bridge->conns[from], *to = bridge->conns[other(from)];
	struct buf *in = conn_in(conn);
	size_t before = buf_len(in);

	if (to == NULL) {
		/* The client has its last words: what its backend still says is for nobody. */
		buf_clear(in);
		return false;
	}
	if (bridge->relayed[from] != 0) {
		if (bridge->follow->unseen[from] == 0)
			conn_relay_stop(conn); /* the other side has said what ends it */
		return false;
	}
	while (!is_full(bridge, other(from)) && !is_full(bridge, from)) {
		if (bridge->follow->unseen[from] >= RELAY_LEAST_BYTES) {
			relay(bridge, from);
			return true;
		}
		if (bridge->follow->unseen[from] > 0) {
			if (!pass_unseen(bridge, from))
				break;
		} else if (!bridge->dialect->follow.pass(bridge->follow, from, in, conn_out(to),
			       conn_out(conn))) {
			break;
		}
	}
	bridge->bytes[from] += before - buf_len(in);
	return buf_len(in) != before;
}

static void leave(struct bridge *bridge);
static timer_fn on_deadline;

static void
start_deadline(struct bridge *bridge)
{
	bridge->deadline = timer_new(bridge->server->loop, on_deadline, bridge);
	timer_start(bridge->deadline, (uint64_t)bridge->server->settings->frontd.end_timeout_ms);
}

/* Both ways until nothing moves: what one side said may let the other go on. */
static void
pump(struct bridge *bridge)
{
	bool moved;

	do {
		moved = false;
		for (enum side side = 0; side < SIDE_COUNT; side++)
			if (bridge->conns[side] != NULL)
				moved |= pass(bridge, side);
	} while (moved);
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		if (bridge->conns[side] == NULL)
			continue;
		conn_flush(bridge->conns[side]);
		conn_read(bridge->conns[side],
		    !is_full(bridge, other(side)) && !is_full(bridge, side));
	}
	if (bridge->follow->phase == FOLLOW_OVER)
		finish(bridge, BRIDGE_END_UNREADABLE);
	else if (bridge->follow->phase == FOLLOW_LEAVING)
		leave(bridge);
}

/* The client has its last words; the backend's end is awaited. */
static void
leave(struct bridge *bridge)
{
	if (bridge->conns[SIDE_CLIENT] != NULL)
		conn_finish(&bridge->conns[SIDE_CLIENT], LINGER_MS);
	if (bridge->eof & (1U << SIDE_BACKEND))
		finish(bridge, bridge->why == BYE_COUNT ? BRIDGE_END_CLIENT : BRIDGE_END_MOVED);
}

/*
 * The client says no more. Neither do we; what its backend was told it completes,
 * and only when it has closed is the session over.
 */
static void
let_backend_end(struct bridge *bridge)
{
	conn_end_out(bridge->conns[SIDE_BACKEND]);
	if (bridge->deadline == NULL)
		start_deadline(bridge);
}

static void
ended(struct bridge *bridge, enum side side)
{
	bridge->eof |= (uint8_t)(1U << side);
	pump(bridge);
	if (bridge->follow == NULL)
		return;
	if (side == SIDE_BACKEND) {
		if (bridge->why != BYE_COUNT)
			finish(bridge, BRIDGE_END_MOVED);
		else
			finish(bridge, BRIDGE_END_BACKEND);
	} else if (bridge->conns[SIDE_CLIENT] != NULL) {
		let_backend_end(bridge);
	}
}

static void
failed(struct bridge *bridge, enum side side)
{
	log_debug("session_failed", "session=%s side=%s reason=%s", bridge->session,
	    side == SIDE_CLIENT ? "client" : "backend",
	    log_quote_text(conn_fault(bridge->conns[side])->text));
	if (side == SIDE_BACKEND) {
		finish(bridge,
		    bridge->why != BYE_COUNT ? BRIDGE_END_MOVED : BRIDGE_END_BROKEN_BACKEND);
		return;
	}
	conn_close(&bridge->conns[SIDE_CLIENT]);
	bridge->eof |= 1U << SIDE_CLIENT;
	let_backend_end(bridge);
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
		bridge->quiet |= (uint8_t)(1U << side);
		if (bridge->quiet == (1U << SIDE_CLIENT | 1U << SIDE_BACKEND))
			bridge_end(bridge, BYE_SLOW);
		break;
	case CONN_RELAYED:
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
say_end(struct bridge *bridge)
{
	bridge->dialect->follow.end(bridge->follow, bridge->why,
	    conn_out(bridge->conns[SIDE_CLIENT]), conn_out(bridge->conns[SIDE_BACKEND]));
	pump(bridge);
}

static void
on_deadline(void *ctx)
{
	struct bridge *bridge = ctx;

	if (!bridge->is_hurried && bridge->follow->phase == FOLLOW_ENDING &&
	    bridge->conns[SIDE_CLIENT] != NULL) {
		bridge->is_hurried = true;
		timer_start(bridge->deadline, HURRY_MS);
		say_end(bridge);
		return;
	}
	conn_close(&bridge->conns[SIDE_CLIENT]);
	if (bridge->nobody_believed || bridge->why != BYE_MOVED) {
		finish(bridge, BRIDGE_END_CUT);
		return;
	}
	if (!bridge->said_stuck)
		log_warning("session_stuck",
		    "proto=%s session=%s user=%s destination=%s to=%s reason=%s",
		    bridge->dialect->name, bridge->session,
		    log_quote(household_account(&bridge->member)), text_at(bridge, OWNER).ptr,
		    log_quote(text_at(bridge, BACKEND)),
		    "\"the backend has not closed the session of an account that moves\"");
	bridge->said_stuck = true;
	kick(bridge);
	timer_start(bridge->deadline, (uint64_t)bridge->server->settings->frontd.end_timeout_ms);
	conn_end_out(bridge->conns[SIDE_BACKEND]);
}

void
bridge_end(struct bridge *bridge, enum bye why)
{
	if (bridge->follow == NULL || bridge->why != BYE_COUNT)
		return;
	bridge->why = why;
	if (bridge->deadline == NULL)
		start_deadline(bridge);
	if (bridge->conns[SIDE_CLIENT] == NULL)
		return; /* has gone already; its backend's end is awaited */
	say_end(bridge);
}

static bool
stands(void *ctx, const struct finding *finding)
{
	const struct bridge *bridge = ctx;
	bool is_held = finding->hold == HOLD_ALL && bridge->dialect->park_ms != 0;

	return !is_held && str_eq(finding->owner, text_at(bridge, OWNER)) &&
	       str_eq(finding->account, household_account(&bridge->member));
}

static void
end(void *ctx, const struct finding *finding)
{
	struct bridge *bridge = ctx;

	bridge->nobody_believed = finding == NULL;
	bridge_end(bridge, BYE_MOVED);
}

static const struct claim_events claim_events = {.stands_fn = stands, .end_fn = end};

void
bridge_stop(struct bridge *bridge)
{
	finish(bridge, BRIDGE_END_STOPPED);
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
	    (json_int_t)bridge->bytes[SIDE_CLIENT], "out", (json_int_t)bridge->bytes[SIDE_BACKEND]);
}
