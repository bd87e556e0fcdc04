/*
 * conn.h - a connection, TLS included                                 (driver)
 *
 * One callback, a few events, nothing to see inside. Bytes that arrived lie in
 * conn_in() until they are consumed; bytes to be sent are put into conn_out()
 * and leave with conn_flush(), at once where the socket takes them. Both
 * buffers give their memory back while they are empty, so an idle connection
 * costs a few hundred bytes and no timer of its own beyond a lazy one.
 *
 * Read only what you may still write: with conn_read(conn, false) the peer is
 * held by its own socket buffer. A connection reads by itself no more than
 * its in-buffer's limit; who consumes outside of the callback calls conn_read()
 * or conn_flush() afterwards, so that it goes on.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/buf.h"
#include "base/fault.h"
#include "net/endpoint.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct conn;
struct tls_context; /* net/tls.h */

enum conn_event {
	CONN_OPEN, /* dialled and, where asked for, TLS is up; always first on dialled ones */
	CONN_DATA, /* conn_in() has grown */
	CONN_DRAINED, /* everything in conn_out() was handed to the kernel after it once was not */
	CONN_EOF, /* the peer will send no more; nothing follows, but it may still be answered */
	CONN_FAILED, /* conn_fault() says why; nothing follows */
	CONN_IDLE, /* nothing was read or written for idle_ms; may come again */
};

/*
 * Inside the callback conn_close() is allowed; the memory goes after the turn.
 * What the callback leaves in conn_out() is flushed behind it.
 */
typedef void conn_fn(struct conn *conn, enum conn_event event, void *ctx);

/*
 * Take over a connected, non-blocking descriptor (listeners do this), or dial.
 * Names are looked up with getaddrinfo() only when they are numeric or
 * "localhost"; others resolve asynchronously. Dialling fails after
 * connect_ms, TLS handshake included, with CONN_FAILED, never from inside the
 * call. tls may be NULL; server_name is then unused. TLS contexts may be freed
 * while connections live.
 */
struct conn *conn_take(struct loop *loop, int fd, conn_fn *fn, void *ctx);
struct conn *conn_dial(struct loop *loop, const struct endpoint *endpoint, struct tls_context *tls,
    const char *server_name, uint64_t connect_ms, conn_fn *fn, void *ctx);

void conn_close(struct conn **conn); /* at once; no event follows */

/*
 * Close when conn_out() has been sent and the peer has ended too, or after
 * linger_ms; no event follows. What the peer still says is read and dropped,
 * because closing over it would destroy what it has not yet read of ours.
 */
void conn_finish(struct conn **conn, uint64_t linger_ms);

struct buf *conn_in(struct conn *conn);
struct buf *conn_out(struct conn *conn); /* only ever append; without limit unless you set one */
void conn_flush(struct conn *conn); /* cheap to call when there is nothing */

void conn_read(struct conn *conn, bool wanted);
void conn_set_idle_ms(struct conn *conn, uint64_t idle_ms); /* 0 = never; up to a quarter late */
void conn_set_in_max(struct conn *conn, size_t max_bytes); /* default 128 KiB */

const struct fault *conn_fault(const struct conn *conn);

/*
 * "192.0.2.7:51022", "[2001:db8::7]:51022", "unix pid=123 uid=0"; of a dialled one the
 * endpoint's name. Lent as long as the connection.
 */
const char *conn_peer(struct conn *conn);

#endif
