/*
 * conn_open.c - from a descriptor, or an endpoint, to an open one     (driver)
 *
 * TLS begins here in three ways: behind a dial, with the first byte of a taken
 * descriptor, or in the middle of a conversation. A handshake is carried on
 * from the loop only, so that nobody is told anything inside his own call.
 */
#include "net/conn_inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

enum {
	KEEPALIVE_S = 120,
	KEEPALIVE_INTERVAL_S = 30,
};

static void
opened(struct conn *conn)
{
	conn_enter(conn, PHASE_UP);
	conn->read_needs = EV_READ;
	conn->write_needs = EV_WRITE;
	conn->more = conn->tls != NULL; /* data may have come with the last of the handshake */
	conn_start_idle_timer(conn);
	conn_tell(conn, CONN_OPEN);
	if (conn->feeder != NULL)
		conn_kick(conn->feeder);
	if (conn->relay != NULL)
		conn_kick(conn);
}

void
conn_shake(struct conn *conn)
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

void
conn_clear(struct conn *conn)
{
	conn->blocked = false;
	conn_send_out(conn);
	if (conn->phase != PHASE_CLEARING || conn->clear_bytes > 0)
		return;
	conn_enter(conn, PHASE_SHAKING);
	conn_shake(conn);
}

void
conn_tune(int fd)
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
	conn_tune(fd);
	if (conn->tls == NULL) {
		opened(conn);
	} else {
		now_ms = clock_ms();
		conn_start_timer(conn, now_ms < conn->deadline_ms ? conn->deadline_ms - now_ms : 0);
		tls_set_fd(conn->tls, fd);
		conn_enter(conn, PHASE_SHAKING);
		conn_shake(conn);
	}
	if (conn->phase != PHASE_CLOSED)
		conn_settle(conn);
}

struct conn *
conn_take(struct loop *loop, int fd, conn_fn *fn, void *ctx)
{
	struct conn *conn = conn_new(loop, fd, PHASE_UP, fn, ctx);

	conn_settle(conn);
	return conn;
}

struct conn *
conn_take_tls(struct loop *loop, int fd, struct tls_context *tls, uint64_t handshake_ms,
    conn_fn *fn, void *ctx)
{
	struct conn *conn = conn_new(loop, fd, PHASE_SHAKING, fn, ctx);

	conn->tls = tls_new_server(tls);
	tls_set_fd(conn->tls, fd);
	conn_start_timer(conn, handshake_ms);
	conn_settle(conn);
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

/* ---- in the middle of a conversation */

/* Nothing that was said in clear is to be believed, nor shown to anybody. */
static void
refuse_tls(struct conn *conn, const struct fault *why)
{
	buf_clear(&conn->in);
	conn->read_wanted = false;
	conn->eof = false; /* the owner is to hear of this, though the peer has ended */
	conn_break(conn, why);
}

static void
start_tls(struct conn *conn, struct tls *tls, uint64_t handshake_ms)
{
	conn->tls = tls;
	tls_set_fd(tls, conn->fd);
	tls_keep_secrets(tls, conn->secrets);
	conn->eof = false;
	conn->clear_bytes = buf_len(&conn->out);
	conn_enter(conn, PHASE_CLEARING);
	conn_start_timer(conn, handshake_ms);
	conn_settle(conn);
	conn_kick(conn);
}

void
conn_start_tls(struct conn *conn, struct tls_context *tls, const char *server_name,
    uint64_t handshake_ms)
{
	struct tls *begun;
	struct fault why;

	if (conn->phase != PHASE_UP)
		return; /* it failed; the owner will be told, or has been */
	must(conn->tls == NULL && conn->relay == NULL && conn->feeder == NULL);
	if (conn->eof || buf_len(&conn->in) > 0) {
		fault_set(&why, VERDICT_TEMP, "TLS: the peer %s",
		    conn->eof ? "ended before the handshake" : "did not wait for the handshake");
		refuse_tls(conn, &why);
	} else if (server_name == NULL) {
		start_tls(conn, tls_new_server(tls), handshake_ms);
	} else if ((begun = tls_new_client(tls, server_name, &why)) != NULL) {
		start_tls(conn, begun, handshake_ms);
	} else {
		refuse_tls(conn, &why);
	}
}

void
conn_start_tls_behind(struct conn *conn, struct tls_context *tls, uint64_t handshake_ms)
{
	struct tls *begun;

	if (conn->phase != PHASE_UP)
		return;
	must(conn->tls == NULL && conn->relay == NULL && conn->feeder == NULL);
	begun = tls_new_server(tls); /* if the peer has ended, the handshake will say so */
	tls_set_early(begun, buf_str(&conn->in));
	buf_clear(&conn->in);
	buf_release(&conn->in);
	start_tls(conn, begun, handshake_ms);
}

const struct tls *
conn_tls(const struct conn *conn)
{
	return conn->tls != NULL && tls_is_up(conn->tls) ? conn->tls : NULL;
}

bool
conn_is_tls(const struct conn *conn)
{
	return conn_tls(conn) != NULL;
}
