/*
 * test_ledger.c - what has arrived is in the file, whatever becomes of its writer
 */
#include "policy/ledger.h"

#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "unit.h"

enum { T = 1763730000 };

static char node[80], file[96], sent[112], lock[112];

static int
make(void **state)
{
	if (scratch_make(state) == -1)
		return -1;
	snprintf(node, sizeof(node), "%s/policyd-0", scratch_dir);
	snprintf(file, sizeof(file), "%s.arrivals", node);
	snprintf(sent, sizeof(sent), "%s.sent", file);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	return 0;
}

static int
empty(void **state)
{
	unlink(file);
	unlink(sent);
	unlink(lock);
	return 0;
}

static struct ledger *
open_ledger(void)
{
	struct fault fault;
	struct ledger *ledger = ledger_open(node, T, &fault);

	if (ledger == NULL)
		fail_msg("%s", fault.text);
	return ledger;
}

static int
add(struct ledger *ledger, unsigned number)
{
	char text[200];
	struct report report;
	struct fault fault;
	int rc;

	snprintf(text, sizeof(text),
	    "{\"id\":\"%032x\",\"from\":\"mx1\",\"lost\":0,\"accounts\":[[\"a@x.org\",\"new\",false]]}",
	    number);
	assert_int_equal(report_read(&report, str_of(text), &fault), 0);
	rc = ledger_add(ledger, &report, T + number, &fault);
	report_fini(&report);
	return rc;
}

/* "7: 1 2 3 ?it burned", the number of the batch and what is in it; "" where there is none. */
static const char *
batch(struct ledger *ledger)
{
	static char room[512];
	struct buf lines, text = BUF_INIT;
	struct ledger_line line;
	struct fault fault;
	struct str rest;
	struct arrivals_place place;
	int rc = ledger_batch(ledger, T, &lines, &place, &fault);

	room[0] = '\0';
	if (rc == -1)
		fail_msg("%s", fault.text);
	if (rc == 0)
		return room;
	buf_addf(&text, "%u:", (unsigned)place.batch);
	assert_true(arrivals_series_is_valid(str_of(place.series)));
	for (rest = buf_str(&lines); ledger_line_next(&rest, &line); ledger_line_fini(&line)) {
		if (line.kind == LEDGER_REPORT)
			buf_addf(&text, " %u", (unsigned)(line.at_s - T));
		else if (line.kind == LEDGER_UNKNOWN)
			buf_addf(&text, " ?%.*s", STR_FMT(line.reason));
		else if (line.kind == LEDGER_DAMAGED)
			buf_add_text(&text, " !");
	}
	snprintf(room, sizeof(room), "%s", buf_cstr(&text));
	buf_fini(&text);
	buf_fini(&lines);
	return room;
}

static void
done(struct ledger *ledger)
{
	struct fault fault;

	assert_int_equal(ledger_done(ledger, &fault), 0);
}

static void
reports_become_batches(void **state)
{
	struct ledger *ledger = open_ledger();

	assert_true(ledger_is_empty(ledger));
	assert_string_equal(batch(ledger), "");
	assert_int_equal(add(ledger, 1), 0);
	assert_int_equal(add(ledger, 2), 0);
	assert_false(ledger_is_empty(ledger));
	assert_string_equal(batch(ledger), "1: 1 2");
	assert_int_equal(add(ledger, 3), 0); /* while the first is on its way */
	assert_string_equal(batch(ledger), "1: 1 2");
	done(ledger);
	assert_string_equal(batch(ledger), "2: 3");
	done(ledger);
	assert_string_equal(batch(ledger), "");
	assert_true(ledger_is_empty(ledger));
	ledger_close(&ledger, true);
}

/* Not closed is killed: what write(2) has taken is there. */
static void
who_is_killed_loses_nothing(void **state)
{
	struct ledger *ledger = open_ledger();

	assert_int_equal(add(ledger, 1), 0);
	ledger_close(&ledger, false);
	ledger = open_ledger();
	assert_int_equal(add(ledger, 2), 0);
	assert_string_equal(batch(ledger), "1: 1 2");
	assert_int_equal(add(ledger, 3), 0);
	ledger_close(&ledger, false);
	ledger = open_ledger(); /* with a batch in hand */
	assert_string_equal(batch(ledger), "1: 1 2");
	done(ledger);
	ledger_close(&ledger, false);
	ledger = open_ledger();
	assert_string_equal(batch(ledger), "2: 3");
	assert_int_equal(unlink(file), 0); /* between renaming and making the next */
	ledger_close(&ledger, false);
	ledger = open_ledger();
	assert_int_equal(add(ledger, 4), 0);
	assert_string_equal(batch(ledger), "2: 3");
	done(ledger);
	assert_string_equal(batch(ledger), "3: 4");
	ledger_close(&ledger, false);
}

static void
rewrite(const char *name, struct str text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text.ptr, text.len), (ssize_t)text.len);
	close(fd);
}

