/*
 * conn.c - a connection, TLS included                                 (driver)
 *
 * One event on the descriptor. What it waits for is computed by conn_settle()
 * from the phase and the buffers after every step and only then changed, so that
 * a connection which asks and answers costs a recv and a send and nothing else.
 *
 * What is found out inside somebody's call (a reset while flushing) is told
 * from the loop: conn_kick() makes it come back to us in this turn.
 */
#include "net/conn.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/conn_inside.h"
#include "net/peer.h"

#include <string.h>

enum {
	IN_MAX_BYTES = 128 * 1024, /* default of conn_set_in_max() */
	IDLE_PARTS = 4, /* idleness is noticed up to a quarter late: no clock per read */
};

static const char *const phase_names[] = {
    [PHASE_DIALLING] = "dialling",
    [PHASE_CLEARING] = "clearing",
    [PHASE_SHAKING] = "shaking",
    [PHASE_UP] = "up",
    [PHASE_BROKEN] = "broken",
    [PHASE_ENDED] = "ended",
    [PHASE_FINISHING] = "finishing",
    [PHASE_LINGERING] = "lingering",
    [PHASE_CLOSED] = "closed",
};
_Static_assert(ARRAY_LEN(phase_names) == PHASE_CLOSED + 1, "a phase lacks its name");

static timer_fn conn_timer;
static void conn_ready(evutil_socket_t fd, short what, void *arg);

void
conn_enter(struct conn *conn, enum conn_phase phase)
{
	log_debug("conn", "fd=%d was=%s is=%s", conn->fd, phase_names[conn->phase],
	    phase_names[phase]);
	conn->phase = phase;
}

/* ---- interest */

bool
conn_may_read(const struct conn *conn)
{
	if (conn->phase != PHASE_UP || !conn->read_wanted || conn->eof)
		return false;
	if (conn->relay != NULL)
		return relay_may_read(conn);
	return buf_len(&conn->in) < conn->in_max_bytes;
}

void
conn_kick(struct conn *conn)
{
	conn->kicked = true;
	event_active(&conn->event, EV_TIMEOUT, 1);
}

void
conn_settle(struct conn *conn)
{
	short interest = 0;

	switch (conn->phase) {
	case PHASE_SHAKING:
		interest = conn->read_needs;
		break;
	case PHASE_UP:
	case PHASE_FINISHING:
		if (conn_may_read(conn))
			interest |= conn->read_needs;
		/* fall through */
	case PHASE_CLEARING:
		if (conn->blocked)
			interest |= conn->write_needs;
		if (conn_watches_end(conn))
			interest |= conn_end_interest(conn, interest);
		break;
	case PHASE_LINGERING:
		interest = EV_READ;
		break;
	case PHASE_DIALLING:
	case PHASE_BROKEN:
	case PHASE_ENDED:
	case PHASE_CLOSED:
		break;
	}
	if (interest != conn->interest) {
		event_del(&conn->event);
		must(event_assign(&conn->event, loop_base(conn->loop), conn->fd,
			 (short)(interest | EV_PERSIST), conn_ready, conn) == 0);
		if (interest != 0)
			must(event_add(&conn->event, NULL) == 0);
		conn->interest = interest;
		if (conn->kicked)
			conn_kick(conn);
	}
	if (conn->more && !conn->kicked && conn_may_read(conn))
		conn_kick(conn);
}

/* ---- failing */

void
conn_break(struct conn *conn, const struct fault *why)
{
	if (conn->phase == PHASE_FINISHING) {
		conn_close(&conn);
		return;
	}
	if (conn->fault == NULL)
		conn->fault = xnew(struct fault);
	*conn->fault = *why;
	conn->blocked = false;
	buf_clear(&conn->out);
	/* Who has heard of the end hears of no failure, unless a relay leads here and is stuck. */
	conn_enter(conn, conn->eof && conn->feeder == NULL ? PHASE_ENDED : PHASE_BROKEN);
	if (conn->phase == PHASE_BROKEN)
		conn_kick(conn);
}

