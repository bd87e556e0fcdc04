/*
 * test_milter_policyd.c - asking policyd, from any thread, with a deadline
 *
 * Policyd is a thread here that does what a test tells it: for each connection
 * another thread, which answers, is late, lies or goes.
 *
 * Long because each of those ways is tried for questions and for reports, before the
 * same policyd.
 */
#include "milter/policyd.h"

#include "base/mem.h"
#include "milter/exchange.h"
#include "net/netstring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "scratch.h"
#include "unit.h"

enum { LONG_MS = 60000, SHORT_MS = 60, PEERS_MOST = 64 };

/* What becomes of the next question; the last one stays. */
enum deed {
	ANSWERS, /* found, and with "kept" */
	IS_SILENT, /* until the test ends */
	CLOSES, /* in place of an answer */
	CLOSES_AFTER, /* its answer, when the client may think that it is idle */
	BREAKS_OFF, /* in the middle of its answer */
	SAYS_NO_NETSTRING,
	SAYS_TOO_MUCH, /* a netstring that is longer than any answer */
	SAYS_TWICE,
	ANSWERS_TWICE, /* the second time when nobody has asked */
	WAITS, /* until the gate opens */
};

static struct {
	pthread_t thread, peers[PEERS_MOST];
	size_t peer_count;
	int listener;
	atomic_uint now, most, accepted, questions; /* connections; most at the same time */
	atomic_int deeds[8];
	atomic_uint deed;
	atomic_bool gate, is_said, ends;
	pthread_mutex_t lock;
	char last[4096]; /* question; under the lock */
} server;

static const char found[] = "OK {\"verdict\":\"found\",\"account\":\"ann@x.org\",\"owner\":\"new\","
			    "\"hold\":\"none\",\"unknown\":false,\"epoch\":7,\"kept\":2}";

/* Who has gone is not told; the test will see that. */
static void
say_bytes(int fd, struct str bytes)
{
	ssize_t ignored = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

	(void)ignored;
}

static void
say(int fd, const char *text)
{
	struct buf out = BUF_INIT;

	netstring_add(&out, str_of(text));
	say_bytes(fd, buf_str(&out));
	buf_fini(&out);
}

static void
nap(void)
{
	poll(NULL, 0, 1);
}

/* False: the connection is over. */
static bool
act(int fd, enum deed deed)
{
	switch (deed) {
	case ANSWERS:
		say(fd, found);
		return true;
	case CLOSES_AFTER:
		say(fd, found);
		return false;
	case IS_SILENT:
		while (!server.ends)
			nap();
		return false;
	case WAITS:
		while (!server.gate && !server.ends)
			nap();
		say(fd, found);
		return true;
	case CLOSES:
		return false;
	case BREAKS_OFF:
		say_bytes(fd, STR("99:OK {"));
		return false;
	case SAYS_NO_NETSTRING:
		say_bytes(fd, STR("OK {}\n"));
		return true;
	case SAYS_TOO_MUCH:
		say_bytes(fd, STR("999999999:"));
		return true;
	case SAYS_TWICE:
		say_bytes(fd, STR("3:OK ,3:OK ,"));
		return true;
	case ANSWERS_TWICE:
		say(fd, found);
		while (!server.gate && !server.ends)
			nap();
		say(fd, "OK {\"verdict\":\"absent\"}");
		server.is_said = true;
		return true;
	}
	return false;
}

static enum deed
next_deed(void)
{
	unsigned at = server.deed;

	if (at + 1 < ARRAY_LEN(server.deeds) && server.deeds[at + 1] != -1)
		server.deed++;
	return (enum deed)(int)server.deeds[at];
}

static void
remember(struct str question)
{
	pthread_mutex_lock(&server.lock);
	snprintf(server.last, sizeof(server.last), "%.*s", (int)question.len, question.ptr);
	pthread_mutex_unlock(&server.lock);
	server.questions++;
}

static void *
serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct buf in = BUF_INIT;
	struct str question;
	struct fault fault;
	bool goes_on = true;

	while (goes_on) {
		ssize_t got = recv(fd, buf_room(&in, 4096), 4096, 0);

		if (got <= 0)
			break;
		buf_added(&in, (size_t)got);
		if (netstring_next(&in, NETSTRING_CEILING_BYTES, &question, &fault) == 1) {
			remember(question);
			goes_on = act(fd, next_deed());
		}
	}
	buf_fini(&in);
	server.now--;
	close(fd);
	return NULL;
}

