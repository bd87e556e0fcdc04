/*
 * test_lease.c - how long what we remember may be believed
 */
#include "map/lease.h"

#include "base/mem.h"

#include "unit.h"

/*
 * A story: b = a heartbeat is sent, e = the next echo, c = the next reading with
 * this length, n = a new session, x = the end, each at a time.
 */
static const struct {
	const char *name;
	struct {
		char what;
		uint64_t at_ms;
		uint32_t length_ms;
	} steps[8];
	uint64_t until_ms;
} rows[] = {
    {"it counts from sending, not from the answer",
	{{'b', 100, 0}, {'e', 900, 0}, {'c', 950, 1000}}, 1100},
    {"the halves come in either order", {{'b', 100, 0}, {'c', 200, 1000}, {'e', 300, 0}}, 1100},
    {"an echo alone is nothing", {{'b', 100, 0}, {'e', 200, 0}}, 0},
    {"a reading alone is nothing", {{'b', 100, 0}, {'c', 200, 1000}}, 0},
    {"halves of different heartbeats make none",
	{{'b', 100, 0}, {'e', 150, 0}, {'c', 160, 1000}, {'b', 500, 0}, {'e', 550, 0}}, 1100},
    {"each heartbeat has a length of its own",
	{{'b', 100, 0}, {'b', 200, 0}, {'e', 300, 0}, {'e', 300, 0}, {'c', 300, 5000},
	    {'c', 300, 1000}},
	5100},
    {"a shorter length shortens nothing that was granted",
	{{'b', 0, 0}, {'e', 1, 0}, {'c', 1, 5000}, {'b', 100, 0}, {'e', 101, 0}, {'c', 101, 50}},
	5000},
    {"a confirmation without renewal", {{'b', 100, 0}, {'e', 200, 0}, {'c', 200, 0}}, 0},
    {"it outlives the session", {{'b', 100, 0}, {'e', 200, 0}, {'c', 200, 1000}, {'n', 300, 0}},
	1100},
    {"a heartbeat of the old session renews nothing in the new",
	{{'b', 100, 0}, {'e', 200, 0}, {'n', 300, 0}, {'b', 400, 0}, {'c', 500, 1000}}, 0},
};

static void
a_lease_ends_its_length_after_the_heartbeat_was_sent(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease lease = {0};
		uint64_t echo = 0;
		bool right = true;

		lease_session(&lease, 0, 0);
		for (size_t k = 0; k < ARRAY_LEN(rows[i].steps) && rows[i].steps[k].what; k++) {
			switch (rows[i].steps[k].what) {
			case 'b':
				assert_int_not_equal(lease_beat(&lease, rows[i].steps[k].at_ms, 0),
				    0);
				break;
			case 'e':
				lease_echo(&lease, ++echo, &right);
				assert_true(right);
				break;
			case 'c':
				lease_confirm(&lease, rows[i].steps[k].length_ms, 0);
				break;
			case 'n':
				lease_session(&lease, rows[i].steps[k].at_ms, 0);
				echo = 0;
				break;
			}
		}
		if (lease.until_ms != rows[i].until_ms)
			fail_msg("%s: until %llu", rows[i].name,
			    (unsigned long long)lease.until_ms);
		assert_false(lease_runs(&lease, rows[i].until_ms));
		if (rows[i].until_ms > 0) {
			assert_true(lease_runs(&lease, rows[i].until_ms - 1));
			assert_int_equal(lease_left_ms(&lease, rows[i].until_ms - 1), 1);
		}
	}
}

static void
an_echo_that_was_not_asked_for_is_wrong(void **state)
{
	struct lease lease = {0};
	bool right;

	lease_session(&lease, 0, 0);
	lease_echo(&lease, 1, &right);
	assert_false(right);
	lease_beat(&lease, 1, 0);
	lease_beat(&lease, 2, 0);
	lease_echo(&lease, 2, &right);
	assert_false(right);
	lease_echo(&lease, 1, &right);
	assert_true(right);
}

