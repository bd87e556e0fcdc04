/*
 * test_node.c - who this process is among the map's readers
 */
#include "map/node.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static char dir[64], nodes[80], file[100];

static int
make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/node.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(nodes, sizeof(nodes), "%s/nodes", dir);
	snprintf(file, sizeof(file), "%s/drive-0", nodes);
	return 0;
}

static int
remove_dir(void **state)
{
	static const char *const names[] = {"drive-0", "drive-0.lock", "drive-0.new",
	    "drive-0.snapshot", "drive-0.tombs", "drive-1", "drive-1.lock", "drive-2.lock"};
	char name[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(name, sizeof(name), "%s/%s", nodes, names[i]);
		unlink(name);
	}
	rmdir(nodes);
	return rmdir(dir);
}

static struct node *
holder(const char *id)
{
	struct node *node = node_new(dir, "mx1", "drive");
	struct fault fault;

	assert_string_equal(node_id(node), "");
	if (node_hold(node, &fault) == -1)
		fail_msg("%s", fault.text);
	assert_string_equal(node_id(node), id);
	return node;
}

static void
file_write(const char *text)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static const char *
file_text(void)
{
	static char text[256];
	FILE *in = fopen(file, "r");

	memset(text, 0, sizeof(text));
	if (in != NULL) {
		assert_true(fread(text, 1, sizeof(text) - 1, in) < sizeof(text));
		fclose(in);
	}
	return text;
}

static void
each_takes_the_first_slot_that_is_free(void **state)
{
	struct node *zero = holder("mx1/drive/0"), *one = holder("mx1/drive/1"), *again;
	struct fault fault;

	assert_string_not_equal(node_run(zero), node_run(one));
	assert_int_equal(node_hold(zero, &fault), 0); /* it has one */
	assert_string_equal(node_id(zero), "mx1/drive/0");
	node_free(&zero);
	again = holder("mx1/drive/0");
	node_free(&again);
	node_free(&one);
}

