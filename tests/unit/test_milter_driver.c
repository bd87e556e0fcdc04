/*
 * test_milter_driver.c - libmilter with two hundred sessions at once
 *
 * The whole milter but for its master: libmilter's threads, ours that ask policyd,
 * one that reloads and counts meanwhile. Clients speak the milter protocol as
 * Postfix does. Its second life, under ThreadSanitizer, is what it is for.
 */
#include "milter/driver.h"

#include "base/mem.h"
#include "milter/trace.h"
#include "net/netstring.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "scratch.h"
#include "unit.h"

enum {
	THREADS = 20,
	SESSIONS = 10, /* of each thread, all open at the same time */
	MESSAGES = 4, /* of each session */
	PEERS_MOST = 64 /* more than the milter may have */
};

static char policyd_path[80], keys_path[80], run_dir[64], nodes_path[80], place_path[120];
static atomic_uint taken, refused, wrong;
static atomic_int wrong_at; /* the last line that said so */
static atomic_bool over;

#define WRONG() went_wrong(__LINE__)

static void
went_wrong(int line)
{
	wrong_at = line;
	wrong++;
}
static pthread_barrier_t all_open;

static int
listen_at(const char *where)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(place.sun_path, where, strlen(where));
	assert_int_equal(bind(fd, (const struct sockaddr *)&place, sizeof(place)), 0);
	assert_int_equal(listen(fd, 512), 0);
	return fd;
}

/* ---- policyd */

static struct {
	int listener;
	pthread_t thread, peers[PEERS_MOST];
	size_t count;
} policyd;

static void
answer(int fd, struct str question)
{
	static const char found[] =
	    "OK {\"verdict\":\"found\",\"account\":\"ann@x.org\",\"owner\":"
	    "\"new\",\"hold\":\"none\",\"unknown\":%s,\"epoch\":7,\"kept\":1}";
	struct buf text = BUF_INIT, out = BUF_INIT;
	ssize_t ignored;

	buf_addf(&text, found, str_starts(question, "=ask gone") ? "true" : "false");
	netstring_add(&out, buf_str(&text));
	ignored = send(fd, buf_str(&out).ptr, buf_len(&out), MSG_NOSIGNAL);
	(void)ignored;
	buf_fini(&text);
	buf_fini(&out);
}

static void *
serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct buf in = BUF_INIT;
	struct str question;
	struct fault fault;
	ssize_t got;

	while ((got = recv(fd, buf_room(&in, 4096), 4096, 0)) > 0) {
		buf_added(&in, (size_t)got);
		while (netstring_next(&in, NETSTRING_CEILING_BYTES, &question, &fault) == 1)
			answer(fd, question);
	}
	buf_fini(&in);
	close(fd);
	return NULL;
}

static void *
serve(void *arg)
{
	int fd;

	while ((fd = accept(policyd.listener, NULL, NULL)) != -1) {
		must(policyd.count < PEERS_MOST);
		pthread_create(&policyd.peers[policyd.count++], NULL, serve_one,
		    (void *)(intptr_t)fd);
	}
	return NULL;
}

/* ---- a session, as Postfix has it */

/* Nothing more is sent where there is no data: after SMFIC_QUIT the milter has hung up already. */
static void
say(int fd, char command, struct str data)
{
	char head[5] = {0, 0, 0, 0, command};
	uint32_t len = htonl((uint32_t)data.len + 1);

	memcpy(head, &len, sizeof(len));
	if (send(fd, head, sizeof(head), MSG_NOSIGNAL) != sizeof(head) ||
	    (data.len > 0 && send(fd, data.ptr, data.len, MSG_NOSIGNAL) != (ssize_t)data.len))
		WRONG();
}

/* The command of the next reply; 0: it is over. */
static char
hear(int fd)
{
	char head[5], data[4096];
	uint32_t len;

	if (recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head))
		return 0;
	memcpy(&len, head, sizeof(len));
	len = ntohl(len) - 1;
	if (len > sizeof(data) || (len > 0 && recv(fd, data, len, MSG_WAITALL) != (ssize_t)len))
		return 0;
	return head[4];
}

static void
expect(int fd, char command)
{
	if (hear(fd) != command)
		WRONG();
}

static int
session_open(void)
{
	static const char offer[12] = {
	    0, 0, 0, 6, 0, 0, 1, (char)0xff, 0, 0x1f, (char)0xff, (char)0xff};
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(place.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&place, sizeof(place)) == -1)
		WRONG();
	say(fd, 'O', str_make(offer, sizeof(offer)));
	expect(fd, 'O');
	return fd;
}

static void
rcpt(int fd, struct str who, char command, atomic_uint *count)
{
	say(fd, 'R', who);
	expect(fd, command);
	++*count;
}

