/*
 * test_unreported.c - messages of which policyd was not told
 */
#include "milter/unreported.h"

#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "scratch.h"
#include "unit.h"

enum { THREADS = 8, ROUNDS = 25 };

static char nodes[64];

/* Lent until the next call with the same place. */
static const char *
mark_of(unsigned place)
{
	static char rooms[UNREPORTED_PLACES_MOST][100];

	snprintf(rooms[place], sizeof(rooms[place]), "%s/milter-%u.unreported", nodes, place);
	return rooms[place];
}

static const char *
lock_of(unsigned place)
{
	static char room[128];

	snprintf(room, sizeof(room), "%s/milter-%u.unreported.lock", nodes, place);
	return room;
}

static bool
is_marked(unsigned place)
{
	return access(mark_of(place), F_OK) == 0;
}

static void
leave_mark(unsigned place)
{
	int fd = open(mark_of(place), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	close(fd);
}

static int
empty(void **state)
{
	snprintf(nodes, sizeof(nodes), "%s/nodes", scratch_dir);
	for (unsigned place = 0; place < UNREPORTED_PLACES_MOST; place++) {
		unlink(mark_of(place));
		unlink(lock_of(place));
	}
	unlink(nodes);
	rmdir(nodes);
	return 0;
}

static int
remove_all(void **state)
{
	empty(state);
	return scratch_remove(state);
}

static struct unreported *
begin(void)
{
	return unreported_open(scratch_dir);
}

/* Says what there is, to a policyd that keeps it. */
static void
assert_tells(struct unreported *unreported, uint64_t want)
{
	uint64_t taken = unreported_take(unreported);

	assert_int_equal(taken, want);
	unreported_told(unreported, taken);
}

/* ---- one process */

static void
nothing_was_lost(void **state)
{
	struct unreported *unreported = begin();

	assert_tells(unreported, 0);
	assert_false(is_marked(0));
	unreported_close(&unreported);
	unreported_close(&unreported); /* NULL is well */
	unreported = begin();
	assert_tells(unreported, 0);
	unreported_close(&unreported);
}

static void
the_first_one_leaves_a_mark_until_all_were_told(void **state)
{
	struct unreported *unreported = begin();

	unreported_add(unreported);
	assert_true(is_marked(0));
	unreported_add(unreported);
	assert_int_equal(unreported_take(unreported), 2);
	assert_true(is_marked(0)); /* it is on its way, and no more */
	unreported_told(unreported, 2);
	assert_false(is_marked(0));
	unreported_add(unreported);
	assert_true(is_marked(0));
	assert_tells(unreported, 1);
	assert_false(is_marked(0));
	unreported_close(&unreported);
}

static void
the_others_write_none(void **state)
{
	struct unreported *unreported = begin();

	unreported_add(unreported);
	assert_int_equal(unlink(mark_of(0)), 0);
	unreported_add(unreported);
	assert_false(is_marked(0));
	unreported_close(&unreported);
}

static void
a_report_that_was_not_kept_says_nothing(void **state)
{
	struct unreported *unreported = begin();
	uint64_t taken;

	unreported_add(unreported);
	taken = unreported_take(unreported);
	unreported_not_told(unreported, taken);
	unreported_add(unreported); /* the message of that report */
	assert_true(is_marked(0));
	assert_tells(unreported, 2);
	assert_false(is_marked(0));
	unreported_close(&unreported);
}

static void
one_that_was_lost_meanwhile_keeps_the_mark(void **state)
{
	struct unreported *unreported = begin();
	uint64_t taken;

	unreported_add(unreported);
	taken = unreported_take(unreported);
	unreported_add(unreported);
	unreported_told(unreported, taken);
	assert_true(is_marked(0));
	assert_tells(unreported, 1);
	assert_false(is_marked(0));
	unreported_close(&unreported);
}

/* Of two reports on their way: the first to come back knows nothing of the other. */
static void
one_that_is_still_on_its_way_keeps_the_mark(void **state)
{
	struct unreported *unreported = begin();
	uint64_t first, second;

	unreported_add(unreported);
	first = unreported_take(unreported);
	unreported_add(unreported);
	second = unreported_take(unreported);
	unreported_told(unreported, first);
	assert_true(is_marked(0));
	unreported_not_told(unreported, second);
	assert_true(is_marked(0));
	assert_tells(unreported, 1);
	assert_false(is_marked(0));
	unreported_close(&unreported);
}

static void
a_report_that_says_nothing_takes_nothing_away(void **state)
{
	struct unreported *unreported = begin();
	uint64_t nothing = unreported_take(unreported);

	unreported_add(unreported);
	unreported_told(unreported, nothing);
	assert_true(is_marked(0));
	assert_tells(unreported, 1);
	unreported_close(&unreported);
}

/* ---- from one to the next */

/* A process that loses a report, perhaps has it on its way again, and is killed. */
static void
lose_and_be_killed(bool is_on_its_way)
{
	int status;
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (child == 0) {
		struct unreported *unreported = begin();

		unreported_add(unreported);
		if (is_on_its_way)
			unreported_take(unreported);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void
who_was_killed_is_remembered(void **state)
{
	for (int is_on_its_way = 0; is_on_its_way < 2; is_on_its_way++) {
		struct unreported *unreported;

		lose_and_be_killed(is_on_its_way);
		assert_true(is_marked(0));
		unreported = begin();
		assert_true(is_marked(0));
		assert_tells(unreported, 1);
		assert_false(is_marked(0));
		unreported_close(&unreported);
	}
}

static void
who_ended_well_is_remembered_too(void **state)
{
	struct unreported *unreported = begin();

	unreported_add(unreported);
	unreported_close(&unreported);
	unreported = begin();
	unreported_add(unreported);
	assert_tells(unreported, 2);
	assert_false(is_marked(0));
	unreported_close(&unreported);
}

static void
who_lives_keeps_his_own(void **state)
{
	struct unreported *first = begin(), *second = begin();

	unreported_add(first);
	unreported_add(second);
	assert_true(is_marked(0) && is_marked(1));
	assert_tells(first, 1);
	assert_true(!is_marked(0) && is_marked(1));
	unreported_close(&first);
	first = begin();
	assert_tells(first, 0);
	assert_true(is_marked(1));
	assert_tells(second, 1);
	assert_false(is_marked(1));
	unreported_close(&first);
	unreported_close(&second);
}

static void
who_does_not_come_back_is_remembered_by_whoever_starts(void **state)
{
	struct unreported *first = begin(), *second = begin(), *last;

	unreported_add(second);
	unreported_close(&second);
	leave_mark(UNREPORTED_PLACES_MOST - 1);
	unreported_close(&first);
	last = begin();
	assert_true(is_marked(0));
	assert_false(is_marked(1) || is_marked(UNREPORTED_PLACES_MOST - 1));
	assert_tells(last, 2);
	assert_false(is_marked(0));
	unreported_close(&last);
}

/* ---- where no mark can be written */

static void
without_a_state_directory_they_are_counted_all_the_same(void **state)
{
	char missing[64];
	struct unreported *unreported;

	snprintf(missing, sizeof(missing), "%s/missing", scratch_dir);
	snprintf(nodes, sizeof(nodes), "%s/missing/nodes", scratch_dir);
	unreported = unreported_open(missing);
	unreported_add(unreported);
	unreported_add(unreported);
	assert_tells(unreported, 2);
	unreported_add(unreported);
	assert_int_equal(mkdir(missing, 0700), 0);
	unreported_add(unreported); /* tried again */
	assert_true(is_marked(0));
	assert_tells(unreported, 2);
	assert_false(is_marked(0));
	unreported_close(&unreported);
	assert_int_equal(unlink(lock_of(0)), 0);
	assert_int_equal(rmdir(nodes), 0);
	assert_int_equal(rmdir(missing), 0);
}

static void
where_nobody_can_look_there_may_be_one(void **state)
{
	struct unreported *unreported;
	int fd = open(nodes, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	close(fd);
	unreported = begin();
	assert_tells(unreported, 1);
	unreported_close(&unreported);
}

/* The mark appears where its place is found at last. */
static void
a_mark_that_was_found_late_counts(void **state)
{
	struct unreported *unreported;
	int fd = open(nodes, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	close(fd);
	unreported = begin();
	assert_tells(unreported, 1);
	assert_int_equal(unlink(nodes), 0);
	assert_int_equal(mkdir(nodes, 0700), 0);
	leave_mark(0);
	unreported_add(unreported);
	assert_tells(unreported, 2);
	assert_false(is_marked(0));
	unreported_close(&unreported);
}

/* ---- many threads */

static struct unreported *shared;
static atomic_uint_fast64_t told;

static void *
lose_and_tell(void *arg)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t taken;

		unreported_add(shared);
		taken = unreported_take(shared);
		if (round % 3 == 0) {
			unreported_not_told(shared, taken);
		} else {
			unreported_told(shared, taken);
			told += taken;
		}
	}
	return NULL;
}

static void
threads_lose_and_tell(void **state)
{
	pthread_t threads[THREADS];
	uint64_t rest;

	told = 0;
	shared = begin();
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, lose_and_tell, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	rest = unreported_take(shared);
	assert_int_equal(told + rest, THREADS * ROUNDS);
	assert_int_equal(is_marked(0), rest > 0);
	unreported_told(shared, rest);
	assert_false(is_marked(0));
	unreported_close(&shared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(nothing_was_lost, empty),
	    cmocka_unit_test_setup(the_first_one_leaves_a_mark_until_all_were_told, empty),
	    cmocka_unit_test_setup(the_others_write_none, empty),
	    cmocka_unit_test_setup(a_report_that_was_not_kept_says_nothing, empty),
	    cmocka_unit_test_setup(one_that_was_lost_meanwhile_keeps_the_mark, empty),
	    cmocka_unit_test_setup(one_that_is_still_on_its_way_keeps_the_mark, empty),
	    cmocka_unit_test_setup(a_report_that_says_nothing_takes_nothing_away, empty),
	    cmocka_unit_test_setup(who_was_killed_is_remembered, empty),
	    cmocka_unit_test_setup(who_ended_well_is_remembered_too, empty),
	    cmocka_unit_test_setup(who_lives_keeps_his_own, empty),
	    cmocka_unit_test_setup(who_does_not_come_back_is_remembered_by_whoever_starts, empty),
	    cmocka_unit_test_setup(without_a_state_directory_they_are_counted_all_the_same, empty),
	    cmocka_unit_test_setup(where_nobody_can_look_there_may_be_one, empty),
	    cmocka_unit_test_setup(a_mark_that_was_found_late_counts, empty),
	    cmocka_unit_test_setup(threads_lose_and_tell, empty),
	};

	return cmocka_run_group_tests(tests, scratch_make, remove_all);
}
