/*
 * tls_server.c - which certificate a client is shown, and what else   (driver)
 *
 * Each certificate has an SSL_CTX of its own; a connection begins with the first
 * one's and changes over when the client has named another. OpenSSL keeps using
 * the first one's for sessions, which are tickets only: nothing of a client is
 * remembered here.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "net/tls_inside.h"
#include "net/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_MOST = 253,
	PROTOCOL_MOST = 255, /* RFC 7301, 3.1: its length is one byte */
	TICKETS = 1, /* one by connection: who comes back gets another */
};

static const unsigned char session_id_context[] = "splitmx";

struct name {
	UT_hash_handle hh;
	SSL_CTX *ctx; /* shop->ctxs holds it */
	char text[]; /* lower case; "*.example.org" */
};

struct tls_shop {
	SSL_CTX **ctxs;
	size_t ctx_count;
	struct name *names;
	bool knows_alpn;
	unsigned char *protocols; /* as on the wire: a byte of length before each */
	unsigned protocols_len;
	struct tls_tickets tickets;
};

static struct tls_shop *
shop_of(SSL *ssl)
{
	return ((struct tls *)SSL_get_app_data(ssl))->context->shop;
}

/* ---- names */

static SSL_CTX *
find_exactly(struct tls_shop *shop, const char *text, size_t len)
{
	struct name *name;

	HASH_FIND(hh, shop->names, text, len, name);
	return name != NULL ? name->ctx : NULL;
}

/* RFC 9525, 6.3: "*" stands for one whole label, the leftmost. */
static SSL_CTX *
find_name(struct tls_shop *shop, const char *asked)
{
	char text[NAME_MOST + 1], *dot;
	size_t len = strlen(asked);
	SSL_CTX *ctx;

	if (len > NAME_MOST)
		return NULL;
	for (size_t i = 0; i <= len; i++)
		text[i] = (char)tolower((unsigned char)asked[i]);
	if ((ctx = find_exactly(shop, text, len)) != NULL)
		return ctx;
	if ((dot = strchr(text, '.')) == NULL || dot == text)
		return NULL;
	dot[-1] = '*';
	return find_exactly(shop, dot - 1, strlen(dot - 1));
}

/* A dNSName as we keep it; false: it is none that a client could ask for. */
static bool
read_name(const ASN1_STRING *string, char text_r[NAME_MOST + 1])
{
	const char *bytes = (const char *)ASN1_STRING_get0_data(string);
	int len = ASN1_STRING_length(string);

	if (len <= 0 || len > NAME_MOST)
		return false;
	for (int i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (!isalnum(c) && strchr("-_.", c) == NULL &&
		    !(c == '*' && i == 0 && len > 2 && bytes[1] == '.'))
			return false;
		if (c == '\0' || c > 0x7f)
			return false;
		text_r[i] = (char)tolower(c);
	}
	text_r[len] = '\0';
	return true;
}

typedef void name_fn(struct tls_shop *shop, const char *text, SSL_CTX *ctx, void *arg);

static void
each_name(struct tls_shop *shop, SSL_CTX *ctx, name_fn *fn, void *arg)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(SSL_CTX_get0_certificate(ctx), NID_subject_alt_name, NULL, NULL);
	char text[NAME_MOST + 1];

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS && read_name(name->d.dNSName, text))
			fn(shop, text, ctx, arg);
	}
	GENERAL_NAMES_free(names);
}

static void
add_name(struct tls_shop *shop, const char *text, SSL_CTX *ctx, void *arg)
{
	size_t len = strlen(text);
	struct name *name;

	if (find_exactly(shop, text, len) != NULL)
		return;
	name = xcalloc(1, sizeof(*name) + len + 1);
	memcpy(name->text, text, len);
	name->ctx = ctx;
	HASH_ADD_KEYPTR(hh, shop->names, name->text, len, name);
}

/* ---- two certificates for the same names */

struct twin {
	SSL_CTX *ctx; /* to which all names lead so far */
	size_t count;
	bool parted; /* they lead to several, or one leads nowhere */
};

static void
look_for_twin(struct tls_shop *shop, const char *text, SSL_CTX *ctx, void *arg)
{
	struct twin *twin = arg;
	SSL_CTX *there = find_exactly(shop, text, strlen(text));

	if (there == NULL || (twin->count > 0 && there != twin->ctx))
		twin->parted = true;
	twin->ctx = there;
	twin->count++;
}

static bool
has_kind(SSL_CTX *ctx, int kind)
{
	long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
	bool found = false;

	for (; more == 1 && !found; more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
		found = EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(ctx)) == kind;
	SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
	return found;
}

/* ---- what OpenSSL asks */

