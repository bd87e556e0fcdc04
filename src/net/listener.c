/*
 * listener.c - lets peers in, at a pace, up to a number               (driver)
 */
#include "net/listener.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BATCH_MOST = 64, /* accepted in one turn; then it is somebody else's */
	REST_MS = 100, /* after the kernel had nothing left */
	REFUSAL_LOG_MS = 1000,
	CROWDED_LOG_MS = 60000,
};

struct seats {
	size_t most, taken;
	LIST_HEAD(, listener) listeners;
};

struct listener {
	LIST_ENTRY(listener) entry; /* of its seats */
	struct loop *loop;
	struct seats *seats;
	listener_fn *fn;
	void *ctx;
	char *name;
	int fd;
	struct watch *watch; /* NULL: freed */
	bool resting; /* until rest_timer comes */
	bool in_trouble; /* and said so */
	bool was_crowded;
	uint64_t crowded_logged_ms;
	struct timer *rest_timer;
	struct timer *refusal_timer; /* runs: a refusal was logged less than a second ago */
	size_t refused; /* since then */
	char *refused_last;
	struct cidr *allow;
	size_t allow_count;
	uid_t *uids;
	size_t uid_count;
};

static bool
is_crowded(const struct seats *seats)
{
	return seats->taken >= seats->most;
}

/* It may fill up and empty with every connection, so time limits the lines. */
static void
log_crowded(struct listener *listener)
{
	uint64_t now_ms = clock_ms();

	if (listener->crowded_logged_ms != 0 &&
	    now_ms - listener->crowded_logged_ms < CROWDED_LOG_MS)
		return;
	listener->crowded_logged_ms = now_ms;
	log_warning("listener_full", "listener=%s connections=%zu", listener->name,
	    listener->seats->taken);
}

/* What it waits for follows from its state. */
static void
settle(struct listener *listener)
{
	bool crowded = is_crowded(listener->seats);

	if (listener->watch == NULL)
		return;
	if (crowded && !listener->was_crowded)
		log_crowded(listener);
	listener->was_crowded = crowded;
	watch_set(listener->watch, listener->resting || crowded ? 0 : WATCH_READ);
}

/* ---- seats */

struct seats *
seats_new(size_t most)
{
	struct seats *seats = xnew(struct seats);

	seats->most = most;
	LIST_INIT(&seats->listeners);
	return seats;
}

void
seats_free(struct seats **seats)
{
	if (*seats == NULL)
		return;
	must(LIST_EMPTY(&(*seats)->listeners));
	free(*seats);
	*seats = NULL;
}

static void
settle_all(struct seats *seats)
{
	struct listener *listener;

	LIST_FOREACH (listener, &seats->listeners, entry)
		settle(listener);
}

void
seats_set_most(struct seats *seats, size_t most)
{
	seats->most = most;
	settle_all(seats);
}

void
seats_give_back(struct seats *seats)
{
	bool was_crowded = is_crowded(seats);

	must(seats->taken > 0);
	seats->taken--;
	if (was_crowded)
		settle_all(seats);
}

size_t
seats_taken(const struct seats *seats)
{
	return seats->taken;
}

/* ---- who may come in */

static bool
is_welcome(const struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (peer->ss_family != AF_UNIX) {
		if (listener->allow_count == 0)
			return cidr_is_loopback(peer);
		return cidr_any_has(listener->allow, listener->allow_count, peer);
	}
	if (listener->uid_count == 0)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
		return false;
	for (size_t i = 0; i < listener->uid_count; i++) {
		if (listener->uids[i] == who.uid)
			return true;
	}
	return false;
}

/* At most a line a second, however many come. */
static void
log_refused(struct listener *listener)
{
	if (listener->refused == 0)
		return;
	log_warning("refused", "listener=%s peers=%zu last=%s", listener->name, listener->refused,
	    log_quote_text(listener->refused_last));
	listener->refused = 0;
	timer_start(listener->refusal_timer, REFUSAL_LOG_MS);
}

static void
refusal_timer_fired(void *ctx)
{
	log_refused(ctx);
}

