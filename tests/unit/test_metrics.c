/*
 * test_metrics.c - answer whoever collects numbers
 */
#include "net/metrics.h"

#include "base/mem.h"
#include "base/openmetrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

enum { SOON_MS = 10000, MOMENT_MS = 200 };

struct house {
	struct loop *loop;
	struct metrics *metrics;
	struct sockaddr_in address;
	int fd;
	size_t asked; /* how often */
	size_t bytes; /* of the answer; 0: "x 1\n" and the end */
};

static void
write_numbers(void *ctx, struct buf *out)
{
	struct house *house = ctx;
	char *room = house->bytes > 0 ? buf_room(out, house->bytes) : NULL;

	house->asked++;
	if (room != NULL) { /* at once: the asker has only METRICS_LIFE_MS */
		memset(room, 'x', house->bytes);
		buf_added(out, house->bytes);
	}
	buf_add_text(out, "# EOF\n");
}

static int
house_make(void **state)
{
	struct house *house = xnew(struct house);
	socklen_t len = sizeof(house->address);

	signal(SIGPIPE, SIG_IGN);
	house->loop = loop_new();
	house->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	house->address.sin_family = AF_INET;
	house->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(house->fd, (struct sockaddr *)&house->address, len), 0);
	assert_int_equal(listen(house->fd, 64), 0);
	assert_int_equal(getsockname(house->fd, (struct sockaddr *)&house->address, &len), 0);
	house->metrics = metrics_new(house->loop, house->fd, write_numbers, house);
	*state = house;
	return 0;
}

static int
house_remove(void **state)
{
	struct house *house = *state;

	metrics_free(&house->metrics);
	metrics_free(&house->metrics);
	loop_free(&house->loop);
	assert_int_not_equal(fcntl(house->fd, F_GETFD), -1); /* was lent */
	close(house->fd);
	free(house);
	return 0;
}

/* ---- a client */

struct asker {
	struct house *house;
	int fd;
	bool over; /* end of file, or an error */
	struct buf got;
};

static void
enter(struct asker *asker, struct house *house)
{
	*asker = (struct asker){.house = house};
	asker->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(asker->fd, -1);
	assert_int_equal(connect(asker->fd, (struct sockaddr *)&house->address,
			     sizeof(house->address)),
	    0);
	assert_int_equal(fcntl(asker->fd, F_SETFL, O_NONBLOCK), 0);
}

static void
say(struct asker *asker, struct str bytes)
{
	assert_int_equal(send(asker->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
}

static void
leave(struct asker *asker)
{
	close(asker->fd);
	buf_fini(&asker->got);
}

static bool
has_read(struct asker *asker)
{
	ssize_t got;

	while ((got = recv(asker->fd, buf_room(&asker->got, 4096), 4096, 0)) > 0)
		buf_added(&asker->got, (size_t)got);
	asker->over = got == 0 || errno != EAGAIN;
	return asker->over;
}

static bool
is_over(void *ctx)
{
	return has_read(ctx);
}

static bool
never(void *ctx)
{
	return false;
}

static void
pass(struct house *house, uint64_t ms)
{
	loop_run_until(house->loop, never, NULL, ms);
}

/* What is answered to this, to its end. */
static const char *
answer_to(struct asker *asker, struct house *house, struct str request)
{
	enter(asker, house);
	say(asker, request);
	assert_true(loop_run_until(house->loop, is_over, asker, SOON_MS));
	return buf_cstr(&asker->got);
}

/* ---- what is answered */

#define GET "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct {
	const char *request, *status, *has;
} rows[] = {
    {GET, "HTTP/1.1 200 OK\r\n", "\r\nContent-Type: " OPENMETRICS_TYPE "\r\n"},
    {GET, "HTTP/1.1 200 OK\r\n", "\r\nContent-Length: 6\r\n"},
    {GET, "HTTP/1.1 200 OK\r\n", "\r\nConnection: close\r\n"},
    {GET, "HTTP/1.1 200 OK\r\n", "\r\n\r\n# EOF\n"},
    {"GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n", "\r\n\r\n# EOF\n"},
    {"GET /metrics?name=x HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "# EOF\n"},
    {GET GET, "HTTP/1.1 200 OK\r\n", "# EOF\n"}, /* the second is not read */
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ", ""},
    {"GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ", ""},
    {"GET /../metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ", ""},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 ", ""},
    {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 ",
	"\r\nAllow: GET\r\n"},
    {"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 ", "\r\nAllow: GET\r\n"},
    {"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 ", "\r\nAllow: GET\r\n"},
};

static void
only_get_metrics_is_answered(void **state)
{
	struct house *house = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asker asker;
		const char *got = answer_to(&asker, house, str_of(rows[i].request));

		if (!str_starts(str_of(got), rows[i].status) || strstr(got, rows[i].has) == NULL)
			fail_msg("%s was answered: %s", rows[i].request, got);
		leave(&asker);
	}
	assert_int_equal(house->asked, 7);
}

static void
what_is_no_request_gets_no_numbers(void **state)
{
	static const char *const requests[] = {
	    "* IDLE\r\n\r\n",
	    "\r\n\r\n",
	    "GET\r\n\r\n",
	    "FLY /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
	    "GET /metrics HTTP/9.1\r\nno colon\r\n\r\n",
	    "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
	    "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
	};
	struct house *house = *state;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct asker asker;
		const char *got = answer_to(&asker, house, str_of(requests[i]));

		if (got[0] != '\0' && strncmp(got, "HTTP/1.1 4", 10) != 0 &&
		    strncmp(got, "HTTP/1.1 5", 10) != 0)
			fail_msg("%s was answered: %s", requests[i], got);
		leave(&asker);
	}
	assert_int_equal(house->asked, 0);
}

