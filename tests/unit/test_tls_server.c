/*
 * test_tls_server.c - what clients are shown, and what is refused
 *
 * The other end is OpenSSL itself, on a socket pair in the same thread. Long because
 * every way to ask is a row, and OpenSSL's memory is looked at too.
 */
#include "net/tls.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/tls_tickets.h"

#include "unit.h"

#include "certs.h"

#include <openssl/err.h>

#include <errno.h>
#include <malloc.h>
#include <sys/socket.h>

enum { ROUNDS = 100 };

static struct certs certs;
static struct tls_identity identities[4]; /* first, second by EC, second by RSA, wild */
static const char *bare_file, *locked_file;

static void
lock_key(const char *path, const char *from)
{
	FILE *in = fopen(from, "r"), *out = fopen(path, "a");
	EVP_PKEY *key;

	assert_non_null(in);
	assert_non_null(out);
	key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
	assert_int_equal(PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(),
			     (const unsigned char *)"word", 4, NULL, NULL),
	    1);
	EVP_PKEY_free(key);
	fclose(in);
	fclose(out);
}

static int
begin(void **state)
{
	certs_begin(&certs);
	identities[0].cert_file =
	    certs_make(&certs, "first", "P-256", "DNS:first.test,IP:127.0.0.1");
	identities[1].cert_file =
	    certs_make(&certs, "second", "P-256", "DNS:second.test,DNS:two.test");
	identities[2].cert_file = certs_make(&certs, "rsa", "RSA", "DNS:two.test,DNS:Second.test");
	identities[3].cert_file = certs_make(&certs, "wild", "P-256",
	    "DNS:*.wild.test,DNS:first.test,DNS:*,DNS:a*.test,DNS:b.*.test");
	bare_file = certs_make(&certs, "bare", "P-256", NULL);
	locked_file = certs_make(&certs, "locked", "P-256", "DNS:locked.test");
	return 0;
}

static int
end(void **state)
{
	certs_end(&certs);
	return 0;
}

/* ---- a handshake */

struct pair {
	struct tls *server;
	SSL_CTX *ctx;
	SSL *client;
	int fds[2]; /* server, client */
	bool server_up, client_up;
	struct fault fault; /* the server's */
	unsigned long error; /* the client's */
};

static void
pair_init(struct pair *pair, struct tls_context *context)
{
	memset(pair, 0, sizeof(*pair));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
	pair->server = tls_new_server(context);
	tls_set_fd(pair->server, pair->fds[0]);
	pair->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(pair->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_security_level(pair->ctx, 0);
	SSL_CTX_set_min_proto_version(pair->ctx, TLS1_VERSION);
}

/* What was set up for the context holds for this connection. */
static void
pair_start(struct pair *pair)
{
	pair->client = SSL_new(pair->ctx);
	SSL_set_fd(pair->client, pair->fds[1]);
	SSL_set_connect_state(pair->client);
}

static void
shake_client(struct pair *pair)
{
	int rc;

	if (pair->client_up || pair->error != 0)
		return;
	ERR_clear_error();
	rc = SSL_do_handshake(pair->client);
	pair->client_up = rc == 1;
	if (rc != 1 && SSL_get_error(pair->client, rc) == SSL_ERROR_SSL)
		pair->error = ERR_peek_error();
	ERR_clear_error();
}

/* Both go on until they are up or cannot be any more. */
static bool
shake(struct pair *pair)
{
	enum tls_step step = TLS_WANTS_READ;

	for (int i = 0; i < ROUNDS; i++) {
		shake_client(pair);
		if (!pair->server_up && step != TLS_FAILED)
			step = tls_handshake(pair->server, &pair->fault);
		pair->server_up = step == TLS_DONE;
	}
	return pair->server_up && pair->client_up;
}

/* One byte from the server to the client, who so hears of tickets too. */
static void
say_something(struct pair *pair)
{
	struct fault fault;
	char c = 0;
	size_t n;

	assert_int_equal(tls_write(pair->server, "x", 1, &n, &fault), TLS_DONE);
	assert_int_equal(SSL_read(pair->client, &c, 1), 1);
	assert_int_equal(c, 'x');
}

static void
pair_fini(struct pair *pair)
{
	tls_free(&pair->server);
	SSL_free(pair->client);
	SSL_CTX_free(pair->ctx);
	close(pair->fds[0]);
	close(pair->fds[1]);
}

static struct tls_context *
context_from(size_t count, const char *const *alpn, struct tls_ticket_root *tickets)
{
	struct tls_server_rules rules = {
	    .identities = identities, .identity_count = count, .alpn = alpn, .tickets = tickets};
	struct fault fault;
	struct tls_context *context = tls_context_new_server(&rules, &fault);

	if (context == NULL)
		fail_msg("%s", fault.text);
	return context;
}

static struct tls_context *
context_of(size_t count, const char *const *alpn)
{
	return context_from(count, alpn, NULL);
}

static void
shown(SSL *client, char text_r[64])
{
	X509 *cert = SSL_get1_peer_certificate(client);

	assert_non_null(cert);
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text_r, 64);
	X509_free(cert);
}

