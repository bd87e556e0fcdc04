/*
 * test_conn.c - a connection, without TLS
 *
 * Long because each way in which a peer can read, write and leave is a case.
 */
#include "net/conn.h"

#include "base/clock.h"
#include "base/mem.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOON_MS = 5000 };

static const char letters[] = {
    [CONN_OPEN] = 'o',
    [CONN_DATA] = 'd',
    [CONN_DRAINED] = 'r',
    [CONN_RELAYED] = 'm',
    [CONN_EOF] = 'e',
    [CONN_FAILED] = 'f',
    [CONN_IDLE] = 'i',
};

/* An owner that writes down what it is told and can be given a habit. */
struct owner {
	struct loop *loop;
	struct conn *conn;
	char told[64];
	size_t received;
	struct fault fault;
	enum { LEAVES_BYTES, DROPS_BYTES, ECHOES, CLOSES, FINISHES } habit;
	char until; /* wait_for(): the letter */
	int fd; /* the other end */
};

static void
on_event(struct conn *conn, enum conn_event event, void *ctx)
{
	struct owner *owner = ctx;
	size_t len = strlen(owner->told);

	if (len + 1 < sizeof(owner->told) && (len == 0 || owner->told[len - 1] != letters[event]))
		owner->told[len] = letters[event];
	if (event == CONN_FAILED)
		owner->fault = *conn_fault(conn);
	if (event != CONN_DATA)
		return;
	owner->received += buf_len(conn_in(conn));
	switch (owner->habit) {
	case LEAVES_BYTES:
		break;
	case ECHOES:
		buf_add_str(conn_out(conn), buf_str(conn_in(conn)));
		/* fall through */
	case DROPS_BYTES:
		buf_consume(conn_in(conn), buf_len(conn_in(conn)));
		break;
	case CLOSES:
		conn_close(&owner->conn);
		break;
	case FINISHES:
		buf_add_text(conn_out(conn), "bye");
		conn_finish(&owner->conn, 300);
		break;
	}
}

static bool
was_told(void *ctx)
{
	struct owner *owner = ctx;

	return strchr(owner->told, owner->until) != NULL;
}

static bool
wait_for(struct owner *owner, char letter)
{
	owner->until = letter;
	return loop_run_until(owner->loop, was_told, owner, SOON_MS);
}

static bool
never(void *ctx)
{
	return false;
}

static void
pass_ms(struct owner *owner, uint64_t ms)
{
	loop_run_until(owner->loop, never, NULL, ms);
}

static void
owner_init(struct owner *owner)
{
	int fds[2];

	memset(owner, 0, sizeof(*owner));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	owner->loop = loop_new();
	owner->conn = conn_take(owner->loop, fds[0], on_event, owner);
	owner->fd = fds[1];
	owner->habit = DROPS_BYTES;
}

static void
owner_fini(struct owner *owner)
{
	conn_close(&owner->conn);
	if (owner->fd != -1)
		close(owner->fd);
	loop_free(&owner->loop);
}

/* A listener on 127.0.0.1; *endpoint_r leads to it. */
static int
listen_inet(struct endpoint *endpoint_r)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*endpoint_r = (struct endpoint){.kind = ENDPOINT_INET, .host = "127.0.0.1"};
	snprintf(endpoint_r->port, sizeof(endpoint_r->port), "%u", ntohs(sin.sin_port) & 0xffffu);
	return fd;
}

/* Like owner_init(), over TCP, where a peer can also reset. */
static void
owner_init_inet(struct owner *owner)
{
	struct endpoint endpoint;
	int listener = listen_inet(&endpoint);

	memset(owner, 0, sizeof(*owner));
	owner->loop = loop_new();
	owner->conn = conn_dial(owner->loop, &endpoint, NULL, NULL, 1000, on_event, owner);
	owner->fd = -1;
	owner->habit = DROPS_BYTES;
	assert_true(wait_for(owner, 'o'));
	owner->fd = accept(listener, NULL, NULL);
	assert_int_not_equal(owner->fd, -1);
	close(listener);
}

