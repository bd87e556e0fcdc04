/*
 * test_conn_tls.c - connections that begin with TLS, or come to it
 *
 * Long because both roles are tried in clear, with STARTTLS and behind a PROXY
 * header, and what is left in memory afterwards is looked at.
 */
#include "net/conn.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop_inside.h"
#include "net/proxy.h"
#include "net/tls.h"

#include "unit.h"

#include "certs.h"
#include "side.h"

#include <errno.h>

static struct certs certs;
static struct tls_context *server_tls, *client_tls, *doubting_tls;

static int
begin(void **state)
{
	struct tls_identity identity;
	struct tls_server_rules rules = {.identities = &identity, .identity_count = 1};
	struct fault fault;

	certs_begin(&certs);
	identity =
	    (struct tls_identity){certs_make(&certs, "server", "P-256", "DNS:server.test"), NULL};
	server_tls = tls_context_new_server(&rules, &fault);
	client_tls = tls_context_new_client(identity.cert_file, NULL, NULL, &fault);
	doubting_tls = tls_context_new_client(NULL, NULL, NULL, &fault);
	assert_true(server_tls != NULL && client_tls != NULL && doubting_tls != NULL);
	return 0;
}

static int
end(void **state)
{
	tls_context_free(&server_tls);
	tls_context_free(&client_tls);
	tls_context_free(&doubting_tls);
	certs_end(&certs);
	return 0;
}

/* ---- two of ours, or one of ours and a descriptor */

struct both {
	struct loop *loop;
	struct side server, client;
	int fd; /* instead of the client's connection */
};

static void
both_init(struct both *both, int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	both->loop = loop_new();
	side_init(&both->server, both->loop);
	side_init(&both->client, both->loop);
	both->fd = -1;
}

static void
both_take(struct both *both)
{
	int fds[2];

	both_init(both, fds);
	both->server.conn = conn_take(both->loop, fds[0], side_event, &both->server);
	both->client.conn = conn_take(both->loop, fds[1], side_event, &both->client);
}

static void
server_takes(struct both *both)
{
	int fds[2];

	both_init(both, fds);
	both->server.conn = conn_take(both->loop, fds[0], side_event, &both->server);
	both->fd = fds[1];
}

static void
both_fini(struct both *both)
{
	side_fini(&both->server);
	side_fini(&both->client);
	if (both->fd != -1)
		close(both->fd);
	loop_free(&both->loop);
}

static void
assert_they_talk(struct both *both)
{
	size_t server_got = buf_len(&both->server.got), client_got = buf_len(&both->client.got);

	side_say(&both->client, "ping");
	assert_true(side_wait_bytes(&both->server, server_got + 4));
	assert_memory_equal(both->server.got.mem + both->server.got.start + server_got, "ping", 4);
	side_say(&both->server, "pong");
	assert_true(side_wait_bytes(&both->client, client_got + 4));
	assert_memory_equal(both->client.got.mem + both->client.got.start + client_got, "pong", 4);
}

/* ---- implicit TLS */

static void
a_listener_with_tls_opens_when_hands_are_shaken(void **state)
{
	struct both both;
	int fds[2];

	both_init(&both, fds);
	both.server.conn =
	    conn_take_tls(both.loop, fds[0], server_tls, SOON_MS, side_event, &both.server);
	both.client.conn = conn_take(both.loop, fds[1], side_event, &both.client);
	buf_add_text(conn_out(both.server.conn), "* OK"); /* waits until it is safe */
	conn_flush(both.server.conn);
	assert_false(conn_is_tls(both.server.conn));
	conn_start_tls(both.client.conn, client_tls, "server.test", SOON_MS);
	assert_string_equal(both.client.told, "");
	assert_true(side_wait(&both.server, 'o'));
	assert_true(side_wait(&both.client, 'd'));
	assert_string_equal(buf_cstr(&both.client.got), "* OK");
	assert_true(conn_is_tls(both.server.conn) && conn_is_tls(both.client.conn));
	assert_string_equal(tls_version_name(conn_tls(both.server.conn)), "1.3");
	assert_they_talk(&both);
	conn_close(&both.client.conn);
	assert_true(side_wait(&both.server, 'e'));
	assert_string_equal(both.server.told, "ode");
	both_fini(&both);
}

