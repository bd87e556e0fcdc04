/*
 * tls.h - a wrapped byte stream and who may be at its other end       (driver)
 *
 * The only door to OpenSSL. TLS 1.2 at least, no renegotiation, no compression;
 * a client always verifies the chain and the name. A struct tls_context is what
 * many connections share; it may be freed while they live.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

struct tls_context;
struct tls;

/*
 * Files may be NULL or "": without ca_file the system's authorities count,
 * without cert_file we show no certificate, without key_file the key is in
 * cert_file. NULL and *fault_r (VERDICT_PERM) where one cannot be used.
 */
struct tls_context *tls_context_new_client(const char *ca_file, const char *cert_file,
    const char *key_file, struct fault *fault_r);
void tls_context_free(struct tls_context **context); /* NULL inside is allowed */

/*
 * One connection. server_name, a host name or an address, must stand in the
 * peer's certificate (RFC 9525); a host name is also sent to it (RFC 6066, 3).
 * The descriptor stays the caller's. NULL and *fault_r on a name that is none.
 */
struct tls *tls_new_client(struct tls_context *context, const char *server_name,
    struct fault *fault_r);
void tls_set_fd(struct tls *tls, int fd); /* before the handshake */
void tls_free(struct tls **tls);

enum tls_step {
	TLS_DONE,
	TLS_WANTS_READ, /* call again when the descriptor is readable */
	TLS_WANTS_WRITE, /* call again when it is writable */
	TLS_EOF, /* the peer said that it will send no more */
	TLS_FAILED, /* nothing but tls_free() is allowed */
};

/*
 * Each fills *fault_r with TLS_FAILED. tls_write() may take a part; after
 * TLS_WANTS_* it is to be called with the same bytes, or more behind them.
 */
enum tls_step tls_handshake(struct tls *tls, struct fault *fault_r);
enum tls_step tls_read(struct tls *tls, void *bytes, size_t size, size_t *len_r,
    struct fault *fault_r);
enum tls_step tls_write(struct tls *tls, const void *bytes, size_t len, size_t *len_r,
    struct fault *fault_r);

/* Tell the peer that nothing follows, as far as the kernel takes it at once. */
void tls_say_end(struct tls *tls);

#endif
