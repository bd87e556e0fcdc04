/*
 * control_ask.c - ask a running process how it is: the asking side     (driver)
 */
#include "net/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum { READ_BYTES = 16 * 1024, BACKLOG_WAIT_MS = 10 };

struct asking {
	const char *path;
	int fd;
	uint64_t until_ms;
};

/* 0 when there is something to do, -1 when time is up. */
static int
wait_for(const struct asking *asking, short events, struct fault *fault_r)
{
	struct pollfd one = {.fd = asking->fd, .events = events};
	uint64_t now = clock_ms();

	while (now < asking->until_ms) {
		if (poll(&one, 1, (int)(asking->until_ms - now)) > 0)
			return 0;
		now = clock_ms();
	}
	return fault_set(fault_r, VERDICT_TEMP, "%s: no answer in time", asking->path);
}

static int
reach(struct asking *asking, struct fault *fault_r)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (strlen(asking->path) >= sizeof(to.sun_path))
		return fault_set(fault_r, VERDICT_PERM, "%s: longer than a socket's path can be",
		    asking->path);
	memcpy(to.sun_path, asking->path, strlen(asking->path));
	asking->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (asking->fd == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "socket");
	while (connect(asking->fd, (struct sockaddr *)&to, sizeof(to)) == -1) {
		if (errno != EAGAIN) /* which means that the backlog is full */
			return fault_set_errno(fault_r, VERDICT_TEMP, "%s", asking->path);
		if (clock_ms() >= asking->until_ms)
			return fault_set(fault_r, VERDICT_TEMP, "%s: too busy", asking->path);
		usleep(BACKLOG_WAIT_MS * 1000);
	}
	return 0;
}

static int
tell(const struct asking *asking, struct buf *line, struct fault *fault_r)
{
	while (buf_len(line) > 0) {
		struct str rest = buf_str(line);
		ssize_t sent = send(asking->fd, rest.ptr, rest.len, MSG_NOSIGNAL);

		if (sent > 0)
			buf_consume(line, (size_t)sent);
		else if (errno == EAGAIN && wait_for(asking, POLLOUT, fault_r) == -1)
			return -1;
		else if (errno != EAGAIN && errno != EINTR)
			return fault_set_errno(fault_r, VERDICT_TEMP, "%s", asking->path);
	}
	return 0;
}

/* Until the first line feed, which alone ends a reply. */
static int
hear(const struct asking *asking, struct buf *line, struct fault *fault_r)
{
	for (;;) {
		char *room = buf_room(line, READ_BYTES);
		ssize_t got;

		if (room == NULL)
			return fault_set(fault_r, VERDICT_PERM, "%s: the answer is too long",
			    asking->path);
		got = recv(asking->fd, room, READ_BYTES, 0);
		if (got == 0)
			return fault_set(fault_r, VERDICT_TEMP, "%s: closed without an answer",
			    asking->path);
		if (got > 0) {
			buf_added(line, (size_t)got);
			if (memchr(room, '\n', (size_t)got) != NULL)
				return 0;
		} else if (errno == EAGAIN) {
			if (wait_for(asking, POLLIN, fault_r) == -1)
				return -1;
		} else if (errno != EINTR) {
			return fault_set_errno(fault_r, VERDICT_TEMP, "%s", asking->path);
		}
	}
}

static int
understand(const struct asking *asking, const struct buf *line, json_t **reply_r,
    struct fault *fault_r)
{
	struct str bytes = buf_str(line);
	json_error_t wrong;
	json_t *reply = json_loadb(bytes.ptr, str_find(bytes, '\n'), 0, &wrong);
	const json_t *error = json_object_get(reply, "error");

	if (!json_is_object(reply))
		fault_set(fault_r, VERDICT_PERM, "%s: the answer is no JSON object", asking->path);
	else if (json_is_string(error))
		fault_set(fault_r, VERDICT_PERM, "%s", json_string_value(error));
	else {
		*reply_r = reply;
		return 0;
	}
	json_decref(reply);
	return -1;
}

static int
add_bytes(const char *bytes, size_t len, void *data)
{
	buf_add((struct buf *)data, bytes, len);
	return 0;
}

int
control_ask(const char *path, const json_t *request, uint64_t timeout_ms, json_t **reply_r,
    struct fault *fault_r)
{
	struct asking asking = {.path = path, .fd = -1, .until_ms = clock_ms() + timeout_ms};
	struct buf line;
	int rc = -1;

	buf_init(&line, CONTROL_REPLY_MOST);
	must(json_dump_callback(request, add_bytes, &line, JSON_COMPACT) == 0);
	buf_add_byte(&line, '\n');
	if (reach(&asking, fault_r) == -1 || tell(&asking, &line, fault_r) == -1)
		goto out;
	buf_clear(&line);
	if (hear(&asking, &line, fault_r) == -1)
		goto out;
	rc = understand(&asking, &line, reply_r, fault_r);
out:
	if (asking.fd != -1)
		close(asking.fd);
	buf_fini(&line);
	return rc;
}