static void
C20_a_peer_that_says_nothing_is_given_up(void **state)
{
	struct both both;
	int fds[2];
	uint64_t start_ms = clock_ms();

	both_init(&both, fds);
	both.fd = fds[1];
	both.server.conn =
	    conn_take_tls(both.loop, fds[0], server_tls, 100, side_event, &both.server);
	assert_int_equal(write(both.fd, "\x16\3\1\2\0\1", 6), 6); /* the beginning of one */
	assert_true(side_wait(&both.server, 'f'));
	assert_true(clock_ms() - start_ms >= 100);
	assert_string_equal(both.server.told, "f");
	assert_string_equal(both.server.fault.text, "TLS: the handshake took too long");
	assert_false(conn_is_tls(both.server.conn));
	both_fini(&both);
}

static void
a_handshake_that_fails_is_told_as_such(void **state)
{
	static const struct {
		const char *name;
		struct str bytes;
		bool ends;
	} rows[] = {
	    {"plain text", STR("a1 CAPABILITY\r\n"), false},
	    {"nothing", STR(""), true},
	    {"half a hello", STR("\x16\3\1\2\0\1"), true},
	};
	struct both both;
	int fds[2];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		both_init(&both, fds);
		both.fd = fds[1];
		both.server.conn =
		    conn_take_tls(both.loop, fds[0], server_tls, SOON_MS, side_event, &both.server);
		assert_int_equal(write(both.fd, rows[i].bytes.ptr, rows[i].bytes.len),
		    rows[i].bytes.len);
		if (rows[i].ends)
			assert_int_equal(shutdown(both.fd, SHUT_WR), 0);
		if (!side_wait(&both.server, 'f'))
			fail_msg("%s", rows[i].name);
		assert_string_equal(both.server.told, "f");
		assert_memory_equal(both.server.fault.text, "TLS: handshake: ", 16);
		assert_int_equal(buf_len(conn_in(both.server.conn)), 0);
		both_fini(&both);
	}
}

/* ---- in the middle of a conversation */

static void
server_starts(struct side *side, enum conn_event event)
{
	buf_add_str(&side->got, buf_str(conn_in(side->conn)));
	buf_consume(conn_in(side->conn), buf_len(conn_in(side->conn)));
	if (event == CONN_DATA && str_is(buf_str(&side->got), "STARTTLS\r\n")) {
		buf_add_text(conn_out(side->conn), "OK go on\r\n");
		conn_start_tls(side->conn, server_tls, NULL, SOON_MS);
		buf_add_text(conn_out(side->conn), "a secret"); /* not before it is safe */
		conn_flush(side->conn);
	}
}

static void
a_conversation_goes_on_in_tls(void **state)
{
	struct both both;

	both_take(&both);
	both.server.habit = server_starts;
	side_say(&both.client, "STARTTLS\r\n");
	assert_true(side_wait_bytes(&both.client, 10));
	side_pass_ms(&both.client, 20);
	assert_string_equal(buf_cstr(&both.client.got), "OK go on\r\n");
	conn_start_tls(both.client.conn, client_tls, "server.test", SOON_MS);
	assert_true(side_wait(&both.client, 'o'));
	assert_true(side_wait(&both.server, 'o'));
	assert_true(side_wait_bytes(&both.client, 18));
	assert_string_equal(buf_cstr(&both.client.got), "OK go on\r\na secret");
	assert_they_talk(&both);
	assert_string_equal(both.server.told, "dod");
	assert_string_equal(both.client.told, "dod");
	both_fini(&both);
}

static void
server_takes_one_line(struct side *side, enum conn_event event)
{
	struct str in = buf_str(conn_in(side->conn));

	buf_add_str(&side->got, in);
	if (event != CONN_DATA || !str_starts(in, "STARTTLS\r\n"))
		return;
	buf_consume(conn_in(side->conn), 10);
	buf_add_text(conn_out(side->conn), "OK\r\n");
	conn_start_tls(side->conn, server_tls, NULL, SOON_MS);
}

