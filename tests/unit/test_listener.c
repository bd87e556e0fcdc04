/*
 * test_listener.c - lets peers in, at a pace, up to a number
 */
#include "net/listener.h"

#include "base/mem.h"
#include "net/peer.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { GUESTS_MOST = 256 };

struct house {
	struct loop *loop;
	struct seats *seats;
	struct listener *listener;
	int fd; /* that listens */
	int guests[GUESTS_MOST];
	size_t guest_count;
	char peer[64]; /* of the last guest */
	size_t close_at; /* the listener is freed in the callback of this guest */
	struct sockaddr_storage address;
	socklen_t address_len;
};

static void
on_guest(void *ctx, int fd, const struct sockaddr_storage *peer)
{
	struct house *house = ctx;
	char *text = peer_text_of(fd, peer);

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	house->guests[house->guest_count++] = fd;
	snprintf(house->peer, sizeof(house->peer), "%s", text);
	free(text);
	if (house->close_at == house->guest_count)
		listener_free(&house->listener);
}

static void
house_init(struct house *house, int family, size_t seats, const struct listener_guard *guard)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&house->address;

	memset(house, 0, sizeof(*house));
	house->loop = loop_new();
	house->seats = seats_new(seats);
	house->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	house->address.ss_family = (sa_family_t)family;
	house->address_len = sizeof(sa_family_t); /* unix(7): the kernel draws an abstract name */
	if (family == AF_INET) {
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		house->address_len = sizeof(*sin);
	}
	assert_int_equal(bind(house->fd, (struct sockaddr *)&house->address, house->address_len),
	    0);
	assert_int_equal(listen(house->fd, GUESTS_MOST), 0);
	house->address_len = sizeof(house->address);
	assert_int_equal(getsockname(house->fd, (struct sockaddr *)&house->address,
			     &house->address_len),
	    0);
	house->listener =
	    listener_new(house->loop, house->fd, "test", guard, house->seats, on_guest, house);
}

