/*
 * test_conn_relay.c - bytes that pass unseen, from one connection to another
 *
 *	sender ====> from  --relay-->  to ====> receiver
 *
 * All four are connections of one loop, so that TLS can be on either leg. Long because
 * each way in which one of them can stop, wait or leave is a case.
 */
#include "net/conn.h"

#include "base/mem.h"
#include "net/tls.h"

#include "unit.h"

#include "certs.h"
#include "side.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>

enum { MANY_MS = 60000, EMPTY_MOST = 10000 };

static struct certs certs;
static struct tls_context *server_tls, *client_tls;

static int
begin(void **state)
{
	struct tls_identity identity;
	struct tls_server_rules rules = {.identities = &identity, .identity_count = 1};
	struct fault fault;

	signal(SIGPIPE, SIG_IGN); /* as our daemons do */
	certs_begin(&certs);
	identity =
	    (struct tls_identity){certs_make(&certs, "server", "P-256", "DNS:server.test"), NULL};
	server_tls = tls_context_new_server(&rules, &fault);
	client_tls = tls_context_new_client(identity.cert_file, NULL, NULL, &fault);
	assert_true(server_tls != NULL && client_tls != NULL);
	return 0;
}

static int
end(void **state)
{
	tls_context_free(&server_tls);
	tls_context_free(&client_tls);
	certs_end(&certs);
	return 0;
}

static size_t
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

/* ---- the four */

enum wires { UNIX, TCP };
enum legs { CLEAR = 0, FROM_TLS = 1, TO_TLS = 2, BOTH_TLS = 3 };

struct four {
	struct loop *loop;
	struct side sender, from, to, receiver;
	size_t received; /* of the pattern */
	bool right; /* and as it should be */
	size_t wanted;
	size_t fds; /* that were open before */
};

static char
pattern(size_t i)
{
	return (char)(i * 31 + i / 4096);
}

static struct four *
four_of(struct side *side)
{
	return (struct four *)((char *)side - offsetof(struct four, receiver));
}

/* The receiver's: nobody keeps 50 MB. */
static void
compare(struct side *side, enum conn_event event)
{
	struct four *four = four_of(side);
	struct str in = buf_str(conn_in(side->conn));

	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] != pattern(four->received + i))
			four->right = false;
	}
	four->received += in.len;
	buf_consume(conn_in(side->conn), in.len);
}

static void
connect_two(enum wires wires, int fds[2])
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int listener;

	if (wires == UNIX) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				     fds),
		    0);
		return;
	}
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&sin, len), 0);
	fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	conn_tune(fds[0]);
	conn_tune(fds[1]); /* as those are whom a listener lets in */
	close(listener);
}

static void
four_init(struct four *four, enum wires wires, enum legs legs)
{
	struct side *sides[] = {&four->sender, &four->from, &four->to, &four->receiver};
	int fds[4];

	memset(four, 0, sizeof(*four));
	four->fds = count_fds();
	four->right = true;
	four->loop = loop_new();
	connect_two(wires, fds);
	connect_two(wires, fds + 2);
	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		side_init(sides[i], four->loop);
		sides[i]->conn = conn_take(four->loop, fds[i], side_event, sides[i]);
	}
	for (int leg = 0; leg < 2; leg++) { /* a client's, and a backend's */
		if (!(legs & (leg == 0 ? FROM_TLS : TO_TLS)))
			continue;
		conn_start_tls(sides[2 * leg]->conn, client_tls, "server.test", SOON_MS);
		conn_start_tls(sides[2 * leg + 1]->conn, server_tls, NULL, SOON_MS);
		assert_true(side_wait(sides[2 * leg], 'o'));
		assert_true(side_wait(sides[2 * leg + 1], 'o'));
	}
	four->receiver.habit = compare;
	for (size_t i = 0; i < ARRAY_LEN(sides); i++)
		memset(sides[i]->told, 0, sizeof(sides[i]->told));
}