static void *
serve(void *arg)
{
	int fd;

	while ((fd = accept(server.listener, NULL, NULL)) != -1) {
		unsigned now = ++server.now;

		server.accepted++;
		if (now > server.most)
			server.most = now;
		assert_true(server.peer_count < PEERS_MOST);
		pthread_create(&server.peers[server.peer_count++], NULL, serve_one,
		    (void *)(intptr_t)fd);
	}
	return NULL;
}

static void
listen_at(const char *where)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX};

	memcpy(place.sun_path, where, strlen(where));
	server.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(server.listener, (const struct sockaddr *)&place, sizeof(place)), 0);
	assert_int_equal(listen(server.listener, 64), 0);
}

static void
server_start(const enum deed *deeds, size_t count)
{
	memset(&server, 0, sizeof(server));
	pthread_mutex_init(&server.lock, NULL);
	for (size_t i = 0; i < ARRAY_LEN(server.deeds); i++)
		server.deeds[i] = i < count ? (int)deeds[i] : -1;
	listen_at(path);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

#define BEGIN(...)                                                                                 \
	server_start((const enum deed[]){__VA_ARGS__},                                             \
	    sizeof((const enum deed[]){__VA_ARGS__}) / sizeof(enum deed))

/* After the client: what it has open is what its threads wait for. */
static void
server_stop(void)
{
	server.ends = true;
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	for (size_t i = 0; i < server.peer_count; i++)
		pthread_join(server.peers[i], NULL);
	unlink(path);
	pthread_mutex_destroy(&server.lock);
}

static struct unreported *unreported; /* of all tests: none leaves anything in it */
static char nodes[64], mark[100], place[120];

static int
begin_all(void **state)
{
	if (scratch_make(state) == -1)
		return -1;
	snprintf(nodes, sizeof(nodes), "%s/nodes", scratch_dir);
	snprintf(mark, sizeof(mark), "%s/milter-0.unreported", nodes);
	snprintf(place, sizeof(place), "%s.lock", mark);
	unreported = unreported_open(scratch_dir);
	return 0;
}

static int
end_all(void **state)
{
	unreported_close(&unreported);
	unlink(place);
	rmdir(nodes);
	return scratch_remove(state);
}

static struct policyd *
client(uint64_t deadline_ms, unsigned connections, unsigned waiting)
{
	struct policyd_terms terms = {.path = path,
	    .deadline_ms = deadline_ms,
	    .connections_most = connections,
	    .waiting_most = waiting};

	return policyd_new(&terms, unreported);
}

static enum verdict
ask_for(struct policyd *policyd, char reason[static INQUIRY_REASON_MOST + 1])
{
	struct inquiry inquiry;
	enum verdict verdict;

	inquiry_init(&inquiry);
	policyd_ask(policyd, STR("ann@x.org"), &inquiry);
	snprintf(reason, INQUIRY_REASON_MOST + 1, "%.*s", (int)inquiry.reason.len,
	    inquiry.reason.ptr);
	verdict = inquiry.verdict;
	inquiry_fini(&inquiry);
	return verdict;
}

static void
assert_found(struct policyd *policyd)
{
	char reason[INQUIRY_REASON_MOST + 1];

	assert_int_equal(ask_for(policyd, reason), VERDICT_FOUND);
}

static void
assert_trouble(struct policyd *policyd, const char *why)
{
	char reason[INQUIRY_REASON_MOST + 1];

	assert_int_equal(ask_for(policyd, reason), VERDICT_TEMP);
	assert_string_equal(reason, why);
}

/* ---- one question after the other */

static void
test_a_connection_is_used_again(void **state)
{
	struct policyd *policyd;

	BEGIN(ANSWERS);
	policyd = client(LONG_MS, 4, 8);
	for (int i = 0; i < 10; i++)
		assert_found(policyd);
	assert_int_equal(server.accepted, 1);
	assert_string_equal(server.last, "=ask ann@x.org");
	assert_int_equal(policyd_numbers(policyd).asked, 10);
	assert_int_equal(policyd_numbers(policyd).troubles, 0);
	assert_int_equal(policyd_numbers(policyd).connections, 1);
	policyd_free(&policyd);
	server_stop();
}

static const struct {
	const char *what;
	enum deed deed;
	const char *why;
} faults[] = {
    {"silent", IS_SILENT, "policyd did not answer within 60 ms"},
    {"closes", CLOSES, "while asking policyd: it closed the connection"},
    {"no netstring", SAYS_NO_NETSTRING,
	"while asking policyd: its reply is no netstring, or not the only one"},
    {"too much", SAYS_TOO_MUCH,
	"while asking policyd: its reply is no netstring, or not the only one"},
    {"two replies", SAYS_TWICE,
	"while asking policyd: its reply is no netstring, or not the only one"},
    {"breaks off", BREAKS_OFF,
	"while asking policyd: its reply is no netstring, or not the only one"},
};

/* The next question is answered, on another connection. */
static void
test_what_is_no_answer_is_temp_and_ends_the_connection(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct policyd *policyd;

		print_message("%s\n", faults[i].what);
		BEGIN(faults[i].deed, ANSWERS);
		policyd = client(faults[i].deed == IS_SILENT ? SHORT_MS : LONG_MS, 4, 8);
		assert_trouble(policyd, faults[i].why);
		assert_int_equal(policyd_numbers(policyd).connections, 0);
		assert_int_equal(policyd_numbers(policyd).troubles, 1);
		assert_int_equal(policyd_numbers(policyd).timeouts, faults[i].deed == IS_SILENT);
		policyd_free(&policyd);
		policyd = client(LONG_MS, 4, 8);
		assert_found(policyd);
		assert_int_equal(server.accepted, 2);
		policyd_free(&policyd);
		server_stop();
	}
}