static void
a_request_may_come_byte_by_byte(void **state)
{
	struct house *house = *state;
	struct asker asker;

	enter(&asker, house);
	for (size_t i = 0; i < strlen(GET); i++) {
		say(&asker, str_make(&GET[i], 1));
		pass(house, 1);
	}
	assert_true(loop_run_until(house->loop, is_over, &asker, SOON_MS));
	assert_non_null(strstr(buf_cstr(&asker.got), "# EOF\n"));
	leave(&asker);
}

static void
a_head_that_is_too_large_is_refused(void **state)
{
	struct house *house = *state;
	struct asker asker;
	struct buf request = BUF_INIT;

	buf_add_text(&request, "GET /metrics HTTP/1.1\r\nX: ");
	for (size_t i = 0; i < METRICS_HEAD_MOST; i++)
		buf_add_byte(&request, 'x');
	enter(&asker, house);
	say(&asker, buf_str(&request));
	assert_true(loop_run_until(house->loop, is_over, &asker, SOON_MS));
	assert_int_equal(house->asked, 0);
	leave(&asker);
	buf_fini(&request);
}

static void
numbers_that_do_not_fit_are_an_error_and_not_half_a_text(void **state)
{
	struct house *house = *state;
	struct asker asker;

	house->bytes = METRICS_TEXT_MOST;
	assert_true(str_starts(str_of(answer_to(&asker, house, STR(GET))), "HTTP/1.1 500 "));
	assert_null(strstr(buf_cstr(&asker.got), "xxx"));
	leave(&asker);
}

/* ---- who does not play by the rules */

static void
whoever_takes_too_long_is_sent_away(void **state)
{
	struct house *house = *state;
	struct asker silent, slow;

	enter(&silent, house);
	enter(&slow, house);
	say(&slow, STR("GET /metrics HTTP/1.1\r\n"));
	for (size_t i = 0; i < 20 && !has_read(&slow); i++) {
		(void)send(slow.fd, "X: y\r\n", 6, MSG_NOSIGNAL);
		pass(house, METRICS_LIFE_MS / 10);
	}
	assert_true(slow.over);
	assert_true(has_read(&silent));
	assert_int_equal(buf_len(&silent.got), 0);
	assert_int_equal(house->asked, 0);
	leave(&silent);
	leave(&slow);
}