static int
server_named(SSL *ssl, int *alert, void *arg)
{
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = asked != NULL ? find_name(arg, asked) : NULL;

	if (ctx == NULL)
		return SSL_TLSEXT_ERR_NOACK; /* the first one; the client decides */
	if (ctx != SSL_get_SSL_CTX(ssl) && SSL_set_SSL_CTX(ssl, ctx) == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static int
protocol_named(SSL *ssl, const unsigned char **chosen_r, unsigned char *len_r,
    const unsigned char *asked, unsigned asked_len, void *arg)
{
	const struct tls_shop *shop = arg;
	unsigned char *chosen;

	if (shop->protocols_len == 0 ||
	    SSL_select_next_proto(&chosen, len_r, shop->protocols, shop->protocols_len, asked,
		asked_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol */
	*chosen_r = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool
set_mac(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
	    OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* -1: give up; 0: no ticket, or not ours; 1: good; 2: good, and to be replaced. */
static int
ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing)
{
	struct tls_tickets *tickets = &shop_of(ssl)->tickets;
	struct tls_ticket_key *key;
	bool is_old = false;

	if (is_sealing) {
		key = tls_tickets_seal(tickets, clock_ms());
		memcpy(name, key->name, sizeof(key->name));
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	} else if ((key = tls_tickets_open(tickets, clock_ms(), name, &is_old)) == NULL) {
		return 0;
	}
	if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, is_sealing) != 1 ||
	    !set_mac(mac, key))
		return -1;
	/* In TLS 1.3 a ticket is good for once (RFC 8446, C.4), so there is always a new one. */
	return is_old || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
}

/* ---- contexts */

static SSL_CTX *
new_ctx(const struct tls_server_rules *rules, struct tls_shop *shop)
{
	SSL_CTX *ctx = tls_new_ctx(TLS_server_method());

	if (rules->least == TLS_LEAST_1_3)
		must(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_KEY_MS / 1000);
	SSL_CTX_set_num_tickets(ctx, TICKETS);
	SSL_CTX_set_max_early_data(ctx, 0);
	must(SSL_CTX_set_session_id_context(ctx, session_id_context,
		 sizeof(session_id_context) - 1) == 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
	SSL_CTX_set_tlsext_servername_callback(ctx, server_named);
	SSL_CTX_set_tlsext_servername_arg(ctx, shop);
	if (shop->knows_alpn)
		SSL_CTX_set_alpn_select_cb(ctx, protocol_named, shop);
	return ctx;
}

static int
add_identity(struct tls_shop *shop, const struct tls_server_rules *rules,
    const struct tls_identity *identity, struct fault *fault_r)
{
	SSL_CTX *ctx = new_ctx(rules, shop);
	struct twin twin = {0};

	if (tls_load_identity(ctx, identity->cert_file, identity->key_file, fault_r) == -1) {
		SSL_CTX_free(ctx);
		return -1;
	}
	each_name(shop, ctx, look_for_twin, &twin);
	if (twin.count == 0 && shop->ctx_count > 0) {
		SSL_CTX_free(ctx);
		return fault_set(fault_r, VERDICT_PERM,
		    "%s: no host name in it, so nobody could ever be shown it",
		    identity->cert_file);
	}
	if (twin.count > 0 && !twin.parted &&
	    !has_kind(twin.ctx, EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(ctx)))) {
		SSL_CTX_free(ctx);
		return tls_load_identity(twin.ctx, identity->cert_file, identity->key_file,
		    fault_r);
	}
	shop->ctxs[shop->ctx_count++] = ctx;
	each_name(shop, ctx, add_name, NULL);
	return 0;
}

static int
set_protocols(struct tls_shop *shop, const char *const *alpn, struct fault *fault_r)
{
	size_t len;

	if (alpn == NULL)
		return 0;
	shop->knows_alpn = true;
	for (; *alpn != NULL; alpn++) {
		len = strlen(*alpn);
		if (len == 0 || len > PROTOCOL_MOST)
			return fault_set(fault_r, VERDICT_PERM, "\"%s\": no ALPN protocol", *alpn);
		shop->protocols = xrealloc(shop->protocols, shop->protocols_len + 1 + len);
		shop->protocols[shop->protocols_len] = (unsigned char)len;
		memcpy(shop->protocols + shop->protocols_len + 1, *alpn, len);
		shop->protocols_len += (unsigned)(1 + len);
	}
	return 0;
}

void
tls_shop_free(struct tls_shop **shop_ref)
{
	struct tls_shop *shop = *shop_ref;
	struct name *name, *next;

	if (shop == NULL)
		return;
	*shop_ref = NULL;
	HASH_ITER (hh, shop->names, name, next) {
		HASH_DEL(shop->names, name);
		free(name);
	}
	for (size_t i = 0; i < shop->ctx_count; i++)
		SSL_CTX_free(shop->ctxs[i]);
	tls_tickets_wipe(&shop->tickets);
	free(shop->ctxs);
	free(shop->protocols);
	free(shop);
}

struct tls_context *
tls_context_new_server(const struct tls_server_rules *rules, struct fault *fault_r)
{
	struct tls_context *context = xnew(struct tls_context);
	struct tls_shop *shop = xnew(struct tls_shop);
	int rc;

	must(rules->identity_count > 0);
	ERR_clear_error();
	context->refs = 1;
	context->shop = shop;
	shop->ctxs = xnew_array(SSL_CTX *, rules->identity_count);
	rc = set_protocols(shop, rules->alpn, fault_r);
	tls_tickets_init(&shop->tickets, rules->tickets,
	    str_make((const char *)shop->protocols, shop->protocols_len), clock_ms());
	for (size_t i = 0; rc == 0 && i < rules->identity_count; i++)
		rc = add_identity(shop, rules, &rules->identities[i], fault_r);
	if (rc == 0) {
		context->ctx = shop->ctxs[0];
		SSL_CTX_up_ref(context->ctx);
	} else {
		tls_context_free(&context);
	}
	ERR_clear_error();
	return context;
}

struct tls *
tls_new_server(struct tls_context *context)
{
	struct tls *tls;

	must(context->shop != NULL);
	tls = tls_new(context);
	SSL_set_accept_state(tls->ssl);
	return tls;
}
