/*
 * tls_client.c - whom a client believes, and what it keeps of him     (driver)
 *
 * OpenSSL verifies the chain; what is pinned is looked at beside it, or instead.
 * A resumed session shows no certificate: it is believed because this context
 * has verified the one that began it, and for this name only.
 */
#include "base/mem.h"
#include "net/tls_inside.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { PIN_BYTES = 32 }; /* SHA-256 */

struct tls_session {
	SLIST_ENTRY(tls_session) entry;
	SSL_SESSION *kept; /* NULL: none yet */
	char *server_name;
};

struct tls_belief {
	unsigned char (*pins)[PIN_BYTES];
	size_t pin_count;
	enum tls_pins how;
	SLIST_HEAD(, tls_session) sessions; /* few: server names stand in our settings */
};

static bool
is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* ---- sessions */

static struct tls_session *
session_of(struct tls_belief *belief, const char *server_name)
{
	struct tls_session *session;

	SLIST_FOREACH(session, &belief->sessions, entry)
	{
		if (strcmp(session->server_name, server_name) == 0)
			return session;
	}
	session = xnew(struct tls_session);
	session->server_name = xstrdup(server_name);
	SLIST_INSERT_HEAD(&belief->sessions, session, entry);
	return session;
}

/*
 * Copies, coming and going, because OpenSSL calls a session unusable whose connection
 * was cut off, as backends often do, and in TLS 1.3 one that was used once.
 */
static int
session_came(SSL *ssl, SSL_SESSION *session)
{
	struct tls *tls = SSL_get_app_data(ssl);

	SSL_SESSION_free(tls->session->kept);
	tls->session->kept = SSL_SESSION_dup(session);
	return 0; /* theirs stays theirs */
}

static void
offer_session(struct tls *tls)
{
	SSL_SESSION *copy;

	if (tls->session->kept == NULL)
		return;
	copy = SSL_SESSION_dup(tls->session->kept);
	if (copy != NULL)
		SSL_set_session(tls->ssl, copy); /* without, it is a full handshake */
	SSL_SESSION_free(copy);
}

void
tls_belief_free(struct tls_belief **belief_ref)
{
	struct tls_belief *belief = *belief_ref;
	struct tls_session *session;

	if (belief == NULL)
		return;
	*belief_ref = NULL;
	while ((session = SLIST_FIRST(&belief->sessions)) != NULL) {
		SLIST_REMOVE_HEAD(&belief->sessions, entry);
		SSL_SESSION_free(session->kept);
		free(session->server_name);
		free(session);
	}
	free(belief->pins);
	free(belief);
}

/* ---- pins */

static bool
has_pin(const struct tls_belief *belief, const unsigned char *digest)
{
	for (size_t i = 0; i < belief->pin_count; i++) {
		if (memcmp(belief->pins[i], digest, PIN_BYTES) == 0)
			return true;
	}
	return false;
}

static bool
is_pinned(const struct tls_belief *belief, X509 *cert)
{
	unsigned char digest[EVP_MAX_MD_SIZE], *key = NULL;
	unsigned len;
	int key_len;
	bool found;

	if (cert == NULL || X509_digest(cert, EVP_sha256(), digest, &len) != 1)
		return false;
	if (has_pin(belief, digest))
		return true;
	key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &key);
	if (key_len <= 0)
		return false;
	found = EVP_Digest(key, (size_t)key_len, digest, &len, EVP_sha256(), NULL) == 1 &&
		has_pin(belief, digest);
	OPENSSL_free(key);
	return found;
}

static int
verify_with_pins(X509_STORE_CTX *store, void *arg)
{
	const struct tls_belief *belief = arg;

	if (belief->how == TLS_PINS_BESIDES && X509_verify_cert(store) != 1)
		return 0;
	if (is_pinned(belief, X509_STORE_CTX_get0_cert(store))) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

static bool
parse_pin(const char *text, unsigned char *pin)
{
	unsigned char *bytes;
	long len = 0;
	bool ok;

	bytes = OPENSSL_hexstr2buf(text, &len); /* colons allowed */
	ok = bytes != NULL && len == PIN_BYTES;
	if (ok)
		memcpy(pin, bytes, PIN_BYTES);
	OPENSSL_free(bytes);
	ERR_clear_error();
	return ok;
}

int
tls_context_pin(struct tls_context *context, enum tls_pins how, const char *const *pins,
    size_t count, struct fault *fault_r)
{
	struct tls_belief *belief = context->belief;

	must(belief->pins == NULL && SSL_CTX_get_verify_mode(context->ctx) == SSL_VERIFY_PEER);
	if (count == 0)
		return fault_set(fault_r, VERDICT_PERM, "nothing is pinned");
	belief->pins = xcalloc(count, PIN_BYTES);
	belief->pin_count = count;
	belief->how = how;
	SSL_CTX_set_cert_verify_callback(context->ctx, verify_with_pins, belief);
	for (size_t i = 0; i < count; i++) {
		if (!parse_pin(pins[i], belief->pins[i]))
			return fault_set(fault_r, VERDICT_PERM,
			    "%s: not a SHA-256 in hexadecimal digits", pins[i]);
	}
	return 0;
}

void
tls_context_trust_anybody(struct tls_context *context)
{
	must(context->belief->pins == NULL);
	SSL_CTX_set_verify(context->ctx, SSL_VERIFY_NONE, NULL);
}

/* ---- contexts */

static int
load_authorities(SSL_CTX *ctx, const char *ca_file, struct fault *fault_r)
{
	if (is_set(ca_file) ? SSL_CTX_load_verify_file(ctx, ca_file) == 1
			    : SSL_CTX_set_default_verify_paths(ctx) == 1)
		return 0;
	return fault_set(fault_r, VERDICT_PERM, "%s: no usable authorities: %s",
	    is_set(ca_file) ? ca_file : "system", tls_reason());
}

struct tls_context *
tls_context_new_client(const char *ca_file, const char *cert_file, const char *key_file,
    struct fault *fault_r)
{
	struct tls_context *context = xnew(struct tls_context);

	ERR_clear_error();
	context->refs = 1;
	context->belief = xnew(struct tls_belief);
	context->ctx = tls_new_ctx(TLS_client_method());
	SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(context->ctx,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context->ctx, session_came);
	if (load_authorities(context->ctx, ca_file, fault_r) == -1 ||
	    (is_set(cert_file) &&
		tls_load_identity(context->ctx, cert_file, key_file, fault_r) == -1))
		tls_context_free(&context);
	ERR_clear_error();
	return context;
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
	struct tls *tls;

	must(context->belief != NULL);
	tls = tls_new(context);
	SSL_set_connect_state(tls->ssl);
	/* An empty name would switch the comparison off. */
	if (is_set(server_name) && expect_name(tls->ssl, server_name)) {
		tls->session = session_of(context->belief, server_name);
		offer_session(tls);
	} else {
		fault_set(fault_r, VERDICT_PERM,
		    "TLS needs the name that stands in the server's certificate");
		tls_free(&tls);
	}
	ERR_clear_error();
	return tls;
}