static void
four_fini(struct four *four)
{
	side_fini(&four->sender);
	side_fini(&four->from);
	side_fini(&four->to);
	side_fini(&four->receiver);
	loop_free(&four->loop);
	assert_int_equal(count_fds(), four->fds); /* the pipes too */
}

static void
send_pattern(struct four *four, size_t len)
{
	char *room = buf_room(conn_out(four->sender.conn), len);

	for (size_t i = 0; i < len; i++)
		room[i] = pattern(i);
	buf_added(conn_out(four->sender.conn), len);
	conn_flush(four->sender.conn);
}

static bool
has_received(void *ctx)
{
	const struct four *four = ctx;

	return four->received >= four->wanted;
}

static bool
wait_received(struct four *four, size_t wanted)
{
	four->wanted = wanted;
	return loop_run_until(four->loop, has_received, four, MANY_MS);
}

/* ---- tests */

static void
so_many_bytes_pass_unseen_and_the_next_is_seen_again(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 32767, 32768, 65536, 65537, 300000, 2000000};
	struct four four;

	for (int wires = UNIX; wires <= TCP; wires++) {
		for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
			for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
				four_init(&four, (enum wires)wires, (enum legs)legs);
				conn_relay(four.from.conn, four.to.conn, sizes[i]);
				assert_string_equal(four.from.told, "");
				send_pattern(&four, sizes[i]);
				side_say(&four.sender, "tail");
				assert_true(side_wait_bytes(&four.from, 4));
				assert_string_equal(buf_cstr(&four.from.got), "tail");
				assert_string_equal(four.from.told, "md");
				assert_int_equal(conn_relay_left(four.from.conn), 0);
				assert_true(wait_received(&four, sizes[i]));
				buf_add_byte(conn_out(four.to.conn), pattern(sizes[i]));
				conn_flush(four.to.conn);
				assert_true(wait_received(&four, sizes[i] + 1));
				if (!four.right)
					fail_msg("%zu bytes, wires %d, legs %d", sizes[i], wires,
					    legs);
				four_fini(&four);
			}
		}
	}
}

static void
fifty_megabytes_pass(void **state)
{
	static const enum legs legs[] = {CLEAR, BOTH_TLS};
	size_t size = 50 << 20;
	struct four four;

	for (size_t i = 0; i < ARRAY_LEN(legs); i++) {
		four_init(&four, TCP, legs[i]);
		conn_relay(four.from.conn, four.to.conn, size);
		send_pattern(&four, size);
		assert_true(wait_received(&four, size));
		assert_true(side_wait(&four.from, 'm'));
		assert_true(four.right);
		assert_int_equal(four.received, size);
		four_fini(&four);
	}
}

static void
what_was_read_and_said_before_comes_first(void **state)
{
	struct four four;

	for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
		for (size_t before = 50; before <= 150; before += 50) {
			four_init(&four, UNIX, (enum legs)legs);
			for (size_t i = 0; i < 50; i++) /* not sent yet */
				buf_add_byte(conn_out(four.to.conn), pattern(i));
			for (size_t i = 50; i < before; i++) /* read, and left there */
				buf_add_byte(conn_in(four.from.conn), pattern(i));
			conn_relay(four.from.conn, four.to.conn, 100000);
			for (size_t i = before; i < 100050; i++)
				buf_add_byte(conn_out(four.sender.conn), pattern(i));
			conn_flush(four.sender.conn);
			assert_true(wait_received(&four, 100050));
			assert_true(side_wait(&four.from, 'm'));
			assert_true(four.right);
			assert_string_equal(four.from.told, "m");
			four_fini(&four);
		}
	}
}