static int
knock(struct house *house)
{
	int fd = socket(house->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	assert_int_equal(connect(fd, (struct sockaddr *)&house->address, house->address_len), 0);
	return fd;
}

static bool
never(void *ctx)
{
	return false;
}

static void
pass_ms(struct house *house, uint64_t ms)
{
	loop_run_until(house->loop, never, NULL, ms);
}

static void
house_fini(struct house *house)
{
	for (size_t i = 0; i < house->guest_count; i++) {
		close(house->guests[i]);
		seats_give_back(house->seats);
	}
	assert_int_equal(seats_taken(house->seats), 0);
	listener_free(&house->listener);
	close(house->fd);
	seats_free(&house->seats);
	loop_free(&house->loop);
}

static bool
is_shut_out(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

/* Linux gives them what their listener has, so nobody sets it for each. */
static void
who_is_let_in_is_tuned(void **state)
{
	const struct {
		int level, option;
	} rows[] = {
	    {IPPROTO_TCP, TCP_NODELAY},
	    {SOL_SOCKET, SO_KEEPALIVE},
	};
	const struct listener_guard anybody = {0};
	struct house house;
	int fd, value, tuned;
	socklen_t len;

	house_init(&house, AF_INET, 10, &anybody);
	fd = knock(&house);
	pass_ms(&house, 5);
	assert_int_equal(house.guest_count, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		len = sizeof(value);
		assert_int_equal(getsockopt(house.guests[0], rows[i].level, rows[i].option, &value,
				     &len),
		    0);
		assert_true(value != 0);
	}
	len = sizeof(tuned);
	assert_int_equal(getsockopt(house.guests[0], IPPROTO_TCP, TCP_KEEPIDLE, &tuned, &len), 0);
	assert_int_equal(tuned, 120);
	close(fd);
	house_fini(&house);
}

static void
A22_who_is_on_the_list_may_come_in(void **state)
{
	struct cidr home, elsewhere;
	const uid_t self = geteuid(), other = self + 1, both[] = {other, self};
	const struct {
		const char *name;
		int family;
		struct listener_guard guard;
		bool welcome;
		const char *peer;
	} rows[] = {
	    {"loopback, when nobody is named", AF_INET, {0}, true, "127.0.0.1:"},
	    {"one of the networks", AF_INET, {.allow = &home, .allow_count = 1}, true, "127."},
	    {"another network", AF_INET, {.allow = &elsewhere, .allow_count = 1}, false, NULL},
	    {"whoever the mode lets in", AF_UNIX, {0}, true, "unix pid="},
	    {"a user of the list", AF_UNIX, {.uids = both, .uid_count = 2}, true, "unix pid="},
	    {"another user", AF_UNIX, {.uids = &other, .uid_count = 1}, false, NULL},
	};
	struct fault fault;
	struct house house;
	int fd;

	assert_int_equal(cidr_parse("127.0.0.0/8", &home, &fault), 0);
	assert_int_equal(cidr_parse("192.0.2.0/24", &elsewhere, &fault), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		house_init(&house, rows[i].family, 10, &rows[i].guard);
		fd = knock(&house);
		pass_ms(&house, 5);
		if ((house.guest_count == 1) != rows[i].welcome)
			fail_msg("%s", rows[i].name);
		assert_int_equal(seats_taken(house.seats), rows[i].welcome);
		assert_int_equal(is_shut_out(fd), !rows[i].welcome);
		if (rows[i].welcome)
			assert_memory_equal(house.peer, rows[i].peer, strlen(rows[i].peer));
		close(fd);
		house_fini(&house);
	}
}

static void
A11_when_seats_are_taken_peers_wait_until_one_is_free(void **state)
{
	struct listener_guard guard = {0};
	struct house house;
	int fds[5];

	house_init(&house, AF_UNIX, 3, &guard);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = knock(&house);
	pass_ms(&house, 5);
	assert_int_equal(house.guest_count, 3);
	assert_false(is_shut_out(fds[4]));
	close(house.guests[--house.guest_count]);
	seats_give_back(house.seats);
	pass_ms(&house, 5);
	assert_int_equal(house.guest_count, 3);
	seats_set_most(house.seats, 2);
	close(house.guests[--house.guest_count]);
	seats_give_back(house.seats);
	pass_ms(&house, 5);
	assert_int_equal(house.guest_count, 2);
	seats_set_most(house.seats, 10);
	pass_ms(&house, 5);
	assert_int_equal(house.guest_count, 3);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	house_fini(&house);
}

enum { MANY = 200 };

static bool
many_are_in(void *ctx)
{
	return ((const struct house *)ctx)->guest_count == MANY;
}

static void
A11_many_at_once_are_all_let_in(void **state)
{
	struct listener_guard guard = {0};
	struct house house;
	int fds[MANY];

	house_init(&house, AF_UNIX, GUESTS_MOST, &guard);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = knock(&house);
	assert_true(loop_run_until(house.loop, many_are_in, &house, 5000));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	house_fini(&house);
}

static bool
has_a_guest(void *ctx)
{
	return ((const struct house *)ctx)->guest_count > 0;
}

static double
cpu_s(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void
A11_without_descriptors_it_rests_and_then_goes_on(void **state)
{
	struct listener_guard guard = {0};
	struct rlimit limit, tight;
	struct house house;
	double start_s;
	int fd, next;

	house_init(&house, AF_UNIX, 10, &guard);
	pass_ms(&house, 0);
	fd = knock(&house);
	next = dup(fd); /* the number that accept would get */
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;
	tight.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	start_s = cpu_s();
	pass_ms(&house, 350);
	assert_true(cpu_s() - start_s < 0.1);
	assert_int_equal(house.guest_count, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	next = knock(&house); /* valgrind has accepted and dropped the first */
	assert_true(loop_run_until(house.loop, has_a_guest, &house, 5000));
	close(next);
	close(fd);
	house_fini(&house);
}

static void
it_may_be_freed_inside_its_callback(void **state)
{
	struct listener_guard guard = {0};
	struct house house;
	int fds[5];

	house_init(&house, AF_UNIX, 10, &guard);
	house.close_at = 2;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = knock(&house);
	pass_ms(&house, 5);
	assert_int_equal(house.guest_count, 2);
	assert_null(house.listener);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	house_fini(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(A22_who_is_on_the_list_may_come_in),
	    cmocka_unit_test(who_is_let_in_is_tuned),
	    cmocka_unit_test(A11_when_seats_are_taken_peers_wait_until_one_is_free),
	    cmocka_unit_test(A11_many_at_once_are_all_let_in),
	    cmocka_unit_test(A11_without_descriptors_it_rests_and_then_goes_on),
	    cmocka_unit_test(it_may_be_freed_inside_its_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
