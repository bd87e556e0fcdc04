/*
 * front_wire.h - one connection of the front's load tool, in clear or over TLS
 *
 * Reading and writing never wait. Everything is registered with epoll once,
 * edge-triggered and for both directions, so an owner calls wire_step() at each
 * event and then takes lines until there are none. What may be read ahead and
 * written behind is bounded; the bytes of a literal are counted and thrown away.
 */
#ifndef TESTS_BENCH_FRONT_WIRE_H
#define TESTS_BENCH_FRONT_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_LINE_MOST = 1024, WIRE_OUT_MOST = 512 };

struct wire {
	int fd; /* -1: closed */
	SSL *ssl; /* NULL: in clear, or closed */
	bool is_ready; /* connected, and the handshake is over */
	bool has_ended; /* the other side closed, or an error */
	uint64_t skip; /* bytes that come before the next line */
	size_t in_len, out_len;
	char in[WIRE_LINE_MOST], out[WIRE_OUT_MOST];
};

/* Both make a connection that waits for events on "epoll", which lead to "owner". tls: NULL in
 * clear. */
void wire_connect(struct wire *wire, int epoll, void *owner, uint16_t port, unsigned source,
    SSL_CTX *tls);
void wire_take(struct wire *wire, int epoll, void *owner, int fd, SSL_CTX *tls);
void wire_close(struct wire *wire);

/* Go on with the handshake, write what is left, read. */
void wire_step(struct wire *wire);

/* The next line, without its CRLF, lent until the next call; NULL: none yet. */
const char *wire_line(struct wire *wire);

/* Queue text; more than WIRE_OUT_MOST is a fault of this tool. */
void wire_say(struct wire *wire, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Write from "bytes" at once: how many were taken, 0 if none can be now. Only with nothing queued.
 */
size_t wire_push(struct wire *wire, const char *bytes, size_t len);

/* Contexts: every server under comparison is given the same work. */
SSL_CTX *wire_tls_client(void);
SSL_CTX *wire_tls_server(const char *certificate, const char *key);

int wire_listen(uint16_t port);
uint64_t now_ns(void);

#endif
