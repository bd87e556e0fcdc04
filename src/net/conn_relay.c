/*
 * conn_relay.c - bytes that nobody looks at, from one peer to another (driver)
 *
 * In clear on both sides the kernel moves them through a pipe, which is borrowed
 * while bytes are in it; otherwise they pass through the loop's scratch memory,
 * and what the other peer does not take at once waits in its out-buffer. Either
 * way no more is read before that has gone.
 *
 * splice(2) has no MSG_NOSIGNAL: whoever relays ignores SIGPIPE, as our daemons do.
 */
#include "net/conn_inside.h"

#include "base/mem.h"
#include "net/loop_pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
	SPLICE_LEAST_BYTES = 32 * 1024, /* for less a copy is cheaper */
	ROUNDS = 8, /* then it is the others' turn */
};

struct relay {
	struct conn *to; /* NULL: closed */
	uint64_t unread; /* still to be taken from the peer */
	size_t piped; /* taken, and not yet given */
	int pipe[2]; /* -1: none */
	bool copies; /* the kernel will not splice these two */
	bool stopped; /* by the owner, who may be left without a "to" */
	bool eof; /* the peer has ended; told when nothing is piped any more */
};

static bool
is_clear(const struct conn *conn)
{
	return conn->tls == NULL;
}

/* ---- giving */

bool
relay_push(struct conn *from)
{
	struct relay *relay = from->relay;
	struct conn *to = relay->to;
	struct fault why;
	ssize_t n;

	while (relay->piped > 0 && !to->blocked) {
		n = splice(relay->pipe[0], NULL, to->fd, NULL, relay->piped,
		    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n > 0) {
			relay->piped -= (size_t)n;
			to->quiet_parts = 0;
		} else if (n == -1 && errno == EAGAIN) {
			to->blocked = true;
		} else if (n == 0 || errno != EINTR) {
			fault_set_errno(&why, VERDICT_TEMP, "writing");
			conn_break(to, &why);
			return false;
		}
	}
	return relay->piped == 0;
}

/* What comes through our own memory; what is left of it is the out-buffer's. */
static void
give(struct conn *to, const char *bytes, size_t len)
{
	enum moved moved = MOVED_SOME;
	struct fault why;
	size_t n;

	while (len > 0 && moved == MOVED_SOME && buf_len(&to->out) == 0) {
		moved = conn_push(to, bytes, len, &n, &why);
		bytes += n;
		len -= n;
		to->quiet_parts = 0;
	}
	if (moved == MOVED_EOF || moved == MOVED_FAILED) {
		conn_break(to, &why);
		return;
	}
	to->blocked = moved == MOVED_NOTHING;
	buf_add(&to->out, bytes, len);
}

/* ---- taking */

static enum moved
take_by_copy(struct conn *from, struct fault *why)
{
	struct relay *relay = from->relay;
	char *scratch = loop_scratch(from->loop);
	size_t most = LOOP_SCRATCH_BYTES, len = 0, n;
	enum moved moved;

	if (most > relay->unread)
		most = (size_t)relay->unread;
	do { /* a record of TLS is 16 KiB at most: several of them are worth one write */
		moved = conn_pull(from, scratch + len, most - len, &n, why);
		len += n;
	} while (moved == MOVED_SOME && from->more && len < most);
	relay->unread -= len;
	if (len == 0)
		return moved;
	if (moved == MOVED_SOME && !from->more && len < most)
		moved = MOVED_NOTHING; /* that was all; the kernel will say when there is more */
	from->quiet_parts = 0;
	give(relay->to, scratch, len);
	if (from->secrets || relay->to->secrets)
		explicit_bzero(scratch, len);
	return moved;
}

