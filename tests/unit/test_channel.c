/*
 * test_channel.c - what master and worker say to each other
 */
#include "net/channel.h"

#include "base/mem.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void
open_channel(int ends[2])
{
	struct fault fault;

	assert_int_equal(channel_open(ends, &fault), 0);
}

static void
the_most_descriptors_arrive_with_their_serials(void **state)
{
	struct channel_message out = {.what = CHANNEL_RELOAD, .number = CHANNEL_FDS_MOST - 1}, in;
	int ends[2], fds[CHANNEL_FDS_MOST], got[CHANNEL_FDS_MOST];
	size_t count;
	struct stat sent, came;

	open_channel(ends);
	for (size_t i = 0; i < CHANNEL_FDS_MOST; i++) {
		fds[i] = i % 2 == 0 ? STDIN_FILENO : ends[0];
		out.serials[i] = i * 7;
	}
	assert_int_equal(channel_send(ends[0], &out, fds, CHANNEL_FDS_MOST), 0);
	assert_int_equal(channel_receive(ends[1], &in, got, &count), 1);
	assert_int_equal(count, CHANNEL_FDS_MOST);
	assert_int_equal(in.number, CHANNEL_FDS_MOST - 1);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(fstat(fds[i], &sent), 0);
		assert_int_equal(fstat(got[i], &came), 0);
		assert_int_equal(sent.st_ino, came.st_ino);
		assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
		if (i < in.number)
			assert_int_equal(in.serials[i], i * 7);
		close(got[i]);
	}
	close(ends[0]);
	close(ends[1]);
}

static void
messages_stay_whole_and_then_there_is_none(void **state)
{
	struct channel_message in;
	int ends[2], fds[CHANNEL_FDS_MOST];
	size_t count;

	open_channel(ends);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(channel_send(ends[1],
				     &(struct channel_message){.what = CHANNEL_DONE, .number = i},
				     NULL, 0),
		    0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(channel_receive(ends[0], &in, fds, &count), 1);
		assert_int_equal(in.what, CHANNEL_DONE);
		assert_int_equal(in.number, i);
		assert_int_equal(count, 0);
	}
	assert_int_equal(channel_receive(ends[0], &in, fds, &count), -1);
	assert_int_equal(errno, EAGAIN);
	close(ends[1]);
	assert_int_equal(channel_receive(ends[0], &in, fds, &count), 0);
	close(ends[0]);
}

static void
nonsense_is_no_message(void **state)
{
	static const struct {
		const char *name;
		uint32_t words[4];
		size_t len;
	} rows[] = {
	    {"cut short", {CHANNEL_PONG, 0}, 5},
	    {"serials announced and missing", {CHANNEL_RELOAD, 2}, 8},
	    {"more serials than there may be", {CHANNEL_RELOAD, 0xffffffff}, 16},
	    {"a longer word than there is", {CHANNEL_READY, 0, 1}, 12},
	};
	struct channel_message in;
	int ends[2], fds[CHANNEL_FDS_MOST];
	size_t count;

	open_channel(ends);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(send(ends[0], rows[i].words, rows[i].len, 0), rows[i].len);
		if (channel_receive(ends[1], &in, fds, &count) != -1 || errno != EBADMSG)
			fail_msg("%s", rows[i].name);
		assert_int_equal(count, 0);
	}
	close(ends[0]);
	close(ends[1]);
}

static void
a_text_can_be_read_by_many(void **state)
{
	struct fault fault;
	int fd = channel_text_fd("workers = 2;\n", 13, &fault);
	char *text;

	assert_int_not_equal(fd, -1);
	for (int i = 0; i < 2; i++) {
		text = channel_fd_text(fd, &fault);
		assert_string_equal(text, "workers = 2;\n");
		free(text);
	}
	close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_most_descriptors_arrive_with_their_serials),
	    cmocka_unit_test(messages_stay_whole_and_then_there_is_none),
	    cmocka_unit_test(nonsense_is_no_message),
	    cmocka_unit_test(a_text_can_be_read_by_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
