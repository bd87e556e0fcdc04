/*
 * port.h - one address where the front listens                        (driver)
 */
#ifndef FRONT_PORT_H
#define FRONT_PORT_H

#include "base/settings.h"
#include "front/dialect.h"
#include "net/cidr.h"
#include "net/listener.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct server;

/*
 * What the row says may change in a reload while connections stay, so they read
 * it from here. A port that is no longer wanted lets nobody in and goes with its
 * last login.
 */
struct front_port {
	LIST_ENTRY(front_port) entry; /* in the server's list */
	struct server *server;
	int fd; /* lent by the master; -1 = not wanted any more */
	const struct dialect *dialect;
	enum dialect_kind kind;
	enum tls_mode tls_mode;
	bool plaintext_login;
	char *address;
	struct cidr *proxy_from; /* whose connections begin with a PROXY header */
	size_t proxy_from_count;
	struct listener *listener; /* NULL: nobody is let in */
	size_t logins;
	uint64_t accepted;
};

struct front_port *front_port_new(struct server *server, int fd);
void front_port_free(struct front_port **port); /* no logins left */

/* Can the row be taken over? 0, or -1 and *fault_r. */
int front_port_check(const struct front_listen_settings *row, struct fault *fault_r);

/* Take over what a row says that was found good; its protocol is the port's, or it is a new port.
 */
void front_port_set(struct front_port *port, const struct front_listen_settings *row);
void front_port_stop(struct front_port *port); /* lets nobody in from now on */

#endif