static enum moved
take_by_splice(struct conn *from, struct fault *why)
{
	struct relay *relay = from->relay;
	size_t most = relay->unread < PIPE_BYTES ? (size_t)relay->unread : PIPE_BYTES;
	ssize_t n =
	    splice(from->fd, NULL, relay->pipe[1], NULL, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return MOVED_NOTHING;
	if (n == -1 && errno == EINVAL) {
		relay->copies = true;
		return MOVED_SOME; /* the next round will */
	}
	if (n == -1) {
		fault_set_errno(why, VERDICT_TEMP, "reading");
		return MOVED_FAILED;
	}
	if (n == 0)
		return MOVED_EOF;
	relay->unread -= (uint64_t)n;
	relay->piped += (size_t)n;
	from->quiet_parts = 0;
	return MOVED_SOME;
}

static enum moved
take(struct conn *from, struct fault *why)
{
	struct relay *relay = from->relay;

	if (!relay->copies && is_clear(from) && is_clear(relay->to) &&
	    relay->unread >= SPLICE_LEAST_BYTES &&
	    (relay->pipe[0] != -1 || pipes_borrow(loop_pipes(from->loop), relay->pipe)))
		return take_by_splice(from, why);
	return take_by_copy(from, why);
}

/* ---- the relay */

static bool
is_heard(const struct relay *relay)
{
	return relay->to != NULL && relay->to->phase == PHASE_UP;
}

bool
relay_may_read(const struct conn *from)
{
	const struct relay *relay = from->relay;

	return relay->unread > 0 && !relay->eof && is_heard(relay) && !relay->to->blocked;
}

static void
give_pipe_back(struct conn *from)
{
	struct relay *relay = from->relay;

	if (relay->pipe[0] != -1)
		pipes_return(loop_pipes(from->loop), relay->pipe, relay->piped == 0);
}

static void
relay_free(struct conn *from)
{
	struct relay *relay = from->relay;

	if (relay == NULL)
		return;
	give_pipe_back(from);
	if (relay->to != NULL)
		relay->to->feeder = NULL;
	from->relay = NULL;
	free(relay);
}

void
relay_detach(struct conn *conn)
{
	relay_free(conn);
	if (conn->feeder != NULL)
		conn->feeder->relay->to = NULL;
	conn->feeder = NULL;
}

/* Is there something to be told now? Not that all has gone where somebody may have lost it. */
static void
tell_progress(struct conn *from)
{
	struct relay *relay = from->relay;

	if (relay->piped > 0 || (!is_heard(relay) && !relay->stopped))
		return;
	if (relay->unread == 0) {
		relay_free(from);
		conn_tell(from, CONN_RELAYED);
	} else if (relay->eof && !from->eof) {
		from->eof = true;
		conn_tell(from, CONN_EOF);
	}
}

void
relay_serve(struct conn *from)
{
	struct relay *relay = from->relay;
	struct conn *to = relay->to;
	enum moved moved = MOVED_SOME;
	struct fault why;

	if (is_heard(relay)) {
		conn_send_out(to);
		for (int i = 0; i < ROUNDS && moved == MOVED_SOME && conn_may_read(from); i++) {
			moved = take(from, &why);
			conn_send_out(to);
		}
		conn_settle(to);
	}
	if (relay->piped == 0)
		give_pipe_back(from);
	if (moved == MOVED_FAILED) {
		conn_break(from, &why);
		return;
	}
	relay->eof |= moved == MOVED_EOF;
	tell_progress(from);
}

/* ---- for the owner */

void
conn_relay(struct conn *from, struct conn *to, uint64_t bytes)
{
	size_t here = buf_len(&from->in);

	must(from != to && from->relay == NULL && to->feeder == NULL);
	if (here > bytes)
		here = (size_t)bytes;
	buf_add(&to->out, buf_str(&from->in).ptr, here);
	buf_consume(&from->in, here);
	from->relay = xnew(struct relay);
	from->relay->to = to;
	from->relay->unread = bytes - here;
	from->relay->pipe[0] = from->relay->pipe[1] = -1;
	to->feeder = from;
	conn_settle(from);
	conn_kick(from);
}

void
conn_relay_stop(struct conn *from)
{
	struct relay *relay = from->relay;

	if (relay == NULL)
		return;
	if (!is_heard(relay)) { /* nobody is there to get it */
		give_pipe_back(from);
		relay->piped = 0;
	}
	relay->stopped = true;
	relay->unread = 0;
	conn_kick(from);
}

uint64_t
conn_relay_left(const struct conn *from)
{
	return from->relay != NULL ? from->relay->unread + from->relay->piped : 0;
}