/* Killed in the middle of write(2), at every place: the torn line was never said to be kept. */
static void
a_torn_line_is_none_wherever_it_was_torn(void **state)
{
	struct ledger *ledger = open_ledger();
	struct buf text = BUF_INIT;
	size_t one;
	struct stat st;

	assert_int_equal(add(ledger, 1), 0);
	assert_int_equal(stat(file, &st), 0);
	one = (size_t)st.st_size;
	assert_int_equal(add(ledger, 2), 0);
	ledger_close(&ledger, false);
	assert_int_equal(file_read(file, &text), 0);
	for (size_t len = one; len < buf_len(&text); len++) {
		empty(state);
		rewrite(file, str_make(buf_str(&text).ptr, len));
		ledger = open_ledger();
		assert_int_equal(add(ledger, 3), 0);
		assert_string_equal(batch(ledger), "1: 1 3");
		ledger_close(&ledger, false);
	}
	buf_fini(&text);
}

#define CRASH "the host of a policyd went down before what had arrived was surely on its disk"
#define DAMAGE "a policyd's file of arrivals was damaged"

static void
a_host_that_went_down_makes_it_unknown(void **state)
{
	struct buf text = BUF_INIT;
	struct ledger *ledger;

	ledger_line_head(&text, "0123456789abcdef", 7, "another boot");
	rewrite(file, buf_str(&text));
	ledger = open_ledger();
	assert_int_equal(add(ledger, 1), 0);
	assert_string_equal(batch(ledger), "7: ?" CRASH " 1");
	ledger_close(&ledger, false);

	empty(state); /* it had ended before that */
	ledger_line_clean(&text);
	rewrite(file, buf_str(&text));
	ledger = open_ledger();
	assert_int_equal(add(ledger, 1), 0);
	assert_string_equal(batch(ledger), "7: 1");
	ledger_close(&ledger, false);

	empty(state); /* it began again, and had not ended */
	ledger_line_boot(&text, "yet another boot");
	rewrite(file, buf_str(&text));
	ledger = open_ledger();
	assert_string_equal(batch(ledger), "7: ?" CRASH);
	ledger_close(&ledger, false);

	empty(state); /* only the batch in hand is left */
	rewrite(sent, buf_str(&text));
	ledger = open_ledger();
	assert_string_equal(batch(ledger), "7:");
	done(ledger);
	assert_string_equal(batch(ledger), "8: ?" CRASH);
	ledger_close(&ledger, false);

	empty(state); /* its content never came to the disk */
	rewrite(file, STR(""));
	ledger = open_ledger();
	assert_string_equal(batch(ledger), "1: ?" CRASH);
	ledger_close(&ledger, false);

	empty(state); /* nor did the head of the batch in hand: it is one all the same, and ends */
	rewrite(sent, STR("0123456789abcdef is no head\n"));
	rewrite(file, STR(""));
	ledger = open_ledger();
	assert_string_equal(batch(ledger), "1: !");
	done(ledger);
	assert_string_equal(batch(ledger), "2: ?" CRASH);
	ledger_close(&ledger, false);
	buf_fini(&text);
}

/* Mounts over it what says nothing, seen by this process only. */
static bool
hide_boot_id(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       mount("/dev/null", "/proc/sys/kernel/random/boot_id", NULL, MS_BIND, NULL) == 0;
}

