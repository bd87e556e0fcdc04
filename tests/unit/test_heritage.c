/*
 * test_heritage.c - what was left by workers that do not come back
 */
#include "policy/heritage.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "scratch.h"
#include "unit.h"

enum { T = 1763730000 };

static char own[100];

static char *
path_of(unsigned slot)
{
	static char room[100];

	snprintf(room, sizeof(room), "%s/policyd-%u", scratch_dir, slot);
	return room;
}

static int
empty(void **state)
{
	static const char *const what[] = {"arrivals", "arrivals.sent", "arrivals.lock"};

	memcpy(own, path_of(0), sizeof(own));
	for (unsigned slot = 0; slot < HERITAGE_SLOTS_MOST; slot++) {
		for (size_t i = 0; i < ARRAY_LEN(what); i++) {
			char *name = xasprintf("%s.%s", path_of(slot), what[i]);

			unlink(name);
			free(name);
		}
	}
	return 0;
}

static struct ledger *
open_slot(unsigned slot)
{
	struct fault fault;
	struct ledger *ledger = ledger_open(path_of(slot), T, &fault);

	if (ledger == NULL)
		fail_msg("%s", fault.text);
	return ledger;
}

static void
add(struct ledger *ledger)
{
	static const struct str text =
	    STR("{\"id\":\"00112233445566778899aabbccddeeff\",\"from\":\"m\","
		"\"lost\":0,\"accounts\":[[\"a@x.org\",\"new\",false]]}");
	struct report report;
	struct fault fault;

	assert_int_equal(report_read(&report, text, &fault), 0);
	assert_int_equal(ledger_add(ledger, &report, T, &fault), 0);
	report_fini(&report);
}

/* Whose it is, and how many reports; the ledger is worked off and closed. */
static void
take(const char *want_id, size_t want)
{
	char *id;
	struct ledger *ledger = heritage_next(own, "mx1/policyd/0", T, &id);
	struct arrivals_place place;
	struct ledger_line line;
	struct fault fault;
	struct buf lines;
	struct str rest;
	size_t count = 0;

	assert_non_null(ledger);
	assert_string_equal(id, want_id);
	while (ledger_batch(ledger, T, &lines, &place, &fault) == 1) {
		for (rest = buf_str(&lines); ledger_line_next(&rest, &line);
		     ledger_line_fini(&line))
			count += line.kind == LEDGER_REPORT;
		buf_fini(&lines);
		assert_int_equal(ledger_done(ledger, &fault), 0);
	}
	assert_int_equal(count, want);
	ledger_close(&ledger, true);
	free(id);
}

static void
assert_nothing(void)
{
	char *id;

	assert_null(heritage_next(own, "mx1/policyd/0", T, &id));
}

static void
what_nobody_holds_is_found_once(void **state)
{
	struct ledger *mine = open_slot(0), *third = open_slot(3), *last = open_slot(63);

	add(mine);
	add(third);
	add(third);
	add(last);
	assert_nothing(); /* they live */
	ledger_close(&third, false);
	take("mx1/policyd/3", 2);
	assert_nothing();
	ledger_close(&last, true); /* it ended well, while there was no Redis */
	take("mx1/policyd/63", 1);
	assert_nothing();
	third = open_slot(3); /* it comes back after all */
	add(third);
	ledger_close(&third, false);
	take("mx1/policyd/3", 1);
	assert_nothing();
	ledger_close(&mine, true);
}

static void
a_batch_that_was_in_hand_is_found(void **state)
{
	struct ledger *third = open_slot(3);
	struct arrivals_place place;
	struct fault fault;
	struct buf lines;

	add(third);
	assert_int_equal(ledger_batch(third, T, &lines, &place, &fault), 1);
	buf_fini(&lines);
	ledger_close(&third, true);
	take("mx1/policyd/3", 1);
	assert_nothing();
}

static void
who_was_killed_and_had_nothing_is_looked_at_once(void **state)
{
	struct ledger *third = open_slot(3);

	ledger_close(&third, false);
	assert_true(ledger_is_left(path_of(3)));
	assert_nothing();
	assert_false(ledger_is_left(path_of(3)));
	assert_false(ledger_is_left(path_of(4)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_nobody_holds_is_found_once, empty),
	    cmocka_unit_test_setup(a_batch_that_was_in_hand_is_found, empty),
	    cmocka_unit_test_setup(who_was_killed_and_had_nothing_is_looked_at_once, empty),
	};
	int failed;

	if (scratch_make(NULL) == -1)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	empty(NULL);
	scratch_remove(NULL);
	return failed;
}