static void
a_full_house_lets_in_whoever_waits_when_somebody_leaves(void **state)
{
	struct house *house = *state;
	struct asker silent[METRICS_CLIENTS_MOST], waiting;

	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		enter(&silent[i], house);
	enter(&waiting, house);
	say(&waiting, STR(GET));
	pass(house, MOMENT_MS);
	assert_false(has_read(&waiting));
	assert_int_equal(house->asked, 0);
	say(&silent[0], STR(GET));
	assert_true(loop_run_until(house->loop, is_over, &silent[0], SOON_MS));
	assert_true(loop_run_until(house->loop, is_over, &waiting, SOON_MS));
	assert_int_equal(house->asked, 2);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		leave(&silent[i]);
	leave(&waiting);
}

static void
one_that_left_without_a_word_has_its_place_until_its_time_is_over(void **state)
{
	struct house *house = *state;
	struct asker asker;

	for (size_t i = 0; i < METRICS_CLIENTS_MOST; i++) {
		enter(&asker, house);
		pass(house, 10);
		leave(&asker);
	}
	assert_non_null(strstr(answer_to(&asker, house, STR(GET)), "# EOF\n"));
	leave(&asker);
}

static void
one_that_does_not_read_is_sent_away(void **state)
{
	struct house *house = *state;
	struct asker asker;
	int bytes = 4096;

	house->bytes = METRICS_TEXT_MOST - 4096;
	*(&asker) = (struct asker){.house = house, .fd = socket(AF_INET, SOCK_STREAM, 0)};
	setsockopt(asker.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	assert_int_equal(connect(asker.fd, (struct sockaddr *)&house->address,
			     sizeof(house->address)),
	    0);
	assert_int_equal(fcntl(asker.fd, F_SETFL, O_NONBLOCK), 0);
	say(&asker, STR(GET));
	pass(house, METRICS_LIFE_MS + MOMENT_MS);
	assert_int_equal(house->asked, 1);
	assert_true(loop_run_until(house->loop, is_over, &asker, SOON_MS));
	assert_true(buf_len(&asker.got) < house->bytes);
	leave(&asker);
}

static void
test_D9_without_descriptors_it_rests_and_comes_back(void **state)
{
	struct house *house = *state;
	struct asker asker;
	struct rlimit limit, none;
	clock_t spent;

	enter(&asker, house);
	say(&asker, STR(GET));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	spent = clock();
	pass(house, 5 * MOMENT_MS);
	spent = clock() - spent;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(spent < CLOCKS_PER_SEC / 2); /* of the second that passed */
	assert_false(has_read(&asker));
	assert_true(loop_run_until(house->loop, is_over, &asker, SOON_MS));
	assert_non_null(strstr(buf_cstr(&asker.got), "# EOF\n"));
	leave(&asker);
}

static void
whoever_is_asking_is_cut_off_at_the_end(void **state)
{
	struct house *house = *state;
	struct asker asker, silent;

	enter(&silent, house);
	enter(&asker, house);
	say(&asker, STR("GET /metrics HTTP/1.1\r\n"));
	pass(house, MOMENT_MS);
	metrics_free(&house->metrics);
	assert_true(loop_run_until(house->loop, is_over, &asker, SOON_MS));
	assert_true(loop_run_until(house->loop, is_over, &silent, SOON_MS));
	assert_int_equal(buf_len(&asker.got), 0);
	leave(&asker);
	leave(&silent);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, house_make, house_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    HERE(only_get_metrics_is_answered),
	    HERE(what_is_no_request_gets_no_numbers),
	    HERE(a_request_may_come_byte_by_byte),
	    HERE(a_head_that_is_too_large_is_refused),
	    HERE(numbers_that_do_not_fit_are_an_error_and_not_half_a_text),
	    HERE(whoever_takes_too_long_is_sent_away),
	    HERE(a_full_house_lets_in_whoever_waits_when_somebody_leaves),
	    HERE(one_that_left_without_a_word_has_its_place_until_its_time_is_over),
	    HERE(one_that_does_not_read_is_sent_away),
	    HERE(test_D9_without_descriptors_it_rests_and_comes_back),
	    HERE(whoever_is_asking_is_cut_off_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