static void
C1_what_was_said_behind_starttls_is_never_heard(void **state)
{
	static const struct {
		const char *name;
		const char *first, *second, *third;
		const char *why;
		size_t in_max; /* 0: as it is */
	} rows[] = {
	    {"in one segment", "STARTTLS\r\na1 LOGIN x y\r\n", "", "a2 NOOP\r\n", "did not wait",
		0},
	    {"partly in the kernel", "STARTTLS\r\na1 LOGIN x y\r\n", "", "", "did not wait", 11},
	    {"one byte", "STARTTLS\r\n\n", "", "", "did not wait", 0},
	    {"in the next segment", "STARTTLS\r\n", "a1 LOGIN x y\r\n", "a2 NOOP\r\n",
		"TLS: handshake: ", 0},
	};
	struct both both;
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		server_takes(&both);
		both.server.habit = server_takes_one_line;
		if (rows[i].in_max != 0)
			conn_set_in_max(both.server.conn, rows[i].in_max);
		assert_int_equal(write(both.fd, rows[i].first, strlen(rows[i].first)),
		    strlen(rows[i].first));
		assert_true(side_wait(&both.server, 'd'));
		(void)!write(both.fd, rows[i].second, strlen(rows[i].second));
		(void)!write(both.fd, rows[i].third, strlen(rows[i].third));
		assert_true(side_wait(&both.server, 'f'));
		side_pass_ms(&both.server, 20);
		assert_string_equal(both.server.told, "df");
		if (strstr(both.server.fault.text, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].name, both.server.fault.text);
		assert_int_equal(buf_len(conn_in(both.server.conn)), 0);
		assert_string_equal(buf_cstr(&both.server.got),
		    rows[i].in_max != 0 ? "STARTTLS\r\na" : rows[i].first);
		if (read(both.fd, text, sizeof(text)) > 0)
			assert_memory_equal(text, "OK\r\n", 4);
		both_fini(&both);
	}
}

