/*
 * exchange.h - one question on one connection, with a deadline         (driver)
 *
 * Blocks, and never beyond the deadline: for threads that have nothing else to
 * do. Times are those of CLOCK_MONOTONIC in milliseconds, which is what a wait
 * for a condition can be given.
 */
#ifndef MILTER_EXCHANGE_H
#define MILTER_EXCHANGE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

uint64_t exchange_now_ms(void);

enum exchange_end {
	EXCHANGE_DONE,
	EXCHANGE_LATE, /* the deadline has passed */
	EXCHANGE_CLOSED, /* the other side has closed before a byte of its reply; errno may say how
			  */
	EXCHANGE_BROKEN /* anything else: errno, or 0 where the reply is no netstring */
};

/* A descriptor, the caller's, or -1 and *end_r (not EXCHANGE_DONE) with errno. */
int exchange_connect(const struct sockaddr_un *where, uint64_t until_ms, enum exchange_end *end_r);

/*
 * Send the request, a netstring, and wait for the netstring that answers it.
 * DONE: *reply_r is its content, lent until in changes. After anything else the
 * connection is good for nothing any more.
 */
enum exchange_end exchange_ask(int fd, struct str request, struct buf *in, uint64_t until_ms,
    struct str *reply_r);

/* Nobody has closed it, and nothing came that was not asked for. */
bool exchange_is_quiet(int fd);

#endif
