/*
 * side.h - an owner of a connection that writes down what it is told
 */
#ifndef TESTS_SIDE_H
#define TESTS_SIDE_H

#include "base/buf.h"
#include "base/mem.h"
#include "net/conn.h"

#include <string.h>
#include <sys/socket.h>

#include "unit.h"

enum { SOON_MS = 10000 };

static const char side_letters[] = {
    [CONN_OPEN] = 'o',
    [CONN_DATA] = 'd',
    [CONN_DRAINED] = 'r',
    [CONN_RELAYED] = 'm',
    [CONN_EOF] = 'e',
    [CONN_FAILED] = 'f',
    [CONN_IDLE] = 'i',
};

struct side {
	struct loop *loop;
	struct conn *conn;
	char told[64]; /* letters of events; the same one twice in a row once only */
	struct buf got; /* what was read; it is taken out of the connection */
	struct fault fault;
	void (*habit)(struct side *side, enum conn_event event); /* instead of taking bytes */
	char until; /* for side_wait() */
	size_t wanted;
};

static inline void
side_event(struct conn *conn, enum conn_event event, void *ctx)
{
	struct side *side = ctx;
	size_t len = strlen(side->told);

	if (len + 1 < sizeof(side->told) &&
	    (len == 0 || side->told[len - 1] != side_letters[event]))
		side->told[len] = side_letters[event];
	if (event == CONN_FAILED)
		side->fault = *conn_fault(conn);
	if (side->habit != NULL) {
		side->habit(side, event);
		return;
	}
	buf_add_str(&side->got, buf_str(conn_in(conn)));
	buf_consume(conn_in(conn), buf_len(conn_in(conn)));
}

static inline void
side_init(struct side *side, struct loop *loop)
{
	memset(side, 0, sizeof(*side));
	side->loop = loop;
}

static inline void
side_fini(struct side *side)
{
	conn_close(&side->conn);
	buf_fini(&side->got);
}

static inline bool
side_was_told(void *ctx)
{
	const struct side *side = ctx;

	return strchr(side->told, side->until) != NULL;
}

static inline bool
side_wait(struct side *side, char letter)
{
	side->until = letter;
	return loop_run_until(side->loop, side_was_told, side, SOON_MS);
}

static inline bool
side_has(void *ctx)
{
	const struct side *side = ctx;

	return buf_len(&side->got) >= side->wanted;
}

static inline bool
side_wait_bytes(struct side *side, size_t wanted)
{
	side->wanted = wanted;
	return loop_run_until(side->loop, side_has, side, SOON_MS);
}

static inline bool
side_never(void *ctx)
{
	return false;
}

static inline void
side_pass_ms(struct side *side, uint64_t ms)
{
	loop_run_until(side->loop, side_never, NULL, ms);
}

static inline void
side_say(struct side *side, const char *text)
{
	buf_add_text(conn_out(side->conn), text);
	conn_flush(side->conn);
}

#endif
