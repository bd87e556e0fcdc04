/*
 * conn.c - a connection, TLS included                                 (driver)
 *
 * One event on the descriptor. What it waits for is computed by settle() from
 * the phase and the buffers after every step and only then changed, so that a
 * connection which asks and answers costs a recv and a send and nothing else.
 *
 * What is found out inside somebody's call (a reset while flushing) is told
 * from the loop: conn_kick() makes it come back to us in this turn.
 *
 * It is longer than our files are because the phases share one struct, and that
 * stays invisible; what could be cut off is in dial.c, tls.c, peer.c.
 */
#include "net/conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/loop_inside.h"
#include "net/peer.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	IN_MAX_BYTES = 128 * 1024, /* default of conn_set_in_max() */
	KEEPALIVE_S = 120,
	KEEPALIVE_INTERVAL_S = 30,
	IDLE_PARTS = 4, /* idleness is noticed up to a quarter late: no clock per read */
};

enum phase {
	PHASE_DIALLING, /* has no descriptor yet */
	PHASE_SHAKING, /* TLS handshake */
	PHASE_UP, /* also after the peer's end: it may still be written to */
	PHASE_BROKEN, /* failed, and the owner will hear of it in this turn */
	PHASE_ENDED, /* failed, and the owner knows */
	PHASE_FINISHING, /* nobody's; sends the rest */
	PHASE_LINGERING, /* nobody's; all is sent, waits for the peer to end */
	PHASE_CLOSED, /* buried */
};

static const char *const phase_names[] = {
    [PHASE_DIALLING] = "dialling",
    [PHASE_SHAKING] = "shaking",
    [PHASE_UP] = "up",
    [PHASE_BROKEN] = "broken",
    [PHASE_ENDED] = "ended",
    [PHASE_FINISHING] = "finishing",
    [PHASE_LINGERING] = "lingering",
    [PHASE_CLOSED] = "closed",
};
_Static_assert(ARRAY_LEN(phase_names) == PHASE_CLOSED + 1, "a phase lacks its name");

struct conn {
	struct event event;
	struct loop *loop;
	conn_fn *fn;
	void *ctx;
	struct buf in, out;
	size_t in_max_bytes;
	int fd;
	enum phase phase;
	short interest; /* EV_ bits the event is added for */
	short read_needs, write_needs; /* EV_ bits; TLS may need the other direction */
	uint8_t quiet_parts; /* parts of idle_ms without a byte */
	bool read_wanted;
	bool blocked; /* the kernel refused a part of out */
	bool more; /* TLS may hold bytes that no readiness will announce */
	bool eof;
	bool kicked;
	uint64_t idle_ms, deadline_ms;
	struct timer *timer; /* deadline, idleness or lingering, by phase */
	struct tls *tls;
	struct dial *dial;
	char *peer;
	struct fault *fault;
	struct orphan orphan; /* while finishing or lingering */
};

static timer_fn conn_timer;
static void conn_ready(evutil_socket_t fd, short what, void *arg);

static void
enter(struct conn *conn, enum phase phase)
{
	log_debug("conn", "fd=%d was=%s is=%s", conn->fd, phase_names[conn->phase],
	    phase_names[phase]);
	conn->phase = phase;
}

/* ---- interest */

static bool
may_read(const struct conn *conn)
{
	return conn->phase == PHASE_UP && conn->read_wanted && !conn->eof &&
	       buf_len(&conn->in) < conn->in_max_bytes;
}

static void
conn_kick(struct conn *conn)
{
	conn->kicked = true;
	event_active(&conn->event, EV_TIMEOUT, 1);
}

static void
settle(struct conn *conn)
{
	short interest = 0;

	switch (conn->phase) {
	case PHASE_SHAKING:
		interest = conn->read_needs;
		break;
	case PHASE_UP:
	case PHASE_FINISHING:
		if (may_read(conn))
			interest |= conn->read_needs;
		if (conn->blocked)
			interest |= conn->write_needs;
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
	if (conn->more && !conn->kicked && may_read(conn))
		conn_kick(conn);
}

/* ---- failing */

static void
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
	enter(conn, conn->eof ? PHASE_ENDED : PHASE_BROKEN);
	if (conn->phase == PHASE_BROKEN)
		conn_kick(conn);
}

/* ---- bytes */

enum moved { MOVED_SOME, MOVED_NOTHING, MOVED_EOF, MOVED_FAILED };

