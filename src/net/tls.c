/*
 * tls.c - a wrapped byte stream and who may be at its other end       (driver)
 *
 * OpenSSL reads and writes through a BIO of our own, because its socket BIO
 * writes with write(2), and a peer that has gone must not raise SIGPIPE.
 */
#include "net/tls.h"

#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tls_context {
	SSL_CTX *ctx;
};

struct tls {
	SSL *ssl;
	int fd;
	bool failed;
};

/* ---- the BIO */

static int
bio_write(BIO *bio, const char *bytes, size_t len, size_t *len_r)
{
	const struct tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = send(tls->fd, bytes, len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		BIO_set_retry_write(bio);
	*len_r = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static int
bio_read(BIO *bio, char *bytes, size_t size, size_t *len_r)
{
	const struct tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = recv(tls->fd, bytes, size, 0);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	else if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	*len_r = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static long
bio_ctrl(BIO *bio, int what, long number, void *ptr)
{
	if (what == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return what == BIO_CTRL_FLUSH; /* nothing is kept back here */
}

static BIO *
bio_new(struct tls *tls)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
		must(method != NULL);
		BIO_meth_set_write_ex(method, bio_write);
		BIO_meth_set_read_ex(method, bio_read);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	bio = BIO_new(method);
	must(bio != NULL);
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	return bio;
}

/* ---- contexts */

/* What OpenSSL noted first; later notes only say where it came through. */
static const char *
reason(void)
{
	unsigned long error = ERR_peek_error();
	const char *text = NULL;

	if (error != 0)
		text = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
					       : ERR_reason_error_string(error);
	return text != NULL ? text : "unknown reason";
}

static bool
is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static int
load_identity(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct fault *fault_r)
{
	if (!is_set(key_file))
		key_file = cert_file;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		return fault_set(fault_r, VERDICT_PERM, "%s: no usable certificate: %s", cert_file,
		    reason());
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return fault_set(fault_r, VERDICT_PERM, "%s: no usable key: %s", key_file,
		    reason());
	return 0;
}

static int
load_authorities(SSL_CTX *ctx, const char *ca_file, struct fault *fault_r)
{
	if (is_set(ca_file) ? SSL_CTX_load_verify_file(ctx, ca_file) == 1
			    : SSL_CTX_set_default_verify_paths(ctx) == 1)
		return 0;
	return fault_set(fault_r, VERDICT_PERM, "%s: no usable authorities: %s",
	    is_set(ca_file) ? ca_file : "system", reason());
}

/* What holds for both sides. */
static SSL_CTX *
new_ctx(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	must(ctx != NULL);
	must(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1); /* header and record in one call of the kernel */
	return ctx;
}

struct tls_context *
tls_context_new_client(const char *ca_file, const char *cert_file, const char *key_file,
    struct fault *fault_r)
{
	struct tls_context *context = xnew(struct tls_context);

	ERR_clear_error();
	context->ctx = new_ctx(TLS_client_method());
	SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, NULL);
	if (load_authorities(context->ctx, ca_file, fault_r) == -1 ||
	    (is_set(cert_file) && load_identity(context->ctx, cert_file, key_file, fault_r) == -1))
		tls_context_free(&context);
	ERR_clear_error();
	return context;
}

void
tls_context_free(struct tls_context **context_ref)
{
	struct tls_context *context = *context_ref;

	if (context == NULL)
		return;
	*context_ref = NULL;
	SSL_CTX_free(context->ctx);
	free(context);
}

/* ---- connections */

static bool
expect_name(SSL *ssl, const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];
	char *host;
	bool ok;

	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	host = xstrdup(name); /* OpenSSL's macro takes no constant */
	ok = SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
	free(host);
	return ok;
}

struct tls *
tls_new_client(struct tls_context *context, const char *server_name, struct fault *fault_r)
{
	struct tls *tls = xnew(struct tls);
	BIO *bio;

	tls->fd = -1;
	tls->ssl = SSL_new(context->ctx);
	must(tls->ssl != NULL);
	bio = bio_new(tls);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_connect_state(tls->ssl);
	/* An empty name would switch the comparison off. */
	if (!is_set(server_name) || !expect_name(tls->ssl, server_name)) {
		fault_set(fault_r, VERDICT_PERM,
		    "TLS needs the name that stands in the server's certificate");
		tls_free(&tls);
	}
	ERR_clear_error();
	return tls;
}

void
tls_set_fd(struct tls *tls, int fd)
{
	tls->fd = fd;
}

void
tls_free(struct tls **tls_ref)
{
	struct tls *tls = *tls_ref;

	if (tls == NULL)
		return;
	*tls_ref = NULL;
	SSL_free(tls->ssl);
	free(tls);
}

/* errnum is errno as the call left it. */
static enum tls_step
step_of(struct tls *tls, int rc, int errnum, const char *doing, struct fault *fault_r)
{
	long verified;

	switch (SSL_get_error(tls->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_EOF;
	case SSL_ERROR_SYSCALL:
		tls->failed = true;
		errno = errnum != 0 ? errnum : ECONNRESET;
		fault_set_errno(fault_r, VERDICT_TEMP, "TLS: %s", doing);
		return TLS_FAILED;
	}
	tls->failed = true;
	verified = SSL_get_verify_result(tls->ssl);
	fault_set(fault_r, VERDICT_TEMP, "TLS: %s: %s", doing,
	    verified != X509_V_OK ? X509_verify_cert_error_string(verified) : reason());
	ERR_clear_error();
	return TLS_FAILED;
}

enum tls_step
tls_handshake(struct tls *tls, struct fault *fault_r)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(tls->ssl);
	return rc == 1 ? TLS_DONE : step_of(tls, rc, errno, "handshake", fault_r);
}

enum tls_step
tls_read(struct tls *tls, void *bytes, size_t size, size_t *len_r, struct fault *fault_r)
{
	int rc;

	*len_r = 0;
	ERR_clear_error();
	errno = 0;
	rc = SSL_read_ex(tls->ssl, bytes, size, len_r);
	return rc == 1 ? TLS_DONE : step_of(tls, rc, errno, "reading", fault_r);
}

enum tls_step
tls_write(struct tls *tls, const void *bytes, size_t len, size_t *len_r, struct fault *fault_r)
{
	int rc;

	*len_r = 0;
	ERR_clear_error();
	errno = 0;
	rc = SSL_write_ex(tls->ssl, bytes, len, len_r);
	return rc == 1 ? TLS_DONE : step_of(tls, rc, errno, "writing", fault_r);
}

void
tls_say_end(struct tls *tls)
{
	if (tls->failed || tls->fd == -1 || !SSL_is_init_finished(tls->ssl))
		return;
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	ERR_clear_error();
}
