/*
 * bridge.c - a session: a client and its backend                      (driver)
 *
 *	RUNNING --(the account moves)--> ENDING
 *	ENDING  --(a boundary)---------> LEAVING
 *	LEAVING --(the backend closes)-> gone
 *
 * The follow machine has these phases. Here is what becomes of them, and of what the
 * connections tell.
 */
#include "front/bridge_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/peer.h"

#include <string.h>

enum { IN_MAX_BYTES = 64 * 1024 }; /* read before it has passed */

/* ---- the pump */

/*
 * A client that has said its last may still listen. Its backend hears of the end
 * when everything has passed, or what is left is no whole command.
 */
static void
see_client_end(struct bridge *bridge)
{
	struct conn *client = bridge->conns[SIDE_CLIENT];

	if (client != NULL && conn_has_failed(client))
		bridge_let_client_go(bridge, false); /* has ended: nobody else tells */
	else if (client != NULL && buf_len(conn_in(client)) > 0 &&
		 !bridge->dialect->follow.is_idle(bridge->follow))
		return;
	bridge_say_end(bridge);
}

static void
backend_has_gone(struct bridge *bridge)
{
	if (bridge_break_off(bridge, BYE_LOST))
		bridge_note_end(bridge, BRIDGE_END_LOST);
	bridge_finish(bridge);
}

void
bridge_pump(struct bridge *bridge)
{
	bridge_move(bridge);
	switch (bridge->follow->phase) {
	case FOLLOW_RUNNING:
	case FOLLOW_ENDING:
		if (bridge->eof & bridge_bit(SIDE_CLIENT))
			see_client_end(bridge);
		break;
	case FOLLOW_LEAVING: /* the client has its last words, the backend was asked to close */
		bridge_let_client_go(bridge, true);
		if (bridge->deadline == NULL)
			bridge_start_deadline(bridge);
		break;
	case FOLLOW_OVER:
		bridge_note_end(bridge, BRIDGE_END_UNREADABLE);
		bridge_let_client_go(bridge, true);
		bridge_say_end(bridge);
		break;
	}
	if (bridge->eof & bridge_bit(SIDE_BACKEND))
		backend_has_gone(bridge);
}

/* ---- what the connections tell */

static void
ended(struct bridge *bridge, enum side side)
{
	bridge->eof |= bridge_bit(side);
	if (side == SIDE_CLIENT)
		bridge_note_end(bridge, BRIDGE_END_CLIENT);
	bridge_pump(bridge);
}

static void
failed(struct bridge *bridge, enum side side)
{
	log_debug("session_failed", "session=%s side=%s reason=%s", bridge->session,
	    side == SIDE_CLIENT ? "client" : "backend",
	    log_quote_text(conn_fault(bridge->conns[side])->text));
	bridge_note_end(bridge,
	    side == SIDE_CLIENT ? BRIDGE_END_BROKEN_CLIENT : BRIDGE_END_BROKEN_BACKEND);
	bridge->eof |= bridge_bit(side);
	if (side == SIDE_BACKEND) {
		bridge_pump(bridge); /* what it has said before */
		return;
	}
	bridge_let_client_go(bridge, false);
	bridge_say_end(bridge);
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
		bridge_pump(bridge);
		break;
	case CONN_EOF:
		ended(bridge, side);
		break;
	case CONN_FAILED:
		failed(bridge, side);
		break;
	case CONN_IDLE:
		/* Both sides: a client that only listens, or only sends, is not idle. */
		bridge->quiet |= bridge_bit(side);
		if (bridge->quiet == (bridge_bit(SIDE_CLIENT) | bridge_bit(SIDE_BACKEND)))
			bridge_end(bridge, BYE_SLOW);
		break;
	case CONN_RELAYED:
		bridge->quiet = 0;
		bridge_relay_done(bridge, side);
		bridge_pump(bridge);
		break;
	case CONN_OPEN:
		break;
	}
}

/* ---- life */

static uint64_t
idle_ms(const struct bridge *bridge)
{
	uint64_t set_ms = (uint64_t)bridge->server->settings->frontd.idle_timeout_ms;

	return set_ms > bridge->dialect->idle_least_ms ? set_ms : bridge->dialect->idle_least_ms;
}

static struct bridge *
new_with_texts(const struct bridge_order *order)
{
	const struct str texts[] = {
	    [BRIDGE_OWNER] = str_of(order->owner),
	    [BRIDGE_BACKEND] = str_of(order->backend_name),
	    [BRIDGE_CLIENT_IP] = str_of(order->client_ip),
	};
	struct bridge *bridge;
	size_t len = 0;
	char *at;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		len += texts[i].len + 1;
	bridge = xcalloc(1, sizeof(*bridge) + len);
	at = bridge->text;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		bridge->text_lens[i] = (uint16_t)texts[i].len;
		memcpy(at, texts[i].ptr, texts[i].len);
		at += texts[i].len + 1;
	}
	memcpy(bridge->session, order->session, sizeof(bridge->session));
	return bridge;
}

static void
take_conn(struct bridge *bridge, enum side side, struct conn *conn)
{
	bridge->conns[side] = conn;
	conn_keep_secrets(conn, false);
	conn_hand_over(conn, on_event, bridge);
	conn_set_in_max(conn, IN_MAX_BYTES);
	conn_set_idle_ms(conn, idle_ms(bridge));
}

static void
begin_follow(struct bridge *bridge, const struct offer *offer)
{
	const struct follow_row *row = &bridge->dialect->follow;

	bridge->follow = row->new ();
	if (row->learn != NULL)
		row->learn(bridge->follow, offer);
}

void
bridge_new(struct server *server, const struct bridge_order *order)
{
	struct bridge *bridge = new_with_texts(order);
	char from[PEER_NAME_BYTES];

	bridge->server = server;
	bridge->dialect = order->dialect;
	bridge->kind = order->kind;
	bridge->why = BYE_COUNT;
	bridge->address = *order->address;
	bridge->since_ms = clock_ms();
	household_join(server->households, str_of(order->account), &bridge->member, bridge);
	TAILQ_INSERT_TAIL(&server->bridges, bridge, entry);
	take_conn(bridge, SIDE_CLIENT, order->client);
	take_conn(bridge, SIDE_BACKEND, order->backend);
	begin_follow(bridge, order->offer);
	bridge_hold(bridge, *order->claim);
	*order->claim = NULL;
	log_debug("session_began", "proto=%s session=%s user=%s from=%s destination=%s to=%s",
	    bridge->dialect->name, bridge->session, log_quote_text(order->account),
	    peer_name(order->address, from), order->owner, log_quote_text(order->backend_name));
	bridge_pump(bridge);
}

/* ---- what is known of it */

struct str
bridge_text(const struct bridge *bridge, enum bridge_text which)
{
	const char *at = bridge->text;

	for (unsigned i = 0; i < which; i++)
		at += bridge->text_lens[i] + 1;
	return str_make(at, bridge->text_lens[which]);
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
	    household_account(&bridge->member).ptr, "from",
	    bridge_text(bridge, BRIDGE_CLIENT_IP).ptr, "destination",
	    bridge_text(bridge, BRIDGE_OWNER).ptr, "to", bridge_text(bridge, BRIDGE_BACKEND).ptr,
	    "phase", bridge->said_stuck ? "stuck" : phases[bridge->follow->phase], "ms",
	    (json_int_t)(clock_ms() - bridge->since_ms), "in",
	    (json_int_t)bridge_bytes(bridge, SIDE_CLIENT), "out",
	    (json_int_t)bridge_bytes(bridge, SIDE_BACKEND));
}
