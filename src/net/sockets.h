/*
 * sockets.h - the listening sockets of a master                       (driver)
 *
 * The master keeps them open for as long as they are wanted, whatever happens to
 * its workers, so a client waits in the backlog instead of being refused. A
 * change is prepared completely, then made, or given up without a trace.
 */
#ifndef NET_SOCKETS_H
#define NET_SOCKETS_H

#include "net/bind.h"
#include "net/inherit.h"

#include <stdint.h>

struct socket {
	char name[BIND_NAME_BYTES]; /* as bind_name() spells it */
	uint64_t serial; /* another one at the same address has another */
	int fd;
	bool made; /* the socket file is ours to remove */
	struct bind_file file;
};

struct sockets {
	struct socket *rows; /* in the order of the requests */
	size_t count;
};

typedef void sockets_problem_fn(void *ctx, int line, const struct fault *fault);

/*
 * What "now" becomes for these requests: open ones are kept, then inherited ones
 * taken, then new ones opened. Where somebody else
 * still listens it is tried again for patience_ms. Each failure is told to fn;
 * -1 after any, with next_r empty and everything as before.
 */
int sockets_prepare(const struct sockets *now, const struct bind_request *requests, size_t count,
    struct inheritance *inheritance, uint64_t patience_ms, sockets_problem_fn *fn, void *ctx,
    struct sockets *next_r);

/* now becomes next; what is gone is closed, its file removed. next is emptied. */
void sockets_commit(struct sockets *now, struct sockets *next);

/* Removes the files that are ours; clients find nobody from now on. */
void sockets_remove_files(const struct sockets *sockets);

void sockets_close(struct sockets *sockets); /* files stay */

#endif
