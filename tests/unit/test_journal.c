/*
 * test_journal.c - lines that survive what befalls a file
 */
#include "map/journal.h"

#include "base/mem.h"

#include "scratch.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char file[80], old_file[80], lock_file[80];

static int
make(void **state)
{
	if (scratch_make(state) == -1)
		return -1;
	snprintf(file, sizeof(file), "%s/journal", scratch_dir);
	snprintf(old_file, sizeof(old_file), "%s/journal.1", scratch_dir);
	snprintf(lock_file, sizeof(lock_file), "%s/journal.lock", scratch_dir);
	return 0;
}

static int
clean(void **state)
{
	unlink(file);
	rmdir(file);
	unlink(old_file);
	unlink(lock_file);
	return 0;
}

static int
remove_all(void **state)
{
	clean(state);
	return scratch_remove(state);
}

static struct journal_line
line_of(enum journal_what what, uint64_t epoch)
{
	return (struct journal_line){.what = what,
	    .map = "one",
	    .nonce = "aa",
	    .epoch = epoch,
	    .who = "me@host",
	    .command = "set",
	    .name = "ann@example.org",
	    .after = "new",
	    .accounts = 1,
	    .is_everywhere = what == JOURNAL_WRITTEN};
}

static void
add(enum journal_what what, uint64_t epoch)
{
	struct journal *journal = journal_open(scratch_dir);
	struct journal_line line = line_of(what, epoch);
	struct fault fault;

	assert_int_equal(journal_add(journal, &line, &fault), 0);
	assert_true(journal_is_kept(journal));
	journal_close(&journal);
}

static uint64_t
highest(const char *map)
{
	struct journal *journal = journal_open(scratch_dir);
	struct fault fault;
	uint64_t epoch;

	assert_int_equal(journal_highest(journal, map, &epoch, &fault), 0);
	journal_close(&journal);
	return epoch;
}

static bool
count(void *ctx, const struct journal_line *line)
{
	++*(size_t *)ctx;
	return true;
}

static size_t
lines(size_t *damaged)
{
	size_t found = 0;
	struct fault fault;

	assert_int_equal(journal_read(scratch_dir, count, &found, damaged, &fault), 0);
	return found;
}

static void
a_line_is_read_as_it_was_written(void **state)
{
	struct journal_line line = {.what = JOURNAL_BEGUN,
	    .time = "2026-11-21T13:00:00Z",
	    .map = "m-1",
	    .nonce = "0123456789abcdef",
	    .epoch = 1ULL << 40,
	    .highest = 7,
	    .who = "root@mx1",
	    .command = "set",
	    .why = "",
	    .name = "\"a b\"@example.org",
	    .before = "old",
	    .accounts = 3};
	struct buf text = BUF_INIT;
	struct journal_line read;

	journal_line_write(&text, &line);
	assert_int_equal(str_find(buf_str(&text), '\n'), buf_len(&text) - 1);
	assert_true(journal_line_read(str_make(buf_str(&text).ptr, buf_len(&text) - 1), &read));
	assert_int_equal(read.what, JOURNAL_BEGUN);
	assert_string_equal(read.time, line.time);
	assert_string_equal(read.map, line.map);
	assert_string_equal(read.nonce, line.nonce);
	assert_true(read.epoch == line.epoch && read.highest == 7 && read.accounts == 3);
	assert_string_equal(read.name, line.name);
	assert_string_equal(read.before, "old");
	assert_string_equal(read.why, "");
	assert_null(read.after);
	journal_line_fini(&read);
	buf_fini(&text);
}

static void
test_A20_a_line_that_was_cut_or_changed_is_none(void **state)
{
	struct journal_line line = line_of(JOURNAL_WRITTEN, 12), read;
	struct buf text = BUF_INIT;
	char *bytes;
	size_t len;

	journal_line_write(&text, &line);
	len = buf_len(&text) - 1;
	for (size_t cut = 0; cut < len; cut++)
		assert_false(journal_line_read(str_make(buf_str(&text).ptr, cut), &read));
	for (size_t at = 0; at < len; at++) {
		bytes = xstrndup(buf_str(&text).ptr, len);
		bytes[at] ^= 1;
		assert_false(journal_line_read(str_make(bytes, len), &read));
		free(bytes);
	}
	buf_fini(&text);
}

static void
what_a_peer_wrote_stays_in_its_line(void **state)
{
	struct journal_line line = line_of(JOURNAL_BEGUN, 1), read;
	struct buf text = BUF_INIT;
	char *much = xcalloc(1, 100000);

	memset(much, '\\', 99999);
	line.before = "x\n0123 {}\n\xff\xc3";
	line.after = much;
	journal_line_write(&text, &line);
	assert_true(buf_len(&text) < JOURNAL_LINE_MOST_BYTES);
	assert_int_equal(str_find(buf_str(&text), '\n'), buf_len(&text) - 1);
	assert_true(journal_line_read(str_make(buf_str(&text).ptr, buf_len(&text) - 1), &read));
	journal_line_fini(&read);
	free(much);
	buf_fini(&text);
}