/* ---- tests */

static void
C20_the_certificate_is_chosen_by_name_and_the_first_is_for_everybody_else(void **state)
{
	static const struct {
		const char *asked, *shown, *algorithms;
	} rows[] = {
	    {NULL, "first", NULL},
	    {"first.test", "first", NULL},
	    {"second.test", "second", NULL},
	    {"SECOND.Test", "second", NULL},
	    {"two.test", "second", NULL},
	    {"two.test", "rsa", "RSA-PSS+SHA256"},
	    {"second.test", "rsa", "RSA-PSS+SHA256"},
	    {"a.wild.test", "wild", NULL},
	    {"A.WILD.test", "wild", NULL},
	    {"a.b.wild.test", "first", NULL},
	    {"wild.test", "first", NULL},
	    {"test", "first", NULL},
	    {"abc.test", "first", NULL},
	    {"b.c.test", "first", NULL},
	    {"other.test", "first", NULL},
	    {"second.test.", "first", NULL},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	     "wild.test",
		"first", NULL},
	};
	struct tls_context *context = context_of(4, NULL);
	struct pair pair;
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pair_init(&pair, context);
		if (rows[i].algorithms != NULL)
			SSL_CTX_set1_sigalgs_list(pair.ctx, (void *)(uintptr_t)rows[i].algorithms);
		pair_start(&pair);
		if (rows[i].asked != NULL)
			SSL_set_tlsext_host_name(pair.client, (void *)(uintptr_t)rows[i].asked);
		if (!shake(&pair))
			fail_msg("%s: %s", rows[i].asked, pair.fault.text);
		shown(pair.client, text);
		assert_string_equal(text, rows[i].shown);
		say_something(&pair);
		pair_fini(&pair);
	}
	tls_context_free(&context);
}

static void
C20_protocols_by_name_are_ours_or_the_handshake_ends(void **state)
{
	static const char *const imap[] = {"imap", NULL}, *const two[] = {"imap4", "imap", NULL},
				 *const none[] = {NULL};
	static const struct {
		const char *name;
		const char *const *ours;
		struct str asked; /* as on the wire */
		const char *chosen; /* NULL: refused */
	} rows[] = {
	    {"ours", imap, STR("\4imap"), "imap"},
	    {"ours among others", imap, STR("\2h2\4imap\4pop3"), "imap"},
	    {"not asked for", imap, STR(""), ""},
	    {"another's", imap, STR("\2h2"), NULL},
	    {"HTTP", imap, STR("\2h2\10http/1.1"), NULL},
	    {"the beginning of ours", imap, STR("\3ima"), NULL},
	    {"in other letters", imap, STR("\4IMAP"), NULL},
	    {"the first of two", two, STR("\4imap\5imap4"), "imap4"},
	    {"we have none", none, STR("\2h2"), NULL},
	    {"nobody has any", none, STR(""), ""},
	    {"we do not look", NULL, STR("\2h2"), ""},
	};
	const unsigned char *chosen;
	struct tls_context *context;
	struct pair pair;
	unsigned len;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		context = context_of(2, rows[i].ours);
		pair_init(&pair, context);
		tls_context_free(&context); /* the connection keeps what it needs */
		if (rows[i].asked.len > 0)
			SSL_CTX_set_alpn_protos(pair.ctx, (const unsigned char *)rows[i].asked.ptr,
			    (unsigned)rows[i].asked.len);
		pair_start(&pair);
		SSL_set_tlsext_host_name(pair.client, (void *)(uintptr_t) "second.test");
		assert_int_equal(shake(&pair), rows[i].chosen != NULL);
		if (rows[i].chosen != NULL) {
			SSL_get0_alpn_selected(pair.client, &chosen, &len);
			if (!str_is(str_make((const char *)chosen, len), rows[i].chosen))
				fail_msg("%s", rows[i].name);
		} else {
			assert_int_equal(ERR_GET_REASON(pair.error),
			    SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
			assert_string_equal(pair.fault.text,
			    "TLS: handshake: no application protocol");
		}
		pair_fini(&pair);
	}
}

