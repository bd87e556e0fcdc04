/*
 * test_tls.c - connections with TLS; the other end is OpenSSL itself
 */
#include "net/tls.h"

#include "base/mem.h"
#include "net/conn.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOON_MS = 5000, FLOOD_BYTES = 3 << 20, SERVER_LIFE_S = 20 };

static char dir[] = "/tmp/test_tls.XXXXXX";
static char cert_file[64], key_file[64], expired_file[64];

/* ---- certificates: one key, self-signed, so that each is its own authority */

static void
write_cert(EVP_PKEY *key, const char *path, long lives_s)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
	    "DNS:server.test,DNS:*.wild.test,IP:127.0.0.1");
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), lives_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"common.test",
	    -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_add_ext(cert, names, -1);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
	X509_EXTENSION_free(names);
	X509_free(cert);
}

static int
make_files(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *file;

	assert_non_null(mkdtemp(dir));
	snprintf(cert_file, sizeof(cert_file), "%s/cert.pem", dir);
	snprintf(key_file, sizeof(key_file), "%s/key.pem", dir);
	snprintf(expired_file, sizeof(expired_file), "%s/expired.pem", dir);
	write_cert(key, cert_file, 7200);
	write_cert(key, expired_file, -3600);
	file = fopen(key_file, "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	EVP_PKEY_free(key);
	return 0;
}

static int
remove_files(void **state)
{
	unlink(cert_file);
	unlink(key_file);
	unlink(expired_file);
	rmdir(dir);
	return 0;
}

/* ---- the server: a child that serves one connection in a certain way */

enum manner {
	ECHOES,
	FLOODS, /* and renews its keys, and asks for ours to be renewed */
	RENEGOTIATES, /* TLS 1.2 */
	WANTS_A_CERT,
	IS_OLD, /* TLS 1.1 at most */
	HAS_EXPIRED,
	CUTS, /* no close_notify */
	SAYS_NOTHING,
	SPEAKS_PLAIN,
};

static void
talk(SSL *ssl, int fd, enum manner manner)
{
	static char chunk[65536];
	int n;

	if (SSL_accept(ssl) != 1)
		return;
	if (manner == CUTS) {
		SSL_set_quiet_shutdown(ssl, 1);
		return;
	}
	if (manner == RENEGOTIATES && SSL_renegotiate(ssl) == 1)
		SSL_do_handshake(ssl);
	for (int i = 0; manner == FLOODS && i < FLOOD_BYTES / (int)sizeof(chunk); i++) {
		memset(chunk, i, sizeof(chunk));
		if (i % 8 == 0)
			SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
		if (SSL_write(ssl, chunk, sizeof(chunk)) <= 0)
			return;
	}
	while ((n = SSL_read(ssl, chunk, sizeof(chunk))) > 0)
		SSL_write(ssl, chunk, n);
	SSL_shutdown(ssl);
}

static void
serve(int listener, enum manner manner)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int fd = accept(listener, NULL, NULL);
	SSL *ssl;

	signal(SIGPIPE, SIG_IGN);
	SSL_CTX_use_certificate_chain_file(ctx, manner == HAS_EXPIRED ? expired_file : cert_file);
	SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM);
	if (manner == WANTS_A_CERT) {
		SSL_CTX_load_verify_file(ctx, cert_file);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	if (manner == RENEGOTIATES)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	if (manner == IS_OLD) {
		SSL_CTX_set_cipher_list(ctx, "DEFAULT:@SECLEVEL=0");
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	}
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (manner == SAYS_NOTHING)
		pause();
	else if (manner == SPEAKS_PLAIN)
		(void)!write(fd, "-ERR I speak no TLS\r\n", 21);
	else
		talk(ssl, fd, manner);
	SSL_free(ssl);
	close(fd);
	SSL_CTX_free(ctx);
}

static pid_t
start_server(enum manner manner, struct endpoint *endpoint_r)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*endpoint_r = (struct endpoint){.kind = ENDPOINT_INET, .host = "127.0.0.1"};
	snprintf(endpoint_r->port, sizeof(endpoint_r->port), "%u", ntohs(sin.sin_port) & 0xffffu);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		alarm(SERVER_LIFE_S);
		serve(fd, manner);
		_exit(0);
	}
	close(fd);
	return pid;
}

/* ---- the client */

struct client {
	struct loop *loop;
	struct conn *conn;
	bool opened, ended;
	enum conn_event how;
	struct fault fault;
	size_t received, wanted;
	bool right;
	bool pauses; /* at the next bytes */
};