/* As where /proc/sys is hidden: nobody can say that it is the same boot, so it is not. */
static void
who_cannot_tell_the_boot_doubts_any_end_but_a_clean_one(void **state)
{
	struct ledger *ledger;
	bool is_doubted;
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (!hide_boot_id())
			_exit(77);
		ledger = open_ledger();
		assert_int_equal(add(ledger, 1), 0);
		ledger_close(&ledger, false);
		ledger = open_ledger(); /* with the same number of the process, even */
		is_doubted = strstr(batch(ledger), "?" CRASH) != NULL;
		ledger_close(&ledger, false);
		_exit(is_doubted ? 0 : 1);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* this host has no namespaces for us */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_clean_end_is_not_doubted(void **state)
{
	struct ledger *ledger = open_ledger();
	struct buf text = BUF_INIT;
	struct str rest;
	struct ledger_line line;
	enum ledger_kind last = LEDGER_DAMAGED;

	assert_int_equal(add(ledger, 1), 0);
	ledger_close(&ledger, true);
	assert_int_equal(file_read(file, &text), 0);
	for (rest = buf_str(&text); ledger_line_next(&rest, &line); ledger_line_fini(&line))
		last = line.kind;
	assert_int_equal(last, LEDGER_CLEAN);
	ledger = open_ledger();
	assert_string_equal(batch(ledger), "1: 1");
	ledger_close(&ledger, true);
	buf_fini(&text);
}

static void
a_damaged_line_makes_it_unknown(void **state)
{
	struct ledger *ledger = open_ledger();
	struct buf text = BUF_INIT;

	assert_int_equal(add(ledger, 1), 0);
	assert_int_equal(add(ledger, 2), 0);
	ledger_close(&ledger, true);
	assert_int_equal(file_read(file, &text), 0);
	text.mem[text.start + buf_len(&text) / 2] ^= 1; /* in the first or the second */
	rewrite(file, buf_str(&text));
	ledger = open_ledger();
	assert_non_null(strstr(batch(ledger), "?" DAMAGE));
	ledger_close(&ledger, true);
	buf_fini(&text);
}

static void
only_one_has_it_open(void **state)
{
	struct ledger *ledger = open_ledger(), *other;
	struct fault fault;

	assert_null(other = ledger_open(node, T, &fault));
	assert_int_equal(fault.verdict, VERDICT_TEMP);
	ledger_close(&ledger, true);
	other = open_ledger();
	ledger_close(&other, true);
}

static void
a_file_that_somebody_removed_makes_it_unknown(void **state)
{
	struct ledger *ledger = open_ledger();

	assert_int_equal(add(ledger, 1), 0);
	assert_int_equal(unlink(file), 0);
	assert_string_equal(batch(ledger), "");
	assert_int_equal(add(ledger, 2), 0);
	assert_string_equal(batch(ledger), "2: ?" DAMAGE " 2");
	assert_int_equal(unlink(sent), 0);
	assert_string_equal(batch(ledger), "");
	assert_string_equal(batch(ledger), "3: ?" DAMAGE);
	done(ledger);
	assert_true(ledger_is_empty(ledger));
	ledger_close(&ledger, true);
}

static void
a_full_file_takes_no_more_and_says_so_once(void **state)
{
	struct ledger *ledger = open_ledger();
	struct report report;
	struct fault fault;
	struct buf text = BUF_INIT;
	size_t full = 0;

	buf_add_text(&text,
	    "{\"id\":\"00112233445566778899aabbccddeeff\",\"from\":\"mx1\",\"lost\":0,"
	    "\"accounts\":[[\"a@x.org\",\"new\",false]");
	for (int i = 0; i < 3000; i++)
		buf_add_text(&text, ",[\"a@x.org\",\"new\",false]");
	buf_add_text(&text, "]}");
	assert_int_equal(report_read(&report, buf_str(&text), &fault), 0);
	for (size_t i = 0; i < 2 * LEDGER_MOST_BYTES / buf_len(&text); i++)
		full += ledger_add(ledger, &report, T, &fault) == -1;
	assert_true(full > 0);
	assert_int_equal(fault.verdict, VERDICT_TEMP);
	assert_true(ledger_bytes(ledger) < LEDGER_MOST_BYTES + 1000);
	assert_non_null(strstr(batch(ledger), " ?a policyd's file of arrivals was full"));
	assert_null(strstr(strchr(batch(ledger), '?') + 1, "?"));
	assert_int_equal(add(ledger, 1), 0); /* in the next one */
	done(ledger);
	assert_string_equal(batch(ledger), "2: 1");
	report_fini(&report);
	buf_fini(&text);
	ledger_close(&ledger, true);
}

/* As on a full disk: write(2) takes a part, or nothing. */
static void
what_the_disk_does_not_take_is_not_kept_and_becomes_unknown(void **state)
{
	struct rlimit was, now;
	struct ledger *ledger = open_ledger();
	struct stat st;

	assert_int_equal(add(ledger, 1), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t more = 0; more < 100; more += 33) {
		now = (struct rlimit){(rlim_t)st.st_size + more, was.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
		assert_int_equal(add(ledger, 2), -1);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(add(ledger, 3), 0);
	assert_string_equal(batch(ledger),
	    "1: 1 ?a policyd could not write its file of arrivals 3");
	ledger_close(&ledger, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(reports_become_batches, empty),
	    cmocka_unit_test_setup(who_is_killed_loses_nothing, empty),
	    cmocka_unit_test_setup(a_torn_line_is_none_wherever_it_was_torn, empty),
	    cmocka_unit_test_setup(a_host_that_went_down_makes_it_unknown, empty),
	    cmocka_unit_test_setup(who_cannot_tell_the_boot_doubts_any_end_but_a_clean_one, empty),
	    cmocka_unit_test_setup(a_clean_end_is_not_doubted, empty),
	    cmocka_unit_test_setup(a_damaged_line_makes_it_unknown, empty),
	    cmocka_unit_test_setup(only_one_has_it_open, empty),
	    cmocka_unit_test_setup(a_file_that_somebody_removed_makes_it_unknown, empty),
	    cmocka_unit_test_setup(a_full_file_takes_no_more_and_says_so_once, empty),
	    cmocka_unit_test_setup(what_the_disk_does_not_take_is_not_kept_and_becomes_unknown,
		empty),
	};
	int failed;

	if (make(NULL) == -1)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	empty(NULL);
	scratch_remove(NULL);
	return failed;
}
