/*
 * metrics.h - answer whoever collects numbers                         (driver)
 *
 * HTTP on an address of this host, and as little of it as can be: GET /metrics is
 * answered, anything else is told that it is not here (404, 405). One request for
 * each connection, and METRICS_LIFE_MS for all of it; no more than
 * METRICS_CLIENTS_MOST at a time, so that nobody on this host takes the
 * descriptors that our real clients need. The HTTP is libevent's.
 *
 * Knows nothing of what the numbers are: fn writes the text of
 * base/openmetrics.h.
 */
#ifndef NET_METRICS_H
#define NET_METRICS_H

#include "base/buf.h"
#include "net/loop.h"

enum {
	METRICS_CLIENTS_MOST = 8, /* others wait to be accepted */
	METRICS_LIFE_MS = 3000,
	METRICS_HEAD_MOST = 8192, /* of a request: its line and its headers */
	METRICS_TEXT_MOST = 16 * 1024 * 1024,
};

struct metrics;

/* Write everything, or leave a failed buf: then the answer is 500. */
typedef void metrics_fn(void *ctx, struct buf *out);

/* fd listens and is lent. */
struct metrics *metrics_new(struct loop *loop, int fd, metrics_fn *fn, void *ctx);
void metrics_free(struct metrics **metrics); /* whoever is asking is cut off */

#endif