/* Every third one is left in the middle. */
static void
message(int fd, unsigned number)
{
	say(fd, 'M', str_make("<>", sizeof("<>")));
	rcpt(fd, str_make("<ann@x.org>", sizeof("<ann@x.org>")), 'c', &taken);
	rcpt(fd, str_make("<gone@x.org>", sizeof("<gone@x.org>")), 'y', &refused);
	say(fd, 'L', str_make("Subject\0x", sizeof("Subject\0x")));
	if (number % 3 == 2) {
		say(fd, 'A', STR(""));
		return;
	}
	say(fd, 'D', str_make("Ei\0004fXYZ", sizeof("Ei\0004fXYZ")));
	say(fd, 'E', STR(""));
	expect(fd, 'i');
	expect(fd, 'c');
}

static void *
visit(void *arg)
{
	int fds[SESSIONS];

	for (size_t i = 0; i < SESSIONS; i++)
		fds[i] = session_open();
	if (pthread_barrier_wait(&all_open) == PTHREAD_BARRIER_SERIAL_THREAD &&
	    driver_sessions() != THREADS * SESSIONS)
		WRONG();
	pthread_barrier_wait(&all_open);
	for (unsigned number = 0; number < MESSAGES; number++)
		for (size_t i = 0; i < SESSIONS; i++)
			message(fds[i], number + (unsigned)i);
	for (size_t i = 0; i < SESSIONS; i++) {
		if (i % 2 == 0)
			say(fds[i], 'Q', STR(""));
		close(fds[i]);
	}
	return NULL;
}

/* ---- meanwhile */

static struct settings settings;

static void
write_keys(void)
{
	int fd = open(keys_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	static const char line[] = "2026b "
				   "3f1c9a423f1c9a423f1c9a423f1c9a42"
				   "3f1c9a423f1c9a423f1c9a423f1c9a42\n";

	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	close(fd);
}

static void
set_up(void)
{
	snprintf(run_dir, sizeof(run_dir), "%s", scratch_dir);
	snprintf(policyd_path, sizeof(policyd_path), "%s/p", scratch_dir);
	snprintf(keys_path, sizeof(keys_path), "%s/k", scratch_dir);
	snprintf(nodes_path, sizeof(nodes_path), "%s/nodes", scratch_dir);
	snprintf(place_path, sizeof(place_path), "%s/milter-0.unreported.lock", nodes_path);
	write_keys();
	settings = (struct settings){.instance = "mx1",
	    .run_dir = run_dir,
	    .state_dir = run_dir,
	    .recipient_delimiter = "+",
	    .fold_local = true,
	    .milter = {.policyd = policyd_path,
		.policyd_timeout_ms = 20000,
		.policyd_connections = 8,
		.policyd_waiting = 500,
		.max_sessions = 1000,
		.idle_timeout_ms = 7210000,
		.backlog = 512,
		.trace_keys = keys_path}};
	policyd.listener = listen_at(policyd_path);
	assert_int_equal(pthread_create(&policyd.thread, NULL, serve, NULL), 0);
}

static void
clean_up(void)
{
	shutdown(policyd.listener, SHUT_RDWR);
	pthread_join(policyd.thread, NULL);
	for (size_t i = 0; i < policyd.count; i++)
		pthread_join(policyd.peers[i], NULL);
	close(policyd.listener);
	unlink(policyd_path);
	unlink(keys_path);
	unlink(place_path);
	rmdir(nodes_path);
}

static void *
reload(void *arg)
{
	struct fault fault;

	while (!over) {
		json_t *status = driver_status();

		if (status == NULL || driver_reload(&settings, &fault) == -1)
			WRONG();
		json_decref(status);
		poll(NULL, 0, 5);
	}
	return NULL;
}

static uint64_t
status_number(const char *group, const char *member)
{
	json_t *status = driver_status();
	json_t *at = group != NULL ? json_object_get(status, group) : status;
	uint64_t number = (uint64_t)json_integer_value(json_object_get(at, member));

	json_decref(status);
	return number;
}

static void
test_two_hundred_sessions(void **state)
{
	const unsigned messages = THREADS * SESSIONS * MESSAGES;
	pthread_t threads[THREADS], reloader;
	struct fault fault;
	int listener;

	set_up();
	pthread_barrier_init(&all_open, NULL, THREADS);
	listener = listen_at(path);
	assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(driver_start(&settings, listener, 0, &fault), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, visit, NULL), 0);
	assert_int_equal(pthread_create(&reloader, NULL, reload, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	over = true;
	pthread_join(reloader, NULL);
	driver_shut();
	while (driver_sessions() > 0)
		poll(NULL, 0, 5);
	if (wrong > 0)
		fail_msg("%u answers were wrong, the last at line %d", wrong, wrong_at);
	assert_int_equal(taken, messages);
	assert_int_equal(refused, messages);
	assert_int_equal(status_number("sessions", "accepted"), THREADS * SESSIONS);
	assert_int_equal(status_number(NULL, "recipients"), 2 * messages);
	assert_int_equal(status_number("refusals", "unknown"), messages);
	assert_int_equal(status_number(NULL, "messages"), status_number("reports", "kept"));
	assert_int_equal(status_number("reports", "lost"), 0);
	driver_stop();
	pthread_barrier_destroy(&all_open);
	close(listener);
	clean_up();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_hundred_sessions)};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
