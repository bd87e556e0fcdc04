/*
 * port.h - one address where policyd listens                          (driver)
 *
 * Made from a row of policyd.listen and a descriptor that the master has bound.
 * What the row says can change in a reload while connections stay, so they read
 * it from here each time. A port that is no longer wanted lets nobody in and
 * goes with its last connection.
 */
#ifndef POLICY_PORT_H
#define POLICY_PORT_H

#include "base/fault.h"
#include "net/listener.h"
#include "policy/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct server;

struct port {
	LIST_ENTRY(port) entry; /* in the server's list */
	struct server *server;
	int fd; /* lent by the master; -1 = not wanted any more */
	enum listen_protocol kind;
	char *address, *map, *reply;
	bool is_unix; /* its clients are of this host */
	struct words words; /* lent to machines: map and reply */
	struct listener *listener; /* NULL: nobody is let in */
	size_t clients;
	uint64_t accepted;
};

/* Who may connect, as a row says it: networks and users, looked up. */
struct port_guard {
	struct cidr *allow;
	size_t allow_count;
	uid_t *uids;
	size_t uid_count;
};

/* 0, or -1 with a fault: a network that is none, a user that there is not. */
int port_guard_init(struct port_guard *guard, const struct listen_settings *row,
    struct fault *fault_r);
void port_guard_fini(struct port_guard *guard); /* harmless on a zeroed one */

struct port *port_new(struct server *server, int fd);
void port_free(struct port **port); /* no clients left */

/* Take over what the row says; the guard is lent for the call. */
void port_set(struct port *port, const struct listen_settings *row, const struct port_guard *guard);
void port_stop(struct port *port); /* lets nobody in from now on */

#endif
