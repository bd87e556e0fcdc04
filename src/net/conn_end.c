/*
 * conn_end.c - taking leave of a peer, and seeing that it has gone    (driver)
 */
#include "net/conn_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a peer that goes while nobody reads */

/* Who reads sees the end when it comes to it. */
bool
conn_watches_end(const struct conn *conn)
{
	return conn->phase == PHASE_UP && conn->end_wanted && !conn->eof && !conn_may_read(conn);
}

/*
 * What is to be waited for beside "interest" to hear of the peer's end. A reset is told as
 * readable and writable, and again in each turn: where nothing else is waited for, only
 * changes are to be told. Where the kernel cannot do that, nothing is.
 */
short
conn_end_interest(const struct conn *conn, short interest)
{
	const int needs = EV_FEATURE_EARLY_CLOSE | EV_FEATURE_ET;

	if ((event_base_get_features(loop_base(conn->loop)) & needs) != needs)
		return 0;
	return (short)(interest != 0 ? EV_CLOSED : EV_CLOSED | EV_WRITE | EV_ET);
}

/* Readiness does not tell a reset from room for more. */
bool
conn_peer_has_ended(const struct conn *conn)
{
	struct pollfd poll_fd = {.fd = conn->fd, .events = POLLRDHUP};

	return poll(&poll_fd, 1, 0) == 1;
}

void
conn_watch_end(struct conn *conn, bool wanted)
{
	if (conn->end_wanted == wanted)
		return;
	conn->end_wanted = wanted;
	conn_settle(conn);
}

/* ---- our end */

void
conn_say_end(struct conn *conn)
{
	if (conn->tls != NULL)
		tls_say_end(conn->tls);
	shutdown(conn->fd, SHUT_WR);
	conn->ended_out = true;
}

void
conn_end_out(struct conn *conn)
{
	conn->ends_out = true;
	conn_flush(conn);
}

void
conn_go_on_finishing(struct conn *conn)
{
	if (!conn->blocked)
		conn_send_out(conn);
	if (conn->phase != PHASE_FINISHING || conn->blocked)
		return;
	conn_say_end(conn);
	conn_enter(conn, PHASE_LINGERING);
	if (conn->eof)
		conn_close(&conn);
}

/* Read what nobody wants: closing over unread bytes would destroy our last words. */
void
conn_linger(struct conn *conn)
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
	conn_enter(conn, PHASE_CLOSED);
	relay_detach(conn);
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
	conn_enter(conn, PHASE_FINISHING);
	conn->orphan.object = conn;
	conn->orphan.end_fn = close_orphan;
	loop_adopt(conn->loop, &conn->orphan);
	conn_start_timer(conn, linger_ms);
	conn_go_on_finishing(conn);
	if (conn->phase != PHASE_CLOSED)
		conn_settle(conn);
}