/* Into the loop's scratch memory and from there to "in", which so has no size of its own. */
static enum moved
read_some(struct conn *conn, struct fault *why)
{
	char *scratch = loop_scratch(conn->loop);
	size_t room = conn->in_max_bytes - buf_len(&conn->in), len = 0;
	ssize_t n;

	if (room > LOOP_SCRATCH_BYTES)
		room = LOOP_SCRATCH_BYTES;
	if (conn->tls == NULL) {
		n = recv(conn->fd, scratch, room, 0);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return MOVED_NOTHING; /* a signal: it stays readable */
		if (n == -1)
			fault_set_errno(why, VERDICT_TEMP, "reading");
		if (n <= 0)
			return n == 0 ? MOVED_EOF : MOVED_FAILED;
		buf_add(&conn->in, scratch, (size_t)n);
		return MOVED_SOME;
	}
	conn->more = false;
	switch (tls_read(conn->tls, scratch, room, &len, why)) {
	case TLS_DONE:
		conn->more = true;
		buf_add(&conn->in, scratch, len);
		return MOVED_SOME;
	case TLS_WANTS_READ:
		conn->read_needs = EV_READ;
		return MOVED_NOTHING;
	case TLS_WANTS_WRITE:
		conn->read_needs = EV_WRITE;
		return MOVED_NOTHING;
	case TLS_EOF:
		return MOVED_EOF;
	case TLS_FAILED:
		break;
	}
	return MOVED_FAILED;
}

