/*
 * resolve.h - the addresses of a host                                 (driver)
 *
 * Numbers and "localhost" are known at once, names are asked for without
 * blocking; either way the answer comes later, once, never from inside the
 * call.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/fault.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct resolve;

enum { RESOLVE_MOST = 16 }; /* further addresses of a name are left out */

struct address {
	struct sockaddr_storage sockaddr;
	socklen_t len;
};

/* addresses are lent during the call; count is 0 only when why says what is wrong. */
typedef void resolve_fn(void *ctx, const struct address *addresses, size_t count,
    const struct fault *why);

/* False: it is a name, or an address with a zone. */
bool resolve_numbers(const char *host, const char *port, struct address *address_r);

/* port is a number. After the callback the question is over and need not be cancelled. */
struct resolve *resolve_start(struct loop *loop, const char *host, const char *port, resolve_fn *fn,
    void *ctx);
void resolve_cancel(struct resolve **resolve); /* the callback will not come; NULL is allowed */

#endif