static void
test_nobody_listens(void **state)
{
	struct policyd *policyd = client(LONG_MS, 4, 8);

	assert_trouble(policyd, "while connecting to policyd: No such file or directory");
	policyd_free(&policyd);
}

static void
test_an_idle_connection_that_was_closed_is_replaced(void **state)
{
	struct policyd *policyd;

	BEGIN(CLOSES_AFTER, CLOSES_AFTER, ANSWERS);
	policyd = client(LONG_MS, 4, 8);
	for (int i = 0; i < 4; i++)
		assert_found(policyd);
	assert_int_equal(server.accepted, 3);
	assert_int_equal(policyd_numbers(policyd).troubles, 0);
	policyd_free(&policyd);
	server_stop();
}

/* Closed after the question was sent: asked once more, and once only. */
static void
test_a_question_is_asked_twice_at_most(void **state)
{
	struct policyd *policyd;

	BEGIN(ANSWERS, CLOSES, CLOSES, ANSWERS);
	policyd = client(LONG_MS, 4, 8);
	assert_found(policyd);
	assert_trouble(policyd, "while asking policyd: it closed the connection");
	assert_int_equal(server.questions, 3);
	assert_found(policyd);
	policyd_free(&policyd);
	server_stop();
}

static void
test_an_answer_that_nobody_asked_for_answers_nobody(void **state)
{
	struct policyd *policyd;

	BEGIN(ANSWERS_TWICE, ANSWERS);
	policyd = client(LONG_MS, 1, 8);
	assert_found(policyd);
	server.gate = true;
	while (!server.is_said)
		nap();
	assert_found(policyd); /* and not "absent" */
	assert_int_equal(server.accepted, 2);
	policyd_free(&policyd);
	server_stop();
}

static void
test_a_late_answer_is_not_the_next_ones(void **state)
{
	struct policyd_terms terms = {
	    .deadline_ms = LONG_MS, .connections_most = 1, .waiting_most = 8};
	struct policyd *policyd;

	BEGIN(WAITS, ANSWERS);
	policyd = client(SHORT_MS, 1, 8);
	assert_trouble(policyd, "policyd did not answer within 60 ms");
	server.gate = true;
	terms.path = path;
	policyd_take_terms(policyd, &terms);
	assert_found(policyd);
	assert_int_equal(server.accepted, 2);
	policyd_free(&policyd);
	server_stop();
}

/* ---- many at once */

enum { THREADS = 24, QUESTIONS = 20 };