static void
the_highest_epoch_is_that_of_what_was_written(void **state)
{
	assert_int_equal(highest("one"), 0);
	add(JOURNAL_BEGUN, 20);
	assert_int_equal(highest("one"), 0);
	add(JOURNAL_WRITTEN, 21);
	add(JOURNAL_CONFIRMED, 21);
	assert_int_equal(highest("one"), 21);
	add(JOURNAL_BEGUN, 21);
	add(JOURNAL_WRITTEN, 22);
	add(JOURNAL_LOST, 22);
	assert_int_equal(highest("one"), 21);
	add(JOURNAL_LOST, 20); /* not the last: what came behind it is still missing */
	assert_int_equal(highest("one"), 21);
	assert_int_equal(highest("another"), 0);
}

static void
what_is_on_one_of_several_servers_may_be_undone(void **state)
{
	struct journal *journal = journal_open(scratch_dir);
	struct journal_line line = line_of(JOURNAL_WRITTEN, 7);
	struct fault fault;

	line.is_everywhere = false;
	assert_int_equal(journal_add(journal, &line, &fault), 0);
	assert_int_equal(highest("one"), 0);
	line.what = JOURNAL_CONFIRMED;
	line.is_everywhere = true;
	assert_int_equal(journal_add(journal, &line, &fault), 0);
	assert_int_equal(highest("one"), 7);
	journal_close(&journal);
}

static void
test_A20_a_torn_end_is_passed_over(void **state)
{
	struct stat st;
	size_t damaged;

	add(JOURNAL_WRITTEN, 7);
	add(JOURNAL_WRITTEN, 8);
	assert_int_equal(stat(file, &st), 0);
	/* Not even its line feed: then it is the same as torn. */
	for (off_t size = st.st_size - 1; size > st.st_size / 2; size--) {
		assert_int_equal(truncate(file, size), 0);
		assert_int_equal(highest("one"), 7);
	}
	add(JOURNAL_WRITTEN, 9);
	assert_int_equal(highest("one"), 9);
	assert_int_equal(lines(&damaged), 2);
	assert_int_equal(damaged, 1);
}

static void
test_A20_a_damaged_end_hides_nothing(void **state)
{
	char junk[4096];
	int fd;

	add(JOURNAL_WRITTEN, 7);
	memset(junk, 'x', sizeof(junk));
	fd = open(file, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	assert_int_equal(highest("one"), 7);
	for (int i = 0; i < 64; i++)
		assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	{
		struct journal *journal = journal_open(scratch_dir);
		struct fault fault;
		uint64_t epoch;

		assert_int_equal(journal_highest(journal, "one", &epoch, &fault), -1);
		assert_non_null(strstr(fault.text, "damaged"));
		journal_close(&journal);
	}
}

static void
a_full_journal_is_put_aside_and_remembered(void **state)
{
	struct stat st;
	size_t damaged;
	char line[1024];
	ssize_t len;
	int fd;

	add(JOURNAL_WRITTEN, 7);
	fd = open(file, O_RDWR | O_APPEND);
	len = read(fd, line + 1, sizeof(line) - 1);
	assert_true(len > 0);
	assert_int_equal(ftruncate(fd, JOURNAL_MOST_BYTES - 1000), 0); /* a long damaged line */
	line[0] = '\n';
	assert_int_equal(write(fd, line, (size_t)len + 1), len + 1);
	close(fd);
	assert_int_equal(stat(file, &st), 0);
	while (stat(file, &st) == 0 && st.st_size > 0)
		add(JOURNAL_WRITTEN, 9);
	assert_int_equal(stat(old_file, &st), 0);
	assert_true(st.st_size >= JOURNAL_MOST_BYTES);
	assert_int_equal(highest("one"), 9);
	add(JOURNAL_CONFIRMED, 9);
	assert_int_equal(highest("one"), 9);
	assert_true(lines(&damaged) > 3);
	assert_int_equal(damaged, 1);
}

static void
test_A20_what_cannot_be_written_is_said(void **state)
{
	struct journal *journal = journal_open(scratch_dir);
	struct journal_line line = line_of(JOURNAL_BEGUN, 1);
	struct fault fault;

	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(journal_add(journal, &line, &fault), -1);
	assert_non_null(strstr(fault.text, file));
	assert_int_equal(fault.verdict, VERDICT_TEMP);
	journal_close(&journal);
}

static void
without_a_state_directory_none_is_kept(void **state)
{
	struct journal *journal = journal_open("/no/such/directory");
	struct journal_line line = line_of(JOURNAL_BEGUN, 1);
	struct fault fault;
	uint64_t epoch;

	assert_int_equal(journal_highest(journal, "one", &epoch, &fault), 0);
	assert_int_equal(journal_add(journal, &line, &fault), 0);
	assert_false(journal_is_kept(journal));
	journal_close(&journal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_is_read_as_it_was_written),
	    cmocka_unit_test(test_A20_a_line_that_was_cut_or_changed_is_none),
	    cmocka_unit_test(what_a_peer_wrote_stays_in_its_line),
	    cmocka_unit_test_teardown(the_highest_epoch_is_that_of_what_was_written, clean),
	    cmocka_unit_test_teardown(what_is_on_one_of_several_servers_may_be_undone, clean),
	    cmocka_unit_test_teardown(test_A20_a_torn_end_is_passed_over, clean),
	    cmocka_unit_test_teardown(test_A20_a_damaged_end_hides_nothing, clean),
	    cmocka_unit_test_teardown(a_full_journal_is_put_aside_and_remembered, clean),
	    cmocka_unit_test_teardown(test_A20_what_cannot_be_written_is_said, clean),
	    cmocka_unit_test(without_a_state_directory_none_is_kept),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
