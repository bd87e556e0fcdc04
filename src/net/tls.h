/*
 * tls.h - a wrapped byte stream and who may be at its other end       (driver)
 *
 * The only door to OpenSSL. TLS 1.2 at least, no renegotiation, no compression, no
 * early data. A struct tls_context is what many connections share, of one side;
 * it may be freed while they live. Nothing of a session is ever written anywhere.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/fault.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct tls_context;
struct tls_ticket_root;
struct tls;

void tls_context_free(struct tls_context **context); /* NULL inside is allowed */

/* ---- contexts of clients: whom to believe (tls_client.c) */

/*
 * A client verifies the chain and the name, unless it is told otherwise below.
 * Files may be NULL or "": without ca_file the system's authorities count,
 * without cert_file we show no certificate, without key_file the key is in
 * cert_file. NULL and *fault_r (VERDICT_PERM) where one cannot be used.
 *
 * A session is kept for each server_name, and offered to the next connection.
 */
struct tls_context *tls_context_new_client(const char *ca_file, const char *cert_file,
    const char *key_file, struct fault *fault_r);

enum tls_pins {
	TLS_PINS_BESIDES, /* chain and name must be right too */
	TLS_PINS_INSTEAD, /* whoever has the key is right: self-signed, expired, by any name */
};

/*
 * The peer's certificate, or the public key in it (RFC 7469, 2.4), must be one of
 * these: SHA-256 as 64 hexadecimal digits, colons between them allowed. Before the
 * first connection; -1 and *fault_r (VERDICT_PERM) where one is none, or there are none.
 */
int tls_context_pin(struct tls_context *context, enum tls_pins how, const char *const *pins,
    size_t count, struct fault *fault_r);

/* Whoever answers is believed: protects from listeners only. Not together with pins. */
void tls_context_trust_anybody(struct tls_context *context);

/* ---- contexts of servers: what to show (tls_server.c) */

struct tls_identity {
	const char *cert_file; /* PEM: the certificate, and the chain behind it */
	const char *key_file; /* NULL or "": the key is in cert_file */
};

struct tls_server_rules {
	/*
	 * Chosen by the name that the client asks for (RFC 6066, 3), which stands in the
	 * certificate as a dNSName, "*." for one label. The first one is shown to
	 * whoever asks for none of them; of two for a name the earlier counts, or both,
	 * where their keys are of different kinds.
	 */
	const struct tls_identity *identities;
	size_t identity_count; /* at least 1 */
	enum { TLS_LEAST_1_2, TLS_LEAST_1_3 } least;
	/*
	 * Protocols that are spoken here (RFC 7301), NULL ends them. A client that asks
	 * for others only is refused; one that asks for none is not. NULL: not looked at.
	 */
	const char *const *alpn;
	/*
	 * What the keys of session tickets grow from (net/tls_tickets.h); lent as long as
	 * the context or a connection of it. NULL: tickets are good at this context only.
	 */
	struct tls_ticket_root *tickets;
};

/* The rules are needed in this call only. NULL and *fault_r (VERDICT_PERM) where it cannot be. */
struct tls_context *tls_context_new_server(const struct tls_server_rules *rules,
    struct fault *fault_r);

/* ---- connections */

/*
 * One connection. server_name, a host name or an address, must stand in the
 * peer's certificate (RFC 9525); a host name is also sent to it (RFC 6066, 3).
 * The descriptor stays the caller's. NULL and *fault_r on a name that is none.
 */
struct tls *tls_new_client(struct tls_context *context, const char *server_name,
    struct fault *fault_r);
struct tls *tls_new_server(struct tls_context *context);
void tls_set_fd(struct tls *tls, int fd); /* before the handshake */
void tls_set_early(struct tls *tls, struct str bytes); /* read from fd already; copied, once */
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

/* While true, what was read is overwritten in OpenSSL's own memory too. */
void tls_keep_secrets(struct tls *tls, bool secrets);

/* For the log, once the handshake is done: "1.3", "TLS_AES_256_GCM_SHA384". */
bool tls_is_up(const struct tls *tls);
const char *tls_version_name(const struct tls *tls);
const char *tls_cipher_name(const struct tls *tls);
bool tls_was_resumed(const struct tls *tls);

#endif