static struct policyd *shared;
static atomic_uint answered, troubled, refused;

static void *
ask_many(void *arg)
{
	char reason[INQUIRY_REASON_MOST + 1];

	for (int i = 0; i < QUESTIONS; i++) {
		if (ask_for(shared, reason) == VERDICT_FOUND)
			answered++;
		else if (strstr(reason, " threads wait for policyd") != NULL)
			refused++;
		else
			troubled++;
	}
	return NULL;
}

static void
with_threads(void *(*fn)(void *), size_t count, void (*meanwhile)(void))
{
	pthread_t threads[THREADS];

	answered = troubled = refused = 0;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fn, NULL), 0);
	if (meanwhile != NULL)
		meanwhile();
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void
test_threads_share_a_few_connections(void **state)
{
	BEGIN(ANSWERS);
	shared = client(LONG_MS, 3, THREADS);
	with_threads(ask_many, THREADS, NULL);
	assert_int_equal(answered, THREADS * QUESTIONS);
	assert_true(server.most <= 3);
	assert_true(server.accepted <= 3);
	assert_int_equal(policyd_numbers(shared).waiting, 0);
	policyd_free(&shared);
	server_stop();
}

static void
open_the_gate(void)
{
	while (refused < (THREADS - 4) * QUESTIONS)
		nap();
	assert_int_equal(policyd_numbers(shared).waiting, 4);
	server.gate = true;
}

/* Four are let in and wait; who comes meanwhile is told at once. */
static void
test_so_many_may_wait_and_no_more(void **state)
{
	BEGIN(WAITS);
	shared = client(LONG_MS, 2, 4);
	with_threads(ask_many, THREADS, open_the_gate);
	assert_int_equal(answered + refused, THREADS * QUESTIONS);
	assert_int_equal(troubled, 0);
	assert_true(server.most <= 2);
	assert_int_equal(policyd_numbers(shared).refused, refused);
	assert_int_equal(policyd_numbers(shared).waiting, 0);
	policyd_free(&shared);
	server_stop();
}

static void *
ask_once(void *arg)
{
	char reason[INQUIRY_REASON_MOST + 1];

	if (ask_for(shared, reason) == VERDICT_FOUND)
		answered++;
	else if (strcmp(reason, "policyd did not answer within 60 ms") == 0)
		troubled++;
	return NULL;
}

/* One has the connection, the others wait for it: the time is over for all of them. */
static void
test_waiting_for_a_connection_is_part_of_the_time(void **state)
{
	BEGIN(IS_SILENT);
	shared = client(SHORT_MS, 1, THREADS);
	with_threads(ask_once, THREADS, NULL);
	assert_int_equal(troubled, THREADS);
	assert_int_equal(policyd_numbers(shared).timeouts, THREADS);
	policyd_free(&shared);
	server_stop();
}

static void
change_terms(void)
{
	struct policyd_terms terms = {
	    .path = path, .deadline_ms = LONG_MS, .connections_most = 1, .waiting_most = THREADS};
	struct policyd_terms other = terms;

	other.path = "/nowhere/s";
	for (int i = 0; i < 5; i++) {
		policyd_take_terms(shared, &other);
		policyd_take_terms(shared, &terms);
	}
}

static void
test_terms_change_while_threads_ask(void **state)
{
	BEGIN(ANSWERS);
	shared = client(LONG_MS, 3, THREADS);
	with_threads(ask_many, 6, change_terms);
	assert_int_equal(answered + troubled, 6 * QUESTIONS);
	assert_found(shared);
	assert_int_equal(policyd_numbers(shared).connections, 1);
	policyd_free(&shared);
	server_stop();
}

/* ---- arrivals */

static const struct arrival two[] = {
    {.account = STR("ann@x.org"), .owner = STR("new")},
    {.account = STR("bob@x.org"), .owner = STR("old"), .is_stray = true},
};

