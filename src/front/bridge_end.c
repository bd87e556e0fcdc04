/*
 * bridge_end.c - how a session comes to its end                       (driver)
 *
 * There is one end, the backend's. A client may go before, or be sent away when
 * time is up: its backend hears that nothing follows, may complete what it was
 * told, and until it has closed the claim stays. Only where nobody can be believed
 * any more do we leave first.
 */
#include "front/bridge_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/peer.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	LINGER_MS = 2000, /* for a client that has got everything */
	LAST_MS = 60000, /* for a slow one to get the rest, and our last words behind it */
};

static const char *const end_names[] = {
    [BRIDGE_END_BACKEND] = "backend_closed",
    [BRIDGE_END_LOST] = "backend_lost",
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

void
bridge_note_end(struct bridge *bridge, enum bridge_end end)
{
	if (bridge->end == BRIDGE_END_BACKEND)
		bridge->end = end;
}

/* Flushed first, so that what the kernel takes at once costs nobody time. */
static void
say_goodbye(struct conn **client)
{
	if (*client == NULL)
		return;
	conn_flush(*client);
	conn_finish(client, buf_len(conn_out(*client)) > 0 ? LAST_MS : LINGER_MS);
}

bool
bridge_break_off(struct bridge *bridge, enum bye why)
{
	struct conn *client = bridge->conns[SIDE_CLIENT];

	return client != NULL && !bridge->said_end &&
	       bridge->dialect->follow.break_off(bridge->follow, why, conn_out(client));
}

void
bridge_let_client_go(struct bridge *bridge, bool politely)
{
	bridge_relay_drop(bridge, SIDE_CLIENT);
	if (politely)
		say_goodbye(&bridge->conns[SIDE_CLIENT]);
	else
		conn_close(&bridge->conns[SIDE_CLIENT]);
	bridge_relay_stop(bridge,
	    SIDE_BACKEND); /* not before: it has nobody to wait for any more */
	buf_clear(conn_in(bridge->conns[SIDE_BACKEND]));
	conn_read(bridge->conns[SIDE_BACKEND], true);
}

void
bridge_say_end(struct bridge *bridge)
{
	if (!bridge->said_end)
		conn_end_out(bridge->conns[SIDE_BACKEND]);
	bridge->said_end = true;
	if (bridge->deadline == NULL)
		bridge_start_deadline(bridge);
}

static void
log_end(const struct bridge *bridge)
{
	char from[PEER_NAME_BYTES];

	log_info("session_ended",
	    "proto=%s session=%s user=%s from=%s destination=%s to=%s secs=%" PRIu64 " in=%" PRIu64
	    " out=%" PRIu64 " why=%s",
	    bridge->dialect->name, bridge->session, log_quote(household_account(&bridge->member)),
	    peer_name(&bridge->address, from), bridge_text(bridge, BRIDGE_OWNER).ptr,
	    log_quote(bridge_text(bridge, BRIDGE_BACKEND)), (clock_ms() - bridge->since_ms) / 1000,
	    bridge_bytes(bridge, SIDE_CLIENT), bridge_bytes(bridge, SIDE_BACKEND),
	    end_names[bridge->end]);
}

void
bridge_leave_seat(struct bridge *bridge)
{
	if (bridge->has_left)
		return;
	bridge->has_left = true;
	crowd_leave(bridge->server->crowd, &bridge->address);
	seats_give_back(bridge->server->seats);
}

void
bridge_finish(struct bridge *bridge)
{
	struct server *server = bridge->server;

	if (bridge->follow == NULL)
		return;
	log_end(bridge);
	tally_session(&server->tally, bridge->kind, bridge_bytes(bridge, SIDE_CLIENT),
	    bridge_bytes(bridge, SIDE_BACKEND));
	say_goodbye(&bridge->conns[SIDE_CLIENT]);
	conn_close(&bridge->conns[SIDE_BACKEND]);
	bridge->dialect->follow.free(bridge->follow);
	bridge->follow = NULL;
	claim_release(&bridge->claim);
	household_leave(server->households, &bridge->member);
	timer_free(&bridge->deadline);
	bridge_leave_seat(bridge);
	TAILQ_REMOVE(&server->bridges, bridge, entry);
	loop_bury(server->loop, bridge, free);
	server_left(server);
}
