/*
 * test_tls_client.c - whom a client believes, and what it keeps of him
 *
 * Both ends are ours, on a socket pair in the same thread.
 */
#include "net/tls.h"

#include "base/mem.h"

#include "unit.h"

#include "certs.h"

#include <openssl/sha.h>

#include <ctype.h>
#include <sys/socket.h>

enum { ROUNDS = 100, PIN_TEXT_BYTES = 100 };

static struct certs certs;
static const char *good_file, *other_file, *expired_file;
static char cert_pin[PIN_TEXT_BYTES], key_pin[PIN_TEXT_BYTES], other_pin[PIN_TEXT_BYTES];

static void
say_hex(const unsigned char *bytes, char *text_r)
{
	for (size_t i = 0; i < 32; i++)
		sprintf(text_r + 2 * i, "%02x", bytes[i]);
}

static void
pin_of(const char *path, bool of_key, char *text_r)
{
	unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
	X509 *cert = certs_read(path);
	int len = of_key ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : i2d_X509(cert, &der);

	assert_true(len > 0);
	SHA256(der, (size_t)len, digest);
	say_hex(digest, text_r);
	OPENSSL_free(der);
	X509_free(cert);
}

static int
begin(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	certs_begin(&certs);
	good_file = certs_make(&certs, "good", "P-256", "DNS:good.test,DNS:also.test,IP:127.0.0.1");
	other_file = certs_make(&certs, "other", "P-256", "DNS:good.test");
	expired_file = certs_add(&certs, "expired", key, "DNS:good.test", -3600);
	EVP_PKEY_free(key);
	pin_of(good_file, false, cert_pin);
	pin_of(good_file, true, key_pin);
	pin_of(other_file, false, other_pin);
	return 0;
}

static int
end(void **state)
{
	certs_end(&certs);
	return 0;
}

static struct tls_context *
server_of(const char *file)
{
	struct tls_identity identity = {.cert_file = file};
	struct tls_server_rules rules = {.identities = &identity, .identity_count = 1};
	struct fault fault;
	struct tls_context *context = tls_context_new_server(&rules, &fault);

	if (context == NULL)
		fail_msg("%s", fault.text);
	return context;
}

static struct tls_context *
client_of(const char *ca_file)
{
	struct fault fault;
	struct tls_context *context = tls_context_new_client(ca_file, NULL, NULL, &fault);

	if (context == NULL)
		fail_msg("%s", fault.text);
	return context;
}

/* How a connection leaves. */
enum { SAYS_GOODBYE, IS_CUT };

/*
 * One connection with a byte from the server in it, which so brings the ticket too.
 * True: it was opened; *resumed_r. False: fault_r is the client's.
 */
static bool
meet(struct tls_context *client, struct tls_context *server, const char *name, int leaves,
    bool *resumed_r, struct fault *fault_r)
{
	enum tls_step theirs = TLS_WANTS_READ, ours = TLS_WANTS_READ;
	struct fault ignored;
	struct tls *a, *b;
	int fds[2];
	char c;
	size_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	a = tls_new_client(client, name, fault_r);
	assert_non_null(a);
	b = tls_new_server(server);
	tls_set_fd(a, fds[0]);
	tls_set_fd(b, fds[1]);
	for (int i = 0; i < ROUNDS && ours != TLS_FAILED; i++) {
		if (ours != TLS_DONE)
			ours = tls_handshake(a, fault_r);
		if (theirs != TLS_DONE && theirs != TLS_FAILED)
			theirs = tls_handshake(b, &ignored);
	}
	if (ours == TLS_DONE) {
		assert_int_equal(theirs, TLS_DONE);
		assert_int_equal(tls_write(b, "x", 1, &n, &ignored), TLS_DONE);
		assert_int_equal(tls_read(a, &c, 1, &n, fault_r), TLS_DONE);
		*resumed_r = tls_was_resumed(a);
		assert_int_equal(tls_was_resumed(b), *resumed_r);
		if (leaves == SAYS_GOODBYE) {
			tls_say_end(b);
			assert_int_equal(tls_read(a, &c, 1, &n, fault_r), TLS_EOF);
			tls_say_end(a);
		} else {
			assert_int_equal(shutdown(fds[1], SHUT_RDWR), 0);
			assert_int_equal(tls_read(a, &c, 1, &n, fault_r), TLS_FAILED);
		}
	}
	tls_free(&a);
	tls_free(&b);
	close(fds[0]);
	close(fds[1]);
	return ours == TLS_DONE;
}