static void
versions_below_the_least_are_refused(void **state)
{
	static const struct {
		int most;
		const char *on_1_2, *on_1_3; /* NULL: refused */
	} rows[] = {
	    {TLS1_1_VERSION, NULL, NULL},
	    {TLS1_2_VERSION, "1.2", NULL},
	    {TLS1_3_VERSION, "1.3", "1.3"},
	};
	struct tls_server_rules rules = {.identities = identities, .identity_count = 1};
	struct tls_context *context;
	struct fault fault;
	struct pair pair;
	const char *expected;

	for (int least = 0; least < 2; least++) {
		rules.least = least == 0 ? TLS_LEAST_1_2 : TLS_LEAST_1_3;
		context = tls_context_new_server(&rules, &fault);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			pair_init(&pair, context);
			SSL_CTX_set_max_proto_version(pair.ctx, rows[i].most);
			pair_start(&pair);
			expected = least == 0 ? rows[i].on_1_2 : rows[i].on_1_3;
			assert_int_equal(shake(&pair), expected != NULL);
			assert_int_equal(tls_is_up(pair.server), expected != NULL);
			if (expected != NULL) {
				assert_string_equal(tls_version_name(pair.server), expected);
				assert_string_equal(tls_cipher_name(pair.server),
				    SSL_get_cipher_name(pair.client));
			}
			pair_fini(&pair);
		}
		tls_context_free(&context);
	}
}

/* One more handshake with that session, perhaps for another name; is it resumed? */
static bool
resumes(struct tls_context *context, int most, SSL_SESSION *session, const char *asked,
    SSL_SESSION **session_r)
{
	struct pair pair;
	bool resumed;

	pair_init(&pair, context);
	SSL_CTX_set_max_proto_version(pair.ctx, most);
	pair_start(&pair);
	SSL_set_tlsext_host_name(pair.client, (void *)(uintptr_t)asked);
	if (session != NULL)
		SSL_set_session(pair.client, session);
	assert_true(shake(&pair));
	say_something(&pair);
	resumed = tls_was_resumed(pair.server);
	assert_int_equal(SSL_session_reused(pair.client), resumed);
	if (session_r != NULL) {
		*session_r = SSL_get1_session(pair.client);
		assert_int_equal(SSL_SESSION_has_ticket(*session_r), 1);
		assert_int_equal(SSL_SESSION_get_max_early_data(*session_r), 0);
		SSL_shutdown(pair.client);
	}
	pair_fini(&pair);
	return resumed;
}

static void
sessions_are_resumed_from_tickets_without_early_data(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_context *context = context_of(4, NULL), *other = context_of(4, NULL);
	SSL_SESSION *session;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		assert_false(resumes(context, versions[i], NULL, "second.test", &session));
		assert_true(resumes(context, versions[i], session, "second.test", NULL));
		SSL_SESSION_free(session);
		assert_false(resumes(context, versions[i], NULL, "second.test", &session));
		assert_false(resumes(other, versions[i], session, "second.test", NULL));
		SSL_SESSION_free(session);
	}
	tls_context_free(&context);
	tls_context_free(&other);
}

/* Workers, and a worker before and after a reload. */
static void
sessions_are_resumed_by_all_of_one_root_that_speak_the_same(void **state)
{
	static const char *const imap[] = {"imap", NULL}, *const pop3[] = {"pop3", NULL};
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_ticket_root *root = tls_ticket_root_new(clock_ms());
	struct tls_context *one = context_from(4, imap, root), *same = context_from(4, imap, root),
			   *other = context_from(4, pop3, root);
	SSL_SESSION *session;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		assert_false(resumes(one, versions[i], NULL, "second.test", &session));
		assert_true(resumes(same, versions[i], session, "second.test", NULL));
		SSL_SESSION_free(session);
		assert_false(resumes(one, versions[i], NULL, "second.test", &session));
		assert_false(resumes(other, versions[i], session, "second.test", NULL));
		SSL_SESSION_free(session);
	}
	tls_context_free(&one);
	tls_context_free(&same);
	tls_context_free(&other);
	tls_ticket_root_free(&root);
}

static void
C20_a_client_that_renegotiates_is_told_no(void **state)
{
	struct tls_context *context = context_of(1, NULL);
	struct fault fault;
	struct pair pair;
	char c;
	size_t n;

	pair_init(&pair, context);
	SSL_CTX_set_max_proto_version(pair.ctx, TLS1_2_VERSION);
	pair_start(&pair);
	assert_true(shake(&pair));
	assert_int_equal(SSL_renegotiate(pair.client), 1);
	SSL_do_handshake(pair.client);
	assert_int_not_equal(tls_read(pair.server, &c, 1, &n, &fault), TLS_DONE);
	ERR_clear_error();
	assert_int_equal(SSL_do_handshake(pair.client), -1);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
	pair_fini(&pair);
	tls_context_free(&context);
}

