/*
 * dial.h - from an endpoint to a connected descriptor                 (driver)
 *
 * Looks the name up, then tries every address in turn, each with its share of
 * the time that is left, so that one which swallows packets leaves some for the
 * next. A local socket whose queue is full is tried again until the end.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "net/endpoint.h"
#include "net/loop.h"

#include <stdint.h>

struct dial;

/*
 * fd is connected, non-blocking and the callee's from here, or it is -1 and why
 * says what went wrong with the last address. Comes once, never from inside
 * dial_start(); the dial is over then and need not be cancelled.
 */
typedef void dial_fn(void *ctx, int fd, const struct fault *why);

struct dial *dial_start(struct loop *loop, const struct endpoint *endpoint, uint64_t connect_ms,
    dial_fn *fn, void *ctx);
void dial_cancel(struct dial **dial); /* the callback will not come; NULL is allowed */

#endif