/* ---- telling the owner */

void
conn_tell(struct conn *conn, enum conn_event event)
{
	conn->fn(conn, event, conn->ctx);
	if (conn->phase == PHASE_UP)
		conn_send_out(conn);
	if (conn->phase != PHASE_UP)
		return;
	if (conn->secrets)
		buf_wipe_rest(&conn->in);
	buf_release(&conn->in);
}

static void
receive(struct conn *conn)
{
	struct fault why;

	switch (conn_read_some(conn, &why)) {
	case MOVED_SOME:
		conn->quiet_parts = 0;
		conn_tell(conn, CONN_DATA);
		break;
	case MOVED_NOTHING:
		break;
	case MOVED_EOF:
		conn->eof = true;
		conn_tell(conn, CONN_EOF);
		break;
	case MOVED_FAILED:
		conn_break(conn, &why);
		break;
	}
}

/*
 * Writing failed, but what the peer said before it went may still lie in the
 * kernel: a Redis that is full says so and closes. But not what a relay was to
 * move unseen.
 */
static void
tell_broken(struct conn *conn)
{
	struct fault ignored;

	if (conn->fd != -1 && conn->tls == NULL && conn->relay == NULL && conn->read_wanted &&
	    buf_len(&conn->in) < conn->in_max_bytes && conn_read_some(conn, &ignored) == MOVED_SOME)
		conn->fn(conn, CONN_DATA, conn->ctx);
	if (conn->phase != PHASE_BROKEN)
		return;
	conn_enter(conn, PHASE_ENDED);
	conn->fn(conn, CONN_FAILED, conn->ctx);
}

static void
serve(struct conn *conn, short what)
{
	if ((what & (EV_CLOSED | EV_WRITE)) && conn_watches_end(conn) &&
	    conn_peer_has_ended(conn)) {
		conn->eof = true;
		conn_tell(conn, CONN_EOF);
		return;
	}
	if (conn->blocked && (what & conn->write_needs)) {
		conn->blocked = false;
		conn_send_out(conn);
		if (conn->phase == PHASE_UP && !conn->blocked && !conn->eof)
			conn_tell(conn, CONN_DRAINED);
		if (conn->feeder != NULL && !conn->blocked)
			conn_kick(conn->feeder);
	}
	if (conn->phase == PHASE_UP && conn->relay != NULL)
		relay_serve(conn);
	else if (conn_may_read(conn) && (conn->more || (what & conn->read_needs)))
		receive(conn);
}

/* ---- time */

void
conn_start_timer(struct conn *conn, uint64_t ms)
{
	if (conn->timer == NULL)
		conn->timer = timer_new(conn->loop, conn_timer, conn);
	timer_start(conn->timer, ms);
}

void
conn_start_idle_timer(struct conn *conn)
{
	conn->quiet_parts = 0;
	if (conn->idle_ms != 0)
		conn_start_timer(conn, (conn->idle_ms + IDLE_PARTS - 1) / IDLE_PARTS);
	else if (conn->timer != NULL)
		timer_stop(conn->timer);
}

/* ---- what the loop calls */

static void
conn_ready(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	conn->kicked = false;
	switch (conn->phase) {
	case PHASE_CLEARING:
		conn_clear(conn);
		break;
	case PHASE_SHAKING:
		conn_shake(conn);
		break;
	case PHASE_UP:
		serve(conn, what);
		break;
	case PHASE_BROKEN:
		tell_broken(conn);
		break;
	case PHASE_FINISHING:
		conn->blocked = false;
		conn_go_on_finishing(conn);
		break;
	case PHASE_LINGERING:
		conn_linger(conn);
		break;
	case PHASE_DIALLING:
	case PHASE_ENDED:
	case PHASE_CLOSED:
		break;
	}
	if (conn->phase != PHASE_CLOSED)
		conn_settle(conn);
}

