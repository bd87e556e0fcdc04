/*
 * bridge_pass.c - the bytes of a session                              (driver)
 *
 * Each side is read only while the other takes what is written to it. What the
 * follow machine wants to see passes through it; of the rest, little goes through
 * the buffers, and the connections move much by themselves.
 */
#include "front/bridge_inside.h"

enum {
	OUT_HIGH_BYTES = 128 * 1024, /* so much unsent: the other side is not read */
	RELAY_LEAST_BYTES = 32 * 1024, /* fewer unseen bytes go through the buffers */
};

/* ---- what nobody looks at */

static bool
is_relaying(const struct bridge *bridge, enum side from)
{
	return (bridge->relays & bridge_bit(from)) != 0;
}

uint64_t
bridge_bytes(const struct bridge *bridge, enum side from)
{
	struct conn *conn = bridge->conns[from];

	return bridge->bytes[from] - (conn != NULL ? conn_relay_left(conn) : 0);
}

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
	buf_add(conn_out(bridge->conns[bridge_other(from)]), buf_str(in).ptr, len);
	buf_consume(in, len);
	*unseen -= len;
	return true;
}

/* Many: the connections move them by themselves, until CONN_RELAYED. */
static void
relay(struct bridge *bridge, enum side from)
{
	uint64_t unseen = bridge->follow->unseen[from];

	bridge->bytes[from] += unseen;
	bridge->relays |= bridge_bit(from);
	conn_relay(bridge->conns[from], bridge->conns[bridge_other(from)], unseen);
}

void
bridge_relay_stop(struct bridge *bridge, enum side from)
{
	struct conn *conn = bridge->conns[from];
	uint64_t left = conn_relay_left(conn);

	conn_relay_stop(conn);
	bridge->bytes[from] -= left - conn_relay_left(conn);
}

void
bridge_relay_drop(struct bridge *bridge, enum side from)
{
	bridge->bytes[from] = bridge_bytes(bridge, from);
	bridge->relays &= (uint8_t)~bridge_bit(from);
}

void
bridge_relay_done(struct bridge *bridge, enum side from)
{
	bridge->relays &= (uint8_t)~bridge_bit(from);
	bridge->follow->unseen[from] = 0;
}

/* ---- all of it */

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
	return !is_full(bridge, bridge_other(from)) &&
	       (from == SIDE_BACKEND || !is_full(bridge, from));
}

/* The follow machine, or what it lets pass unseen; true when something was taken. */
static bool
pass_some(struct bridge *bridge, enum side from)
{
	struct conn *conn = bridge->conns[from], *to = bridge->conns[bridge_other(from)];

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

	if (is_relaying(bridge, from))
		return false;
	if (bridge->conns[bridge_other(from)] == NULL) {
		buf_clear(in); /* what a backend still says is for nobody */
		return false;
	}
	while ((bridge->eof & bridge_bit(from)) || may_take(bridge, from)) {
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

/* What one side said may let the other go on. */
void
bridge_move(struct bridge *bridge)
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
