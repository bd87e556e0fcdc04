/*
 * dial.c - from an endpoint to a connected descriptor                 (driver)
 */
#include "net/dial.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUEUE_FULL_RETRY_MS = 20 };

struct dial {
	struct loop *loop;
	dial_fn *fn;
	void *ctx;
	struct endpoint endpoint;
	struct resolve *resolve;
	struct address addresses[RESOLVE_MOST];
	size_t count, next; /* next: the address being tried */
	uint64_t deadline_ms;
	struct timer *timer;
	struct watch *watch;
	int fd;
	struct fault why;
};

static void
drop_attempt(struct dial *dial)
{
	watch_free(&dial->watch);
	if (dial->fd != -1)
		close(dial->fd);
	dial->fd = -1;
}

/* Everything but the memory. */
static void
dial_end(struct dial *dial)
{
	drop_attempt(dial);
	resolve_cancel(&dial->resolve);
	timer_free(&dial->timer);
	loop_bury(dial->loop, dial, free);
}

static uint64_t
left_ms(const struct dial *dial)
{
	uint64_t now_ms = clock_ms();

	return now_ms < dial->deadline_ms ? dial->deadline_ms - now_ms : 0;
}

static void
attempt_failed(struct dial *dial, int error)
{
	errno = error;
	fault_set_errno(&dial->why, VERDICT_TEMP, "cannot connect to %s",
	    endpoint_name(&dial->endpoint));
	drop_attempt(dial);
	dial->next++;
	timer_start(dial->timer, 0); /* the next one, or the end, in a turn of its own */
}

/*
 * A port of the ephemeral range on this host may be drawn for our own end: then
 * TCP's simultaneous open connects the socket to itself, and whoever should
 * listen there cannot.
 */
static bool
met_itself(int fd, const struct address *peer)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);

	if (peer->sockaddr.ss_family == AF_UNIX)
		return false;
	memset(&own, 0, sizeof(own));
	if (getsockname(fd, (struct sockaddr *)&own, &len) == -1)
		return false;
	return len == peer->len && memcmp(&own, &peer->sockaddr, len) == 0;
}

static void
attempt_ready(int ready, void *ctx)
{
	struct dial *dial = ctx;
	int error = 0, fd;
	socklen_t len = sizeof(error);

	if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error == 0 && met_itself(dial->fd, &dial->addresses[dial->next]))
		error = ECONNREFUSED;
	if (error != 0) {
		attempt_failed(dial, error);
		return;
	}
	fd = dial->fd;
	dial->fd = -1;
	dial_end(dial);
	dial->fn(dial->ctx, fd, NULL);
}

static void
try_address(struct dial *dial)
{
	const struct address *address = &dial->addresses[dial->next];
	uint64_t share_ms = left_ms(dial) / (dial->count - dial->next);
	int rc;

	dial->fd =
	    socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd == -1) {
		attempt_failed(dial, errno);
		return;
	}
	do
		rc = connect(dial->fd, (const struct sockaddr *)&address->sockaddr, address->len);
	while (rc == -1 && errno == EINTR);
	if (rc == -1 && errno == EAGAIN) { /* unix(7): the listener's queue is full */
		drop_attempt(dial);
		timer_start(dial->timer,
		    share_ms < QUEUE_FULL_RETRY_MS ? share_ms : QUEUE_FULL_RETRY_MS);
		return;
	}
	if (rc == -1 && errno != EINPROGRESS) {
		attempt_failed(dial, errno);
		return;
	}
	dial->watch = watch_new(dial->loop, dial->fd, attempt_ready, dial);
	watch_set(dial->watch, WATCH_WRITE);
	timer_start(dial->timer, share_ms);
}

static void
time_is_up(void *ctx)
{
	struct dial *dial = ctx;

	if (dial->resolve != NULL) {
		fault_set(&dial->why, VERDICT_TEMP, "cannot find the address of %s in time",
		    endpoint_name(&dial->endpoint));
	} else if (dial->fd != -1) {
		attempt_failed(dial, ETIMEDOUT);
		return;
	} else if (dial->next < dial->count && left_ms(dial) > 0) {
		try_address(dial);
		return;
	} else if (dial->next < dial->count) {
		fault_set(&dial->why, VERDICT_TEMP, "cannot connect to %s in time",
		    endpoint_name(&dial->endpoint));
	}
	dial_end(dial);
	dial->fn(dial->ctx, -1, &dial->why);
}

static void
resolved(void *ctx, const struct address *addresses, size_t count, const struct fault *why)
{
	struct dial *dial = ctx;

	dial->resolve = NULL;
	if (count == 0)
		fault_set(&dial->why, why->verdict, "%s: %s", endpoint_name(&dial->endpoint),
		    why->text);
	if (count > 0)
		memcpy(dial->addresses, addresses, count * sizeof(*addresses));
	dial->count = count;
	timer_start(dial->timer, 0);
}

struct dial *
dial_start(struct loop *loop, const struct endpoint *endpoint, uint64_t connect_ms, dial_fn *fn,
    void *ctx)
{
	struct dial *dial = xnew(struct dial);
	struct sockaddr_un *sun = (struct sockaddr_un *)&dial->addresses[0].sockaddr;
	bool is_known;

	dial->loop = loop;
	dial->fn = fn;
	dial->ctx = ctx;
	dial->endpoint = *endpoint;
	dial->fd = -1;
	dial->deadline_ms = clock_ms() + connect_ms;
	dial->timer = timer_new(loop, time_is_up, dial);
	if (endpoint->kind == ENDPOINT_UNIX) {
		sun->sun_family = AF_UNIX;
		memcpy(sun->sun_path, endpoint->path, sizeof(sun->sun_path));
		dial->addresses[0].len = sizeof(*sun);
		is_known = true;
	} else {
		is_known = resolve_numbers(endpoint->host, endpoint->port, &dial->addresses[0]);
	}
	if (is_known) {
		dial->count = 1;
		try_address(dial);
	} else {
		dial->resolve = resolve_start(loop, endpoint->host, endpoint->port, resolved, dial);
		timer_start(dial->timer, connect_ms);
	}
	return dial;
}

void
dial_cancel(struct dial **dial_ref)
{
	if (*dial_ref != NULL)
		dial_end(*dial_ref);
	*dial_ref = NULL;
}