static void
on_event(struct conn *conn, enum conn_event event, void *ctx)
{
	struct client *client = ctx;
	struct str bytes;

	switch (event) {
	case CONN_OPEN:
		client->opened = true;
		break;
	case CONN_DATA:
		bytes = buf_str(conn_in(conn));
		for (size_t i = 0; i < bytes.len; i++) {
			if (bytes.ptr[i] != (char)((client->received + i) / 65536))
				client->right = false;
		}
		client->received += bytes.len;
		buf_consume(conn_in(conn), bytes.len);
		if (client->pauses)
			conn_read(conn, false);
		break;
	case CONN_EOF:
	case CONN_FAILED:
		client->ended = true;
		client->how = event;
		client->fault = *conn_fault(conn);
		break;
	case CONN_DRAINED:
	case CONN_RELAYED:
	case CONN_IDLE:
		break;
	}
}

static bool
is_opened_or_ended(void *ctx)
{
	const struct client *client = ctx;

	return client->opened || client->ended;
}

static bool
has_received_or_ended(void *ctx)
{
	const struct client *client = ctx;

	return client->received >= client->wanted || client->ended;
}

static bool
is_ended(void *ctx)
{
	return ((const struct client *)ctx)->ended;
}

static void
client_init(struct client *client, const struct endpoint *endpoint, const char *ca_file,
    const char *own_file, const char *name, uint64_t connect_ms)
{
	struct fault fault;
	struct tls_context *context =
	    tls_context_new_client(ca_file, own_file, own_file ? key_file : NULL, &fault);

	if (context == NULL)
		fail_msg("%s", fault.text);
	*client = (struct client){.loop = loop_new(), .right = true};
	client->conn =
	    conn_dial(client->loop, endpoint, context, name, connect_ms, on_event, client);
	tls_context_free(&context); /* connections do not need it any more */
	loop_run_until(client->loop, is_opened_or_ended, client, SOON_MS);
}

static void
client_fini(struct client *client, pid_t server)
{
	conn_close(&client->conn);
	loop_free(&client->loop);
	kill(server, SIGTERM);
	assert_int_equal(waitpid(server, NULL, 0), server);
}

/* ---- tests */

static void
C3_only_the_named_and_trusted_server_is_talked_to(void **state)
{
	const struct {
		const char *name;
		enum manner manner;
		const char *ca_file, *own_file, *server_name;
		const char *why; /* a part of the fault; NULL: it opens */
	} rows[] = {
	    {"right", ECHOES, cert_file, NULL, "server.test", NULL},
	    {"right in other letters", ECHOES, cert_file, NULL, "SERVER.test", NULL},
	    {"right by address", ECHOES, cert_file, NULL, "127.0.0.1", NULL},
	    {"right by wildcard", ECHOES, cert_file, NULL, "a.wild.test", NULL},
	    {"a wildcard has one label", ECHOES, cert_file, NULL, "a.b.wild.test", "mismatch"},
	    {"wrong name", ECHOES, cert_file, NULL, "other.test", "mismatch"},
	    {"the common name", ECHOES, cert_file, NULL, "common.test", "mismatch"},
	    {"wrong address", ECHOES, cert_file, NULL, "127.0.0.2", "mismatch"},
	    {"no name", ECHOES, cert_file, NULL, "", "needs the name"},
	    {"NULL as name", ECHOES, cert_file, NULL, NULL, "needs the name"},
	    {"unknown authority", ECHOES, NULL, NULL, "server.test", "self-signed"},
	    {"expired", HAS_EXPIRED, expired_file, NULL, "server.test", "expired"},
	    {"TLS 1.1", IS_OLD, cert_file, NULL, "server.test", "TLS"},
	    {"plain text", SPEAKS_PLAIN, cert_file, NULL, "server.test", "TLS"},
	    {"we show our certificate", WANTS_A_CERT, cert_file, cert_file, "server.test", NULL},
	};
	struct endpoint endpoint;
	struct client client;
	pid_t server;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		server = start_server(rows[i].manner, &endpoint);
		client_init(&client, &endpoint, rows[i].ca_file, rows[i].own_file,
		    rows[i].server_name, SOON_MS);
		if (rows[i].why == NULL) {
			if (!client.opened)
				fail_msg("%s: %s", rows[i].name, client.fault.text);
			buf_add(conn_out(client.conn), "\0\0\0", 3);
			conn_flush(client.conn);
			client.wanted = 3;
			loop_run_until(client.loop, has_received_or_ended, &client, SOON_MS);
			assert_int_equal(client.received, 3);
		} else {
			if (client.opened || client.how != CONN_FAILED ||
			    strstr(client.fault.text, rows[i].why) == NULL)
				fail_msg("%s: %s", rows[i].name, client.fault.text);
		}
		client_fini(&client, server);
	}
}

