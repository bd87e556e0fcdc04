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
#include <sys/socket.h>
#include <sys/types.h>

struct conn;
struct tls; /* net/tls.h */
struct tls_context;

enum conn_event {
	CONN_OPEN, /* dialled, or TLS is up; comes before everything else, and for each handshake */
	CONN_DATA, /* conn_in() has grown */
	CONN_DRAINED, /* everything in conn_out() was handed to the kernel after it once was not */
	CONN_RELAYED, /* what conn_relay() was to move from here has gone */
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
 * Take over a connected, non-blocking descriptor, or dial.
 * Names are looked up with getaddrinfo() only when they are numeric or
 * "localhost"; others resolve asynchronously. Dialling fails after
 * connect_ms, TLS handshake included, with CONN_FAILED, never from inside the
 * call. tls may be NULL; server_name is then unused. TLS contexts may be freed
 * while connections live.
 *
 * conn_take_tls() begins with a handshake: CONN_OPEN says that it is done,
 * CONN_FAILED that it failed or took longer than handshake_ms.
 */
struct conn *conn_take(struct loop *loop, int fd, conn_fn *fn, void *ctx);
struct conn *conn_take_tls(struct loop *loop, int fd, struct tls_context *tls,
    uint64_t handshake_ms, conn_fn *fn, void *ctx);
struct conn *conn_dial(struct loop *loop, const struct endpoint *endpoint, struct tls_context *tls,
    const char *server_name, uint64_t connect_ms, conn_fn *fn, void *ctx);

/*
 * From clear to TLS, on either side: a client names the server, a server's
 * server_name is NULL. What is in conn_out() leaves in clear before, what is put
 * there from now on waits until TLS is up. CONN_OPEN, or CONN_FAILED, comes from the
 * loop; nothing is read meanwhile. Whatever lies in conn_in() was said before it
 * could be trusted: then the connection fails, and nobody sees those bytes. (A
 * PROXY header before TLS, towards a backend: dial without, say it, start.)
 *
 * conn_start_tls_behind() is for a server that took a PROXY header out of
 * conn_in(): what follows there is the beginning of the handshake.
 */
void conn_start_tls(struct conn *conn, struct tls_context *tls, const char *server_name,
    uint64_t handshake_ms);
void conn_start_tls_behind(struct conn *conn, struct tls_context *tls, uint64_t handshake_ms);

bool conn_is_tls(const struct conn *conn); /* a handshake is done */
const struct tls *conn_tls(const struct conn *conn); /* for the log; NULL unless conn_is_tls() */

void conn_close(struct conn **conn); /* at once; no event follows */

/*
 * Close when conn_out() has been sent and the peer has ended too, or after
 * linger_ms; no event follows. What the peer still says is read and dropped,
 * because closing over it would destroy what it has not yet read of ours.
 */
void conn_finish(struct conn **conn, uint64_t linger_ms);

/*
 * Nothing will be put into conn_out() any more: say so to the peer, behind what is there.
 * What is put there all the same, once that was said, is dropped.
 */
void conn_end_out(struct conn *conn);

struct buf *conn_in(struct conn *conn);
struct buf *conn_out(struct conn *conn); /* only ever append; without limit unless you set one */
void conn_flush(struct conn *conn); /* cheap to call when there is nothing */

void conn_read(struct conn *conn, bool wanted);

/*
 * While true, CONN_EOF comes also where nothing is read and the peer has ended or gone:
 * what it said, and was not read, is lost to the owner. A peer that says more than the
 * kernel takes is noticed when it resets, not when it closes: its end is behind its words.
 */
void conn_watch_end(struct conn *conn, bool wanted);

void conn_set_idle_ms(struct conn *conn, uint64_t idle_ms); /* 0 = never; up to a quarter late */
void conn_set_in_max(struct conn *conn, size_t max_bytes); /* default 128 KiB */

/* Events go to another owner from now on. */
void conn_hand_over(struct conn *conn, conn_fn *fn, void *ctx);

/*
 * While true, nothing that was read or written stays behind in memory that is not
 * content any more: what the callback has consumed is overwritten when it returns.
 */
void conn_keep_secrets(struct conn *conn, bool secrets);

/*
 * The next so many bytes of "from" go to "to" unseen, those in conn_in(from) first and
 * behind whatever conn_out(to) holds; with splice(2) where both are in clear.
 * No faster than "to" is read; conn_read(from, false) holds them. Then CONN_RELAYED
 * comes on "from", from the loop: all is in the kernel or in conn_out(to). Or
 * CONN_EOF or CONN_FAILED comes before. After CONN_EOF only conn_in() is left to go.
 * UINT64_MAX: until conn_relay_stop(), which lets go what was read already; then
 * CONN_RELAYED comes as well.
 *
 * One relay at a time from a connection, and one to it; both directions are two.
 * If "to" fails (which it is told even after its CONN_EOF), or is closed, "from" is
 * held and hears nothing more of it: close it, or read on with conn_relay_stop().
 * Closing "from" drops what is between them.
 */
void conn_relay(struct conn *from, struct conn *to, uint64_t bytes);
void conn_relay_stop(struct conn *from); /* harmless when there is none */
uint64_t conn_relay_left(const struct conn *from); /* not yet gone; 0: there is no relay */

/* Nothing can be sent any more. After CONN_EOF no event says so. */
bool conn_has_failed(const struct conn *conn);
const struct fault *conn_fault(const struct conn *conn);

/*
 * "192.0.2.7:51022", "[2001:db8::7]:51022", "unix pid=123 uid=0"; of a dialled one the
 * endpoint's name. Lent as long as the connection.
 */
const char *conn_peer(struct conn *conn);

/* Our end as the kernel knows it; AF_UNSPEC where it does not (any more). */
void conn_own_address(const struct conn *conn, struct sockaddr_storage *own_r);

/*
 * Of a TCP socket: a peer that has gone is noticed, a short answer leaves at once. What is
 * dialled has this; what is taken has it where its listener had. Harmless on others.
 */
void conn_tune(int fd);

#endif