static void
C20_what_is_no_handshake_is_refused(void **state)
{
	static const struct {
		const char *name;
		struct str bytes;
	} rows[] = {
	    {"IMAP", STR("a1 CAPABILITY\r\n")},
	    {"HTTP", STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
	    {"a PROXY header", STR("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n")},
	    {"a hello of 16 MB", STR("\x16\3\1\0\4\1\xff\xff\xff")},
	    {"a record of 65535 bytes", STR("\x16\3\1\xff\xff\1\0\0\0")},
	    {"data first", STR("\x17\3\3\0\1x")},
	    {"an empty hello", STR("\x16\3\1\0\4\1\0\0\0")},
	};
	struct tls_context *context = context_of(1, NULL);
	struct pair pair;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pair_init(&pair, context);
		assert_int_equal(write(pair.fds[1], rows[i].bytes.ptr, rows[i].bytes.len),
		    rows[i].bytes.len);
		if (tls_handshake(pair.server, &pair.fault) != TLS_FAILED)
			fail_msg("%s", rows[i].name);
		assert_memory_equal(pair.fault.text, "TLS: handshake: ", 16);
		assert_false(tls_is_up(pair.server));
		pair_fini(&pair);
	}
	tls_context_free(&context);
}

/* The client's first flight, as it comes out of him. */
static size_t
hello(struct pair *pair, char *bytes, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	pair->client = SSL_new(pair->ctx);
	SSL_set_fd(pair->client, pair->fds[1]);
	SSL_set0_wbio(pair->client, bio);
	SSL_set_connect_state(pair->client);
	shake_client(pair);
	n = BIO_read(bio, bytes, (int)size);
	assert_true(n > 0);
	SSL_set_fd(pair->client, pair->fds[1]);
	return (size_t)n;
}

static void
C20_a_hello_that_comes_in_single_bytes_is_heard(void **state)
{
	struct tls_context *context = context_of(1, NULL);
	static char bytes[4096];
	struct pair pair;
	size_t len;

	pair_init(&pair, context);
	len = hello(&pair, bytes, sizeof(bytes));
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(tls_handshake(pair.server, &pair.fault), TLS_WANTS_READ);
		assert_int_equal(write(pair.fds[1], bytes + i, 1), 1);
	}
	assert_true(shake(&pair));
	say_something(&pair);
	pair_fini(&pair);
	tls_context_free(&context);
}

static void
C20_a_hello_of_sixteen_kilobytes_is_heard(void **state)
{
	static const char *const imap[] = {"imap", NULL};
	struct tls_context *context = context_of(1, imap);
	struct buf asked = BUF_INIT;
	struct pair pair;

	while (buf_len(&asked) < 15 * 1024) {
		buf_add_byte(&asked, '\xff');
		for (int i = 0; i < 255; i++)
			buf_add_byte(&asked, 'x');
	}
	buf_add_text(&asked, "\4imap");
	pair_init(&pair, context);
	SSL_CTX_set_alpn_protos(pair.ctx, (const unsigned char *)buf_str(&asked).ptr,
	    (unsigned)buf_len(&asked));
	pair_start(&pair);
	if (!shake(&pair))
		fail_msg("%s", pair.fault.text);
	say_something(&pair);
	pair_fini(&pair);
	buf_fini(&asked);
	tls_context_free(&context);
}

static void
what_was_read_before_the_handshake_belongs_to_it(void **state)
{
	struct tls_context *context = context_of(1, NULL);
	static char bytes[4096];
	struct pair pair;
	size_t len = 1;

	for (size_t early = 0; early <= len; early += 13) {
		pair_init(&pair, context);
		len = hello(&pair, bytes, sizeof(bytes));
		if (early + 13 > len)
			early = len; /* the last time all of it */
		tls_set_early(pair.server, str_make(bytes, early));
		assert_int_equal(write(pair.fds[1], bytes + early, len - early), len - early);
		if (!shake(&pair))
			fail_msg("%zu of %zu: %s", early, len, pair.fault.text);
		say_something(&pair);
		pair_fini(&pair);
	}
	tls_context_free(&context);
}