static void
much_is_read_and_written_while_keys_are_renewed(void **state)
{
	static const size_t limits[] = {1000, 70000, 1 << 20};
	struct endpoint endpoint;
	struct client client;
	pid_t server;

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		server = start_server(FLOODS, &endpoint);
		client_init(&client, &endpoint, cert_file, NULL, "server.test", SOON_MS);
		conn_set_in_max(client.conn, limits[i]);
		for (size_t k = 0; k < FLOOD_BYTES; k++) /* it comes back behind theirs */
			buf_add_byte(conn_out(client.conn), (char)((FLOOD_BYTES + k) / 65536));
		conn_flush(client.conn);
		client.wanted = 2 * FLOOD_BYTES;
		loop_run_until(client.loop, has_received_or_ended, &client, SOON_MS);
		assert_int_equal(client.received, 2 * FLOOD_BYTES);
		assert_true(client.right);
		assert_int_equal(buf_len(conn_out(client.conn)), 0);
		client_fini(&client, server);
	}
}

static void
what_is_held_inside_tls_is_told_when_reading_goes_on(void **state)
{
	struct endpoint endpoint;
	struct client client;
	pid_t server = start_server(ECHOES, &endpoint);

	client_init(&client, &endpoint, cert_file, NULL, "server.test", SOON_MS);
	conn_set_in_max(client.conn, 10);
	buf_add(conn_out(client.conn), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	conn_flush(client.conn); /* comes back as one record, and is read in two parts */
	client.pauses = true;
	client.wanted = 10;
	loop_run_until(client.loop, has_received_or_ended, &client, SOON_MS);
	client.wanted = 20;
	loop_run_until(client.loop, is_ended, &client, 50);
	assert_int_equal(client.received, 10);
	client.pauses = false;
	conn_read(client.conn, true);
	loop_run_until(client.loop, has_received_or_ended, &client, SOON_MS);
	assert_int_equal(client.received, 20);
	client_fini(&client, server);
}

static void
the_end_of_a_connection_is_told_from_its_loss(void **state)
{
	struct endpoint endpoint;
	struct client client;
	pid_t server = start_server(CUTS, &endpoint);

	client_init(&client, &endpoint, cert_file, NULL, "server.test", SOON_MS);
	loop_run_until(client.loop, is_ended, &client, SOON_MS);
	assert_int_equal(client.how, CONN_FAILED);
	client_fini(&client, server);

	server = start_server(ECHOES, &endpoint);
	client_init(&client, &endpoint, cert_file, NULL, "server.test", SOON_MS);
	conn_finish(&client.conn, SOON_MS); /* the server hears it and ends by itself */
	assert_int_equal(waitpid(server, NULL, 0), server);
	assert_false(client.ended);
	loop_free(&client.loop);
}

static void
renegotiation_is_refused(void **state)
{
	struct endpoint endpoint;
	struct client client;
	pid_t server = start_server(RENEGOTIATES, &endpoint);

	client_init(&client, &endpoint, cert_file, NULL, "server.test", SOON_MS);
	assert_true(client.opened);
	loop_run_until(client.loop, is_ended, &client, SOON_MS);
	assert_true(client.ended);
	client_fini(&client, server);
}

static void
a_handshake_that_does_not_end_is_given_up(void **state)
{
	struct endpoint endpoint;
	struct client client;
	pid_t server = start_server(SAYS_NOTHING, &endpoint);

	client_init(&client, &endpoint, cert_file, NULL, "server.test", 200);
	assert_false(client.opened);
	assert_true(client.ended);
	assert_string_equal(client.fault.text, "TLS: the handshake took too long");
	client_fini(&client, server);
}

static void
files_that_cannot_be_used_are_named(void **state)
{
	const struct {
		const char *ca_file, *cert_file, *key_file, *why;
	} rows[] = {
	    {"/nonexistent", NULL, NULL, "/nonexistent: no usable authorities"},
	    {key_file, NULL, NULL, "no usable authorities"},
	    {cert_file, "/nonexistent", NULL, "/nonexistent: no usable certificate"},
	    {cert_file, key_file, NULL, "no usable certificate"},
	    {cert_file, cert_file, NULL, "no usable key"},
	    {cert_file, cert_file, cert_file, "no usable key"},
	    {cert_file, cert_file, "/nonexistent", "/nonexistent: no usable key"},
	};
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_null(tls_context_new_client(rows[i].ca_file, rows[i].cert_file,
		    rows[i].key_file, &fault));
		assert_int_equal(fault.verdict, VERDICT_PERM);
		if (strstr(fault.text, rows[i].why) == NULL)
			fail_msg("%s", fault.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C3_only_the_named_and_trusted_server_is_talked_to),
	    cmocka_unit_test(much_is_read_and_written_while_keys_are_renewed),
	    cmocka_unit_test(what_is_held_inside_tls_is_told_when_reading_goes_on),
	    cmocka_unit_test(the_end_of_a_connection_is_told_from_its_loss),
	    cmocka_unit_test(renegotiation_is_refused),
	    cmocka_unit_test(a_handshake_that_does_not_end_is_given_up),
	    cmocka_unit_test(files_that_cannot_be_used_are_named),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
