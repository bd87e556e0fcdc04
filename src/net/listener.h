/*
 * listener.h - lets peers in, at a pace, up to a number               (driver)
 *
 * Accepts on a descriptor that somebody else has bound. Who may come in is
 * decided before anything is spent on a peer. When the kernel has no descriptor
 * or memory left, the listener rests for a moment instead of spinning; when all
 * seats are taken, peers wait in the kernel's queue.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/cidr.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct listener;

/*
 * Connections that may be open at a time, over all listeners that share them.
 * A seat is taken before the callback is called and given back by whoever
 * closes the connection. Lives longer than its listeners.
 */
struct seats;
struct seats *seats_new(size_t most);
void seats_free(struct seats **seats);
void seats_set_most(struct seats *seats, size_t most); /* fewer than taken: no one is sent away */
void seats_give_back(struct seats *seats);
size_t seats_taken(const struct seats *seats);

/* Who may connect; copied. */
struct listener_guard {
	const struct cidr *allow; /* IP peers; count 0: loopback only */
	size_t allow_count;
	const uid_t *uids; /* local peers by SO_PEERCRED; count 0: whoever the mode lets in */
	size_t uid_count;
};

/* fd is non-blocking, close-on-exec, tuned for short answers and the callee's; peer is lent. */
typedef void listener_fn(void *ctx, int fd, const struct sockaddr_storage *peer);

/*
 * Accepts from the next turn on. The descriptor stays the caller's and is made
 * non-blocking; name is for the log, copied.
 */
struct listener *listener_new(struct loop *loop, int fd, const char *name,
    const struct listener_guard *guard, struct seats *seats, listener_fn *fn, void *ctx);
void listener_free(struct listener **listener); /* allowed in its own callback; NULL too */

#endif