static void
silence_counts_from_the_last_success(void **state)
{
	struct lease lease = {0};
	bool right;

	lease_session(&lease, 1000, 0);
	assert_int_equal(lease_silence_ms(&lease, 1500), 500);
	lease_beat(&lease, 2000, 0);
	lease_echo(&lease, 1, &right);
	assert_int_equal(lease_silence_ms(&lease, 2500), 1500);
	assert_true(lease_confirm(&lease, 100, 0));
	assert_int_equal(lease_silence_ms(&lease, 2500), 500);
}

static void
heartbeats_on_their_way_are_bounded(void **state)
{
	struct lease lease = {0};
	bool right;

	lease_session(&lease, 0, 0);
	for (uint64_t i = 1; i <= LEASE_BEATS_MOST; i++)
		assert_int_equal(lease_beat(&lease, i, 0), i);
	assert_int_equal(lease_beat(&lease, 1000, 0), 0);
	lease_echo(&lease, 1, &right);
	assert_true(lease_confirm(&lease, 500, 0));
	assert_int_equal(lease.until_ms, 501);
	assert_int_equal(lease_beat(&lease, 1000, 0), LEASE_BEATS_MOST + 1);
}

/* One heartbeat that is sent at sent_ms and succeeds. */
static void
beat(struct lease *lease, uint64_t sent_ms, uint32_t length_ms, uint32_t grace_ms)
{
	uint64_t number = lease_beat(lease, sent_ms, grace_ms);
	bool right;

	lease_echo(lease, number, &right);
	assert_true(right);
	assert_true(lease_confirm(lease, length_ms, lease->mark));
}

static void
grace_follows_the_lease_as_it_was_declared_when_sent(void **state)
{
	struct lease lease = {0};

	lease_session(&lease, 0, 0);
	beat(&lease, 100, 1000, 5000);
	assert_true(lease_runs(&lease, 1099));
	assert_false(lease_runs(&lease, 1100));
	assert_true(lease_grace_runs(&lease, 1100));
	assert_true(lease_grace_runs(&lease, 6099));
	assert_false(lease_grace_runs(&lease, 6100));
	assert_int_equal(lease_grace_left_ms(&lease, 6000), 100);
	beat(&lease, 200, 1000, 10); /* less is declared now; what was granted stays */
	assert_false(lease_runs(&lease, 1200));
	assert_true(lease_grace_runs(&lease, 6099));
	assert_false(lease_grace_runs(&lease, 6100));
}

static void
a_cut_holds_for_what_was_sent_before_it_and_not_after(void **state)
{
	struct lease lease = {0};
	bool right;

	lease_session(&lease, 0, 0);
	beat(&lease, 100, 15000, 500);
	lease_beat(&lease, 200, 500); /* on its way, and it will say 15000 */
	lease_cut(&lease, 1000);
	assert_int_equal(lease.until_ms, 1000);
	assert_int_equal(lease.grace_until_ms, 1500);
	lease_cut(&lease,
	    9000); /* somebody was told that before: it still holds (window.pml, CAP_LEAST) */
	lease_echo(&lease, 2, &right);
	lease_confirm(&lease, 15000, 0);
	assert_int_equal(lease.until_ms, 1000);
	assert_int_equal(lease.grace_until_ms, 1500);
	lease_cut(&lease, 9000); /* it lengthens nothing */
	assert_int_equal(lease.until_ms, 1000);
	beat(&lease, 300, 2000, 500);
	assert_int_equal(lease.until_ms, 2300);
	assert_int_equal(lease.grace_until_ms, 2800);
}

/*
 * Sent while leases are long, read when they are long again; in between they were
 * short, and somebody relied on it (model: window.pml, BEAT_KNOWS=0).
 */
