/*
 * test_syncer.c - files made durable while the loop goes on
 *
 * fsync(2), fdatasync(2) and rename(2) are our own here, so that they fail when
 * a test wants it, as a dying disk makes them.
 */
#include "base/sync_file.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static atomic_int fsync_error, fdatasync_error, rename_error, fsync_passes;

int
fsync(int fd)
{
	if (fsync_error != 0 && fsync_passes-- <= 0) {
		errno = fsync_error;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	if (fdatasync_error != 0) {
		errno = fdatasync_error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int
rename(const char *from, const char *to)
{
	if (rename_error != 0) {
		errno = rename_error;
		return -1;
	}
	return (int)syscall(SYS_renameat2, -100, from, -100, to, 0);
}

static char dir[64], path[96], aside[104];
static struct syncer *syncer;
static struct sync_file *file;
static char told[64]; /* the errors of the jobs, in order: '0', 'N' ENOSPC ... */

static int
begin(void **state)
{
	struct fault fault;

	fsync_error = fdatasync_error = rename_error = fsync_passes = 0;
	memset(told, 0, sizeof(told));
	snprintf(dir, sizeof(dir), "/tmp/syncer.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	snprintf(aside, sizeof(aside), "%s.new", path);
	assert_non_null(syncer = syncer_new(&fault));
	file = sync_file_new(syncer, path);
	return 0;
}

static int
end(void **state)
{
	sync_file_free(&file);
	syncer_free(&syncer);
	unlink(path);
	unlink(aside);
	return rmdir(dir);
}

static void
tell(void *ctx, int error)
{
	static const struct {
		int error;
		char letter;
	} letters[] = {{0, '0'}, {ENOSPC, 'N'}, {EIO, 'I'}, {EROFS, 'R'}, {EBADF, 'B'},
	    {ECANCELED, 'C'}, {ENOENT, 'E'}, {EFBIG, 'F'}, {ESTALE, 'S'}, {ENOTDIR, 'T'}};
	size_t i = 0;

	while (i < ARRAY_LEN(letters) && letters[i].error != error)
		i++;
	told[strlen(told)] = i < ARRAY_LEN(letters) ? letters[i].letter : '?';
}

static void
expect_told(const char *letters)
{
	syncer_wait(syncer);
	assert_string_equal(told, letters);
	memset(told, 0, sizeof(told));
}

static void
add(const char *text)
{
	struct buf bytes = BUF_INIT;

	buf_add_text(&bytes, text);
	sync_add(file, &bytes, tell, NULL);
	assert_int_equal(buf_len(&bytes), 0);
}

static void
append(const char *text)
{
	struct buf bytes = BUF_INIT;

	buf_add_text(&bytes, text);
	sync_append(file, &bytes, tell, NULL);
}

static void
replace(const char *text)
{
	sync_begin(file);
	add(text);
	sync_commit(file, tell, NULL);
}

static void
expect_file(const char *text)
{
	struct buf bytes = BUF_INIT;

	if (text == NULL) {
		assert_int_equal(access(path, F_OK), -1);
		return;
	}
	assert_int_equal(file_read(path, &bytes), 0);
	assert_string_equal(buf_cstr(&bytes), text);
	buf_fini(&bytes);
}

static void
jobs_are_done_in_order_and_told_in_the_loops_thread(void **state)
{
	struct pollfd ready = {.fd = syncer_fd(syncer), .events = POLLIN};

	sync_begin(file);
	add("one ");
	add("two ");
	sync_commit(file, tell, NULL);
	assert_string_equal(told, ""); /* never from inside */
	assert_int_equal(poll(&ready, 1, 10000), 1);
	append("three");
	expect_told("0000");
	expect_file("one two three");
	assert_int_equal(access(aside, F_OK), -1);
	assert_int_equal(poll(&ready, 1, 0), 0);
	replace("new");
	append("er");
	expect_told("000");
	expect_file("newer");
}

static void
what_the_loop_closes_is_closed(void **state)
{
	struct syncer *second;
	struct fault fault;
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	assert_non_null(second = syncer_new(&fault));
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0); /* the thread has no copy of the other end */
	close(ends[0]);
	syncer_free(&second);
}

static void
what_is_aside_touches_nothing_until_it_is_committed(void **state)
{
	replace("old");
	sync_begin(file);
	add("half");
	append(" and more");
	expect_told("0000");
	expect_file("old and more");
	sync_abandon(file);
	sync_commit(file, tell, NULL);
	add("x");
	expect_told("CC");
	expect_file("old and more");
	assert_int_equal(access(aside, F_OK), -1);
}

static void
the_leavings_of_a_killed_process_are_no_hindrance(void **state)
{
	assert_int_equal(symlink("/nonexistent/x", aside), 0);
	replace("new");
	expect_told("00");
	expect_file("new");
}

static void
a_removed_file_is_gone_and_a_missing_one_is_no_error(void **state)
{
	sync_remove(file, tell, NULL);
	replace("x");
	sync_remove(file, tell, NULL);
	append("y");
	expect_told("0000B");
	expect_file(NULL);
	replace("z");
	append("z");
	expect_told("000");
	expect_file("zz");
}

static void
nothing_is_appended_to_what_was_not_committed(void **state)
{
	append("x");
	expect_told("B");
	expect_file(NULL);
}

static void
what_is_appended_to_a_file_that_somebody_removed_is_lost(void **state)
{
	replace("x");
	append("1");
	expect_told("000");
	unlink(path);
	append("2");
	expect_told("S");
	replace("y");
	append("3");
	expect_told("000");
	expect_file("y3");
}

static void
test_A20_an_append_that_was_not_synced_spoils_all_that_follow(void **state)
{
	replace("x");
	expect_told("00");
	fdatasync_error = EIO;
	append("1");
	expect_told("I");
	fdatasync_error = 0; /* the next fsync would succeed and mean nothing */
	append("2");
	expect_told("I");
	replace("y");
	append("3");
	expect_told("000");
	expect_file("y3");
}

static void
test_A20_a_file_that_cannot_be_synced_leaves_the_old_one(void **state)
{
	replace("old");
	expect_told("00");
	fsync_error = EIO;
	replace("new");
	append("er");
	expect_told("0I0");
	fsync_error = 0;
	expect_file("older");
	rename_error = EROFS;
	replace("new");
	append(" still");
	expect_told("0R0");
	rename_error = 0;
	expect_file("older still");
	assert_int_equal(access(aside, F_OK), -1);
}

static void
test_A20_a_renaming_that_was_not_synced_cannot_be_appended_to(void **state)
{
	replace("old");
	expect_told("00");
	fsync_error = EIO;
	fsync_passes = 1; /* the file's, not the directory's */
	replace("new");
	append("er");
	expect_told("0II");
	sync_remove(file, tell, NULL);
	expect_told("I");
	fsync_error = 0;
	sync_remove(file, tell, NULL);
	expect_told("0");
	expect_file(NULL);
}

static void
test_A20_a_full_disk_is_told_and_the_old_file_stays(void **state)
{
	struct rlimit before, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){4, before.rlim_max};
	replace("old");
	expect_told("00");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0); /* SIGXFSZ is blocked in the thread */
	replace("longer than four");
	append("!");
	append("torn");
	append("?");
	syncer_wait(syncer);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_told("FF0FF");
	expect_file("old!");
}

static void
test_A20_a_directory_that_is_none(void **state)
{
	struct sync_file *lost;
	char *below = xasprintf("%s/f/g", dir);

	replace("a file");
	expect_told("00");
	lost = sync_file_new(syncer, below);
	sync_begin(lost);
	sync_commit(lost, tell, NULL);
	sync_remove(lost, tell, NULL);
	expect_told("TT");
	sync_remove(file, tell, NULL);
	sync_begin(lost);
	sync_commit(lost, tell, NULL);
	sync_remove(lost, tell, NULL);
	expect_told("0E0");
	sync_file_free(&lost);
	free(below);
}

static void
append_again(void *ctx, int error)
{
	struct buf bytes = BUF_INIT;
	unsigned *left = ctx;

	assert_int_equal(error, 0);
	if (--*left == 0)
		return;
	buf_add_text(&bytes, "x");
	sync_append(file, &bytes, append_again, left);
}

static void
a_job_may_give_the_next_and_waiting_waits_for_that_too(void **state)
{
	struct buf bytes = BUF_INIT;
	unsigned left = 20;

	replace("");
	sync_append(file, &bytes, append_again, &left);
	syncer_wait(syncer);
	assert_int_equal(left, 0);
	expect_file("xxxxxxxxxxxxxxxxxxx");
}

static void
jobs_that_nobody_waits_for_are_done_before_the_end(void **state)
{
	struct fault fault;

	replace("x");
	append("y");
	sync_file_free(&file);
	syncer_free(&syncer);
	assert_string_equal(told, "");
	expect_file("xy");
	assert_non_null(syncer = syncer_new(&fault));
	file = sync_file_new(syncer, path);
}

static void
a_signal_is_never_the_threads(void **state)
{
	sigset_t usr1;

	replace("x");
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0); /* would end us if the thread took it */
	append("y");
	expect_told("000");
	assert_int_equal(sigwaitinfo(&usr1, NULL), SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
}

/* As map/private.c does it: the child of a process with a busy thread uses malloc and stdio. */
static void
a_fork_finds_malloc_and_stdio_as_they_should_be(void **state)
{
	int status;
	pid_t pid;

	replace("");
	for (int i = 0; i < 50; i++) {
		append("x");
		if ((pid = fork()) == 0) {
			char *text = xasprintf("%s %d", dir, i);
			size_t len = strlen(text);

			free(text);
			_exit(len > 0 ? 0 : 1);
		}
		assert_true(pid > 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	syncer_wait(syncer);
	assert_int_equal(strlen(told), 52);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(jobs_are_done_in_order_and_told_in_the_loops_thread,
		begin, end),
	    cmocka_unit_test_setup_teardown(what_the_loop_closes_is_closed, begin, end),
	    cmocka_unit_test_setup_teardown(what_is_aside_touches_nothing_until_it_is_committed,
		begin, end),
	    cmocka_unit_test_setup_teardown(the_leavings_of_a_killed_process_are_no_hindrance,
		begin, end),
	    cmocka_unit_test_setup_teardown(a_removed_file_is_gone_and_a_missing_one_is_no_error,
		begin, end),
	    cmocka_unit_test_setup_teardown(nothing_is_appended_to_what_was_not_committed, begin,
		end),
	    cmocka_unit_test_setup_teardown(
		what_is_appended_to_a_file_that_somebody_removed_is_lost, begin, end),
	    cmocka_unit_test_setup_teardown(
		test_A20_an_append_that_was_not_synced_spoils_all_that_follow, begin, end),
	    cmocka_unit_test_setup_teardown(
		test_A20_a_file_that_cannot_be_synced_leaves_the_old_one, begin, end),
	    cmocka_unit_test_setup_teardown(
		test_A20_a_renaming_that_was_not_synced_cannot_be_appended_to, begin, end),
	    cmocka_unit_test_setup_teardown(test_A20_a_full_disk_is_told_and_the_old_file_stays,
		begin, end),
	    cmocka_unit_test_setup_teardown(test_A20_a_directory_that_is_none, begin, end),
	    cmocka_unit_test_setup_teardown(a_job_may_give_the_next_and_waiting_waits_for_that_too,
		begin, end),
	    cmocka_unit_test_setup_teardown(jobs_that_nobody_waits_for_are_done_before_the_end,
		begin, end),
	    cmocka_unit_test_setup_teardown(a_signal_is_never_the_threads, begin, end),
	    cmocka_unit_test_setup_teardown(a_fork_finds_malloc_and_stdio_as_they_should_be, begin,
		end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
