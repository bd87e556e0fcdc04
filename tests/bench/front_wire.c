/* front_wire.c - one connection of the front's load tool, in clear or over TLS */
#include "front_wire.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

enum { SKIP_AT_ONCE = 256 * 1024, BACKLOG = 4096 };

/* The same suite, group and version for everybody, so that only the servers differ. */
static const char suite[] = "TLS_AES_256_GCM_SHA384", group[] = "X25519";

uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct sockaddr_in
loopback(unsigned host, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + host)};
}

static void
wire_begin(struct wire *wire, int epoll, void *owner, int fd, SSL_CTX *tls)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = owner};
	int on = 1;

	memset(wire, 0, sizeof(*wire));
	wire->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (tls != NULL) {
		wire->ssl = SSL_new(tls);
		if (wire->ssl == NULL || SSL_set_fd(wire->ssl, fd) != 1)
			errx(EX_SOFTWARE, "SSL_new");
	}
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(EX_OSERR, "epoll_ctl");
}

void
wire_connect(struct wire *wire, int epoll, void *owner, uint16_t port, unsigned source,
    SSL_CTX *tls)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in from = loopback(source, 0), to = loopback(0, port);

	if (fd == -1)
		err(EX_OSERR, "socket");
	/* Ports are chosen at connect: each destination may use all of them. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (source > 0 && bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1)
		err(EX_OSERR, "bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1 && errno != EINPROGRESS)
		err(EX_UNAVAILABLE, "connect to port %u", port);
	wire_begin(wire, epoll, owner, fd, tls);
	if (tls != NULL)
		SSL_set_connect_state(wire->ssl);
}

void
wire_take(struct wire *wire, int epoll, void *owner, int fd, SSL_CTX *tls)
{
	wire_begin(wire, epoll, owner, fd, tls);
	if (tls != NULL)
		SSL_set_accept_state(wire->ssl);
}

void
wire_close(struct wire *wire)
{
	if (wire->fd == -1)
		return;
	if (wire->ssl != NULL && wire->is_ready && !wire->has_ended)
		SSL_shutdown(wire->ssl);
	ERR_clear_error();
	SSL_free(wire->ssl);
	close(wire->fd);
	wire->ssl = NULL;
	wire->fd = -1;
	wire->has_ended = true;
}

/* What a call of OpenSSL's or the kernel's returned: more than 0 bytes, or 0 for "later"; an end is
 * noted. */
static size_t
moved(struct wire *wire, ssize_t result)
{
	if (result > 0)
		return (size_t)result;
	if (wire->ssl != NULL) {
		int why = SSL_get_error(wire->ssl, (int)result);

		ERR_clear_error();
		if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
			return 0;
	} else if (result == -1 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	wire->has_ended = true;
	return 0;
}

static size_t
wire_get(struct wire *wire, char *bytes, size_t room)
{
	if (wire->ssl != NULL)
		return moved(wire, SSL_read(wire->ssl, bytes, (int)room));
	return moved(wire, read(wire->fd, bytes, room));
}

size_t
wire_push(struct wire *wire, const char *bytes, size_t len)
{
	if (wire->has_ended || !wire->is_ready)
		return 0;
	if (wire->ssl != NULL)
		return moved(wire, SSL_write(wire->ssl, bytes, (int)len));
	return moved(wire, send(wire->fd, bytes, len, MSG_NOSIGNAL));
}

static void
flush(struct wire *wire)
{
	while (wire->out_len > 0) {
		size_t len = wire_push(wire, wire->out, wire->out_len);

		if (len == 0)
			return;
		wire->out_len -= len;
		memmove(wire->out, wire->out + len, wire->out_len);
	}
}

/* Whether bytes of a literal were read; they are nobody's. */
static bool
skip_some(struct wire *wire)
{
	static char nowhere[SKIP_AT_ONCE];
	size_t known = wire->in_len < wire->skip ? wire->in_len : (size_t)wire->skip, len;

	if (known > 0) {
		wire->in_len -= known;
		memmove(wire->in, wire->in + known, wire->in_len);
		wire->skip -= known;
		return true;
	}
	if (wire->skip == 0)
		return false;
	len = wire_get(wire, nowhere, wire->skip < sizeof(nowhere) ? wire->skip : sizeof(nowhere));
	wire->skip -= len;
	return len > 0;
}

static void
fill(struct wire *wire)
{
	while (!wire->has_ended && skip_some(wire))
		;
	while (!wire->has_ended && wire->skip == 0 && wire->in_len < sizeof(wire->in)) {
		size_t len =
		    wire_get(wire, wire->in + wire->in_len, sizeof(wire->in) - wire->in_len);

		if (len == 0)
			break;
		wire->in_len += len;
	}
}

static void
shake(struct wire *wire)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (wire->ssl == NULL) {
		struct sockaddr_in peer;
		socklen_t peer_len = sizeof(peer);

		getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		wire->has_ended = error != 0;
		wire->is_ready = getpeername(wire->fd, (struct sockaddr *)&peer, &peer_len) == 0;
		return;
	}
	error = SSL_do_handshake(wire->ssl);
	wire->is_ready = error == 1;
	if (!wire->is_ready && !(errno == ENOTCONN))
		moved(wire, error);
	ERR_clear_error();
}

