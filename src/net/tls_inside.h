/*
 * tls_inside.h - what the files about TLS know of each other          (driver)
 *
 * tls.c has connections, tls_bio.c carries their bytes, tls_client.c knows whom to
 * believe, tls_server.c what to show.
 */
#ifndef NET_TLS_INSIDE_H
#define NET_TLS_INSIDE_H

#include "net/tls.h"

#include <openssl/ssl.h>

struct tls_belief; /* tls_client.c: pins, and sessions that were kept */
struct tls_session;
struct tls_shop; /* tls_server.c: certificates by name, ALPN, ticket keys */

struct tls_context {
	SSL_CTX *ctx;
	unsigned refs; /* the owner's, and one for each connection */
	struct tls_belief *belief; /* clients */
	struct tls_shop *shop; /* servers */
};

struct tls {
	SSL *ssl;
	struct tls_context *context;
	struct tls_session *session; /* of a client: where its next session is kept */
	char *early; /* read before the handshake began; early_at of early_len are used */
	size_t early_at, early_len;
	int fd;
	bool failed;
};

/* tls.c */
const char *tls_reason(void); /* what OpenSSL noted first */
SSL_CTX *tls_new_ctx(const SSL_METHOD *method); /* what holds for both sides */
int tls_load_identity(SSL_CTX *ctx, const char *cert_file, const char *key_file,
    struct fault *fault_r);
struct tls *tls_new(struct tls_context *context);

/* tls_bio.c: bytes from and to tls->fd; what came early first. */
BIO *tls_bio_new(struct tls *tls);

/* tls_client.c */
void tls_belief_free(struct tls_belief **belief);

/* tls_server.c */
void tls_shop_free(struct tls_shop **shop);

#endif