static void
owner_reset(struct owner *owner)
{
	struct linger reset = {.l_onoff = 1};

	assert_int_equal(setsockopt(owner->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(owner->fd);
	owner->fd = -1;
}

/* ---- taken connections */

static void
what_is_said_comes_back_and_the_end_is_told(void **state)
{
	struct owner owner;
	char text[16] = "";

	owner_init(&owner);
	owner.habit = ECHOES;
	assert_int_equal(write(owner.fd, "hello", 5), 5);
	assert_true(wait_for(&owner, 'd'));
	assert_int_equal(read(owner.fd, text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(shutdown(owner.fd, SHUT_WR), 0);
	assert_true(wait_for(&owner, 'e'));
	buf_add_text(conn_out(owner.conn), "and then"); /* half closed: it still listens */
	conn_flush(owner.conn);
	assert_int_equal(read(owner.fd, text, sizeof(text)), 8);
	pass_ms(&owner, 20);
	assert_string_equal(owner.told, "de");
	assert_memory_equal(conn_peer(owner.conn), "unix pid=", 9);
	owner_fini(&owner);
}

static void
a_slow_reader_gets_everything_and_drained_is_told_once(void **state)
{
	static char chunk[3000];
	struct owner owner;
	size_t sent = 1 << 20, got = 0;
	int small = 1;
	ssize_t n;

	owner_init(&owner);
	assert_int_equal(setsockopt(owner.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (size_t i = 0; i < sent; i++)
		buf_add_byte(conn_out(owner.conn), (char)(i % 251));
	conn_flush(owner.conn);
	assert_true(buf_len(conn_out(owner.conn)) > 0);
	while (got < sent) {
		pass_ms(&owner, 0);
		n = read(owner.fd, chunk, sizeof(chunk));
		if (n == -1 && errno == EAGAIN)
			continue;
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal((unsigned char)chunk[i], (got + (size_t)i) % 251);
		got += (size_t)n;
	}
	assert_true(wait_for(&owner, 'r'));
	assert_string_equal(owner.told, "r");
	owner_fini(&owner);
}

static void
no_more_is_read_than_may_be_kept(void **state)
{
	static char chunk[8192];
	struct owner owner;

	owner_init(&owner);
	owner.habit = LEAVES_BYTES;
	conn_set_in_max(owner.conn, 1000);
	assert_int_equal(write(owner.fd, chunk, sizeof(chunk)), sizeof(chunk));
	pass_ms(&owner, 20);
	assert_int_equal(buf_len(conn_in(owner.conn)), 1000);
	owner.habit = DROPS_BYTES;
	owner.received = 0;
	buf_consume(conn_in(owner.conn), 1000);
	conn_read(owner.conn, false);
	pass_ms(&owner, 20);
	assert_int_equal(owner.received, 0);
	conn_read(owner.conn, true);
	pass_ms(&owner, 20);
	assert_int_equal(owner.received, sizeof(chunk) - 1000);
	owner_fini(&owner);
}

/* A peer has said more than is read, and nobody is told that it ends, unless it is wanted. */
static void
owner_init_full(struct owner *owner)
{
	static char chunk[8192];

	owner_init(owner);
	owner->habit = LEAVES_BYTES;
	conn_set_in_max(owner->conn, 1000);
	assert_int_equal(write(owner->fd, chunk, sizeof(chunk)), sizeof(chunk));
	assert_true(wait_for(owner, 'd'));
	pass_ms(owner, 20);
	assert_string_equal(owner->told, "d");
}

static void
who_does_not_read_hears_of_the_end_where_it_is_wanted(void **state)
{
	static const struct {
		bool wanted_before, wanted_behind, only_half, is_told;
	} rows[] = {
	    {false, false, false, false},
	    {true, true, false, true},
	    {true, true, true, true},
	    {false, true, false, true},
	    {true, false, false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct owner owner;

		owner_init_full(&owner);
		conn_watch_end(owner.conn, rows[i].wanted_before);
		pass_ms(&owner, 20);
		assert_string_equal(owner.told, "d");
		if (!rows[i].wanted_behind)
			conn_watch_end(owner.conn, false);
		assert_int_equal(shutdown(owner.fd, rows[i].only_half ? SHUT_WR : SHUT_RDWR), 0);
		if (rows[i].wanted_behind)
			conn_watch_end(owner.conn, true);
		pass_ms(&owner, 20);
		assert_string_equal(owner.told, rows[i].is_told ? "de" : "d");
		assert_int_equal(buf_len(conn_in(owner.conn)), 1000);
		owner_fini(&owner);
	}
}

static void
who_reads_on_misses_nothing_before_the_end(void **state)
{
	struct owner owner;

	owner_init_full(&owner);
	conn_watch_end(owner.conn, true);
	pass_ms(&owner, 20);
	owner.habit = DROPS_BYTES;
	owner.received = buf_len(conn_in(owner.conn));
	buf_clear(conn_in(owner.conn));
	conn_read(owner.conn, true);
	shutdown(owner.fd, SHUT_WR);
	assert_true(wait_for(&owner, 'e'));
	assert_string_equal(owner.told, "de");
	assert_int_equal(owner.received, 8192);
	owner_fini(&owner);
}

/* Nobody is told of it without: a reset would come again in each turn of the loop. */
static void
who_does_not_read_hears_of_a_reset_once(void **state)
{
	struct owner owner;

	owner_init_inet(&owner);
	conn_read(owner.conn, false);
	conn_watch_end(owner.conn, true);
	assert_int_equal(write(owner.fd, "unread", 6), 6);
	pass_ms(&owner, 20);
	assert_string_equal(owner.told, "o");
	owner_reset(&owner);
	assert_true(wait_for(&owner, 'e'));
	pass_ms(&owner, 20);
	assert_string_equal(owner.told, "oe");
	owner_fini(&owner);
}

static void
nothing_is_told_after_closing_inside_the_callback(void **state)
{
	struct owner owner;

	owner_init(&owner);
	owner.habit = CLOSES;
	assert_int_equal(write(owner.fd, "hello", 5), 5);
	close(owner.fd);
	owner.fd = -1;
	assert_true(wait_for(&owner, 'd'));
	pass_ms(&owner, 20);
	assert_string_equal(owner.told, "d");
	assert_null(owner.conn);
	owner_fini(&owner);
}

static void
a_peer_that_went_is_told_from_the_loop_not_from_flush(void **state)
{
	struct owner owner;

	owner_init(&owner);
	conn_read(owner.conn, false);
	close(owner.fd);
	owner.fd = -1;
	buf_add_text(conn_out(owner.conn), "hello");
	conn_flush(owner.conn); /* EPIPE, and no signal */
	assert_string_equal(owner.told, "");
	assert_true(wait_for(&owner, 'f'));
	buf_add_text(conn_out(owner.conn), "hello");
	conn_flush(owner.conn);
	conn_read(owner.conn, true);
	pass_ms(&owner, 20);
	assert_string_equal(owner.told, "f");
	assert_int_equal(owner.fault.verdict, VERDICT_TEMP);
	assert_string_equal(owner.fault.text, "writing: Broken pipe");
	owner_fini(&owner);
}

static void
the_last_words_of_a_peer_that_went_are_heard(void **state)
{
	struct owner owner;

	owner_init(&owner);
	assert_int_equal(write(owner.fd, "-ERR full", 9), 9);
	close(owner.fd);
	owner.fd = -1;
	buf_add_text(conn_out(owner.conn), "AUTH");
	conn_flush(owner.conn);
	assert_true(wait_for(&owner, 'f'));
	assert_string_equal(owner.told, "df");
	assert_int_equal(owner.received, 9);
	owner_fini(&owner);
}

static void
a_reset_is_a_failure(void **state)
{
	struct owner owner;

	owner_init_inet(&owner);
	owner_reset(&owner);
	assert_true(wait_for(&owner, 'f'));
	assert_string_equal(owner.told, "of");
	assert_string_equal(owner.fault.text, "reading: Connection reset by peer");
	owner_fini(&owner);
}

static void
more_than_out_may_hold_is_a_failure(void **state)
{
	struct owner owner;

	owner_init(&owner);
	conn_out(owner.conn)->max_bytes = 4;
	buf_add_text(conn_out(owner.conn), "hello");
	conn_flush(owner.conn);
	assert_true(wait_for(&owner, 'f'));
	assert_string_equal(owner.told, "f");
	owner_fini(&owner);
}

static void
finishing_sends_the_rest_and_outlives_unread_data(void **state)
{
	static char chunk[1 << 16];
	struct endpoint endpoint;
	struct owner owner;
	int listener = listen_inet(&endpoint), ours, theirs;
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(endpoint.port)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	owner_init(&owner);
	conn_close(&owner.conn);
	theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(theirs, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	owner.conn = conn_take(owner.loop, ours, on_event, &owner);
	assert_memory_equal(conn_peer(owner.conn), "127.0.0.1:", 10);
	owner.habit = FINISHES;
	conn_set_in_max(owner.conn, 10);
	assert_int_equal(write(theirs, chunk, sizeof(chunk)), sizeof(chunk));
	assert_true(wait_for(&owner, 'd'));
	assert_null(owner.conn);
	pass_ms(&owner, 50);
	assert_int_equal(read(theirs, chunk, sizeof(chunk)), 3); /* and not ECONNRESET */
	assert_int_equal(read(theirs, chunk, sizeof(chunk)), 0);
	assert_string_equal(owner.told, "d");
	close(theirs);
	close(listener);
	pass_ms(&owner, 20);
	owner_fini(&owner);
}

static void
finishing_ends_though_the_peer_never_reads(void **state)
{
	static char chunk[1 << 20];
	struct owner owner;
	uint64_t start_ms = clock_ms();
	ssize_t n;

	owner_init(&owner);
	buf_add(conn_out(owner.conn), chunk, sizeof(chunk));
	conn_finish(&owner.conn, 100);
	assert_null(owner.conn);
	pass_ms(&owner, 150);
	assert_true(clock_ms() - start_ms >= 100);
	while ((n = read(owner.fd, chunk, sizeof(chunk))) > 0)
		continue;
	assert_int_equal(n, 0);
	assert_int_equal(send(owner.fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_string_equal(owner.told, "");
	owner_fini(&owner);
}

static void
idleness_is_told_but_not_while_bytes_come(void **state)
{
	struct owner owner;

	owner_init(&owner);
	conn_set_idle_ms(owner.conn, 120);
	for (int i = 0; i < 6; i++) {
		pass_ms(&owner, 40);
		assert_int_equal(write(owner.fd, "x", 1), 1);
	}
	pass_ms(&owner, 10);
	assert_string_equal(owner.told, "d");
	assert_true(wait_for(&owner, 'i'));
	memset(owner.told, 0, sizeof(owner.told));
	assert_true(wait_for(&owner, 'i')); /* again */
	conn_set_idle_ms(owner.conn, 0);
	memset(owner.told, 0, sizeof(owner.told));
	pass_ms(&owner, 200);
	assert_string_equal(owner.told, "");
	owner_fini(&owner);
}

/* ---- dialled connections */

static void
a_dialled_connection_opens_first_and_then_talks(void **state)
{
	struct endpoint endpoint;
	struct owner owner;
	int listener = listen_inet(&endpoint), fd;
	char text[8] = "";

	for (int i = 0; i < 2; i++) {
		owner_init(&owner);
		conn_close(&owner.conn);
		if (i == 1)
			strcpy(endpoint.host, "localhost"); /* ::1 may refuse, 127.0.0.1 answers */
		owner.conn = conn_dial(owner.loop, &endpoint, NULL, NULL, 2000, on_event, &owner);
		buf_add_text(conn_out(owner.conn), "early"); /* kept until it is open */
		conn_flush(owner.conn);
		assert_string_equal(owner.told, "");
		assert_true(wait_for(&owner, 'o'));
		fd = accept(listener, NULL, NULL);
		assert_int_equal(read(fd, text, sizeof(text)), 5);
		assert_int_equal(write(fd, "x", 1), 1);
		assert_true(wait_for(&owner, 'd'));
		assert_string_equal(owner.told, "od");
		assert_string_equal(conn_peer(owner.conn), endpoint_name(&endpoint));
		close(fd);
		owner_fini(&owner);
	}
	close(listener);
}

static void
a_refused_dial_fails_from_the_loop(void **state)
{
	struct endpoint endpoint;
	struct owner owner;
	char text[128];

	close(listen_inet(&endpoint)); /* nobody listens there any more */
	owner_init(&owner);
	conn_close(&owner.conn);
	owner.conn = conn_dial(owner.loop, &endpoint, NULL, NULL, 1000, on_event, &owner);
	assert_string_equal(owner.told, "");
	assert_true(wait_for(&owner, 'f'));
	assert_string_equal(owner.told, "f");
	snprintf(text, sizeof(text), "cannot connect to %s: Connection refused",
	    endpoint_name(&endpoint));
	assert_string_equal(owner.fault.text, text);
	owner_fini(&owner);
}

static void
a_missing_socket_fails_from_the_loop(void **state)
{
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX, .path = "/nonexistent/socket"};
	struct owner owner;

	owner_init(&owner);
	conn_close(&owner.conn);
	owner.conn = conn_dial(owner.loop, &endpoint, NULL, NULL, 1000, on_event, &owner);
	assert_true(wait_for(&owner, 'f'));
	assert_string_equal(owner.fault.text,
	    "cannot connect to unix:/nonexistent/socket: No such file or directory");
	owner_fini(&owner);
}

static void
a_dial_that_nobody_answers_ends_in_time(void **state)
{
	char dir[] = "/tmp/test_conn.XXXXXX";
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int listener, filler[2];
	uint64_t start_ms;
	struct owner owner;

	assert_non_null(mkdtemp(dir));
	snprintf(endpoint.path, sizeof(endpoint.path), "%s/s", dir);
	memcpy(sun.sun_path, endpoint.path, sizeof(sun.sun_path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(listener, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(filler); i++) {
		filler[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(filler[i], (struct sockaddr *)&sun, sizeof(sun)) == -1)
			assert_int_equal(errno, EAGAIN);
	}

	owner_init(&owner);
	conn_close(&owner.conn);
	start_ms = clock_ms();
	owner.conn = conn_dial(owner.loop, &endpoint, NULL, NULL, 150, on_event, &owner);
	assert_true(wait_for(&owner, 'f'));
	assert_true(clock_ms() - start_ms >= 149);
	conn_close(&owner.conn);
	memset(owner.told, 0, sizeof(owner.told));

	owner.conn = conn_dial(owner.loop, &endpoint, NULL, NULL, 2000, on_event, &owner);
	pass_ms(&owner, 50);
	close(accept(listener, NULL, NULL)); /* now there is room */
	assert_true(wait_for(&owner, 'o'));

	for (size_t i = 0; i < ARRAY_LEN(filler); i++)
		close(filler[i]);
	close(listener);
	unlink(endpoint.path);
	rmdir(dir);
	owner_fini(&owner);
}

static void
a_dial_can_be_given_up_at_any_time(void **state)
{
	struct endpoint endpoint;
	struct endpoint name = {.kind = ENDPOINT_INET, .host = "no-such.invalid", .port = "25"};
	int listener = listen_inet(&endpoint);
	struct owner owner;

	for (unsigned turns = 0; turns < 4; turns++) {
		for (int by_name = 0; by_name < 2; by_name++) {
			owner_init(&owner);
			conn_close(&owner.conn);
			owner.conn = conn_dial(owner.loop, by_name ? &name : &endpoint, NULL, NULL,
			    1000, on_event, &owner);
			for (unsigned i = 0; i < turns; i++)
				pass_ms(&owner, 0);
			conn_finish(&owner.conn, 10);
			memset(owner.told, 0, sizeof(owner.told));
			if (turns % 2)
				pass_ms(&owner, 20);
			assert_string_equal(owner.told, "");
			owner_fini(&owner);
		}
	}
	close(listener);
}

static void
a_name_that_does_not_exist_is_a_failure(void **state)
{
	struct endpoint endpoint = {.kind = ENDPOINT_INET, .host = "no-such.invalid", .port = "25"};
	struct owner owner;

	owner_init(&owner);
	conn_close(&owner.conn);
	owner.conn = conn_dial(owner.loop, &endpoint, NULL, NULL, 300, on_event, &owner);
	assert_string_equal(owner.told, "");
	assert_true(wait_for(&owner, 'f'));
	assert_non_null(strstr(owner.fault.text, "inet:no-such.invalid:25"));
	owner_fini(&owner);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_said_comes_back_and_the_end_is_told),
	    cmocka_unit_test(a_slow_reader_gets_everything_and_drained_is_told_once),
	    cmocka_unit_test(no_more_is_read_than_may_be_kept),
	    cmocka_unit_test(who_does_not_read_hears_of_the_end_where_it_is_wanted),
	    cmocka_unit_test(who_reads_on_misses_nothing_before_the_end),
	    cmocka_unit_test(who_does_not_read_hears_of_a_reset_once),
	    cmocka_unit_test(nothing_is_told_after_closing_inside_the_callback),
	    cmocka_unit_test(a_peer_that_went_is_told_from_the_loop_not_from_flush),
	    cmocka_unit_test(the_last_words_of_a_peer_that_went_are_heard),
	    cmocka_unit_test(a_reset_is_a_failure),
	    cmocka_unit_test(more_than_out_may_hold_is_a_failure),
	    cmocka_unit_test(finishing_sends_the_rest_and_outlives_unread_data),
	    cmocka_unit_test(finishing_ends_though_the_peer_never_reads),
	    cmocka_unit_test(idleness_is_told_but_not_while_bytes_come),
	    cmocka_unit_test(a_dialled_connection_opens_first_and_then_talks),
	    cmocka_unit_test(a_refused_dial_fails_from_the_loop),
	    cmocka_unit_test(a_missing_socket_fails_from_the_loop),
	    cmocka_unit_test(a_dial_that_nobody_answers_ends_in_time),
	    cmocka_unit_test(a_dial_can_be_given_up_at_any_time),
	    cmocka_unit_test(a_name_that_does_not_exist_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