/* A slot is the process's that took it; what it forks and outlives it has no part in it. */
static void
the_slot_of_a_process_that_died_is_free(void **state)
{
	struct node *node;
	int to_child[2], to_us[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(to_us), 0);
	if ((pid = fork()) == 0) {
		struct fault fault;

		node = node_new(dir, "mx1", "drive");
		byte = node_hold(node, &fault) == 0 ? 'y' : 'n';
		if (write(to_us[1], &byte, 1) != 1 || read(to_child[0], &byte, 1) != 1)
			_exit(1);
		_exit(0); /* as if killed: nothing is cleaned up */
	}
	assert_int_equal(read(to_us[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	node = holder("mx1/drive/1");
	node_free(&node);
	assert_int_equal(write(to_child[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	node = holder("mx1/drive/0");
	node_free(&node);
	for (int i = 0; i < 2; i++) {
		close(to_child[i]);
		close(to_us[i]);
	}
}

static void
what_it_was_is_known_after_a_restart(void **state)
{
	struct node *node = holder("mx1/drive/0");
	char run[ROSTER_RUN_BYTES];
	struct fault fault;

	assert_string_equal(node_last_run(node), "");
	assert_false(node_has_entered(node, "m", 0, 0));
	assert_int_equal(node_note_begun(node, &fault), 0);
	assert_int_equal(node_note_entered(node, "m", 500, 20, &fault), 0);
	memcpy(run, node_run(node), sizeof(run));
	node_free(&node);

	node = holder("mx1/drive/0");
	assert_string_equal(node_last_run(node), run);
	assert_true(node_has_entered(node, "m", 500, 20));
	assert_true(node_has_entered(node, "m", 0, 0));
	assert_false(node_has_entered(node, "m", 501, 20));
	assert_false(node_has_entered(node, "m", 500, 21));
	assert_false(node_has_entered(node, "n", 0, 0));
	/* Entered is not begun: the beats are still those of the run before. */
	assert_int_equal(node_note_entered(node, "m", 100, 20, &fault), 0);
	assert_false(node_has_entered(node, "m", 500, 20));
	node_free(&node);
	node = holder("mx1/drive/0");
	assert_string_equal(node_last_run(node), run);
	node_free(&node);
}

static void
who_left_leaves_nothing_behind(void **state)
{
	struct node *node = holder("mx1/drive/0");
	char *snapshot = node_path(node, "snapshot"), *tombs = node_path(node, "tombs");
	struct fault fault;

	close(open(snapshot, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	close(open(tombs, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(node_note_begun(node, &fault), 0);
	assert_int_equal(node_note_entered(node, "m", 1, 1, &fault), 0);
	assert_int_equal(access(snapshot, F_OK), 0);
	assert_int_equal(node_note_left(node, &fault), 0);
	assert_int_equal(access(snapshot, F_OK), -1);
	assert_int_equal(access(tombs, F_OK), -1);
	assert_false(node_has_entered(node, "m", 0, 0));
	assert_non_null(strstr(file_text(), "\nleft\n"));
	free(snapshot);
	free(tombs);
	node_free(&node);
	node = holder("mx1/drive/0");
	assert_false(node_has_entered(node, "m", 0, 0));
	node_free(&node);
}

static int
drop(void *ctx, bool all, struct fault *fault_r)
{
	int *calls = ctx;

	calls[all]++;
	return calls[2] ? fault_set(fault_r, VERDICT_TEMP, "it is stuck") : 0;
}

static void
who_keeps_the_files_of_the_slot_is_asked_first(void **state)
{
	struct node *node = holder("mx1/drive/0");
	char *snapshot = node_path(node, "snapshot");
	struct fault fault;
	int calls[3] = {0, 0, 1};

	close(open(snapshot, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(node_note_entered(node, "m", 1, 1, &fault), 0);
	node_set_keeper(node, drop, calls);
	assert_int_equal(node_note_left(node, &fault), -1);
	assert_string_equal(fault.text, "it is stuck");
	assert_true(node_has_entered(node, "m", 1, 1));
	calls[2] = 0;
	assert_int_equal(node_note_left(node, &fault), 0);
	assert_false(node_has_entered(node, "m", 1, 1));
	assert_true(calls[false] == 2 && calls[true] == 0);
	assert_int_equal(node_drop_memory(node, &fault), 0);
	assert_int_equal(calls[true], 1);
	assert_int_equal(unlink(snapshot), 0); /* that was not ours */
	free(snapshot);
	node_free(&node);
}

static void
test_A20_a_damaged_file_says_nothing(void **state)
{
	static const char *const texts[] = {"", "\n", "run 0123456789abcdef\n",
	    "run 0123456789abcdef\nentered m 5", "run 0123456789abcdef\nentered m 5\n",
	    "run 0123456789abcdef\nentered m 5 6 7\n", "run 0123456789abcdef\nentered m 5 x\n",
	    "run 0123456789abcdef\nentered m 5 6", "run 01 23\nentered m 5 6\n",
	    "run 0123456789abcdef0\nentered m 5 6\n", "entered m 99999999999 6\n",
	    "run 0123456789abcdef\nentered m 5 6\nwhat\n"};
	struct node *node = holder("mx1/drive/0");

	node_free(&node);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		file_write(texts[i]);
		node = holder("mx1/drive/0");
		if (node_has_entered(node, "m", 0, 0) || node_last_run(node)[0] != '\0')
			fail_msg("believed: %s", texts[i]);
		node_free(&node);
	}
	file_write("run 0123456789abcdef\nentered m 5 6\n"); /* and these are none of them */
	node = holder("mx1/drive/0");
	assert_true(node_has_entered(node, "m", 5, 6));
	assert_string_equal(node_last_run(node), "0123456789abcdef");
	node_free(&node);
	file_write("entered m 5 6\n");
	node = holder("mx1/drive/0");
	assert_true(node_has_entered(node, "m", 5, 6));
	assert_string_equal(node_last_run(node), "");
	node_free(&node);
}

static void
test_A20_no_place_for_the_lock_is_no_slot(void **state)
{
	struct node *node = node_new("/nonexistent/dir", "mx1", "drive");
	struct fault fault;

	assert_int_equal(node_hold(node, &fault), -1);
	assert_non_null(strstr(fault.text, "/nonexistent/dir/nodes"));
	assert_string_equal(node_id(node), "");
	assert_false(node_has_entered(node, "m", 0, 0));
	node_free(&node);
	/* A file in the directory's place, which stops root too. */
	close(open(nodes, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	node = node_new(dir, "mx1", "drive");
	assert_int_equal(node_hold(node, &fault), -1);
	unlink(nodes);
	assert_int_equal(node_hold(node, &fault), 0); /* it is tried again */
	node_free(&node);
}

static void
test_A20_what_cannot_be_written_is_not_so(void **state)
{
	struct node *node = holder("mx1/drive/0");
	char name[128];
	struct fault fault;

	snprintf(name, sizeof(name), "%s.new", file);
	assert_int_equal(mkdir(name, 0700), 0); /* where the file is written aside */
	assert_int_equal(node_note_begun(node, &fault), -1);
	assert_int_equal(node_note_entered(node, "m", 0, 0, &fault), -1);
	assert_non_null(strstr(fault.text, "drive-0"));
	assert_false(node_has_entered(node, "m", 0, 0));
	assert_int_equal(rmdir(name), 0);
	assert_int_equal(node_note_entered(node, "m", 0, 0, &fault), 0);
	assert_true(node_has_entered(node, "m", 0, 0));
	node_free(&node);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_takes_the_first_slot_that_is_free, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(the_slot_of_a_process_that_died_is_free, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(what_it_was_is_known_after_a_restart, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(who_left_leaves_nothing_behind, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(who_keeps_the_files_of_the_slot_is_asked_first,
		make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(test_A20_a_damaged_file_says_nothing, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(test_A20_no_place_for_the_lock_is_no_slot, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(test_A20_what_cannot_be_written_is_not_so, make_dir,
		remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