static void
of_what_was_read_only_so_many_bytes_go(void **state)
{
	struct four four;

	four_init(&four, UNIX, CLEAR);
	for (size_t i = 0; i < 10; i++)
		buf_add_byte(conn_in(four.from.conn), pattern(i));
	buf_add_text(conn_in(four.from.conn), "tail");
	conn_relay(four.from.conn, four.to.conn, 10);
	assert_true(side_wait(&four.from, 'm'));
	assert_string_equal(buf_cstr(&four.from.got), "tail");
	assert_true(wait_received(&four, 10));
	assert_true(four.right);
	four_fini(&four);
}

static void
what_was_read_can_go_after_the_end_too(void **state)
{
	struct four four;

	four_init(&four, UNIX, CLEAR);
	conn_end_out(four.sender.conn);
	assert_true(side_wait(&four.from, 'e'));
	for (size_t i = 0; i < 100; i++)
		buf_add_byte(conn_in(four.from.conn), pattern(i));
	conn_relay(four.from.conn, four.to.conn, 100);
	assert_true(side_wait(&four.from, 'm'));
	assert_true(wait_received(&four, 100));
	assert_true(four.right);
	conn_relay(four.from.conn, four.to.conn, 1);
	side_pass_ms(&four.from, 5);
	assert_string_equal(four.from.told, "em");
	assert_int_equal(conn_relay_left(four.from.conn), 1);
	four_fini(&four);
}

static void
a_relay_may_begin_before_its_connections_are_open(void **state)
{
	struct four four;

	for (size_t size = 0; size <= 1000; size += 1000) {
		four_init(&four, UNIX, CLEAR);
		conn_relay(four.from.conn, four.to.conn, size);
		conn_relay_stop(four.from.conn);
		assert_true(side_wait(&four.from, 'm'));
		memset(four.from.told, 0, sizeof(four.from.told));
		conn_start_tls(four.sender.conn, client_tls, "server.test", SOON_MS);
		conn_start_tls(four.from.conn, server_tls, NULL, SOON_MS);
		conn_start_tls(four.to.conn, client_tls, "server.test", SOON_MS);
		conn_start_tls(four.receiver.conn, server_tls, NULL, SOON_MS);
		conn_relay(four.from.conn, four.to.conn, size);
		send_pattern(&four, size);
		assert_true(side_wait(&four.from, 'm'));
		assert_string_equal(four.from.told, "om");
		assert_true(wait_received(&four, size));
		assert_true(four.right);
		four_fini(&four);
	}
}

/* What has not gone over when nothing moves any more. */
static uint64_t
left_at_rest(struct four *four)
{
	uint64_t left, passed_ms = 0;

	do {
		left = conn_relay_left(four->from.conn);
		side_pass_ms(&four->from, 50);
		assert_true((passed_ms += 50) < SOON_MS);
	} while (conn_relay_left(four->from.conn) != left);
	return left;
}

static void
D4_who_does_not_read_holds_who_sends(void **state)
{
	size_t size = 40 << 20;
	struct four four;
	uint64_t left;

	for (int wires = UNIX; wires <= TCP; wires++) {
		for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
			four_init(&four, (enum wires)wires, (enum legs)legs);
			conn_read(four.receiver.conn, false);
			conn_relay(four.from.conn, four.to.conn, size);
			send_pattern(&four, size);
			left = left_at_rest(&four);
			assert_true(left > size / 4);
			assert_true(buf_len(conn_out(four.to.conn)) <= 65536);
			assert_int_equal(buf_len(conn_in(four.from.conn)), 0);
			assert_string_equal(four.from.told, "");
			if (legs != CLEAR || wires != TCP) {
				four_fini(&four); /* and leaves in the middle */
				continue;
			}
			conn_read(four.receiver.conn, true);
			assert_true(wait_received(&four, size));
			assert_true(four.right);
			assert_true(side_wait(&four.from, 'm'));
			four_fini(&four);
		}
	}
}