static void
C3_what_is_pinned_counts_besides_or_instead(void **state)
{
	enum { NOT_PINNED = -1, BESIDES = TLS_PINS_BESIDES, INSTEAD = TLS_PINS_INSTEAD };
	static const char *const by_cert[] = {cert_pin, NULL}, *const by_key[] = {key_pin, NULL},
				 *const by_other[] = {other_pin, NULL},
				 *const by_second[] = {other_pin, key_pin, NULL};
	char expired_pin[PIN_TEXT_BYTES];
	const char *const by_expired[] = {expired_pin, NULL};
	const struct {
		const char *name;
		int how;
		const char *const *pins;
		const char *file, *ca_file, *asked;
		const char *why; /* a part of the fault; NULL: it opens */
	} rows[] = {
	    {"certificate", BESIDES, by_cert, good_file, good_file, "good.test", NULL},
	    {"key", BESIDES, by_key, good_file, good_file, "good.test", NULL},
	    {"one of two", BESIDES, by_second, good_file, good_file, "good.test", NULL},
	    {"another's", BESIDES, by_other, good_file, good_file, "good.test", "not among those"},
	    {"besides: unknown authority", BESIDES, by_key, good_file, NULL, "good.test",
		"self-signed"},
	    {"besides: wrong name", BESIDES, by_key, good_file, good_file, "bad.test", "mismatch"},
	    {"besides: expired", BESIDES, by_expired, expired_file, expired_file, "good.test",
		"expired"},
	    {"instead", INSTEAD, by_key, good_file, NULL, "good.test", NULL},
	    {"instead: wrong name", INSTEAD, by_cert, good_file, NULL, "bad.test", NULL},
	    {"instead: expired", INSTEAD, by_expired, expired_file, NULL, "good.test", NULL},
	    {"instead: another's", INSTEAD, by_other, good_file, good_file, "good.test",
		"not among those"},
	    {"no pins", NOT_PINNED, NULL, good_file, NULL, "good.test", "self-signed"},
	};
	struct tls_context *client, *server;
	struct fault fault;
	bool resumed;
	size_t count;

	pin_of(expired_file, true, expired_pin);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		client = client_of(rows[i].ca_file);
		server = server_of(rows[i].file);
		for (count = 0; rows[i].pins != NULL && rows[i].pins[count] != NULL; count++)
			continue;
		if (rows[i].how != NOT_PINNED)
			assert_int_equal(tls_context_pin(client, (enum tls_pins)rows[i].how,
					     rows[i].pins, count, &fault),
			    0);
		if (meet(client, server, rows[i].asked, SAYS_GOODBYE, &resumed, &fault) !=
			(rows[i].why == NULL) ||
		    (rows[i].why != NULL && strstr(fault.text, rows[i].why) == NULL))
			fail_msg("%s: %s", rows[i].name, fault.text);
		tls_context_free(&client);
		tls_context_free(&server);
	}
}

static void
pins_are_sixty_four_digits(void **state)
{
	char upper[PIN_TEXT_BYTES], colons[PIN_TEXT_BYTES], longer[PIN_TEXT_BYTES + 2];
	char shorter[PIN_TEXT_BYTES];
	const struct {
		const char *pin;
		bool good;
	} rows[] = {
	    {cert_pin, true},
	    {upper, true},
	    {colons, true},
	    {longer, false},
	    {shorter, false},
	    {"", false},
	    {"sha256//AAAA", false},
	    {"zz", false},
	};
	struct tls_context *client;
	struct fault fault;

	for (size_t i = 0; i <= strlen(cert_pin); i++)
		upper[i] = (char)toupper((unsigned char)cert_pin[i]);
	for (size_t i = 0; i < 32; i++)
		sprintf(colons + 3 * i, "%.2s%s", cert_pin + 2 * i, i < 31 ? ":" : "");
	snprintf(longer, sizeof(longer), "%s00", cert_pin);
	snprintf(shorter, sizeof(shorter), "%.62s", cert_pin);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		client = client_of(NULL);
		if ((tls_context_pin(client, TLS_PINS_BESIDES, &rows[i].pin, 1, &fault) == 0) !=
		    rows[i].good)
			fail_msg("%s", rows[i].pin);
		if (!rows[i].good)
			assert_int_equal(fault.verdict, VERDICT_PERM);
		tls_context_free(&client);
	}
	client = client_of(NULL);
	assert_int_equal(tls_context_pin(client, TLS_PINS_INSTEAD, NULL, 0, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_PERM);
	tls_context_free(&client);
}

