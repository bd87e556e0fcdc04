/*
 * test_kick.c - commands that are run, and collected
 */
#include "front/kick.h"

#include "base/mem.h"
#include "scratch.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOON_MS = 10000 };

struct house {
	struct loop *loop;
	struct kicks *kicks;
	struct kick *kick;
	char said[64]; /* the file that commands write to */
};

static void
house_init(struct house *house, const char *command, uint64_t most_ms)
{
	const char *const words[] = {"/bin/sh", "-c", command, "%a", house->said};
	struct fault fault;

	*house = (struct house){.loop = loop_new()};
	snprintf(house->said, sizeof(house->said), "%s", path);
	house->kicks = kicks_new(house->loop, most_ms);
	assert_int_equal(kick_new(words, ARRAY_LEN(words), &house->kick, &fault), 0);
}

static void
house_fini(struct house *house)
{
	kick_free(&house->kick);
	kicks_free(&house->kicks);
	loop_free(&house->loop);
	unlink(house->said);
}

static void
house_kick(struct house *house, const char *account)
{
	kick_run(house->kick, house->kicks, str_of(account), STR("old"));
}

/* Nobody asks for another command, and still no child is left. */
static bool
all_are_collected(void *ctx)
{
	const struct house *house = ctx;

	return kicks_running(house->kicks) == 0 && waitpid(-1, NULL, WNOHANG) == -1 &&
	       errno == ECHILD;
}

static const char *
said(const struct house *house, char text_r[static 256])
{
	FILE *file = fopen(house->said, "r");
	size_t len;

	assert_non_null(file);
	len = fread(text_r, 1, 255, file);
	text_r[len] = '\0';
	fclose(file);
	return text_r;
}

static void
what_has_ended_is_collected(void **state)
{
	struct house house;
	char text[256];

	house_init(&house, "echo \"$0\" >>\"$1\"; exit 3", KICK_MOST_MS);
	house_kick(&house, "ann@example.org");
	assert_int_equal(kicks_running(house.kicks), 1);
	assert_true(loop_run_until(house.loop, all_are_collected, &house, SOON_MS));
	assert_string_equal(said(&house, text), "ann@example.org\n");
	house_fini(&house);
}

static void
what_runs_outlives_a_reload(void **state)
{
	struct house house;

	house_init(&house, "sleep 0.2", KICK_MOST_MS);
	house_kick(&house, "ann@example.org");
	kick_free(&house.kick);
	assert_true(loop_run_until(house.loop, all_are_collected, &house, SOON_MS));
	house_fini(&house);
}

static void
a_hundred_sessions_of_an_account_are_kicked_once(void **state)
{
	struct house house;
	char text[256];

	house_init(&house, "echo \"$0\" >>\"$1\"; sleep 0.1", KICK_MOST_MS);
	for (int i = 0; i < 100; i++)
		house_kick(&house, "ann@example.org");
	assert_true(loop_run_until(house.loop, all_are_collected, &house, SOON_MS));
	house_kick(&house, "bob@example.org");
	assert_int_equal(kicks_running(house.kicks), 1);
	assert_true(loop_run_until(house.loop, all_are_collected, &house, SOON_MS));
	assert_string_equal(said(&house, text), "ann@example.org\nbob@example.org\n");
	house_fini(&house);
}

static void
what_does_not_end_is_killed(void **state)
{
	struct house house;

	house_init(&house, "sleep 60 & sleep 60", 50);
	house_kick(&house, "ann@example.org");
	assert_true(loop_run_until(house.loop, all_are_collected, &house, SOON_MS));
	house_fini(&house);
}

static void
no_more_run_than_may(void **state)
{
	struct house house;
	char account[32];

	house_init(&house, "sleep 0.3", KICK_MOST_MS);
	for (int i = 0; i < 2 * KICKS_MOST; i++) {
		snprintf(account, sizeof(account), "user%d@example.org", i);
		house_kick(&house, account);
	}
	assert_int_equal(kicks_running(house.kicks), KICKS_MOST);
	assert_true(loop_run_until(house.loop, all_are_collected, &house, SOON_MS));
	house_fini(&house);
}

static void
a_program_that_is_not_there_is_no_child(void **state)
{
	static const char *const words[] = {"/nonexistent/program", "%a"};
	struct loop *loop = loop_new();
	struct kicks *kicks = kicks_new(loop, KICK_MOST_MS);
	struct fault fault;
	struct kick *kick;

	assert_int_equal(kick_new(words, ARRAY_LEN(words), &kick, &fault), 0);
	kick_run(kick, kicks, STR("ann@example.org"), STR("old"));
	assert_int_equal(kicks_running(kicks), 0);
	kick_free(&kick);
	kicks_free(&kicks);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_has_ended_is_collected),
	    cmocka_unit_test(what_runs_outlives_a_reload),
	    cmocka_unit_test(a_hundred_sessions_of_an_account_are_kicked_once),
	    cmocka_unit_test(what_does_not_end_is_killed),
	    cmocka_unit_test(no_more_run_than_may),
	    cmocka_unit_test(a_program_that_is_not_there_is_no_child),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
