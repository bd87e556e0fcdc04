/*
 * tls.c - a wrapped byte stream and who may be at its other end       (driver)
 */
#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_inside.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- contexts */

/* What OpenSSL noted first; later notes only say where it came through. */
const char *
tls_reason(void)
{
	unsigned long error = ERR_peek_error();
	const char *text = NULL;

	if (error != 0)
		text = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
					       : ERR_reason_error_string(error);
	return text != NULL ? text : "unknown reason";
}

/* OpenSSL's own would ask whoever sits at the terminal. */
static int
no_passphrase(char *text, int size, int is_writing, void *ctx)
{
	return -1;
}

int
tls_load_identity(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct fault *fault_r)
{
	if (key_file == NULL || key_file[0] == '\0')
		key_file = cert_file;
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		return fault_set(fault_r, VERDICT_PERM, "%s: no usable certificate: %s", cert_file,
		    tls_reason());
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return fault_set(fault_r, VERDICT_PERM, "%s: no usable key: %s", key_file,
		    tls_reason());
	return 0;
}

SSL_CTX *
tls_new_ctx(const SSL_METHOD *method)
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

static void
drop_ref(struct tls_context *context)
{
	if (--context->refs > 0)
		return;
	SSL_CTX_free(context->ctx);
	tls_belief_free(&context->belief);
	tls_shop_free(&context->shop);
	free(context);
}

void
tls_context_free(struct tls_context **context_ref)
{
	struct tls_context *context = *context_ref;

	*context_ref = NULL;
	if (context != NULL)
		drop_ref(context);
}

/* ---- connections */

struct tls *
tls_new(struct tls_context *context)
{
	struct tls *tls = xnew(struct tls);
	BIO *bio;

	tls->fd = -1;
	tls->context = context;
	context->refs++;
	tls->ssl = SSL_new(context->ctx);
	must(tls->ssl != NULL);
	must(SSL_set_app_data(tls->ssl, tls) == 1);
	bio = tls_bio_new(tls);
	SSL_set_bio(tls->ssl, bio, bio);
	return tls;
}

void
tls_set_fd(struct tls *tls, int fd)
{
	tls->fd = fd;
}

void
tls_set_early(struct tls *tls, struct str bytes)
{
	must(tls->early == NULL && tls->early_len == 0);
	if (bytes.len == 0)
		return;
	tls->early = xstrndup(bytes.ptr, bytes.len);
	tls->early_len = bytes.len;
}

void
tls_free(struct tls **tls_ref)
{
	struct tls *tls = *tls_ref;

	if (tls == NULL)
		return;
	*tls_ref = NULL;
	SSL_free(tls->ssl);
	drop_ref(tls->context);
	free(tls->early);
	free(tls);
}

/* Why we did not believe the peer; NULL where that is not what went wrong. */
static const char *
disbelief(const struct tls *tls)
{
	long verified = SSL_get_verify_result(tls->ssl);

	if (SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_NONE || verified == X509_V_OK)
		return NULL;
	if (verified == X509_V_ERR_APPLICATION_VERIFICATION)
		return "its certificate is not among those that are pinned";
	return X509_verify_cert_error_string(verified);
}

/* errnum is errno as the call left it. */
static enum tls_step
step_of(struct tls *tls, int rc, int errnum, const char *doing, struct fault *fault_r)
{
	const char *why;

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
	why = disbelief(tls);
	fault_set(fault_r, VERDICT_TEMP, "TLS: %s: %s", doing, why != NULL ? why : tls_reason());
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

void
tls_keep_secrets(struct tls *tls, bool secrets)
{
	if (secrets)
		SSL_set_options(tls->ssl, SSL_OP_CLEANSE_PLAINTEXT);
	else
		SSL_clear_options(tls->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

/* ---- for the log */

bool
tls_is_up(const struct tls *tls)
{
	return !tls->failed && SSL_is_init_finished(tls->ssl);
}

const char *
tls_version_name(const struct tls *tls)
{
	switch (SSL_version(tls->ssl)) {
	case TLS1_3_VERSION:
		return "1.3";
	case TLS1_2_VERSION:
		return "1.2";
	}
	return "unknown";
}

const char *
tls_cipher_name(const struct tls *tls)
{
	return SSL_get_cipher_name(tls->ssl);
}

bool
tls_was_resumed(const struct tls *tls)
{
	return SSL_session_reused(tls->ssl) == 1;
}
