/*
 * front_relay.c - the floor: a relay that looks at nothing
 *
 * Two pipes per connection and splice(2): what a proxy costs that accepts,
 * connects and moves bytes, and knows neither protocol nor TLS. No login proxy
 * can be cheaper than this in the same number of system calls.
 */
#include "front_load.h"
#include "front_wire.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { EVENTS_MOST = 256, SPLICE_AT_ONCE = 1 << 20 };

/* One direction: from -> pipe -> to. The pipe exists while bytes are in it. */
struct way {
	int from, to, pipe[2];
	size_t inside;
	bool is_over;
};

struct pair {
	struct way ways[2];
	int fds[2];
	bool has_ended;
	struct pair *next; /* of those that have ended */
};

static int spare[2] = {-1, -1}; /* an empty pipe, so that short transfers need not make one */

static void
pipe_take(struct way *way)
{
	if (spare[0] != -1) {
		way->pipe[0] = spare[0], way->pipe[1] = spare[1];
		spare[0] = spare[1] = -1;
	} else if (pipe2(way->pipe, O_NONBLOCK | O_CLOEXEC) == -1) {
		err(EX_OSERR, "pipe2");
	}
}

static void
pipe_leave(struct way *way)
{
	if (way->inside == 0 && spare[0] == -1) {
		spare[0] = way->pipe[0], spare[1] = way->pipe[1];
	} else {
		close(way->pipe[0]);
		close(way->pipe[1]);
	}
	way->pipe[0] = -1;
}

static ssize_t
move(int from, int to, size_t len)
{
	return splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

/* As much as goes now. Both ends wait edge-triggered. */
static void
way_run(struct way *way)
{
	while (!way->is_over) {
		ssize_t got = 0, gone = 0;

		if (way->inside == 0) {
			if (way->pipe[0] == -1)
				pipe_take(way);
			got = move(way->from, way->pipe[1], SPLICE_AT_ONCE);
			if (got == 0 || (got == -1 && errno != EAGAIN))
				way->is_over = true;
			if (got <= 0)
				break;
			way->inside = (size_t)got;
		}
		gone = move(way->pipe[0], way->to, way->inside);
		if (gone == -1 && errno != EAGAIN)
			way->is_over = true;
		if (gone <= 0)
			break;
		way->inside -= (size_t)gone;
	}
	if (way->pipe[0] != -1 && (way->inside == 0 || way->is_over))
		pipe_leave(way);
}

/* A pair has two descriptors, so another event of this turn may still lead to it. */
static void
bury(struct pair *pair, struct pair **ended)
{
	for (size_t i = 0; i < 2; i++) {
		if (pair->ways[i].pipe[0] != -1)
			pipe_leave(&pair->ways[i]);
		close(pair->fds[i]);
	}
	pair->has_ended = true;
	pair->next = *ended;
	*ended = pair;
}

static void
pair_event(struct pair *pair, struct pair **ended)
{
	if (pair->has_ended)
		return;
	way_run(&pair->ways[0]);
	way_run(&pair->ways[1]);
	/* Logins end on both sides at once; half a connection is of no use here. */
	if (pair->ways[0].is_over || pair->ways[1].is_over)
		bury(pair, ended);
}

static void
pair_new(int epoll, int client, uint16_t backend_port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(backend_port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int backend = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	struct pair *pair = calloc(1, sizeof(*pair));
	struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = pair};

	if (backend == -1 || pair == NULL)
		err(EX_OSERR, "socket");
	if (connect(backend, (struct sockaddr *)&to, sizeof(to)) == -1 && errno != EINPROGRESS)
		err(EX_UNAVAILABLE, "connect to port %u", backend_port);
	pair->fds[0] = client, pair->fds[1] = backend;
	for (size_t i = 0; i < 2; i++) {
		pair->ways[i] =
		    (struct way){.from = pair->fds[i], .to = pair->fds[1 - i], .pipe = {-1, -1}};
		setsockopt(pair->fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		/* One event for both, on the backend's descriptor and on the client's. */
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, pair->fds[i], &wanted) == -1)
			err(EX_OSERR, "epoll_ctl");
	}
}

static void
accept_all(int listener, int epoll, uint16_t backend_port)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1)
		pair_new(epoll, fd, backend_port);
}

int
relay_run(uint16_t port, uint16_t backend_port)
{
	int listener = wire_listen(port), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS_MOST], wanted = {.events = EPOLLIN, .data.ptr = NULL};
	struct pair *ended = NULL, *next;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted) == -1)
		err(EX_OSERR, "epoll_ctl");
	printf("{\"ready\": true}\n");
	fflush(stdout);
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS_MOST, -1);

		for (int i = 0; i < ready; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(listener, epoll, backend_port);
			else
				pair_event(events[i].data.ptr, &ended);
		}
		for (; ended != NULL; ended = next) {
			next = ended->next;
			free(ended);
		}
	}
}