static enum moved
write_some(struct conn *conn, struct fault *why)
{
	struct str bytes = buf_str(&conn->out);
	size_t len = 0;
	ssize_t n;

	if (conn->tls == NULL) {
		do
			n = send(conn->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
		while (n == -1 && errno == EINTR);
		if (n == -1 && errno == EAGAIN)
			return MOVED_NOTHING;
		if (n == -1) {
			fault_set_errno(why, VERDICT_TEMP, "writing");
			return MOVED_FAILED;
		}
		buf_consume(&conn->out, (size_t)n);
		return MOVED_SOME;
	}
	switch (tls_write(conn->tls, bytes.ptr, bytes.len, &len, why)) {
	case TLS_DONE:
		buf_consume(&conn->out, len);
		return MOVED_SOME;
	case TLS_WANTS_READ:
		conn->write_needs = EV_READ;
		return MOVED_NOTHING;
	case TLS_WANTS_WRITE:
		conn->write_needs = EV_WRITE;
		return MOVED_NOTHING;
	case TLS_EOF:
		fault_set(why, VERDICT_TEMP, "writing: the peer has ended");
		break;
	case TLS_FAILED:
		break;
	}
	return MOVED_FAILED;
}

/* As much of "out" as the kernel takes now. */
static void
send_out(struct conn *conn)
{
	struct fault why; /* large, so only written to when there is one */

	if (conn->out.failed) {
		fault_set(&why, VERDICT_TEMP, "writing: more than this connection may hold");
		conn_break(conn, &why);
		return;
	}
	while (!conn->blocked && buf_len(&conn->out) > 0) {
		switch (write_some(conn, &why)) {
		case MOVED_SOME:
			conn->quiet_parts = 0;
			break;
		case MOVED_NOTHING:
			conn->blocked = true;
			break;
		case MOVED_EOF:
		case MOVED_FAILED:
			conn_break(conn, &why);
			return;
		}
	}
	buf_release(&conn->out);
}

/* ---- telling the owner */

static void
tell(struct conn *conn, enum conn_event event)
{
	conn->fn(conn, event, conn->ctx);
	if (conn->phase == PHASE_UP)
		send_out(conn);
	if (conn->phase == PHASE_UP)
		buf_release(&conn->in);
}

static void
receive(struct conn *conn)
{
	struct fault why;

	switch (read_some(conn, &why)) {
	case MOVED_SOME:
		conn->quiet_parts = 0;
		tell(conn, CONN_DATA);
		break;
	case MOVED_NOTHING:
		break;
	case MOVED_EOF:
		conn->eof = true;
		tell(conn, CONN_EOF);
		break;
	case MOVED_FAILED:
		conn_break(conn, &why);
		break;
	}
}

/*
 * Writing failed, but what the peer said before it went may still lie in the
 * kernel: a Redis that is full says so and closes.
 */
static void
tell_broken(struct conn *conn)
{
	struct fault ignored;

	if (conn->fd != -1 && conn->tls == NULL && conn->read_wanted &&
	    buf_len(&conn->in) < conn->in_max_bytes && read_some(conn, &ignored) == MOVED_SOME)
		conn->fn(conn, CONN_DATA, conn->ctx);
	if (conn->phase != PHASE_BROKEN)
		return;
	enter(conn, PHASE_ENDED);
	conn->fn(conn, CONN_FAILED, conn->ctx);
}

static void
serve(struct conn *conn, short what)
{
	if (conn->blocked && (what & conn->write_needs)) {
		conn->blocked = false;
		send_out(conn);
		if (conn->phase == PHASE_UP && !conn->blocked && !conn->eof)
			tell(conn, CONN_DRAINED);
	}
	if (may_read(conn) && (conn->more || (what & conn->read_needs)))
		receive(conn);
}

/* ---- opening */

static void
start_timer(struct conn *conn, uint64_t ms)
{
	if (conn->timer == NULL)
		conn->timer = timer_new(conn->loop, conn_timer, conn);
	timer_start(conn->timer, ms);
}

static void
start_idle_timer(struct conn *conn)
{
	conn->quiet_parts = 0;
	if (conn->idle_ms != 0)
		start_timer(conn, (conn->idle_ms + IDLE_PARTS - 1) / IDLE_PARTS);
	else if (conn->timer != NULL)
		timer_stop(conn->timer);
}

static void
opened(struct conn *conn)
{
	enter(conn, PHASE_UP);
	conn->read_needs = EV_READ;
	conn->write_needs = EV_WRITE;
	conn->more = conn->tls != NULL; /* data may have come with the last of the handshake */
	start_idle_timer(conn);
	tell(conn, CONN_OPEN);
}

static void
shake(struct conn *conn)
{
	struct fault why = {.verdict = VERDICT_TEMP, .text = "TLS: the peer ended the handshake"};

	switch (tls_handshake(conn->tls, &why)) {
	case TLS_DONE:
		opened(conn);
		break;
	case TLS_WANTS_READ:
		conn->read_needs = EV_READ;
		break;
	case TLS_WANTS_WRITE:
		conn->read_needs = EV_WRITE;
		break;
	case TLS_EOF:
	case TLS_FAILED:
		conn_break(conn, &why);
		break;
	}
}

/* A peer that has gone is noticed, a short answer leaves at once. Harmless on unix sockets. */
static void
tune(int fd)
{
	static const struct {
		int level, option, value;
	} rows[] = {
	    {IPPROTO_TCP, TCP_NODELAY, 1},
	    {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S},
	    {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (setsockopt(fd, rows[i].level, rows[i].option, &rows[i].value,
			sizeof(rows[i].value)) == -1)
			return; /* the first one fails where this is not TCP */
	}
}

static void
dialled(void *ctx, int fd, const struct fault *why)
{
	struct conn *conn = ctx;
	uint64_t now_ms;

	conn->dial = NULL;
	if (fd == -1) {
		conn_break(conn, why);
		return;
	}
	conn->fd = fd;
	tune(fd);
	if (conn->tls == NULL) {
		opened(conn);
	} else {
		now_ms = clock_ms();
		start_timer(conn, now_ms < conn->deadline_ms ? conn->deadline_ms - now_ms : 0);
		tls_set_fd(conn->tls, fd);
		enter(conn, PHASE_SHAKING);
		shake(conn);
	}
	if (conn->phase != PHASE_CLOSED)
		settle(conn);
}

/* ---- ending */

static void
finish(struct conn *conn)
{
	if (!conn->blocked)
		send_out(conn);
	if (conn->phase != PHASE_FINISHING || conn->blocked)
		return;
	if (conn->tls != NULL)
		tls_say_end(conn->tls);
	shutdown(conn->fd, SHUT_WR);
	enter(conn, PHASE_LINGERING);
	if (conn->eof)
		conn_close(&conn);
}

/* Read what nobody wants: closing over unread bytes would destroy our last words. */
static void
linger(struct conn *conn)
{
	ssize_t n = recv(conn->fd, loop_scratch(conn->loop), LOOP_SCRATCH_BYTES, 0);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		conn_close(&conn);
}

static void
conn_free(void *object)
{
	struct conn *conn = object;

	tls_free(&conn->tls);
	buf_fini(&conn->in);
	buf_fini(&conn->out);
	free(conn->peer);
	free(conn->fault);
	free(conn);
}

void
conn_close(struct conn **conn_ref)
{
	struct conn *conn = *conn_ref;

	if (conn == NULL)
		return;
	*conn_ref = NULL;
	if (conn->phase == PHASE_UP && conn->tls != NULL)
		tls_say_end(conn->tls);
	if (conn->phase == PHASE_FINISHING || conn->phase == PHASE_LINGERING)
		LIST_REMOVE(&conn->orphan, entry);
	enter(conn, PHASE_CLOSED);
	event_del(&conn->event);
	timer_free(&conn->timer);
	dial_cancel(&conn->dial);
	if (conn->fd != -1)
		close(conn->fd);
	conn->fd = -1;
	loop_bury(conn->loop, conn, conn_free);
}

static void
close_orphan(void *object)
{
	struct conn *conn = object;

	conn_close(&conn);
}

void
conn_finish(struct conn **conn_ref, uint64_t linger_ms)
{
	struct conn *conn = *conn_ref;

	if (conn == NULL || conn->phase != PHASE_UP) {
		conn_close(conn_ref);
		return;
	}
	*conn_ref = NULL;
	enter(conn, PHASE_FINISHING);
	conn->orphan.object = conn;
	conn->orphan.end_fn = close_orphan;
	loop_adopt(conn->loop, &conn->orphan);
	start_timer(conn, linger_ms);
	finish(conn);
	if (conn->phase != PHASE_CLOSED)
		settle(conn);
}

/* ---- what the loop calls */

static void
conn_ready(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	conn->kicked = false;
	switch (conn->phase) {
	case PHASE_SHAKING:
		shake(conn);
		break;
	case PHASE_UP:
		serve(conn, what);
		break;
	case PHASE_BROKEN:
		tell_broken(conn);
		break;
	case PHASE_FINISHING:
		conn->blocked = false;
		finish(conn);
		break;
	case PHASE_LINGERING:
		linger(conn);
		break;
	case PHASE_DIALLING:
	case PHASE_ENDED:
	case PHASE_CLOSED:
		break;
	}
	if (conn->phase != PHASE_CLOSED)
		settle(conn);
}

static void
conn_timer(void *ctx)
{
	struct conn *conn = ctx;
	struct fault why;

	switch (conn->phase) {
	case PHASE_SHAKING:
		fault_set(&why, VERDICT_TEMP, "TLS: the handshake took too long");
		conn_break(conn, &why);
		settle(conn);
		break;
	case PHASE_UP:
		if (conn->eof)
			break;
		if (++conn->quiet_parts <= IDLE_PARTS) {
			start_timer(conn, (conn->idle_ms + IDLE_PARTS - 1) / IDLE_PARTS);
			break;
		}
		start_idle_timer(conn);
		tell(conn, CONN_IDLE);
		if (conn->phase != PHASE_CLOSED)
			settle(conn);
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

static struct conn *
conn_new(struct loop *loop, int fd, enum phase phase, conn_fn *fn, void *ctx)
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

struct conn *
conn_take(struct loop *loop, int fd, conn_fn *fn, void *ctx)
{
	struct conn *conn = conn_new(loop, fd, PHASE_UP, fn, ctx);

	tune(fd);
	settle(conn);
	return conn;
}

struct conn *
conn_dial(struct loop *loop, const struct endpoint *endpoint, struct tls_context *tls,
    const char *server_name, uint64_t connect_ms, conn_fn *fn, void *ctx)
{
	struct conn *conn = conn_new(loop, -1, PHASE_DIALLING, fn, ctx);
	struct fault why;

	conn->peer = xstrdup(endpoint_name(endpoint));
	conn->deadline_ms = clock_ms() + connect_ms;
	if (tls != NULL && (conn->tls = tls_new_client(tls, server_name, &why)) == NULL)
		conn_break(conn, &why);
	else
		conn->dial = dial_start(loop, endpoint, connect_ms, dialled, conn);
	return conn;
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
	send_out(conn);
	settle(conn);
}

void
conn_read(struct conn *conn, bool wanted)
{
	conn->read_wanted = wanted;
	settle(conn);
}

void
conn_set_idle_ms(struct conn *conn, uint64_t idle_ms)
{
	conn->idle_ms = idle_ms;
	if (conn->phase == PHASE_UP)
		start_idle_timer(conn);
}

void
conn_set_in_max(struct conn *conn, size_t max_bytes)
{
	conn->in_max_bytes = max_bytes;
	settle(conn);
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
