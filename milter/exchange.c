/*
 * exchange.c - one question on one connection, with a deadline         (driver)
 */
#include "milter/exchange.h"

#include "base/mem.h"
#include "milter/inquiry.h"
#include "net/netstring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 4096, HOUR_MS = 3600000 };

uint64_t
exchange_now_ms(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* 0: it is too late. */
static int
left_ms(uint64_t until_ms)
{
	uint64_t now_ms = exchange_now_ms();

	if (until_ms <= now_ms)
		return 0;
	return until_ms - now_ms < HOUR_MS ? (int)(until_ms - now_ms) : HOUR_MS;
}

/*
 * A Unix socket whose queue is full cannot be waited for with poll(2): the connect
 * itself waits, for as long as a send on the socket might.
 */
static bool
limit_connect(int fd, int ms)
{
	struct timeval most = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) == 0;
}

int
exchange_connect(const struct sockaddr_un *where, uint64_t until_ms, enum exchange_end *end_r)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ms = left_ms(until_ms), error;

	*end_r = EXCHANGE_BROKEN;
	if (fd == -1)
		return -1;
	if (ms > 0 && limit_connect(fd, ms) &&
	    connect(fd, (const struct sockaddr *)where, sizeof(*where)) == 0 &&
	    fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return fd;
	error = errno;
	if (ms == 0 || error == EAGAIN)
		*end_r = EXCHANGE_LATE;
	close(fd);
	errno = error;
	return -1;
}

/* True when it can be read or written, or has failed, which whoever tries will see. */
static bool
wait_for(int fd, short events, uint64_t until_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int got;

	do {
		got = poll(&poll_fd, 1, left_ms(until_ms));
	} while (got == -1 && errno == EINTR);
	must(got != -1);
	return got == 1;
}

static bool
is_gone(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

static enum exchange_end
say(int fd, struct str request, uint64_t until_ms)
{
	while (request.len > 0) {
		ssize_t sent = send(fd, request.ptr, request.len, MSG_NOSIGNAL);

		if (sent > 0)
			request = str_from(request, (size_t)sent);
		else if (sent == -1 && errno != EAGAIN && errno != EINTR)
			return is_gone(errno) ? EXCHANGE_CLOSED : EXCHANGE_BROKEN;
		else if (!wait_for(fd, POLLOUT, until_ms))
			return EXCHANGE_LATE;
	}
	return EXCHANGE_DONE;
}

static enum exchange_end
hear_some(int fd, struct buf *in, uint64_t until_ms)
{
	char *room = buf_room(in, READ_BYTES);
	ssize_t got;

	errno = 0;
	if (room == NULL)
		return EXCHANGE_BROKEN; /* no reply is that long */
	got = recv(fd, room, READ_BYTES, 0);
	if (got > 0) {
		buf_added(in, (size_t)got);
		return EXCHANGE_DONE;
	}
	if (got == 0 || is_gone(errno))
		return buf_len(in) == 0 ? EXCHANGE_CLOSED : EXCHANGE_BROKEN;
	if (errno != EAGAIN && errno != EINTR)
		return EXCHANGE_BROKEN;
	return wait_for(fd, POLLIN, until_ms) ? EXCHANGE_DONE : EXCHANGE_LATE;
}

static enum exchange_end
hear(int fd, struct buf *in, uint64_t until_ms, struct str *reply_r)
{
	struct fault fault;
	enum exchange_end end;

	for (;;) {
		switch (netstring_next(in, INQUIRY_REPLY_MOST, reply_r, &fault)) {
		case 0:
			break;
		case 1:
			/* A second reply belongs to no question: whose is the next one? */
			errno = 0;
			return buf_len(in) == 0 ? EXCHANGE_DONE : EXCHANGE_BROKEN;
		default:
			errno = 0;
			return EXCHANGE_BROKEN;
		}
		if ((end = hear_some(fd, in, until_ms)) != EXCHANGE_DONE)
			return end;
	}
}

enum exchange_end
exchange_ask(int fd, struct str request, struct buf *in, uint64_t until_ms, struct str *reply_r)
{
	enum exchange_end end;

	buf_clear(in);
	in->max_bytes = NETSTRING_IN_BYTES + READ_BYTES;
	end = say(fd, request, until_ms);
	return end == EXCHANGE_DONE ? hear(fd, in, until_ms, reply_r) : end;
}

bool
exchange_is_quiet(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 0;
}
