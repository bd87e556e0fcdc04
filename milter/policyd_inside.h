/*
 * policyd_inside.h - what the two halves of policyd.c share           (driver)
 *
 * The lock guards the pool: who may ask, and on which connection. A connection
 * itself belongs to who has taken it, until it is given back.
 */
#ifndef MILTER_POLICYD_INSIDE_H
#define MILTER_POLICYD_INSIDE_H

#include "milter/policyd.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/un.h>

struct link {
	LIST_ENTRY(link) entry; /* while idle */
	int fd; /* -1: not opened yet */
	unsigned era; /* of the path that it leads to */
	bool was_idle; /* policyd may have ended since */
};

struct policyd {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a connection is idle, or may be opened */
	/* under the lock: */
	LIST_HEAD(, link) idle; /* the one used last in front */
	struct sockaddr_un where;
	unsigned era;
	uint64_t deadline_ms;
	unsigned connections_most, waiting_most;
	/* written under the lock, read without: */
	atomic_uint connections, waiting;
	/* without: */
	struct unreported *unreported; /* lent; it has a lock of its own */
	atomic_uint_fast64_t asked, troubles, timeouts, refused, reported, lost;
};

/* One call from outside, with all the time that it has. */
struct asking {
	struct policyd *policyd;
	uint64_t until_ms, deadline_ms;
	char why[INQUIRY_REASON_MOST + 1]; /* it came to nothing */
};

/* May another thread ask? It counts as waiting until it leaves. */
bool asking_begin(struct asking *asking, struct policyd *policyd);
void asking_leave(struct asking *asking);
void asking_late(struct asking *asking); /* says so, and counts it */

/*
 * An idle connection, or a place for a new one. NULL: neither came in time. The
 * caller's, until it is given back; "is_good" where the next may ask on it.
 */
struct link *link_take(struct asking *asking);
void link_give_back(struct policyd *policyd, struct link *link, bool is_good);

/* Where it is to be opened, now. */
struct sockaddr_un link_aim(struct policyd *policyd, struct link *link);

#endif