static void
short_writes_lose_nothing(void **state)
{
	static char chunk[3000];
	size_t size = 1 << 20;
	struct four four;
	int fds[2], small = 4096;
	ssize_t n;

	for (int legs = CLEAR; legs <= FROM_TLS; legs++) {
		four_init(&four, UNIX, (enum legs)legs);
		conn_close(&four.to.conn);
		connect_two(UNIX, fds);
		assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)),
		    0);
		four.to.conn = conn_take(four.loop, fds[0], side_event, &four.to);
		conn_relay(four.from.conn, four.to.conn, size);
		send_pattern(&four, size);
		for (int empty = 0; four.received < size; empty++) {
			side_pass_ms(&four.to, 0);
			n = read(fds[1], chunk, sizeof(chunk));
			if (n == -1 && errno == EAGAIN && empty < EMPTY_MOST)
				continue;
			assert_true(n > 0);
			for (ssize_t i = 0; i < n; i++)
				assert_int_equal(chunk[i], pattern(four.received + (size_t)i));
			four.received += (size_t)n;
		}
		assert_true(side_wait(&four.from, 'm'));
		close(fds[1]);
		four_fini(&four);
	}
}

static void
a_sender_who_ends_in_the_middle_is_told_behind_what_he_sent(void **state)
{
	struct four four;

	for (int wires = UNIX; wires <= TCP; wires++) {
		for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
			four_init(&four, (enum wires)wires, (enum legs)legs);
			conn_relay(four.from.conn, four.to.conn, 1 << 20);
			send_pattern(&four, 200000);
			conn_end_out(four.sender.conn);
			assert_true(side_wait(&four.from, 'e'));
			assert_string_equal(four.from.told, "e");
			assert_int_equal(conn_relay_left(four.from.conn), (1 << 20) - 200000);
			assert_true(wait_received(&four, 200000));
			side_pass_ms(&four.from, 5);
			assert_int_equal(four.received, 200000);
			assert_true(four.right);
			assert_string_equal(four.from.told, "e");
			four_fini(&four);
		}
	}
}

static void
an_end_is_not_told_before_all_has_gone(void **state)
{
	size_t size = 1 << 20;
	struct four four;

	for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
		four_init(&four, UNIX, (enum legs)legs);
		conn_read(four.receiver.conn, false);
		conn_relay(four.from.conn, four.to.conn, UINT64_MAX);
		send_pattern(&four, size);
		conn_end_out(four.sender.conn);
		side_pass_ms(&four.from, 20);
		assert_string_equal(four.from.told, "");
		conn_read(four.receiver.conn, true);
		assert_true(side_wait(&four.from, 'e'));
		assert_true(wait_received(&four, size));
		assert_int_equal(UINT64_MAX - conn_relay_left(four.from.conn), size);
		assert_true(four.right);
		four_fini(&four);
	}
}

static void
D5_when_the_receiver_goes_the_sender_is_held(void **state)
{
	struct four four;

	for (int wires = UNIX; wires <= TCP; wires++) {
		for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
			four_init(&four, (enum wires)wires, (enum legs)legs);
			conn_relay(four.from.conn, four.to.conn, 20 << 20);
			send_pattern(&four, 20 << 20);
			assert_true(wait_received(&four, 1));
			conn_read(four.receiver.conn, false); /* what is unread makes it a reset */
			side_pass_ms(&four.from, 5);
			conn_close(&four.receiver.conn);
			assert_true(side_wait(&four.to, 'f'));
			side_pass_ms(&four.from, 10);
			assert_string_equal(four.from.told, "");
			assert_true(conn_relay_left(four.from.conn) > 0);
			conn_close(&four.to.conn);
			side_pass_ms(&four.from, 5);
			assert_string_equal(four.from.told, "");
			conn_relay_stop(four.from.conn); /* who wants to can read on */
			assert_true(side_wait(&four.from, 'm'));
			assert_true(side_wait(&four.from, 'd'));
			assert_int_equal(four.from.told[0], 'm');
			four_fini(&four);
		}
	}
}

