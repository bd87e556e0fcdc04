/*
 * test_snapshot_killed.c - a node that dies at each system call on its snapshot
 *
 * A child tells one story: saves, changes that are acknowledged, before, during
 * and after a save, tombs that is written anew, a start, a disk that fails, a
 * clean stop. It kills itself with SIGKILL at its n-th call that touches the
 * files, n from 1 until the story comes to its end (mortal_disk.h). What the next
 * process gets is held against a board in shared memory, on which the child notes
 * what it has done: the former version whole, or the new one, or none; and no name
 * whose tombstone was acknowledged.
 *
 * Then the same with the power. The boot is the same one all the same, which asks
 * for more than a real machine does: after another boot less is used.
 *
 * Whoever hangs is ended by SIGALRM, and that is a failure.
 */
#include "mortal_disk.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { CHILD_S = 60, LOAD_S = 60, CALLS_LEAST = 100 };

enum name { ANN, BOB, DOMAIN_Y, DOMAIN_NEW, NAME_COUNT };
static const char *const names[] = {"ann@x", "bob@y", "@y", "@new.org"};
_Static_assert(ARRAY_LEN(names) == NAME_COUNT, "a name lacks its text");

/* What the child has done so far. Versions count from 1; 0 is none. */
struct board {
	struct calls calls;
	atomic_uint begun; /* the last version of which a save has begun */
	atomic_uint saved; /* there is this one or a later one; 0: perhaps none */
	/* The last version that was wrong when it was told, and when that was acknowledged. */
	atomic_uint told[NAME_COUNT], acked[NAME_COUNT], rows_told, rows_acked;
	atomic_bool is_over;
};
static struct board *board;

/* ---- the story, in the child */

static void
tell(enum name name)
{
	board->told[name] = board->begun;
	snapshot_change(snapshot, str_of(names[name]));
}

static void
tell_and_acknowledge(enum name name)
{
	unsigned version = board->begun;

	tell(name);
	must(sync_now());
	board->acked[name] = version;
}

/* The domain "vN" says which version it is, also when all findings are void. */
static void
version_begin(unsigned version)
{
	static char words[128];

	snprintf(words, sizeof(words), "(x) (y) (v%u) ann@x=v%u bob@y=v%u complete", version,
	    version, version);
	at = knows = words;
	board->begun = version;
	snapshot_start(snapshot);
}

static bool
has_begun_bob(void *ctx)
{
	return at != NULL && strncmp(at, "bob", 3) == 0;
}

static void
version_save(unsigned version, enum name changes_meanwhile)
{
	struct snapshot_status status;

	snapshot_count(snapshot, &status);
	status.saves++;
	version_begin(version);
	if (changes_meanwhile != NAME_COUNT) {
		must(loop_run_until(loop, has_begun_bob, NULL, 20000));
		tell_and_acknowledge(changes_meanwhile);
	}
	must(loop_run_until(loop, has_saved, &status.saves, 20000));
	snapshot_stop(snapshot);
	board->saved = version;
}

/* More than tombs may have before it is written anew. */
static void
tell_much(void)
{
	char name[10000] = "";

	memset(name, 'n', sizeof(name));
	for (int i = 0; i < 110; i++)
		snapshot_change(snapshot, str_make(name, sizeof(name)));
}

static void
rows_remove(void)
{
	unsigned version = board->begun;

	synced = refused = 0;
	board->rows_told = version;
	if (!snapshot_remove(snapshot, on_synced, NULL))
		must(loop_run_until(loop, has_answered, NULL, 20000) && refused == 0);
	board->rows_acked = version;
}

static void
story(void)
{
	loop = loop_new();
	node_start();
	version_save(1, NAME_COUNT);
	tell_and_acknowledge(ANN);
	version_save(2, BOB); /* its row is still to come, and must not be believed */
	tell_and_acknowledge(DOMAIN_NEW);
	tell_much();
	version_save(3, DOMAIN_Y); /* and tombs is written anew */
	must(sync_now());
	node_stop();
	node_start(); /* by which tombs is written anew, too */
	fails = true;
	board->saved = 0; /* both are removed: no matter of which call */
	tell_and_acknowledge(ANN);
	fails = false;
	version_save(4, NAME_COUNT);
	tell(BOB); /* on its way when the next save ends */
	version_save(5, ANN);
	tell_and_acknowledge(DOMAIN_Y);
	rows_remove();
	node_stop();
	loop_free(&loop);
	board->is_over = true;
}

/* ---- what the next process gets */

static bool
got_word(const char *word)
{
	char spaced[64], all[512];

	snprintf(spaced, sizeof(spaced), " %s ", word);
	snprintf(all, sizeof(all), " %s", buf_cstr(&got));
	return strstr(all, spaced) != NULL;
}