static void
a_mark_that_was_not_known_when_it_was_sent_only_teaches(void **state)
{
	struct lease lease = {0};
	bool right;

	lease_session(&lease, 0, 5);
	lease_beat(&lease, 100, 0);
	lease_beat(&lease, 200, 0);
	lease_echo(&lease, 1, &right);
	lease_echo(&lease, 2, &right);
	assert_false(lease_confirm(&lease, 60000, 9));
	assert_false(lease_confirm(&lease, 60000, 9));
	assert_int_equal(lease.mark, 9);
	assert_int_equal(lease.until_ms, 0);
	beat(&lease, 300, 1000, 0);
	assert_int_equal(lease.until_ms, 1300);
}

static void
a_mark_is_learned_beside_heartbeats_too_and_never_an_older_one(void **state)
{
	struct lease lease = {0};
	bool right;

	lease_session(&lease, 0, 5);
	lease_beat(&lease, 100, 0);
	lease_teach(&lease, 9);
	lease_teach(&lease, 7);
	assert_int_equal(lease.mark, 9);
	lease_echo(&lease, 1, &right);
	assert_true(lease_confirm(&lease, 1000, 5)); /* it had read this before */
	assert_int_equal(lease.mark, 9);
	beat(&lease, 200, 1000, 0);
	assert_int_equal(lease.until_ms, 1200);
}

/* An editor's doing, and no reason to answer nobody for ever. */
static void
a_mark_that_went_back_is_learned_by_who_knew_it_before(void **state)
{
	struct lease lease = {0};
	bool right;

	lease_session(&lease, 0, 5);
	lease_beat(&lease, 100, 0);
	lease_echo(&lease, 1, &right);
	assert_false(lease_confirm(&lease, 1000, 0));
	assert_int_equal(lease.mark, 0);
	beat(&lease, 200, 1000, 0);
	assert_int_equal(lease.until_ms, 1200);
}

static void
the_end_is_the_end_of_both_until_the_next_heartbeat(void **state)
{
	struct lease lease = {0};

	lease_session(&lease, 0, 0);
	beat(&lease, 100, 1000, 5000);
	lease_end(&lease);
	assert_false(lease_runs(&lease, 101));
	assert_false(lease_grace_runs(&lease, 101));
	beat(&lease, 200, 1000, 0);
	assert_true(lease_runs(&lease, 1199));
	assert_false(lease_grace_runs(&lease, 1200));
}

static void
what_an_earlier_process_was_granted_is_a_grace(void **state)
{
	struct lease lease = {0};

	lease_restore(&lease, 700);
	assert_false(lease_runs(&lease, 1));
	assert_true(lease_grace_runs(&lease, 699));
	assert_false(lease_grace_runs(&lease, 700));
}

static void
who_waits_for_a_lease_waits_a_little_longer(void **state)
{
	assert_int_equal(lease_wait_ms(15000), 15250);
	assert_int_equal(lease_wait_ms(86400000), 87264100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lease_ends_its_length_after_the_heartbeat_was_sent),
	    cmocka_unit_test(an_echo_that_was_not_asked_for_is_wrong),
	    cmocka_unit_test(silence_counts_from_the_last_success),
	    cmocka_unit_test(heartbeats_on_their_way_are_bounded),
	    cmocka_unit_test(grace_follows_the_lease_as_it_was_declared_when_sent),
	    cmocka_unit_test(a_cut_holds_for_what_was_sent_before_it_and_not_after),
	    cmocka_unit_test(a_mark_that_was_not_known_when_it_was_sent_only_teaches),
	    cmocka_unit_test(a_mark_is_learned_beside_heartbeats_too_and_never_an_older_one),
	    cmocka_unit_test(a_mark_that_went_back_is_learned_by_who_knew_it_before),
	    cmocka_unit_test(the_end_is_the_end_of_both_until_the_next_heartbeat),
	    cmocka_unit_test(what_an_earlier_process_was_granted_is_a_grace),
	    cmocka_unit_test(who_waits_for_a_lease_waits_a_little_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
