/*
 * test_snapshot_disk.c - what a node keeps on a disk that fails, or takes its time
 *
 * fsync(2) and others are our own here, and fail or stand still when a test wants it.
 */
#include "snapshot_node.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static atomic_int rename_waits, is_renaming, fdatasync_waits, fsync_error, fdatasync_error,
    unlink_error;

int
fsync(int fd)
{
	if (fsync_error == 0)
		return (int)syscall(SYS_fsync, fd);
	errno = fsync_error;
	return -1;
}

int
fdatasync(int fd)
{
	while (fdatasync_waits)
		usleep(1000);
	if (fdatasync_error == 0)
		return (int)syscall(SYS_fdatasync, fd);
	errno = fdatasync_error;
	return -1;
}

/* Stands still before it renames, until somebody is about to drop what it renames. */
int
rename(const char *from, const char *to)
{
	if (rename_waits)
		is_renaming = 1;
	while (rename_waits)
		usleep(1000);
	return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int
unlink(const char *name)
{
	if (unlink_error == 0)
		return (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
	errno = unlink_error;
	return -1;
}

static int
disk_setup(void **state)
{
	fsync_error = fdatasync_error = unlink_error = rename_waits = is_renaming = 0;
	return setup(state);
}

static int
disk_teardown(void **state)
{
	fsync_error = fdatasync_error = unlink_error = 0;
	return teardown(state);
}

/* ---- nobody waits for this node any more */

static void *
soon(void *ctx)
{
	usleep(
	    20000); /* snapshot_drop() most likely waits by now; whatever comes first, it holds */
	rename_waits = is_renaming = 0;
	return NULL;
}

/* A new file may come into its place behind the back of whoever removes it. */
static void
what_is_dropped_while_it_is_renamed_is_gone(void **state)
{
	struct fault fault;
	pthread_t thread;

	for (int all = 0; all < 2; all++) {
		synced = refused = 0;
		save();
		snapshot_start(snapshot);
		rename_waits = 1;
		for (int i = 0; i < 20000 && !is_renaming; i++) /* the loop is not told of it */
			(void)loop_run_until(loop, never, NULL, 1);
		assert_true(is_renaming);
		snapshot_change(snapshot, STR("ann@x"));
		assert_false(snapshot_when_synced(snapshot, on_synced, NULL));
		assert_int_equal(pthread_create(&thread, NULL, soon, NULL), 0);
		assert_int_equal(snapshot_drop(snapshot, all, &fault), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_true(synced == 1 && refused == 0);
		kill_and_start();
		expect(all ? "" : DOMAINS);
		assert_int_equal(snapshot_valid_until_ms(snapshot), 0);
	}
}

static void
test_A20_what_cannot_be_dropped_is_said(void **state)
{
	struct fault fault;

	save();
	fdatasync_error = unlink_error = EROFS;
	assert_int_equal(snapshot_drop(snapshot, false, &fault), -1);
	assert_non_null(strstr(fault.text, "removed"));
	assert_int_equal(snapshot_drop(snapshot, true, &fault), -1);
	unlink_error = 0;
	assert_int_equal(snapshot_drop(snapshot, true, &fault), 0);
	kill_and_start();
	expect("");
	assert_int_equal(snapshot_drop(snapshot, true, &fault), 0); /* there is nothing */
}

/* ---- an end that is cut short */

/* A barrier waits for a slow disk, and meanwhile all happens that writes a later end. */
static void
no_later_end_is_written_before_the_acknowledgement(void **state)
{
	uint64_t now_ms = clock_ms(), short_ms = now_ms + 1000, long_ms = now_ms + 40000, two = 2;
	bool is_saving = true;

	lease_until_ms = long_ms;
	for (int i = 0; i < 2; i++, is_saving = false) {
		settings.save_every_ms = 1;
		kill_and_start();
		save();
		synced = refused = 0;
		fdatasync_waits = 1;
		assert_false(snapshot_cut(snapshot, short_ms, on_synced, NULL));
		if (is_saving) {
			snapshot_start(snapshot);
			loop_run_until(loop, has_saved, &two, 20);
		} else {
			snapshot_lease(snapshot, long_ms);
			(void)snapshot_cut(snapshot, long_ms, on_synced, NULL);
		}
		assert_int_equal(synced, 0);
		fdatasync_waits = 0;
		assert_true(loop_run_until(loop, has_answered, NULL, 20000));
		snapshot_stop(snapshot);
		assert_true(sync_now()); /* whatever was told until then */
		kill_and_start();
		assert_true(snapshot_valid_until_ms(snapshot) <= short_ms + GRACE_MS);
	}
}

/* ---- trouble */

static void
test_A20_nothing_is_acknowledged_before_the_tombstone_is_durable(void **state)
{
	save();
	snapshot_change(snapshot, STR("ann@x"));
	fdatasync_error = EIO; /* so both files are removed, and that will do */
	assert_true(sync_now());
	assert_non_null(strstr(alarm_text(), "tombstones"));
	fdatasync_error = 0;
	kill_and_start();
	expect("");
}

static void
test_A20_what_can_neither_be_written_nor_removed_is_never_acknowledged(void **state)
{
	save();
	snapshot_change(snapshot, STR("ann@x"));
	fdatasync_error = unlink_error = EROFS;
	assert_false(sync_now());
	assert_non_null(strstr(alarm_text(), "removed"));
	assert_false(sync_now()); /* nor by the next barrier */
	unlink_error = 0;
	assert_true(sync_now()); /* until it can be */
	kill_and_start();
	expect("");
}

static void
test_A20_nor_before_the_end_of_what_is_there(void **state)
{
	settings.grace_ms = 1;
	kill_and_start();
	lease_until_ms = clock_ms() + 300;
	save();
	snapshot_change(snapshot, STR("ann@x"));
	fdatasync_error = unlink_error = EROFS;
	while (!sync_now())
		usleep(10000);
	assert_true(clock_ms() > lease_until_ms);
}

/*
 * The list of domains has no end. So once it lacks what was told, in whatever way,
 * it is removed before anything is acknowledged, with grace or without.
 */
static void
test_A20_a_changed_domain_is_acknowledged_only_when_the_next_process_knows(void **state)
{
	static const struct {
		const char *how, *name; /* NULL: anything may have changed */
		bool is_before; /* told before the disk fails, and not written */
	} rows[] = {
	    {"told and not written", "@new.org", true},
	    {"told when nothing can be", "@new.org", false},
	    {"anything, not written", NULL, true},
	    {"anything, when nothing can be", NULL, false},
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		bool is_stuck_first = !rows[i / 2].is_before;

		settings.grace_ms = i % 2; /* no finding is in the way for long */
		knows = "(x) (y) complete";
		node_stop();
		node_start();
		lease_until_ms = clock_ms() - 1;
		save();
		fdatasync_error = unlink_error = EROFS;
		if (is_stuck_first) {
			snapshot_change(snapshot, STR("@x")); /* is in the list as unsure, or not */
			(void)sync_now();
		}
		if (rows[i / 2].name != NULL)
			snapshot_change(snapshot, str_of(rows[i / 2].name));
		else
			snapshot_change_all(snapshot);
		usleep(5000);
		if (sync_now() || sync_now())
			fail_msg("%s: acknowledged", rows[i / 2].how);
		unlink_error = 0;
		assert_true(sync_now());
		fdatasync_error = 0;
		kill_and_start();
		expect("");
	}
}

/* A start that can neither use nor remove what is there has not told it anything yet. */
static void
test_A20_nor_by_a_process_that_found_the_disk_so(void **state)
{
	knows = "(x) (y) complete";
	save();
	node_stop();
	settings.boot_id = "b2"; /* no finding is good any more */
	fsync_error = fdatasync_error = unlink_error = EROFS;
	node_start();
	expect("");
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now()); /* of whom the list says nothing */
	snapshot_change(snapshot, STR("@new.org"));
	assert_false(sync_now());
	fsync_error = fdatasync_error = unlink_error = 0;
	assert_true(sync_now());
	kill_and_start();
	expect("");
}

/* The same on a disk that works: by a barrier (N6) the name is in the file. */
static void
test_A20_a_changed_domain_that_was_acknowledged_is_unsure_after_every_restart(void **state)
{
	knows = "(x) (y) complete";
	settings.grace_ms = 0;
	kill_and_start();
	save();
	snapshot_change(snapshot, STR("@x"));
	assert_true(sync_now());
	snapshot_change(snapshot, STR("@new.org"));
	assert_true(sync_now());
	for (int i = 0; i < 3; i++) {
		settings.boot_id = i == 2 ? "b2" : "b1";
		kill_and_start();
		expect("(x) (y) (x?) (new.org?) complete ");
	}
}

static void
test_A20_a_save_that_fails_leaves_the_old_file(void **state)
{
	struct snapshot_status status;

	save();
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now());
	fsync_error = ENOSPC;
	snapshot_start(snapshot);
	do {
		loop_run_until(loop, never, NULL, 0);
		snapshot_count(snapshot, &status);
	} while (status.alarm[0] == '\0');
	assert_non_null(strstr(status.alarm, "No space left"));
	fsync_error = 0;
	snapshot_stop(snapshot);
	kill_and_start();
	expect("(x) (y) bob@y=old alias@x=old complete ");
	save();
	assert_string_equal(alarm_text(), "");
}

/* A start makes durable what it has read: whoever wrote it may not have got so far. */
static void
test_A20_what_cannot_be_made_durable_is_not_used(void **state)
{
	save();
	node_stop();
	fsync_error = EIO;
	unlink_error = EIO;
	node_start();
	expect("");
	assert_false(sync_now());
	fsync_error = unlink_error = 0;
	assert_true(sync_now());
	kill_and_start();
	expect("");
}

static void
test_A20_a_directory_that_is_none_is_an_alarm(void **state)
{
	struct snapshot_status status;

	node_stop();
	assert_int_equal(rmdir(dir), 0);
	node_start();
	snapshot_start(snapshot);
	do {
		loop_run_until(loop, never, NULL, 0);
		snapshot_count(snapshot, &status);
	} while (status.alarm[0] == '\0');
	assert_true(sync_now());
	node_stop();
	assert_int_equal(mkdir(dir, 0700), 0);
}

/* Both files, each cut and each flipped here and there: the disk says something else than we said.
 */
static void
damage_and_start(const char *name, struct str bytes, size_t len, size_t flip)
{
	struct file rows = file_copy(rows_path), tombs = file_copy(tombs_path);
	char *copy = xstrndup(bytes.ptr, bytes.len);

	node_stop();
	if (flip < bytes.len)
		copy[flip] ^= 0x10;
	file_put(name, str_make(copy, len));
	node_start();
	if (strstr(buf_cstr(&got), "ann@x") != NULL)
		fail_msg("%s %zu %zu: %s", name, len, flip, buf_cstr(&got));
	file_put(rows_path, buf_str(&rows.bytes));
	file_put(tombs_path, buf_str(&tombs.bytes));
	buf_fini(&rows.bytes);
	buf_fini(&tombs.bytes);
	free(copy);
}

static void
test_A20_damaged_files_are_never_believed(void **state)
{
	struct file rows, tombs;

	save();
	snapshot_change(snapshot, STR("ann@x"));
	snapshot_change(snapshot, STR("@z"));
	assert_true(sync_now());
	rows = file_copy(rows_path);
	tombs = file_copy(tombs_path);
	for (size_t i = 0; i < buf_len(&rows.bytes); i += 13) {
		damage_and_start(rows_path, buf_str(&rows.bytes), i, SIZE_MAX);
		expect("");
		assert_string_not_equal(alarm_text(), "");
		damage_and_start(rows_path, buf_str(&rows.bytes), buf_len(&rows.bytes), i);
		expect("");
	}
	for (size_t i = 0; i < buf_len(&tombs.bytes); i += 7) {
		damage_and_start(tombs_path, buf_str(&tombs.bytes), buf_len(&tombs.bytes), i);
		expect("");
		assert_true(sync_now()); /* both were removed */
	}
	/* Cut in the last record, which was @z's: the one before it counts. */
	damage_and_start(tombs_path, buf_str(&tombs.bytes), buf_len(&tombs.bytes) - 3, SIZE_MAX);
	expect("(x) (y) bob@y=old alias@x=old complete ");
	node_stop();
	unlink(tombs_path);
	node_start();
	expect("");
	assert_non_null(strstr(alarm_text(), "missing"));
	buf_fini(&rows.bytes);
	buf_fini(&tombs.bytes);
}

/* As the link does it, when nobody waits for this node any more. */
static void
files_that_somebody_removed_are_begun_anew(void **state)
{
	save();
	unlink(rows_path);
	unlink(tombs_path);
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now());
	assert_string_equal(alarm_text(), "");
	kill_and_start();
	expect("");
	save();
	unlink(tombs_path); /* and nothing is told until the next save */
	knows = "(x) ann@x=old complete";
	save();
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now());
	kill_and_start();
	expect("(x) complete ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, disk_setup, disk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_dropped_while_it_is_renamed_is_gone),
	    TEST(test_A20_what_cannot_be_dropped_is_said),
	    TEST(no_later_end_is_written_before_the_acknowledgement),
	    TEST(test_A20_nothing_is_acknowledged_before_the_tombstone_is_durable),
	    TEST(test_A20_what_can_neither_be_written_nor_removed_is_never_acknowledged),
	    TEST(test_A20_nor_before_the_end_of_what_is_there),
	    TEST(test_A20_a_changed_domain_is_acknowledged_only_when_the_next_process_knows),
	    TEST(test_A20_nor_by_a_process_that_found_the_disk_so),
	    TEST(test_A20_a_changed_domain_that_was_acknowledged_is_unsure_after_every_restart),
	    TEST(test_A20_a_save_that_fails_leaves_the_old_file),
	    TEST(test_A20_what_cannot_be_made_durable_is_not_used),
	    TEST(test_A20_a_directory_that_is_none_is_an_alarm),
	    TEST(test_A20_damaged_files_are_never_believed),
	    TEST(files_that_somebody_removed_are_begun_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