static void
files_that_cannot_be_used_are_named(void **state)
{
	const char *good = identities[0].cert_file;
	char key_only[64];
	const struct {
		struct tls_identity rows[2];
		const char *why;
	} cases[] = {
	    {{{"/nonexistent", NULL}, {good, NULL}}, "/nonexistent: no usable certificate"},
	    {{{good, NULL}, {"/nonexistent", NULL}}, "/nonexistent: no usable certificate"},
	    {{{good, identities[1].cert_file}, {good, NULL}}, "no usable key"},
	    {{{good, "/nonexistent"}, {good, NULL}}, "/nonexistent: no usable key"},
	    {{{good, NULL}, {bare_file, NULL}}, "no host name in it"},
	    {{{locked_file, key_only}, {good, NULL}}, "no usable key"},
	};
	struct tls_server_rules rules = {.identity_count = 2};
	struct tls_context *context;
	struct fault fault;

	snprintf(key_only, sizeof(key_only), "%s/locked.key", certs.dir);
	lock_key(key_only, locked_file);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rules.identities = cases[i].rows;
		assert_null(tls_context_new_server(&rules, &fault));
		assert_int_equal(fault.verdict, VERDICT_PERM);
		if (strstr(fault.text, cases[i].why) == NULL)
			fail_msg("%s", fault.text);
	}
	unlink(key_only);
	rules.identities = (struct tls_identity[]){{bare_file, ""}, {good, NULL}};
	context = tls_context_new_server(&rules, &fault); /* as the first it is for everybody */
	assert_non_null(context);
	tls_context_free(&context);
}

/* ---- OpenSSL's memory, looked at when it is given back */

static const char secret[] = "correct horse";
static unsigned found;

static void *
take_memory(size_t size, const char *file, int line)
{
	return malloc(size);
}

static void
look_and_free(void *mem, const char *file, int line)
{
	size_t size = mem != NULL ? malloc_usable_size(mem) : 0;

	if (size > 0 && memmem(mem, size, secret, sizeof(secret) - 1) != NULL)
		found++;
	free(mem);
}

static void *
look_and_realloc(void *mem, size_t size, const char *file, int line)
{
	void *moved = malloc(size);
	size_t old = mem != NULL ? malloc_usable_size(mem) : 0;

	if (mem != NULL)
		memcpy(moved, mem, old < size ? old : size);
	look_and_free(mem, file, line);
	return moved;
}

/* How often the secret was found in memory that OpenSSL gave back. */
static unsigned
pass_secret(bool keeps)
{
	struct tls_context *context = context_of(1, NULL);
	struct fault fault;
	struct pair pair;
	char text[32];
	size_t n;

	pair_init(&pair, context);
	pair_start(&pair);
	assert_true(shake(&pair));
	tls_keep_secrets(pair.server, keeps);
	found = 0;
	assert_int_equal(SSL_write(pair.client, secret, sizeof(secret) - 1), sizeof(secret) - 1);
	assert_int_equal(tls_read(pair.server, text, sizeof(text), &n, &fault), TLS_DONE);
	assert_memory_equal(text, secret, sizeof(secret) - 1);
	pair_fini(&pair);
	tls_context_free(&context);
	return found;
}

static void
C22_what_was_read_is_overwritten_while_secrets_pass(void **state)
{
	assert_true(pass_secret(false) > 0); /* or this test would find nothing ever */
	assert_int_equal(pass_secret(true), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		C20_the_certificate_is_chosen_by_name_and_the_first_is_for_everybody_else),
	    cmocka_unit_test(C20_protocols_by_name_are_ours_or_the_handshake_ends),
	    cmocka_unit_test(versions_below_the_least_are_refused),
	    cmocka_unit_test(sessions_are_resumed_from_tickets_without_early_data),
	    cmocka_unit_test(sessions_are_resumed_by_all_of_one_root_that_speak_the_same),
	    cmocka_unit_test(C20_a_client_that_renegotiates_is_told_no),
	    cmocka_unit_test(C20_what_is_no_handshake_is_refused),
	    cmocka_unit_test(C20_a_hello_that_comes_in_single_bytes_is_heard),
	    cmocka_unit_test(C20_a_hello_of_sixteen_kilobytes_is_heard),
	    cmocka_unit_test(what_was_read_before_the_handshake_belongs_to_it),
	    cmocka_unit_test(files_that_cannot_be_used_are_named),
	    cmocka_unit_test(C22_what_was_read_is_overwritten_while_secrets_pass),
	};

	if (CRYPTO_set_mem_functions(take_memory, look_and_realloc, look_and_free) != 1)
		return 1;
	return cmocka_run_group_tests(tests, begin, end);
}