void
wire_step(struct wire *wire)
{
	if (wire->fd == -1 || wire->has_ended)
		return;
	if (!wire->is_ready)
		shake(wire);
	if (!wire->is_ready)
		return;
	flush(wire);
	fill(wire);
}

const char *
wire_line(struct wire *wire)
{
	static char line[WIRE_LINE_MOST];
	const char *end;
	size_t len;

	if (wire->fd == -1)
		return NULL;
	fill(wire);
	if (wire->skip > 0 || (end = memchr(wire->in, '\n', wire->in_len)) == NULL) {
		if (wire->skip == 0 && wire->in_len == sizeof(wire->in))
			errx(EX_DATAERR, "a line of more than %d bytes", WIRE_LINE_MOST);
		return NULL;
	}
	len = (size_t)(end - wire->in);
	memcpy(line, wire->in, len);
	line[len > 0 && line[len - 1] == '\r' ? len - 1 : len] = '\0';
	wire->in_len -= len + 1;
	memmove(wire->in, end + 1, wire->in_len);
	return line;
}

void
wire_say(struct wire *wire, const char *format, ...)
{
	size_t room = sizeof(wire->out) - wire->out_len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(wire->out + wire->out_len, room, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room)
		errx(EX_SOFTWARE, "more than %d bytes wait to be written", WIRE_OUT_MOST);
	wire->out_len += (size_t)len;
	flush(wire);
}

static SSL_CTX *
tls_new(const SSL_METHOD *method)
{
	SSL_CTX *tls = SSL_CTX_new(method);

	if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(tls, suite) != 1 || SSL_CTX_set1_groups_list(tls, group) != 1)
		errx(EX_SOFTWARE, "SSL_CTX_new");
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(tls, 0);
	return tls;
}

SSL_CTX *
wire_tls_client(void)
{
	return tls_new(TLS_client_method());
}

SSL_CTX *
wire_tls_server(const char *certificate, const char *key)
{
	SSL_CTX *tls = tls_new(TLS_server_method());
	const unsigned char context[] = "bench";

	if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		errx(EX_NOINPUT, "%s, %s: no certificate and key", certificate, key);
	SSL_CTX_set_session_id_context(tls, context, sizeof(context) - 1);
	return tls;
}

int
wire_listen(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in at = loopback(0, port);

	if (fd == -1)
		err(EX_OSERR, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 || listen(fd, BACKLOG) == -1)
		err(EX_OSERR, "port %u", port);
	return fd;
}