static bool
got_version(const char *of, unsigned version)
{
	char word[64];

	snprintf(word, sizeof(word), "%sv%u%s", of, version, of[0] == '(' ? ")" : "");
	return got_word(word);
}

/* Until which version this name's row was made wrong, and that was told or acknowledged. */
static unsigned
void_until(enum name name, const atomic_uint *of_names, unsigned of_rows)
{
	unsigned until = of_names[name] > of_rows ? of_names[name] : of_rows;

	return name == BOB && of_names[DOMAIN_Y] > until ? of_names[DOMAIN_Y] : until;
}

static const char *
row_fault(enum name name, const char *of, unsigned version)
{
	if (got_version(of, version))
		return void_until(name, board->acked, board->rows_acked) >= version
			   ? "a name whose tombstone was acknowledged"
			   : NULL;
	return void_until(name, board->told, board->rows_told) < version ? "a row is missing"
									 : NULL;
}

/* NULL, or what is wrong with what we got. */
static const char *
got_fault(void)
{
	unsigned version = 1;

	while (version <= board->begun && !got_version("(", version))
		version++;
	if (buf_len(&got) == 0)
		return board->saved == 0 ? NULL : "nothing, and a save was complete";
	if (version > board->begun || version < board->saved)
		return "a version that cannot be";
	if (!got_word("(x)") || !got_word("(y)") || !got_word("complete"))
		return "not whole";
	for (unsigned other = 1; other <= board->begun; other++) {
		if (other != version && (got_version("(", other) || got_version("ann@x=", other) ||
					    got_version("bob@y=", other)))
			return "of two versions";
	}
	if (board->acked[DOMAIN_NEW] >= version && !got_word("(new.org?)"))
		return "a domain that was acknowledged is not in the list";
	if (board->acked[DOMAIN_Y] >= version && !got_word("(y?)"))
		return "a domain that was acknowledged is sure";
	if (row_fault(ANN, "ann@x=", version) != NULL)
		return row_fault(ANN, "ann@x=", version);
	return row_fault(BOB, "bob@y=", version);
}

static void
look(void)
{
	alarm(LOAD_S);
	loop = loop_new();
	for (int i = 0; i < 2; i++) { /* the one after it gets the same */
		node_start();
		if (got_fault() != NULL)
			fail_msg("%s at call %u, %s, start %d: %s: \"%s\"; saved %u begun %u",
			    loses ? "power lost" : "killed", die_at, call_names[board->calls.last],
			    i, got_fault(), buf_cstr(&got), board->saved, board->begun);
		node_stop();
	}
	loop_free(&loop);
	alarm(0);
}

/* ---- dying */

static void
files_remove(void)
{
	static const char *const ends[] = {"", ".new", ".before"};
	char name[160];

	for (size_t i = 0; i < 2 * ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", places[i % 2].path, ends[i / 2]);
		remove_name(name);
	}
}

/* False: it has told its story to the end. */
static bool
live_and_die(void)
{
	int status;
	pid_t pid;

	files_remove();
	memset(board, 0, sizeof(*board));
	fflush(NULL);
	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(CHILD_S);
		story();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		fail_msg("call %u: the child hangs after %u", die_at, board->calls.count);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && board->calls.count >= die_at)
		return true;
	if (status != 0 || !board->is_over || board->calls.count >= die_at)
		fail_msg("call %u of %u: the child ended with status %#x", die_at,
		    board->calls.count, (unsigned)status);
	return false;
}

static void
die_everywhere(void)
{
	unsigned deaths[CALL_COUNT] = {0};

	for (die_at = 1; live_and_die(); die_at++) {
		deaths[board->calls.last]++;
		look();
	}
	look(); /* and when nobody dies at all */
	print_message("%u deaths:", die_at - 1);
	for (size_t i = 0; i < CALL_COUNT; i++) {
		print_message(" %u at %s", deaths[i], call_names[i]);
		assert_true(deaths[i] > 0);
	}
	print_message("\n");
	assert_true(die_at > CALLS_LEAST);
}

static void
test_A20_killed_at_each_call_it_leaves_one_version_whole(void **state)
{
	loses = false;
	die_everywhere();
}

static void
test_A20_without_power_from_each_call_on_too(void **state)
{
	loses = true;
	die_everywhere();
}

static int
begin_test(void **state)
{
	if (setup(state) == -1)
		return -1;
	settings.save_every_ms = 100000;
	node_stop();
	loop_free(&loop);
	board =
	    mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	tester = getpid();
	calls = &board->calls;
	return board == MAP_FAILED ? -1 : 0;
}

static int
end_test(void **state)
{
	if (getpid() != tester)
		_exit(EXIT_FAILURE); /* something was wrong in the child, and said so */
	files_remove();
	munmap(board, sizeof(*board));
	return teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_A20_killed_at_each_call_it_leaves_one_version_whole),
	    TEST(test_A20_without_power_from_each_call_on_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