static void
D5_what_may_be_lost_is_not_said_to_have_gone(void **state)
{
	unsigned in_the_middle = 0;
	struct four four;

	/* All is taken, and the rest of it waits in the pipe: somewhere between these sizes. */
	for (size_t size = 100000; size <= 800000; size += 50000) {
		four_init(&four, UNIX, CLEAR);
		conn_read(four.receiver.conn, false);
		conn_relay(four.from.conn, four.to.conn, size);
		send_pattern(&four, size);
		side_pass_ms(&four.from, 5);
		if (strchr(four.from.told, 'm') == NULL) {
			in_the_middle += buf_len(conn_out(four.sender.conn)) == 0;
			conn_close(&four.receiver.conn);
			assert_true(side_wait(&four.to, 'f'));
			side_pass_ms(&four.from, 5);
			assert_string_equal(four.from.told, "");
		}
		four_fini(&four);
	}
	assert_true(in_the_middle > 0);
}

static void
D5_a_receiver_who_had_nothing_to_say_may_still_fail(void **state)
{
	struct four four;

	for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
		for (size_t size = 1000; size <= 100000; size += 99000) {
			four_init(&four, UNIX, (enum legs)legs);
			conn_relay(four.from.conn, four.to.conn, size);
			conn_close(&four.receiver.conn);
			assert_true(side_wait(&four.to, 'e'));
			send_pattern(&four, size);
			assert_true(side_wait(&four.to, 'f'));
			assert_string_equal(four.to.told, "ef");
			side_pass_ms(&four.from, 5);
			assert_string_equal(four.from.told, "");
			four_fini(&four);
		}
	}
}

static void
a_sender_who_is_lost_shows_nothing_that_was_to_pass_unseen(void **state)
{
	struct four four;

	four_init(&four, UNIX, CLEAR);
	conn_relay(four.from.conn, four.to.conn, 1 << 20);
	conn_read(four.from.conn, false);
	send_pattern(&four, 1000);
	conn_close(&four.sender.conn);
	buf_add_text(conn_out(four.from.conn), "hello"); /* EPIPE */
	conn_flush(four.from.conn);
	conn_read(four.from.conn, true);
	assert_true(side_wait(&four.from, 'f'));
	assert_string_equal(four.from.told, "f");
	assert_int_equal(buf_len(&four.from.got), 0);
	four_fini(&four);
}

static void
a_relay_without_end_is_stopped(void **state)
{
	struct four four;

	for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
		four_init(&four, TCP, (enum legs)legs);
		conn_relay_stop(four.from.conn); /* there is none */
		conn_relay(four.from.conn, four.to.conn, UINT64_MAX);
		send_pattern(&four, 100000);
		assert_true(wait_received(&four, 100000));
		assert_string_equal(four.from.told, "");
		assert_int_equal(UINT64_MAX - conn_relay_left(four.from.conn), 100000);
		conn_relay_stop(four.from.conn);
		assert_string_equal(four.from.told, "");
		assert_true(side_wait(&four.from, 'm'));
		side_say(&four.sender, "seen");
		assert_true(side_wait_bytes(&four.from, 4));
		assert_string_equal(buf_cstr(&four.from.got), "seen");
		assert_true(four.right);
		four_fini(&four);
	}
}

static void
what_is_stopped_lets_go_what_was_taken_already(void **state)
{
	struct four four;
	size_t taken;

	for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
		four_init(&four, UNIX, (enum legs)legs);
		conn_read(four.receiver.conn, false);
		conn_relay(four.from.conn, four.to.conn, UINT64_MAX);
		send_pattern(&four, 2 << 20);
		side_pass_ms(&four.from, 20);
		conn_relay_stop(four.from.conn);
		conn_read(four.receiver.conn, true);
		assert_true(side_wait(&four.from, 'm'));
		assert_true(side_wait(&four.from, 'd'));
		assert_true(side_wait_bytes(&four.from, 1));
		side_pass_ms(&four.from, 50);
		taken = four.received;
		assert_true(taken > 0 && four.right);
		/* Nothing is lost, nothing comes twice: what was seen begins where that ended. */
		assert_true(side_wait_bytes(&four.from, (2 << 20) - taken));
		for (size_t i = 0; i < buf_len(&four.from.got); i++)
			assert_int_equal(buf_str(&four.from.got).ptr[i], pattern(taken + i));
		four_fini(&four);
	}
}

