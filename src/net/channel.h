/*
 * channel.h - what master and worker say to each other                (driver)
 *
 * A socketpair that keeps messages whole and carries descriptors. Few messages
 * are ever under way: the master waits for DONE before it sends the next RELOAD.
 *
 *	master to worker   RELOAD (settings text and sockets), DRAIN, PING
 *	worker to master   READY, DONE (with RELOAD), PONG
 *
 * End of file means the other side is dead.
 */
#ifndef NET_CHANNEL_H
#define NET_CHANNEL_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHANNEL_FDS_MOST = 250 }; /* the kernel takes 253 (SCM_MAX_FD) */

enum channel_what {
	CHANNEL_RELOAD,
	CHANNEL_DRAIN,
	CHANNEL_PING,
	CHANNEL_READY,
	CHANNEL_DONE,
	CHANNEL_PONG,
	CHANNEL_COUNT
};

struct channel_message {
	uint32_t what; /* enum channel_what */
	uint32_t
	    number; /* RELOAD: sockets; DRAIN: 1 = a successor listens; DONE: 1 = kept the old */
	uint64_t serials[CHANNEL_FDS_MOST]; /* RELOAD: which socket is which */
};

int channel_open(int fds_r[2], struct fault *fault_r);

/* fds are lent. -1 with errno; EAGAIN: not now. */
int channel_send(int fd, const struct channel_message *message, const int *fds, size_t count);

/*
 * 1 a message, 0 end of file, -1 with errno (EAGAIN: none there). The
 * descriptors that came with it are the caller's.
 */
int channel_receive(int fd, struct channel_message *message_r, int fds_r[CHANNEL_FDS_MOST],
    size_t *count_r);

/* A text as a descriptor that can be sent, the caller's, and back. */
int channel_text_fd(const char *text, size_t len, struct fault *fault_r);
char *channel_fd_text(int fd, struct fault *fault_r); /* the caller's; NULL = fault */

#endif
