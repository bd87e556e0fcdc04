/*
 * talk.c - a conversation in lines, for a command that may wait       (driver)
 */
#include "admin/talk.h"

#include "base/mem.h"
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct talk {
	struct loop *loop;
	struct conn *conn;
	bool is_open, has_ended; /* since the last wait */
	struct fault fault; /* why it has ended */
	char from[NI_MAXHOST];
	uint64_t answer_ms;
	size_t consumed; /* of conn_in(): the line that is lent */
};

static void
on_event(struct conn *conn, enum conn_event event, void *ctx)
{
	struct talk *talk = ctx;

	switch (event) {
	case CONN_OPEN:
		talk->is_open = true;
		break;
	case CONN_EOF:
		talk->has_ended = true;
		fault_set(&talk->fault, VERDICT_TEMP, "it has closed the connection");
		break;
	case CONN_FAILED:
		talk->has_ended = true;
		talk->fault = *conn_fault(conn);
		break;
	case CONN_DATA:
	case CONN_DRAINED:
	case CONN_RELAYED:
	case CONN_IDLE:
		break;
	}
}

/* ---- connecting */

/* 0, or an errno; as connect(2), with an end. */
static int
connect_within(int fd, const struct sockaddr *address, socklen_t len)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t size = sizeof(error);

	if (connect(fd, address, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (poll(&ready, 1, TALK_TIMEOUT_MS) != 1)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1 ? errno : error;
}

static int
bind_to(int fd, int family, const char *from, struct fault *fault_r)
{
	struct addrinfo hints = {
	    .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *own;
	int rc = 0;

	if (from == NULL)
		return 0;
	if (getaddrinfo(from, NULL, &hints, &own) != 0)
		return fault_set(fault_r, VERDICT_TEMP, "%s is no address of this kind", from);
	if (bind(fd, own->ai_addr, own->ai_addrlen) == -1)
		rc = fault_set_errno(fault_r, VERDICT_TEMP, "from %s", from);
	freeaddrinfo(own);
	return rc;
}

static int
connect_one(const struct sockaddr *address, socklen_t len, const char *from, int *fd_r,
    struct fault *fault_r)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "socket");
	if (bind_to(fd, address->sa_family, from, fault_r) == -1)
		goto failed;
	if ((errno = connect_within(fd, address, len)) != 0) {
		fault_set_errno(fault_r, VERDICT_TEMP, "cannot connect");
		goto failed;
	}
	*fd_r = fd;
	return 0;
failed:
	close(fd);
	return -1;
}

static int
connect_inet(const struct endpoint *endpoint, const char *from, int *fd_r, struct fault *fault_r)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	int error = getaddrinfo(endpoint->host, endpoint->port, &hints, &list), rc = -1;

	if (error != 0)
		return fault_set(fault_r, VERDICT_TEMP, "%s: %s", endpoint->host,
		    gai_strerror(error));
	for (const struct addrinfo *at = list; at != NULL && rc == -1; at = at->ai_next)
		rc = connect_one(at->ai_addr, at->ai_addrlen, from, fd_r, fault_r);
	freeaddrinfo(list);
	return rc;
}

static int
connect_to(const struct endpoint *endpoint, const char *from, int *fd_r, struct fault *fault_r)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (endpoint->kind == ENDPOINT_INET)
		return connect_inet(endpoint, from, fd_r, fault_r);
	memcpy(address.sun_path, endpoint->path, sizeof(address.sun_path));
	return connect_one((struct sockaddr *)&address, sizeof(address), NULL, fd_r, fault_r);
}

static void
name_own(struct talk *talk)
{
	struct sockaddr_storage own;

	talk_address(talk, &own);
	if ((own.ss_family != AF_INET && own.ss_family != AF_INET6) ||
	    getnameinfo((struct sockaddr *)&own, sizeof(own), talk->from, sizeof(talk->from), NULL,
		0, NI_NUMERICHOST) != 0)
		memcpy(talk->from, "unix", sizeof("unix"));
}

struct talk *
talk_open(struct loop *loop, const struct endpoint *endpoint, const char *from,
    struct fault *fault_r)
{
	struct talk *talk;
	int fd;

	if (connect_to(endpoint, from, &fd, fault_r) == -1)
		return NULL;
	talk = xnew(struct talk);
	talk->loop = loop;
	talk->answer_ms = TALK_ANSWER_MS;
	talk->conn = conn_take(loop, fd, on_event, talk);
	conn_keep_secrets(talk->conn, true);
	name_own(talk);
	return talk;
}

void
talk_close(struct talk **talk_ref)
{
	struct talk *talk = *talk_ref;

	if (talk == NULL)
		return;
	*talk_ref = NULL;
	conn_close(&talk->conn);
	free(talk);
}

const char *
talk_from(const struct talk *talk)
{
	return talk->from;
}

void
talk_address(const struct talk *talk, struct sockaddr_storage *own_r)
{
	conn_own_address(talk->conn, own_r);
}

const char *
talk_tls(const struct talk *talk)
{
	return conn_is_tls(talk->conn) ? tls_version_name(conn_tls(talk->conn)) : NULL;
}

/* ---- talking */

void
talk_be_patient(struct talk *talk, uint64_t answer_ms)
{
	talk->answer_ms = answer_ms;
}

static bool
is_shaken(void *ctx)
{
	const struct talk *talk = ctx;

	return talk->is_open || talk->has_ended;
}

static bool
has_line(void *ctx)
{
	const struct talk *talk = ctx;
	const struct buf *in = conn_in(talk->conn);

	return str_find(buf_str(in), '\n') < buf_len(in) || talk->has_ended ||
	       buf_len(in) > TALK_LINE_MOST;
}

/* The line that was lent is over. */
static void
take_line(struct talk *talk)
{
	buf_consume(conn_in(talk->conn), talk->consumed);
	talk->consumed = 0;
}

int
talk_start_tls(struct talk *talk, struct tls_context *tls, const char *server_name,
    struct fault *fault_r)
{
	take_line(talk);
	talk->is_open = false;
	conn_start_tls(talk->conn, tls, server_name, TALK_TIMEOUT_MS);
	if (!loop_run_until(talk->loop, is_shaken, talk, 2 * TALK_TIMEOUT_MS))
		return fault_set(fault_r, VERDICT_TEMP, "no end of the TLS handshake");
	if (talk->is_open)
		return 0;
	*fault_r = talk->fault;
	return -1;
}

void
talk_say(struct talk *talk, struct str bytes)
{
	buf_add_str(conn_out(talk->conn), bytes);
}

int
talk_line(struct talk *talk, struct str *line_r, struct fault *fault_r)
{
	const struct buf *in = conn_in(talk->conn);
	size_t end;

	take_line(talk);
	conn_flush(talk->conn);
	if (!loop_run_until(talk->loop, has_line, talk, talk->answer_ms))
		return fault_set(fault_r, VERDICT_TEMP, "no answer in %d s",
		    (int)(talk->answer_ms / 1000));
	end = str_find(buf_str(in), '\n');
	if (end == buf_len(in)) {
		if (talk->has_ended)
			*fault_r = talk->fault;
		else
			fault_set(fault_r, VERDICT_TEMP, "a line of more than %d bytes",
			    TALK_LINE_MOST);
		return -1;
	}
	talk->consumed = end + 1;
	*line_r = str_make(buf_str(in).ptr, end);
	if (end > 0 && line_r->ptr[end - 1] == '\r')
		line_r->len--;
	return 0;
}