static void
test_a_lost_report_is_told_by_the_next(void **state)
{
	struct policyd *policyd = client(LONG_MS, 4, 8);

	assert_false(policyd_arrived(policyd, STR("mx1"), two, 2)); /* nobody listens */
	BEGIN(CLOSES, ANSWERS);
	assert_false(policyd_arrived(policyd, STR("mx1"), two, 2));
	assert_int_equal(policyd_numbers(policyd).lost, 2);
	assert_int_equal(access(mark, F_OK), 0);
	assert_true(policyd_arrived(policyd, STR("mx1"), two, 2));
	assert_non_null(strstr(server.last, "\"lost\":2"));
	assert_int_equal(access(mark, F_OK), -1);
	assert_non_null(strstr(server.last, "\"from\":\"mx1\""));
	assert_non_null(strstr(server.last, "[\"bob@x.org\",\"old\",true]"));
	assert_true(policyd_arrived(policyd, STR("mx1"), two, 2));
	assert_non_null(strstr(server.last, "\"lost\":0"));
	assert_int_equal(policyd_numbers(policyd).reported, 2);
	policyd_free(&policyd);
	server_stop();
}

/* "kept" is 2, whatever was reported. */
static void
test_what_policyd_did_not_keep_is_lost(void **state)
{
	struct policyd *policyd;

	BEGIN(ANSWERS);
	policyd = client(LONG_MS, 4, 8);
	assert_false(policyd_arrived(policyd, STR("mx1"), two, 1));
	assert_true(policyd_arrived(policyd, STR("mx1"), two, 2));
	assert_non_null(strstr(server.last, "\"lost\":1"));
	policyd_free(&policyd);
	server_stop();
}

/* Policyd takes two of these at once. */
static void
make_many(struct arrival *many, size_t count)
{
	static char name[40000];

	memset(name, 'a', sizeof(name));
	for (size_t i = 0; i < count; i++)
		many[i] =
		    (struct arrival){.account = str_make(name, sizeof(name)), .owner = STR("new")};
}

static void
test_many_arrivals_are_several_reports(void **state)
{
	struct arrival many[4];
	struct policyd *policyd;

	make_many(many, ARRAY_LEN(many));
	BEGIN(ANSWERS);
	policyd = client(LONG_MS, 4, 8);
	assert_true(policyd_arrived(policyd, STR("mx1"), many, ARRAY_LEN(many)));
	assert_int_equal(server.questions, 2);
	assert_int_equal(policyd_numbers(policyd).reported, 1);
	policyd_free(&policyd);
	server_stop();
}

/* The second of three, on the connection that was there and on another one. */
static void
test_one_of_several_reports_is_not_kept(void **state)
{
	struct arrival many[6];
	struct policyd *policyd;

	make_many(many, ARRAY_LEN(many));
	BEGIN(ANSWERS, CLOSES, CLOSES, ANSWERS);
	policyd = client(LONG_MS, 4, 8);
	assert_false(policyd_arrived(policyd, STR("mx1"), many, ARRAY_LEN(many)));
	assert_int_equal(server.questions, 3);
	assert_int_equal(policyd_numbers(policyd).lost, 1);
	assert_int_equal(access(mark, F_OK), 0);
	assert_true(policyd_arrived(policyd, STR("mx1"), two, 2));
	assert_non_null(strstr(server.last, "\"lost\":1"));
	assert_int_equal(access(mark, F_OK), -1);
	policyd_free(&policyd);
	server_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_connection_is_used_again),
	    cmocka_unit_test(test_what_is_no_answer_is_temp_and_ends_the_connection),
	    cmocka_unit_test(test_nobody_listens),
	    cmocka_unit_test(test_an_idle_connection_that_was_closed_is_replaced),
	    cmocka_unit_test(test_a_question_is_asked_twice_at_most),
	    cmocka_unit_test(test_an_answer_that_nobody_asked_for_answers_nobody),
	    cmocka_unit_test(test_a_late_answer_is_not_the_next_ones),
	    cmocka_unit_test(test_threads_share_a_few_connections),
	    cmocka_unit_test(test_so_many_may_wait_and_no_more),
	    cmocka_unit_test(test_waiting_for_a_connection_is_part_of_the_time),
	    cmocka_unit_test(test_terms_change_while_threads_ask),
	    cmocka_unit_test(test_a_lost_report_is_told_by_the_next),
	    cmocka_unit_test(test_what_policyd_did_not_keep_is_lost),
	    cmocka_unit_test(test_many_arrivals_are_several_reports),
	    cmocka_unit_test(test_one_of_several_reports_is_not_kept),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