static void
what_is_said_meanwhile_comes_behind_what_was_taken(void **state)
{
	struct four four;
	size_t taken;

	for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
		four_init(&four, UNIX, (enum legs)legs);
		conn_read(four.receiver.conn, false);
		conn_relay(four.from.conn, four.to.conn, 4 << 20);
		send_pattern(&four, 2 << 20);
		side_pass_ms(&four.from, 20);
		conn_read(four.from.conn, false); /* no more is taken */
		conn_read(four.receiver.conn, true);
		side_pass_ms(&four.from, 50);
		taken = (4 << 20) - (size_t)conn_relay_left(four.from.conn);
		assert_true(wait_received(&four, taken));
		buf_add_byte(conn_out(four.to.conn), pattern(taken));
		conn_flush(four.to.conn);
		assert_true(wait_received(&four, taken + 1));
		assert_true(four.right);
		four_fini(&four);
	}
}

static void
an_answer_over_a_full_pipe_waits_its_turn(void **state)
{
	static const char answer[] = "answer";
	static char chunk[1 << 16];
	struct buf all = BUF_INIT;
	struct four four;
	size_t taken;
	int fds[2];
	ssize_t n;

	four_init(&four, UNIX, CLEAR);
	conn_close(&four.to.conn);
	connect_two(UNIX, fds);
	four.to.conn = conn_take(four.loop, fds[0], side_event, &four.to);
	conn_relay(four.from.conn, four.to.conn, 4 << 20);
	send_pattern(&four, 2 << 20);
	side_pass_ms(&four.from, 20);
	conn_read(four.from.conn, false);
	side_say(&four.to, answer); /* the pipe is full, and so is the socket */
	for (int empty = 0; buf_len(&all) < sizeof(answer) - 1 ||
			    memcmp(all.mem + all.end - 6, answer, sizeof(answer) - 1) != 0;
	     empty++) {
		assert_true(empty < EMPTY_MOST);
		n = read(fds[1], chunk, sizeof(chunk));
		if (n > 0)
			buf_add(&all, chunk, (size_t)n);
		else
			side_pass_ms(&four.from, 1);
	}
	taken = (4 << 20) - (size_t)conn_relay_left(four.from.conn);
	assert_int_equal(buf_len(&all), taken + sizeof(answer) - 1);
	for (size_t i = 0; i < taken; i++)
		assert_int_equal(all.mem[i], pattern(i));
	buf_fini(&all);
	close(fds[1]);
	four_fini(&four);
}

static void
both_directions_at_once(void **state)
{
	size_t size = 3 << 20;
	struct four four;

	for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
		four_init(&four, TCP, (enum legs)legs);
		conn_relay(four.from.conn, four.to.conn, size);
		conn_relay(four.to.conn, four.from.conn, size);
		send_pattern(&four, size);
		for (size_t i = 0; i < size; i++)
			buf_add_byte(conn_out(four.receiver.conn), pattern(i));
		conn_flush(four.receiver.conn);
		assert_true(wait_received(&four, size));
		assert_true(side_wait_bytes(&four.sender, size));
		assert_true(side_wait(&four.from, 'm') && side_wait(&four.to, 'm'));
		assert_true(four.right);
		for (size_t i = 0; i < size; i++) {
			if (buf_str(&four.sender.got).ptr[i] != pattern(i))
				fail_msg("at %zu", i);
		}
		four_fini(&four);
	}
}