static void
refuse(struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
	listener->refused++;
	free(listener->refused_last);
	listener->refused_last = peer_text_of(fd, peer);
	if (!timer_is_running(listener->refusal_timer))
		log_refused(listener);
}

/* ---- accepting */

static void
admit(struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
	if (is_welcome(listener, fd, peer)) {
		listener->seats->taken++;
		listener->fn(listener->ctx, fd, peer);
	} else {
		refuse(listener, fd, peer);
		close(fd);
	}
}

/* accept(2) failed: is it this one peer (true), or is there nothing more to be had now? */
static bool
goes_on_after(struct listener *listener, int error)
{
	switch (error) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED:
	case EPERM: /* a firewall's word */
	/* What accept(2) passes on from the new connection; "treat them like EAGAIN". */
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
		return true;
	}
	if (!listener->in_trouble)
		log_error("accept_failed", "listener=%s reason=%s", listener->name,
		    log_quote_text(strerror(error)));
	listener->in_trouble = true;
	listener->resting = true;
	timer_start(listener->rest_timer, REST_MS);
	return false;
}

static void
accept_some(int ready, void *ctx)
{
	struct listener *listener = ctx;
	struct sockaddr_storage peer;
	socklen_t len;
	int fd;

	for (int i = 0; i < BATCH_MOST; i++) {
		if (listener->watch == NULL || is_crowded(listener->seats))
			break;
		len = sizeof(peer);
		peer.ss_family = AF_UNSPEC;
		fd = accept4(listener->fd, (struct sockaddr *)&peer, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (!goes_on_after(listener, errno))
				break;
			continue;
		}
		if (listener->in_trouble)
			log_info("accept_works_again", "listener=%s", listener->name);
		listener->in_trouble = false;
		admit(listener, fd, &peer);
	}
	settle(listener);
}

static void
rest_is_over(void *ctx)
{
	struct listener *listener = ctx;

	listener->resting = false;
	settle(listener);
}

struct listener *
listener_new(struct loop *loop, int fd, const char *name, const struct listener_guard *guard,
    struct seats *seats, listener_fn *fn, void *ctx)
{
	struct listener *listener = xnew(struct listener);
	int flags = fcntl(fd, F_GETFL);

	must(flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1);
	conn_tune(fd); /* whoever is let in has it from there */
	listener->loop = loop;
	listener->seats = seats;
	listener->fn = fn;
	listener->ctx = ctx;
	listener->name = xstrdup(name);
	listener->fd = fd;
	listener->allow_count = guard->allow_count;
	listener->allow = xnew_array(struct cidr, guard->allow_count);
	if (guard->allow_count > 0)
		memcpy(listener->allow, guard->allow, guard->allow_count * sizeof(*guard->allow));
	listener->uid_count = guard->uid_count;
	listener->uids = xnew_array(uid_t, guard->uid_count);
	if (guard->uid_count > 0)
		memcpy(listener->uids, guard->uids, guard->uid_count * sizeof(*guard->uids));
	listener->rest_timer = timer_new(loop, rest_is_over, listener);
	listener->refusal_timer = timer_new(loop, refusal_timer_fired, listener);
	listener->watch = watch_new(loop, fd, accept_some, listener);
	LIST_INSERT_HEAD(&seats->listeners, listener, entry);
	settle(listener);
	return listener;
}

static void
listener_bury(void *object)
{
	struct listener *listener = object;

	free(listener->name);
	free(listener->refused_last);
	free(listener->allow);
	free(listener->uids);
	free(listener);
}

void
listener_free(struct listener **listener_ref)
{
	struct listener *listener = *listener_ref;

	if (listener == NULL)
		return;
	*listener_ref = NULL;
	if (listener->refused > 0) /* what the timer would have said */
		log_refused(listener);
	LIST_REMOVE(listener, entry);
	timer_free(&listener->rest_timer);
	timer_free(&listener->refusal_timer);
	watch_free(&listener->watch);
	loop_bury(listener->loop, listener, listener_bury);
}
