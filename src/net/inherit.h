/*
 * inherit.h - listening sockets from whoever started us               (driver)
 *
 * systemd hands over open sockets as descriptors 3 and up, counted in
 * LISTEN_FDS (sd_listen_fds(3)); a master that upgrades itself hands its own to
 * the new binary in the same way. They are found again by the address they are
 * bound to, not by their order. LISTEN_FDNAMES tells whose socket file it is: a
 * socket that a master made is named "splitmx-made" and removed in the end, any
 * other belongs to systemd and stays.
 */
#ifndef NET_INHERIT_H
#define NET_INHERIT_H

#include "net/bind.h"

#include <stdbool.h>
#include <stddef.h>

struct inherited {
	int fd; /* -1: somebody took it */
	bool made;
	struct bind_file file;
	char name[BIND_NAME_BYTES];
};

struct inheritance {
	struct inherited *sockets;
	size_t count;
};

/*
 * Take what was handed to this process, and the words about it out of the
 * environment. What is not a listening stream socket is closed and logged.
 */
void inheritance_init(struct inheritance *inheritance);

/*
 * Now that we serve: what nobody took is not wanted any more. Each is logged and
 * closed, and its file removed where a master made it.
 */
void inheritance_settle(struct inheritance *inheritance);

void inheritance_fini(struct inheritance *inheritance); /* closes; files stay */

/* The descriptor bound to this address, the caller's from now on, or -1. */
int inheritance_take(struct inheritance *inheritance, const char *address, bool *made_r);

/*
 * In a child, right before exec: put these at 3 and up, everything else that is
 * open above will close by itself, and say so in the environment. keep is a
 * descriptor that must survive too; returns its new number.
 */
int inheritance_give(const int *fds, const bool *made, size_t count, int keep);

#endif
