/*
 * test_milter_driver.c - libmilter with two hundred sessions at once
 *
 * The whole milter but for its master: libmilter's threads, ours that ask policyd,
 * one that reloads and counts meanwhile. Clients speak the milter protocol as
 * Postfix does, and leave messages and sessions in the middle, too. First policyd
 * is there, and everything is exact; then it goes and comes back all the time; at
 * last it is there again, and must be found by all. Its second life, under
 * ThreadSanitizer, is what it is for. SPLITMX_FULL=1: more messages.
 */
#include "milter/driver.h"

#include "base/mem.h"
#include "milter/trace.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "mortal_policyd.h"
#include "scratch.h"
#include "unit.h"

enum {
	THREADS = 20,
	SESSIONS = 10, /* of each thread, all open at the same time */
	MESSAGES = 4, /* of each session, and of each time */
	MESSAGES_FULL = 30
};

static char policyd_path[80], keys_path[80], run_dir[64], nodes_path[80], place_path[120];
static unsigned messages_each = MESSAGES;
static atomic_uint named, taken, refused, later, ended, wrong; /* recipients; messages; answers */
static atomic_uint through; /* threads that are through the time of trouble */
static atomic_int wrong_at; /* the last line that said so */
static atomic_bool over;

#define WRONG() went_wrong(__LINE__)

static void
went_wrong(int line)
{
	wrong_at = line;
	wrong++;
}

static pthread_barrier_t all_open, times; /* of the visitors; of them and who stops policyd */

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

/* The command of the next reply, and the first digit of an SMTP code; 0: it is over. */
static char
hear(int fd, char *digit_r)
{
	char head[5], data[4096] = "";
	uint32_t len;

	if (recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head))
		return 0;
	memcpy(&len, head, sizeof(len));
	len = ntohl(len) - 1;
	if (len > sizeof(data) || (len > 0 && recv(fd, data, len, MSG_WAITALL) != (ssize_t)len))
		return 0;
	*digit_r = data[0];
	return head[4];
}

static void
expect(int fd, char command)
{
	char digit;

	if (hear(fd, &digit) != command)
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

#define ANN "<ann@x.org>"
#define GONE "<gone@x.org>"
#define WITH_NUL(text) str_make(text, sizeof(text))

/* True: accepted. It may be "later" only where policyd goes and comes. */
static bool
rcpt(int fd, struct str who, bool is_calm)
{
	char command, digit;

	say(fd, 'R', who);
	command = hear(fd, &digit);
	named++;
	if (command == 'c' && str_eq(who, WITH_NUL(ANN)))
		taken++;
	else if (command == 'y' && digit == '5' && str_eq(who, WITH_NUL(GONE)))
		refused++;
	else if (command == 'y' && digit == '4' && !is_calm)
		later++;
	else
		WRONG();
	return command == 'c';
}

/* Every third one is left in the middle, and where nobody is accepted. */
static void
message(int fd, unsigned number, bool is_calm)
{
	bool is_taken;

	say(fd, 'M', WITH_NUL("<>"));
	is_taken = rcpt(fd, WITH_NUL(ANN), is_calm);
	rcpt(fd, WITH_NUL(GONE), is_calm);
	say(fd, 'L', WITH_NUL("Subject\0x"));
	if (!is_taken || number % 3 == 2) {
		say(fd, 'A', STR(""));
		return;
	}
	say(fd, 'D', WITH_NUL("Ei\0004fXYZ"));
	say(fd, 'E', STR(""));
	expect(fd, 'i');
	expect(fd, 'c');
	ended++;
}

static void
messages(const int *fds, bool is_calm)
{
	for (unsigned number = 0; number < messages_each; number++)
		for (size_t i = 0; i < SESSIONS; i++)
			message(fds[i], number + (unsigned)i, is_calm);
}

/* As Postfix does it, without a word, or without waiting for an answer. */
static void
leave(int fd, size_t how)
{
	if (how % 3 == 0)
		say(fd, 'Q', STR(""));
	if (how % 3 == 1) {
		say(fd, 'M', WITH_NUL("<>"));
		say(fd, 'R', WITH_NUL(ANN));
	}
	close(fd);
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
	messages(fds, true);
	pthread_barrier_wait(&times);
	pthread_barrier_wait(&times); /* policyd is gone */
	messages(fds, false);
	through++;
	pthread_barrier_wait(&times); /* and is back */
	messages(fds, true);
	pthread_barrier_wait(&times);
	pthread_barrier_wait(&times);
	for (size_t i = 0; i < SESSIONS; i++)
		leave(fds[i], i);
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
	policyd.path = policyd_path;
	policyd_come();
}

static void
clean_up(void)
{
	policyd_go();
	unlink(keys_path);
	unlink(place_path);
	assert_int_equal(rmdir(nodes_path),
	    0); /* what could not be reported is not owed any more */
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

/* Until this has grown, or all are through. */
static void
wait_for_more(const atomic_uint *count)
{
	unsigned before = *count;

	while (*count == before && through < THREADS)
		poll(NULL, 0, 1);
}

static void
policyd_goes_and_comes(void)
{
	pthread_barrier_wait(&times);
	policyd_go();
	pthread_barrier_wait(&times);
	do {
		wait_for_more(&later);
		policyd_come();
		wait_for_more(&taken);
		policyd_go();
	} while (through < THREADS);
	policyd_come();
	pthread_barrier_wait(&times);
}

static void
check_numbers(void)
{
	if (wrong > 0)
		fail_msg("%u answers were wrong, the last at line %d", wrong, wrong_at);
	assert_true(later > 0);
	assert_int_equal(named, 2 * 3 * THREADS * SESSIONS * messages_each);
	assert_int_equal(status_number("sessions", "accepted"), THREADS * SESSIONS);
	assert_int_equal(status_number(NULL, "recipients"), named);
	assert_int_equal(status_number("refusals", "unknown"), refused);
	assert_int_equal(status_number("refusals", "trouble"), later);
	assert_int_equal(status_number(NULL, "messages"), ended);
	assert_int_equal(status_number("reports", "kept") + status_number("reports", "lost"),
	    ended);
}

static void
test_two_hundred_sessions(void **state)
{
	pthread_t threads[THREADS], reloader;
	struct fault fault;
	int listener;

	set_up();
	if (getenv("SPLITMX_FULL") != NULL)
		messages_each = MESSAGES_FULL;
	pthread_barrier_init(&all_open, NULL, THREADS);
	pthread_barrier_init(&times, NULL, THREADS + 1);
	listener = listen_at(path);
	assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(driver_start(&settings, listener, 0, &fault), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, visit, NULL), 0);
	assert_int_equal(pthread_create(&reloader, NULL, reload, NULL), 0);
	policyd_goes_and_comes();
	pthread_barrier_wait(&times);
	check_numbers();
	pthread_barrier_wait(&times);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	over = true;
	pthread_join(reloader, NULL);
	driver_shut();
	while (driver_sessions() > 0)
		poll(NULL, 0, 5);
	driver_stop();
	pthread_barrier_destroy(&all_open);
	pthread_barrier_destroy(&times);
	close(listener);
	clean_up();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_hundred_sessions)};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