static void
anybody_is_believed_only_where_that_was_said(void **state)
{
	struct tls_context *client = client_of(NULL), *server = server_of(expired_file);
	struct fault fault;
	bool resumed;

	assert_false(meet(client, server, "bad.test", SAYS_GOODBYE, &resumed, &fault));
	tls_context_trust_anybody(client);
	assert_true(meet(client, server, "bad.test", SAYS_GOODBYE, &resumed, &fault));
	tls_context_free(&client);
	tls_context_free(&server);
}

static void
a_session_is_resumed_by_its_context_and_for_its_name_only(void **state)
{
	struct tls_context *client = client_of(good_file), *second = client_of(good_file);
	struct tls_context *server = server_of(good_file), *restarted = server_of(good_file);
	const struct {
		const char *name;
		struct tls_context *client, *server;
		const char *asked;
		int leaves;
		bool resumed;
	} rows[] = {
	    {"the first", client, server, "good.test", SAYS_GOODBYE, false},
	    {"the second", client, server, "good.test", SAYS_GOODBYE, true},
	    {"the third, with the second's", client, server, "good.test", IS_CUT, true},
	    {"after one that was cut", client, server, "good.test", IS_CUT, true},
	    {"and again", client, server, "good.test", SAYS_GOODBYE, true},
	    {"another name", client, server, "also.test", SAYS_GOODBYE, false},
	    {"another name again", client, server, "also.test", SAYS_GOODBYE, true},
	    {"an address", client, server, "127.0.0.1", SAYS_GOODBYE, false},
	    {"an address again", client, server, "127.0.0.1", SAYS_GOODBYE, true},
	    {"another context", second, server, "good.test", SAYS_GOODBYE, false},
	    {"a server with new keys", client, restarted, "good.test", SAYS_GOODBYE, false},
	    {"and then", client, restarted, "good.test", SAYS_GOODBYE, true},
	};
	struct fault fault;
	bool resumed;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!meet(rows[i].client, rows[i].server, rows[i].asked, rows[i].leaves, &resumed,
			&fault))
			fail_msg("%s: %s", rows[i].name, fault.text);
		if (resumed != rows[i].resumed)
			fail_msg("%s: %d", rows[i].name, resumed);
	}
	tls_context_free(&client);
	tls_context_free(&second);
	tls_context_free(&server);
	tls_context_free(&restarted);
}

static void
C3_a_session_is_no_way_around_verification(void **state)
{
	struct tls_context *client = client_of(good_file), *server = server_of(good_file);
	struct tls_context *impostor = server_of(other_file);
	struct fault fault;
	bool resumed;

	assert_true(meet(client, server, "good.test", SAYS_GOODBYE, &resumed, &fault));
	assert_false(meet(client, impostor, "good.test", SAYS_GOODBYE, &resumed, &fault));
	assert_non_null(strstr(fault.text, "self-signed"));
	assert_true(meet(client, server, "good.test", SAYS_GOODBYE, &resumed, &fault));
	tls_context_free(&client);
	tls_context_free(&server);
	tls_context_free(&impostor);
}

static void
a_context_outlives_its_owner_as_long_as_there_are_connections(void **state)
{
	struct tls_context *client = client_of(good_file), *server = server_of(good_file);
	struct fault fault;
	struct tls *a = tls_new_client(client, "good.test", &fault), *b = tls_new_server(server);
	enum tls_step ours = TLS_WANTS_READ, theirs = TLS_WANTS_READ;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	tls_context_free(&client);
	tls_context_free(&server);
	tls_set_fd(a, fds[0]);
	tls_set_fd(b, fds[1]);
	for (int i = 0; i < ROUNDS; i++) {
		if (ours != TLS_DONE)
			ours = tls_handshake(a, &fault);
		if (theirs != TLS_DONE)
			theirs = tls_handshake(b, &fault);
	}
	assert_true(tls_is_up(a) && tls_is_up(b));
	tls_free(&a);
	tls_free(&b);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C3_what_is_pinned_counts_besides_or_instead),
	    cmocka_unit_test(pins_are_sixty_four_digits),
	    cmocka_unit_test(anybody_is_believed_only_where_that_was_said),
	    cmocka_unit_test(a_session_is_resumed_by_its_context_and_for_its_name_only),
	    cmocka_unit_test(C3_a_session_is_no_way_around_verification),
	    cmocka_unit_test(a_context_outlives_its_owner_as_long_as_there_are_connections),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
