/*
 * front_auth.c - the HTTP server that nginx asks at each login (auth_http)
 *
 * It says yes to everybody and names the backend. nginx cannot log anybody in
 * without it, so its CPU time is shown, beside nginx's own.
 */
#include "front_load.h"
#include "front_wire.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>

enum { EVENTS_MOST = 256 };

static void
asker_event(struct wire *asker, uint16_t imap_port)
{
	const char *line;

	wire_step(asker);
	while ((line = wire_line(asker)) != NULL) {
		if (line[0] != '\0') /* the empty one ends the request */
			continue;
		wire_say(asker,
		    "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\n"
		    "Auth-Port: %" PRIu16 "\r\n\r\n",
		    imap_port);
		asker->has_ended = true;
	}
	if (asker->has_ended) {
		wire_close(asker);
		free(asker);
	}
}

static void
accept_all(int listener, int epoll)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct wire *asker = calloc(1, sizeof(*asker));

		if (asker == NULL)
			err(EX_OSERR, "asker");
		wire_take(asker, epoll, asker, fd, NULL);
	}
}

int
auth_run(uint16_t port, uint16_t imap_port)
{
	int listener = wire_listen(port), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS_MOST], wanted = {.events = EPOLLIN, .data.ptr = NULL};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted) == -1)
		err(EX_OSERR, "epoll_ctl");
	printf("{\"ready\": true}\n");
	fflush(stdout);
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS_MOST, -1);

		for (int i = 0; i < ready; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(listener, epoll);
			else
				asker_event(events[i].data.ptr, imap_port);
		}
	}
}
