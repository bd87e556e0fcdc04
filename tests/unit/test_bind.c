/*
 * test_bind.c - open a socket that listens, and never steal one
 */
#include "net/bind.h"

#include "base/mem.h"

#include "scratch.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
remove_socket(void **state)
{
	unlink(path);
	return 0;
}

static mode_t
mode_of(const char *file)
{
	struct stat st;

	assert_int_equal(lstat(file, &st), 0);
	return st.st_mode & 0777;
}

static void
one_spelling_for_each_address(void **state)
{
	static const struct {
		const char *address, *name; /* NULL: cannot be bound */
	} rows[] = {
	    {"unix:/run/x", "unix:/run/x"},
	    {"inet:127.0.0.1:25", "inet:127.0.0.1:25"},
	    {"inet:localhost:25", "inet:127.0.0.1:25"},
	    {"inet:[::1]:25", "inet:[::1]:25"},
	    {"inet:[0:0:0:0:0:0:0:1]:0025", "inet:[::1]:25"},
	    {"inet:mx.example.org:25", NULL},
	    {"unix:relative", NULL},
	    {"nonsense", NULL},
	};
	char name[BIND_NAME_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool found = bind_name(rows[i].address, name);

		if (found != (rows[i].name != NULL) || (found && strcmp(name, rows[i].name) != 0))
			fail_msg("%s: %s", rows[i].address, found ? name : "cannot be bound");
	}
}

static void
what_cannot_be_bound_is_told_before(void **state)
{
	static const struct {
		const char *name;
		struct bind_request request;
		const char *words; /* NULL: nothing is wrong */
	} rows[] = {
	    {"all defaults", {.address = "unix:/run/x"}, NULL},
	    {"numbers for names",
		{.address = "unix:/run/x", .owner = "0", .group = "0", .mode = "0600"}, NULL},
	    {"a digit that is not octal", {.address = "unix:/run/x", .mode = "0680"}, "octal"},
	    {"more than permissions", {.address = "unix:/run/x", .mode = "4755"}, "octal"},
	    {"nobody of that name", {.address = "unix:/run/x", .owner = "no-such"}, "no user"},
	    {"no group of that name", {.address = "unix:/run/x", .group = "no-such"}, "no group"},
	    {"the number that means nobody", {.address = "unix:/run/x", .owner = "4294967295"},
		"no user"},
	    {"a host name", {.address = "inet:mx.example.org:25"}, "address is needed"},
	};
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = bind_check(&rows[i].request, &fault);

		if ((rc == 0) != (rows[i].words == NULL) ||
		    (rc == -1 && strstr(fault.text, rows[i].words) == NULL))
			fail_msg("%s: %s", rows[i].name, rc == -1 ? fault.text : "fine");
	}
}

static void
a_socket_file_has_its_mode_whatever_the_umask(void **state)
{
	static const char *const modes[] = {"0600", "0660", "0666", "0777"};
	struct bind_file file;
	struct fault fault;
	mode_t before = umask(027);

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct bind_request request = {.address = address, .mode = modes[i]};
		char name[BIND_NAME_BYTES];
		int fd = bind_open(&request, &file, &fault);

		assert_int_not_equal(fd, -1);
		assert_int_equal(mode_of(path), strtol(modes[i], NULL, 8));
		assert_true(bind_name_of(fd, name));
		assert_string_equal(name, address);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		close(fd); /* the file is now stale, and the next round replaces it */
	}
	assert_int_equal(umask(before), 027);
	bind_remove(address, &file);
	assert_int_equal(access(path, F_OK), -1);
}

static void
a_living_socket_is_refused_for_now(void **state)
{
	struct bind_request request = {.address = address};
	struct bind_file file, other;
	struct fault fault;
	int fd = bind_open(&request, &file, &fault);

	assert_int_not_equal(fd, -1);
	assert_int_equal(bind_open(&request, &other, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_TEMP);
	close(fd);
	fd = bind_open(&request, &other, &fault);
	assert_int_not_equal(fd, -1);
	bind_remove(address, &file); /* not that one any more */
	if (file.ino != other.ino)
		assert_int_equal(access(path, F_OK), 0);
	close(fd);
}

static void
other_files_and_links_are_refused_for_good(void **state)
{
	struct bind_request request = {.address = address};
	struct bind_file file;
	struct fault fault;

	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(bind_open(&request, &file, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_PERM);
	unlink(path);
	assert_int_equal(symlink("/tmp/nowhere", path), 0);
	assert_int_equal(bind_open(&request, &file, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_PERM);
	request.address = "unix:/nowhere/at/all";
	assert_int_equal(bind_open(&request, &file, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_PERM);
}

static void
an_open_socket_gets_another_mode(void **state)
{
	struct bind_request request = {.address = address, .mode = "0600"};
	struct bind_file file, after;
	struct fault fault;
	int fd = bind_open(&request, &file, &fault);

	request.mode = "0666";
	assert_int_equal(bind_adjust(&request, fd, &fault), 0);
	assert_int_equal(mode_of(path), 0666);
	assert_true(bind_find_file(address, &after));
	assert_int_equal(file.ino, after.ino);
	unlink(path);
	assert_int_equal(symlink("/tmp", path), 0); /* no link is followed */
	assert_int_equal(bind_adjust(&request, fd, &fault), -1);
	close(fd);
}

static void
both_families_listen_on_one_port(void **state)
{
	struct bind_request request = {.address = "inet:127.0.0.1:0"};
	char text[BIND_NAME_BYTES], six[BIND_NAME_BYTES];
	struct bind_file file;
	struct fault fault;
	int four_fd = socket(AF_INET, SOCK_STREAM, 0), six_fd;

	assert_int_equal(listen(four_fd, 1), 0); /* any free port, on every address */
	assert_true(bind_name_of(four_fd, text));
	snprintf(six, sizeof(six), "inet:[::]:%s", strrchr(text, ':') + 1);
	request.address = six;
	six_fd = bind_open(&request, &file, &fault);
	if (six_fd == -1 && strstr(fault.text, "family") != NULL)
		skip(); /* no IPv6 here */
	assert_int_not_equal(six_fd, -1);
	request.address = text;
	assert_int_equal(bind_open(&request, &file, &fault), -1);
	assert_int_equal(fault.verdict, VERDICT_TEMP);
	close(four_fd);
	close(six_fd);
}

static void
only_listening_streams_have_a_name(void **state)
{
	char name[BIND_NAME_BYTES];
	int stream = socket(AF_INET, SOCK_STREAM, 0), datagrams = socket(AF_INET, SOCK_DGRAM, 0);

	assert_false(bind_name_of(stream, name));
	assert_false(bind_name_of(datagrams, name));
	assert_false(bind_name_of(-1, name));
	close(stream);
	close(datagrams);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_spelling_for_each_address),
	    cmocka_unit_test(what_cannot_be_bound_is_told_before),
	    cmocka_unit_test_teardown(a_socket_file_has_its_mode_whatever_the_umask, remove_socket),
	    cmocka_unit_test_teardown(a_living_socket_is_refused_for_now, remove_socket),
	    cmocka_unit_test_teardown(other_files_and_links_are_refused_for_good, remove_socket),
	    cmocka_unit_test_teardown(an_open_socket_gets_another_mode, remove_socket),
	    cmocka_unit_test(both_families_listen_on_one_port),
	    cmocka_unit_test(only_listening_streams_have_a_name),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