static void
conn_timer(void *ctx)
{
	struct conn *conn = ctx;
	struct fault why;

	switch (conn->phase) {
	case PHASE_CLEARING:
	case PHASE_SHAKING:
		fault_set(&why, VERDICT_TEMP, "TLS: the handshake took too long");
		conn_break(conn, &why);
		conn_settle(conn);
		break;
	case PHASE_UP:
		if (conn->eof)
			break;
		if (++conn->quiet_parts <= IDLE_PARTS) {
			conn_start_timer(conn, (conn->idle_ms + IDLE_PARTS - 1) / IDLE_PARTS);
			break;
		}
		conn_start_idle_timer(conn);
		conn_tell(conn, CONN_IDLE);
		if (conn->phase != PHASE_CLOSED)
			conn_settle(conn);
		break;
	case PHASE_FINISHING:
	case PHASE_LINGERING:
		conn_close(&conn);
		break;
	case PHASE_DIALLING:
	case PHASE_BROKEN:
	case PHASE_ENDED:
	case PHASE_CLOSED:
		break;
	}
}

/* ---- for the owner */

struct conn *
conn_new(struct loop *loop, int fd, enum conn_phase phase, conn_fn *fn, void *ctx)
{
	struct conn *conn = xnew(struct conn);

	conn->loop = loop;
	conn->fn = fn;
	conn->ctx = ctx;
	conn->fd = fd;
	conn->phase = phase;
	conn->in_max_bytes = IN_MAX_BYTES;
	conn->read_wanted = true;
	conn->read_needs = EV_READ;
	conn->write_needs = EV_WRITE;
	must(event_assign(&conn->event, loop_base(loop), fd, EV_PERSIST, conn_ready, conn) == 0);
	return conn;
}

void
conn_hand_over(struct conn *conn, conn_fn *fn, void *ctx)
{
	conn->fn = fn;
	conn->ctx = ctx;
}

struct buf *
conn_in(struct conn *conn)
{
	return &conn->in;
}

struct buf *
conn_out(struct conn *conn)
{
	return &conn->out;
}

void
conn_flush(struct conn *conn)
{
	if (conn->phase != PHASE_UP)
		return;
	conn_send_out(conn);
	conn_settle(conn);
}

void
conn_read(struct conn *conn, bool wanted)
{
	conn->read_wanted = wanted;
	conn_settle(conn);
}

void
conn_set_idle_ms(struct conn *conn, uint64_t idle_ms)
{
	conn->idle_ms = idle_ms;
	if (conn->phase == PHASE_UP)
		conn_start_idle_timer(conn);
}

void
conn_set_in_max(struct conn *conn, size_t max_bytes)
{
	conn->in_max_bytes = max_bytes;
	conn_settle(conn);
}

void
conn_keep_secrets(struct conn *conn, bool secrets)
{
	conn->secrets = conn->in.secret = conn->out.secret = secrets;
	if (conn->tls != NULL)
		tls_keep_secrets(conn->tls, secrets);
	if (!secrets) {
		buf_wipe_rest(&conn->in);
		buf_wipe_rest(&conn->out);
	}
}

bool
conn_has_failed(const struct conn *conn)
{
	return conn->phase == PHASE_BROKEN || conn->phase == PHASE_ENDED;
}

const struct fault *
conn_fault(const struct conn *conn)
{
	static const struct fault none = {.verdict = VERDICT_TEMP, .text = "nothing failed"};

	return conn->fault != NULL ? conn->fault : &none;
}

const char *
conn_peer(struct conn *conn)
{
	if (conn->peer == NULL)
		conn->peer = peer_text(conn->fd);
	return conn->peer;
}

void
conn_own_address(const struct conn *conn, struct sockaddr_storage *own_r)
{
	socklen_t len = sizeof(*own_r);

	memset(own_r, 0, sizeof(*own_r));
	if (getsockname(conn->fd, (struct sockaddr *)own_r, &len) == -1)
		own_r->ss_family = AF_UNSPEC;
}
