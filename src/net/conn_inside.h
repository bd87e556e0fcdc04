/*
 * conn_inside.h - what the files of a connection know of it           (driver)
 *
 * conn.c waits and tells, conn_bytes.c reads and writes, conn_open.c dials and
 * shakes hands, conn_end.c takes leave, conn_relay.c moves what nobody looks at.
 */
#ifndef NET_CONN_INSIDE_H
#define NET_CONN_INSIDE_H

#include "net/conn.h"
#include "net/dial.h"
#include "net/loop_inside.h"
#include "net/tls.h"

#include <event2/event_struct.h>

enum conn_phase {
	PHASE_DIALLING, /* has no descriptor yet */
	PHASE_CLEARING, /* TLS is to begin, behind the rest of what is said in clear */
	PHASE_SHAKING, /* TLS handshake */
	PHASE_UP, /* also after the peer's end: it may still be written to */
	PHASE_BROKEN, /* failed, and the owner will hear of it in this turn */
	PHASE_ENDED, /* failed, and the owner knows */
	PHASE_FINISHING, /* nobody's; sends the rest */
	PHASE_LINGERING, /* nobody's; all is sent, waits for the peer to end */
	PHASE_CLOSED, /* buried */
};

struct relay; /* only conn_relay.c looks inside */

struct conn {
	struct event event;
	struct loop *loop;
	conn_fn *fn;
	void *ctx;
	struct buf in, out;
	size_t in_max_bytes;
	size_t clear_bytes; /* while clearing: so many of out are said in clear */
	int fd;
	enum conn_phase phase;
	short interest; /* EV_ bits the event is added for */
	short read_needs, write_needs; /* EV_ bits; TLS may need the other direction */
	uint8_t quiet_parts; /* parts of idle_ms without a byte */
	bool read_wanted;
	bool end_wanted; /* conn_watch_end() */
	bool blocked; /* the kernel refused a part of what was to be written */
	bool more; /* TLS may hold bytes that no readiness will announce */
	bool eof;
	bool kicked;
	bool secrets; /* conn_keep_secrets() */
	bool ends_out, ended_out; /* conn_end_out() was called; was said to the peer */
	uint64_t idle_ms, deadline_ms;
	struct timer *timer; /* deadline, idleness or lingering, by phase */
	struct tls *tls;
	struct dial *dial;
	struct relay *relay; /* from here */
	struct conn *feeder; /* whose relay leads here */
	char *peer;
	struct fault *fault;
	struct orphan orphan; /* while finishing or lingering */
};

/* ---- conn.c */

struct conn *conn_new(struct loop *loop, int fd, enum conn_phase phase, conn_fn *fn, void *ctx);
void conn_enter(struct conn *conn, enum conn_phase phase);
bool conn_may_read(const struct conn *conn);
void conn_settle(struct conn *conn); /* wait for what can happen now; after each step */
void conn_kick(struct conn *conn); /* conn.c's conn_ready() comes in this turn */
void conn_break(struct conn *conn, const struct fault *why);
void conn_tell(struct conn *conn, enum conn_event event);
void conn_start_timer(struct conn *conn, uint64_t ms);
void conn_start_idle_timer(struct conn *conn);

/* ---- conn_bytes.c */

enum moved { MOVED_SOME, MOVED_NOTHING, MOVED_EOF, MOVED_FAILED };

/* At most size, or len, bytes by one call; *why with MOVED_FAILED. */
enum moved conn_pull(struct conn *conn, char *bytes, size_t size, size_t *len_r, struct fault *why);
enum moved conn_push(struct conn *conn, const char *bytes, size_t len, size_t *len_r,
    struct fault *why);

enum moved conn_read_some(struct conn *conn, struct fault *why); /* into "in" */
void conn_send_out(struct conn *conn); /* as much of "out" as the kernel takes now */

/* ---- conn_open.c */

void conn_clear(struct conn *conn); /* PHASE_CLEARING: go on */
void conn_shake(struct conn *conn); /* PHASE_SHAKING: go on */

/* ---- conn_end.c */

void conn_go_on_finishing(struct conn *conn);
void conn_linger(struct conn *conn);
void conn_say_end(struct conn *conn); /* to the peer: nothing follows */
bool conn_watches_end(const struct conn *conn); /* conn_watch_end(), as things are */
short conn_end_interest(const struct conn *conn, short interest); /* EV_ bits for it */
bool conn_peer_has_ended(const struct conn *conn);

/* ---- conn_relay.c */

bool relay_may_read(const struct conn *from);
void relay_serve(struct conn *from); /* move what can be moved; may tell */
bool relay_push(struct conn *from); /* true: nothing is left between the two */
void relay_detach(struct conn *conn); /* on closing: nothing leads from or to it any more */

#endif