static void
what_was_in_the_way_leaves_in_clear_first_and_nothing_else(void **state)
{
	static char bytes[8192];
	size_t clear = 1 << 20, got = 0;
	struct both both;
	int small = 4096;
	ssize_t n;

	server_takes(&both);
	assert_int_equal(setsockopt(both.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (size_t i = 0; i < clear; i++)
		buf_add_byte(conn_out(both.server.conn), 'c');
	conn_start_tls(both.server.conn, client_tls, "server.test", SOON_MS);
	buf_add_text(conn_out(both.server.conn), "secret");
	conn_flush(both.server.conn);
	while (got <= clear) {
		side_pass_ms(&both.server, 0);
		n = read(both.fd, bytes, sizeof(bytes));
		if (n == -1 && errno == EAGAIN)
			continue;
		assert_true(n > 0);
		for (ssize_t i = 0; i < n && got + (size_t)i < clear; i++)
			assert_int_equal(bytes[i], 'c');
		if (got + (size_t)n > clear) {
			assert_int_equal(bytes[clear - got], 0x16); /* a hello */
			assert_null(memmem(bytes, (size_t)n, "secret", 6));
		}
		got += (size_t)n;
	}
	assert_string_equal(both.server.told, "");
	both_fini(&both);
}

static void
tls_that_cannot_begin_is_told_from_the_loop(void **state)
{
	static const struct {
		const char *name, *server_name, *why;
		bool doubts, has_ended;
	} rows[] = {
	    {"no name", "", "needs the name", false, false},
	    {"another name", "other.test", "mismatch", false, false},
	    {"no authority", "server.test", "self-signed", true, false},
	    {"nobody there", "server.test", "ended before", false, true},
	};
	struct both both;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		both_take(&both);
		if (rows[i].has_ended) {
			conn_end_out(both.server.conn);
			assert_true(side_wait(&both.client, 'e'));
			memset(both.client.told, 0, sizeof(both.client.told));
		} else {
			conn_start_tls(both.server.conn, server_tls, NULL, SOON_MS);
		}
		conn_start_tls(both.client.conn, rows[i].doubts ? doubting_tls : client_tls,
		    rows[i].server_name, SOON_MS);
		assert_string_equal(both.client.told, "");
		if (!side_wait(&both.client, 'f'))
			fail_msg("%s", rows[i].name);
		if (strstr(both.client.fault.text, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].name, both.client.fault.text);
		assert_string_equal(both.client.told, "f");
		assert_null(conn_tls(both.client.conn));
		both_fini(&both);
	}
}

static void
C5_starttls_and_then_silence_ends_in_time(void **state)
{
	struct both both;

	server_takes(&both);
	conn_set_idle_ms(both.server.conn, 1000000);
	conn_start_tls(both.server.conn, server_tls, NULL, 100);
	assert_true(side_wait(&both.server, 'f'));
	assert_string_equal(both.server.fault.text, "TLS: the handshake took too long");
	both_fini(&both);
}

static void
closing_is_allowed_at_any_moment(void **state)
{
	struct both both;

	for (unsigned turns = 0; turns < 8; turns++) {
		for (int finishes = 0; finishes < 2; finishes++) {
			both_take(&both);
			conn_start_tls(both.server.conn, server_tls, NULL, SOON_MS);
			conn_start_tls(both.client.conn, client_tls, "server.test", SOON_MS);
			for (unsigned i = 0; i < turns; i++)
				side_pass_ms(&both.server, 0);
			if (finishes)
				conn_finish(&both.server.conn, 50);
			else
				conn_close(&both.server.conn);
			conn_close(&both.client.conn);
			both_fini(&both);
		}
	}
}

/* ---- behind a PROXY header */

static void
server_reads_proxy(struct side *side, enum conn_event event)
{
	struct proxy proxy;
	struct fault fault;

	if (event == CONN_DATA && !conn_is_tls(side->conn)) {
		if (proxy_next(conn_in(side->conn), &proxy, &fault) == 1)
			conn_start_tls_behind(side->conn, server_tls, SOON_MS);
		return;
	}
	buf_add_str(&side->got, buf_str(conn_in(side->conn)));
	buf_consume(conn_in(side->conn), buf_len(conn_in(side->conn)));
}

static void
C16_a_hello_may_come_in_one_segment_with_the_header(void **state)
{
	static const char header[] = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 993\r\n";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct both both;
	char bytes[4096], byte = 0;
	size_t len = sizeof(header) - 1;
	SSL *client;
	BIO *bio;

	for (size_t cut = 1; cut <= len; cut += 37) {
		server_takes(&both);
		both.server.habit = server_reads_proxy;
		client = SSL_new(ctx);
		bio = BIO_new(BIO_s_mem());
		SSL_set_fd(client, both.fd);
		SSL_set0_wbio(client, bio);
		SSL_set_connect_state(client);
		assert_int_equal(SSL_do_handshake(client), -1);
		memcpy(bytes, header, sizeof(header) - 1);
		len = sizeof(header) - 1 +
		      (size_t)BIO_read(bio, bytes + sizeof(header) - 1,
			  sizeof(bytes) - sizeof(header));
		SSL_set_fd(client, both.fd);
		if (cut + 37 > len)
			cut = len; /* the last time in one piece */
		assert_int_equal(write(both.fd, bytes, cut), cut);
		side_pass_ms(&both.server, 2);
		assert_int_equal(write(both.fd, bytes + cut, len - cut), len - cut);
		for (int i = 0; i < 1000 && SSL_do_handshake(client) != 1; i++)
			side_pass_ms(&both.server, 1);
		assert_int_equal(SSL_write(client, "hello", 5), 5);
		assert_true(side_wait_bytes(&both.server, 5));
		assert_string_equal(buf_cstr(&both.server.got), "hello");
		side_say(&both.server, "!");
		assert_int_equal(SSL_read(client, &byte, 1), 1);
		assert_int_equal(byte, '!');
		SSL_free(client);
		both_fini(&both);
	}
	SSL_CTX_free(ctx);
}

/* ---- half closed */

static void
who_says_no_more_may_still_listen(void **state)
{
	struct both both;

	for (int tls = 0; tls < 2; tls++) {
		both_take(&both);
		if (tls) {
			conn_start_tls(both.server.conn, server_tls, NULL, SOON_MS);
			conn_start_tls(both.client.conn, client_tls, "server.test", SOON_MS);
			assert_true(side_wait(&both.client, 'o'));
			assert_true(side_wait(&both.server, 'o'));
		}
		buf_add_text(conn_out(both.client.conn), "that is all");
		conn_end_out(both.client.conn);
		assert_true(side_wait(&both.server, 'e'));
		assert_string_equal(buf_cstr(&both.server.got), "that is all");
		side_say(&both.server, "thank you");
		assert_true(side_wait_bytes(&both.client, 9));
		conn_finish(&both.server.conn, SOON_MS);
		assert_true(side_wait(&both.client, 'e'));
		assert_null(strchr(both.client.told, 'f'));
		both_fini(&both);
	}
}

/* ---- secrets */

static const char secret[] = "correct horse";

static bool
holds_secret(const void *mem, size_t size)
{
	return mem != NULL && memmem(mem, size, secret, sizeof(secret) - 1) != NULL;
}

/* Takes the secret, leaves what is behind it. */
static void
takes_secret(struct side *side, enum conn_event event)
{
	if (event != CONN_DATA || buf_len(conn_in(side->conn)) < sizeof(secret) - 1)
		return;
	buf_add_text(conn_out(side->conn), secret); /* and says it again */
	buf_consume(conn_in(side->conn), sizeof(secret) - 1);
}

static unsigned
places_with_secret(bool keeps, bool tls)
{
	struct both both;
	unsigned places;

	both_take(&both);
	conn_keep_secrets(both.server.conn, keeps);
	if (tls) {
		conn_start_tls(both.server.conn, server_tls, NULL, SOON_MS);
		conn_start_tls(both.client.conn, client_tls, "server.test", SOON_MS);
		assert_true(side_wait(&both.client, 'o'));
		assert_true(side_wait(&both.server, 'o'));
	}
	both.server.habit = takes_secret;
	buf_add_text(conn_out(both.client.conn), secret);
	side_say(&both.client, " and something else");
	conn_read(both.client.conn, false); /* or it would use the scratch memory too */
	assert_true(side_wait(&both.server, 'd'));
	assert_string_equal(buf_cstr(conn_in(both.server.conn)), " and something else");
	places = holds_secret(loop_scratch(both.loop), LOOP_SCRATCH_BYTES) +
		 holds_secret(conn_in(both.server.conn)->mem, conn_in(both.server.conn)->size);
	assert_false(holds_secret(conn_out(both.server.conn)->mem,
	    conn_out(both.server.conn)->size));
	both_fini(&both);
	return places;
}

static void
C22_a_secret_that_was_read_is_nowhere_any_more(void **state)
{
	for (int tls = 0; tls < 2; tls++) {
		assert_int_equal(places_with_secret(false, tls), 2); /* this is what it would be */
		assert_int_equal(places_with_secret(true, tls), 0);
	}
}

static void
C22_what_is_no_content_is_overwritten_when_secrets_are_over(void **state)
{
	struct both both;
	struct buf *in;

	both_take(&both);
	in = conn_in(both.server.conn);
	conn_keep_secrets(both.server.conn, true);
	buf_add_text(in, secret);
	buf_add_text(in, "rest");
	buf_consume(in, sizeof(secret) - 1);
	assert_true(holds_secret(in->mem, in->size));
	conn_keep_secrets(both.server.conn, false);
	assert_false(holds_secret(in->mem, in->size));
	assert_false(in->secret || conn_out(both.server.conn)->secret);
	assert_string_equal(buf_cstr(in), "rest");
	both_fini(&both);
}

static void
its_own_end_is_known(void **state)
{
	struct sockaddr_storage own;
	struct both both;

	both_take(&both);
	conn_own_address(both.server.conn, &own);
	assert_int_equal(own.ss_family, AF_UNIX);
	both_fini(&both);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_listener_with_tls_opens_when_hands_are_shaken),
	    cmocka_unit_test(C20_a_peer_that_says_nothing_is_given_up),
	    cmocka_unit_test(a_handshake_that_fails_is_told_as_such),
	    cmocka_unit_test(a_conversation_goes_on_in_tls),
	    cmocka_unit_test(C1_what_was_said_behind_starttls_is_never_heard),
	    cmocka_unit_test(what_was_in_the_way_leaves_in_clear_first_and_nothing_else),
	    cmocka_unit_test(tls_that_cannot_begin_is_told_from_the_loop),
	    cmocka_unit_test(C5_starttls_and_then_silence_ends_in_time),
	    cmocka_unit_test(closing_is_allowed_at_any_moment),
	    cmocka_unit_test(C16_a_hello_may_come_in_one_segment_with_the_header),
	    cmocka_unit_test(who_says_no_more_may_still_listen),
	    cmocka_unit_test(C22_a_secret_that_was_read_is_nowhere_any_more),
	    cmocka_unit_test(C22_what_is_no_content_is_overwritten_when_secrets_are_over),
	    cmocka_unit_test(its_own_end_is_known),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