static void
reading_can_be_held(void **state)
{
	struct four four;

	four_init(&four, TCP, CLEAR);
	conn_relay(four.from.conn, four.to.conn, 100000);
	conn_read(four.from.conn, false);
	send_pattern(&four, 100000);
	side_pass_ms(&four.from, 20);
	assert_int_equal(four.received, 0);
	conn_read(four.from.conn, true);
	assert_true(wait_received(&four, 100000));
	assert_true(side_wait(&four.from, 'm'));
	four_fini(&four);
}

static void
begins_again(struct side *side, enum conn_event event)
{
	struct four *four = (struct four *)((char *)side - offsetof(struct four, from));

	if (event == CONN_RELAYED && four->wanted-- > 0)
		conn_relay(side->conn, four->to.conn, 40000);
	else if (event == CONN_RELAYED)
		conn_close(&side->conn);
}

static void
the_next_may_begin_where_one_has_ended(void **state)
{
	struct four four;

	for (int legs = CLEAR; legs <= BOTH_TLS; legs++) {
		four_init(&four, TCP, (enum legs)legs);
		four.from.habit = begins_again;
		conn_relay(four.from.conn, four.to.conn, 40000);
		four.wanted = 9;
		send_pattern(&four, 400000);
		assert_true(side_wait(&four.sender, 'e')); /* closed in its callback */
		assert_true(wait_received(&four, 400000));
		assert_true(four.right);
		four_fini(&four);
	}
}

static void
closing_either_is_allowed_at_any_moment(void **state)
{
	struct four four;

	for (unsigned turns = 0; turns < 12; turns++) {
		for (int legs = CLEAR; legs <= BOTH_TLS; legs += BOTH_TLS) {
			for (int way = 0; way < 3; way++) {
				four_init(&four, UNIX, (enum legs)legs);
				conn_relay(four.from.conn, four.to.conn, 8 << 20);
				send_pattern(&four, 1 << 20);
				for (unsigned i = 0; i < turns; i++)
					side_pass_ms(&four.from, 0);
				if (way == 0)
					conn_close(&four.from.conn);
				else if (way == 1)
					conn_close(&four.to.conn);
				else
					conn_finish(&four.to.conn, 20);
				side_pass_ms(&four.from, 2);
				four_fini(&four);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(so_many_bytes_pass_unseen_and_the_next_is_seen_again),
	    cmocka_unit_test(fifty_megabytes_pass),
	    cmocka_unit_test(what_was_read_and_said_before_comes_first),
	    cmocka_unit_test(of_what_was_read_only_so_many_bytes_go),
	    cmocka_unit_test(what_was_read_can_go_after_the_end_too),
	    cmocka_unit_test(a_relay_may_begin_before_its_connections_are_open),
	    cmocka_unit_test(D4_who_does_not_read_holds_who_sends),
	    cmocka_unit_test(short_writes_lose_nothing),
	    cmocka_unit_test(a_sender_who_ends_in_the_middle_is_told_behind_what_he_sent),
	    cmocka_unit_test(an_end_is_not_told_before_all_has_gone),
	    cmocka_unit_test(D5_when_the_receiver_goes_the_sender_is_held),
	    cmocka_unit_test(D5_what_may_be_lost_is_not_said_to_have_gone),
	    cmocka_unit_test(D5_a_receiver_who_had_nothing_to_say_may_still_fail),
	    cmocka_unit_test(a_sender_who_is_lost_shows_nothing_that_was_to_pass_unseen),
	    cmocka_unit_test(a_relay_without_end_is_stopped),
	    cmocka_unit_test(what_is_stopped_lets_go_what_was_taken_already),
	    cmocka_unit_test(what_is_said_meanwhile_comes_behind_what_was_taken),
	    cmocka_unit_test(an_answer_over_a_full_pipe_waits_its_turn),
	    cmocka_unit_test(both_directions_at_once),
	    cmocka_unit_test(reading_can_be_held),
	    cmocka_unit_test(the_next_may_begin_where_one_has_ended),
	    cmocka_unit_test(closing_either_is_allowed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
