/*
 * conn_bytes.c - reading and writing, in clear or TLS                 (driver)
 */
#include "net/conn_inside.h"

#include <errno.h>
#include <string.h>

static bool
is_wrapped(const struct conn *conn)
{
	return conn->tls != NULL && conn->phase != PHASE_CLEARING;
}

static enum moved
pull_clear(struct conn *conn, char *bytes, size_t size, size_t *len_r, struct fault *why)
{
	ssize_t n = recv(conn->fd, bytes, size, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return MOVED_NOTHING; /* a signal: it stays readable */
	if (n == -1)
		fault_set_errno(why, VERDICT_TEMP, "reading");
	if (n <= 0)
		return n == 0 ? MOVED_EOF : MOVED_FAILED;
	*len_r = (size_t)n;
	return MOVED_SOME;
}

enum moved
conn_pull(struct conn *conn, char *bytes, size_t size, size_t *len_r, struct fault *why)
{
	*len_r = 0;
	if (!is_wrapped(conn))
		return pull_clear(conn, bytes, size, len_r, why);
	conn->more = false;
	switch (tls_read(conn->tls, bytes, size, len_r, why)) {
	case TLS_DONE:
		conn->more = true;
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
push_clear(struct conn *conn, const char *bytes, size_t len, size_t *len_r, struct fault *why)
{
	ssize_t n;

	do
		n = send(conn->fd, bytes, len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return MOVED_NOTHING;
	if (n == -1) {
		fault_set_errno(why, VERDICT_TEMP, "writing");
		return MOVED_FAILED;
	}
	*len_r = (size_t)n;
	return MOVED_SOME;
}

enum moved
conn_push(struct conn *conn, const char *bytes, size_t len, size_t *len_r, struct fault *why)
{
	*len_r = 0;
	if (!is_wrapped(conn))
		return push_clear(conn, bytes, len, len_r, why);
	switch (tls_write(conn->tls, bytes, len, len_r, why)) {
	case TLS_DONE:
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

/* Into the loop's scratch memory and from there to "in", which so has no size of its own. */
enum moved
conn_read_some(struct conn *conn, struct fault *why)
{
	char *scratch = loop_scratch(conn->loop);
	size_t room = conn->in_max_bytes - buf_len(&conn->in), len;
	enum moved moved;

	if (room > LOOP_SCRATCH_BYTES)
		room = LOOP_SCRATCH_BYTES;
	moved = conn_pull(conn, scratch, room, &len, why);
	buf_add(&conn->in, scratch, len);
	if (conn->secrets)
		explicit_bzero(scratch, len);
	return moved;
}

static size_t
sendable(const struct conn *conn)
{
	return conn->phase == PHASE_CLEARING ? conn->clear_bytes : buf_len(&conn->out);
}

static bool
send_some(struct conn *conn)
{
	struct fault why;
	size_t len;

	switch (conn_push(conn, buf_str(&conn->out).ptr, sendable(conn), &len, &why)) {
	case MOVED_SOME:
		conn->quiet_parts = 0;
		buf_consume(&conn->out, len);
		if (conn->phase == PHASE_CLEARING)
			conn->clear_bytes -= len;
		return true;
	case MOVED_NOTHING:
		conn->blocked = true;
		return true;
	case MOVED_EOF:
	case MOVED_FAILED:
		break;
	}
	conn_break(conn, &why);
	return false;
}

void
conn_send_out(struct conn *conn)
{
	struct fault why;

	if (conn->out.failed) {
		fault_set(&why, VERDICT_TEMP, "writing: more than this connection may hold");
		conn_break(conn, &why);
		return;
	}
	if (conn->ended_out)
		buf_clear(&conn->out); /* it would be no more than a broken pipe */
	/* What is on its way through a relay came before whatever is in "out". */
	if (conn->feeder != NULL && !relay_push(conn->feeder))
		return;
	while (!conn->blocked && sendable(conn) > 0) {
		if (!send_some(conn))
			return;
	}
	if (conn->secrets)
		buf_wipe_rest(&conn->out);
	buf_release(&conn->out);
	if (conn->ends_out && !conn->ended_out && buf_len(&conn->out) == 0)
		conn_say_end(conn);
}
