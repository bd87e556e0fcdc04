/*
 * test_crowd.c - who is here from which address, and who guesses
 */
#include "front/crowd.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static struct sockaddr_storage
at(const char *text)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		address.ss_family = AF_INET;
		v4->sin_port = (in_port_t)rand();
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		address.ss_family = AF_INET6;
		v6->sin6_port = (in_port_t)rand();
		v6->sin6_scope_id = (uint32_t)rand();
	} else {
		assert_string_equal(text, "unix");
		address.ss_family = AF_UNIX;
	}
	return address;
}

/* ---- by address */

static bool
enters(struct crowd *crowd, const char *from, size_t most)
{
	struct sockaddr_storage address = at(from);

	return crowd_enter(crowd, &address, most);
}

static void
leaves(struct crowd *crowd, const char *from)
{
	struct sockaddr_storage address = at(from);

	crowd_leave(crowd, &address);
}

static bool
parks(struct crowd *crowd, const char *from, size_t most)
{
	struct sockaddr_storage address = at(from);

	return crowd_park(crowd, &address, most);
}

static void
unparks(struct crowd *crowd, const char *from)
{
	struct sockaddr_storage address = at(from);

	crowd_unpark(crowd, &address);
}

static void
an_address_has_so_many_places_and_gets_them_back(void **state)
{
	struct crowd *crowd = crowd_new();

	assert_true(enters(crowd, "192.0.2.1", 2));
	assert_true(enters(crowd, "192.0.2.1", 2));
	assert_false(enters(crowd, "192.0.2.1", 2));
	assert_true(enters(crowd, "192.0.2.2", 2));
	leaves(crowd, "192.0.2.1");
	assert_true(enters(crowd, "192.0.2.1", 2));
	assert_false(enters(crowd, "192.0.2.1", 2));
	assert_false(enters(crowd, "192.0.2.1", 1)); /* a reload has lowered it */
	assert_true(enters(crowd, "192.0.2.1", 3));
	leaves(crowd, "192.0.2.2");
	leaves(crowd, "192.0.2.1");
	leaves(crowd, "192.0.2.1");
	leaves(crowd, "192.0.2.1");
	assert_true(enters(crowd, "192.0.2.1", 1));
	crowd_free(&crowd); /* who is still here is forgotten */
	assert_null(crowd);
	crowd_free(&crowd);
}

static void
which_addresses_are_one(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} rows[] = {
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
	    {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
	    {"::ffff:192.0.2.1", "192.0.2.1", true},
	    {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
	    {"::ffff:192.0.2.1", "::1", false},
	    {"192.0.2.1", "c000:201::", false}, /* the same four bytes */
	    {"unix", "unix", true},
	    {"unix", "0.0.0.0", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct crowd *crowd = crowd_new();

		assert_true(enters(crowd, rows[i].one, 1));
		if (enters(crowd, rows[i].other, 1) == rows[i].same)
			fail_msg("%s and %s", rows[i].one, rows[i].other);
		crowd_free(&crowd);
	}
}

static void
test_C10_parked_logins_are_bounded_by_address(void **state)
{
	struct crowd *crowd = crowd_new();

	assert_true(parks(crowd, "192.0.2.1", 2));
	assert_true(parks(crowd, "192.0.2.1", 2));
	assert_false(parks(crowd, "192.0.2.1", 2));
	assert_true(parks(crowd, "192.0.2.2", 1));
	assert_int_equal(crowd_parked(crowd), 3);
	assert_true(enters(crowd, "192.0.2.1", 1)); /* counted on its own */
	unparks(crowd, "192.0.2.1");
	assert_false(enters(crowd, "192.0.2.1", 1));
	assert_true(parks(crowd, "192.0.2.1", 2));
	unparks(crowd, "192.0.2.1");
	unparks(crowd, "192.0.2.1");
	unparks(crowd, "192.0.2.2");
	assert_int_equal(crowd_parked(crowd), 0);
	assert_false(enters(crowd, "192.0.2.1", 1)); /* and is still here */
	leaves(crowd, "192.0.2.1");
	crowd_free(&crowd);
}

static void
who_finds_no_place_leaves_no_trace(void **state)
{
	struct crowd *crowd = crowd_new();

	assert_false(enters(crowd, "192.0.2.1", 0));
	assert_false(parks(crowd, "192.0.2.1", 0));
	assert_int_equal(crowd_parked(crowd), 0);
	assert_true(enters(crowd, "192.0.2.1", 1));
	leaves(crowd, "192.0.2.1");
	crowd_free(&crowd);
}

/* ---- by address and name */

enum { LEAST_MS = 2000 };

static uint64_t
fails(struct crowd *crowd, const char *from, const char *login, uint64_t now_ms)
{
	struct sockaddr_storage address = at(from);

	return crowd_failed(crowd, &address, str_of(login), now_ms, LEAST_MS);
}

static void
succeeds(struct crowd *crowd, const char *from, const char *login)
{
	struct sockaddr_storage address = at(from);

	crowd_succeeded(crowd, &address, str_of(login));
}

static void
test_C10_who_guesses_waits_longer_and_longer(void **state)
{
	static const uint64_t penalties[] = {0, 2000, 4000, 8000, 16000, 30000, 30000};
	struct crowd *crowd = crowd_new();

	for (size_t i = 0; i < ARRAY_LEN(penalties); i++)
		assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", 1000 + i),
		    penalties[i]);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", 2000), 30000);
	crowd_free(&crowd);
}

static void
test_C10_others_behind_the_same_address_do_not_notice(void **state)
{
	struct crowd *crowd = crowd_new();

	for (size_t i = 0; i < 10; i++)
		fails(crowd, "192.0.2.1", "ann@example.org", 1000);
	assert_int_equal(fails(crowd, "192.0.2.1", "bob@example.org", 1000), 0);
	assert_int_equal(fails(crowd, "192.0.2.2", "ann@example.org", 1000), 0);
	assert_int_equal(fails(crowd, "192.0.2.1", "", 1000), 0);
	assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", 1000), 30000);
	crowd_free(&crowd);
}

static void
a_network_of_64_bits_is_one_guesser(void **state)
{
	struct crowd *crowd = crowd_new();

	assert_int_equal(fails(crowd, "2001:db8::1", "ann@example.org", 1000), 0);
	assert_int_equal(fails(crowd, "2001:db8::2", "ann@example.org", 1000), LEAST_MS);
	crowd_free(&crowd);
}

static void
a_success_forgives(void **state)
{
	struct crowd *crowd = crowd_new();

	succeeds(crowd, "192.0.2.1", "ann@example.org"); /* who never failed */
	fails(crowd, "192.0.2.1", "ann@example.org", 1000);
	assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", 1000), LEAST_MS);
	succeeds(crowd, "192.0.2.1", "bob@example.org");
	succeeds(crowd, "192.0.2.2", "ann@example.org");
	assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", 1000), 2 * LEAST_MS);
	succeeds(crowd, "192.0.2.1", "ann@example.org");
	assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", 1000), 0);
	crowd_free(&crowd);
}

static void
time_forgives_who_rests(void **state)
{
	struct crowd *crowd = crowd_new();
	uint64_t now_ms = 1000;

	fails(crowd, "192.0.2.1", "ann@example.org", now_ms);
	now_ms += CROWD_FORGET_MS;
	assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", now_ms), LEAST_MS);
	now_ms += CROWD_FORGET_MS + 1;
	assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", now_ms), 0);
	assert_int_equal(fails(crowd, "192.0.2.1", "ann@example.org", now_ms), LEAST_MS);
	crowd_free(&crowd);
}

static void
without_a_delay_there_is_no_penalty(void **state)
{
	struct crowd *crowd = crowd_new();
	struct sockaddr_storage address = at("192.0.2.1");

	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(crowd_failed(crowd, &address, STR("ann"), 1000, 0), 0);
	assert_int_equal(crowd_failed(crowd, &address, STR("ann"), 1000, 60000),
	    CROWD_PENALTY_MOST_MS);
	crowd_free(&crowd);
}

static void
test_C10_under_a_flood_the_oldest_are_forgotten(void **state)
{
	struct crowd *crowd = crowd_new();
	char login[32];

	fails(crowd, "192.0.2.1", "first", 1000);
	fails(crowd, "192.0.2.1", "second", 1000);
	for (size_t i = 0; i < CROWD_PAIRS_MOST - 2; i++) {
		snprintf(login, sizeof(login), "u%zu", i);
		fails(crowd, "192.0.2.1", login, 1000);
	}
	assert_int_equal(fails(crowd, "192.0.2.1", "first", 1000), LEAST_MS); /* is young again */
	fails(crowd, "192.0.2.1", "one more", 1000);
	assert_int_equal(fails(crowd, "192.0.2.1", "first", 1000), 2 * LEAST_MS);
	assert_int_equal(fails(crowd, "192.0.2.1", "second", 1000), 0);
	crowd_free(&crowd);
}

/* ---- turns */

enum { CALLERS = 100 };

static bool
goes(struct crowd *crowd, struct crowd_turn *turn, const char *from, const char *login,
    uint64_t now_ms)
{
	struct sockaddr_storage address = at(from);

	return crowd_take_turn(crowd, turn, &address, str_of(login), now_ms);
}

/* A pair that owes a wait, since then. */
static void
guess(struct crowd *crowd, const char *from, const char *login, uint64_t now_ms)
{
	fails(crowd, from, login, now_ms);
	fails(crowd, from, login, now_ms);
}

static void
who_owes_nothing_has_its_turn_at_once(void **state)
{
	struct crowd *crowd = crowd_new();
	struct sockaddr_storage address = at("192.0.2.1");
	struct crowd_turn turn = {0};

	for (size_t i = 0; i < CALLERS; i++)
		assert_true(goes(crowd, &turn, "192.0.2.1", "ann", 1000)); /* never failed */
	fails(crowd, "192.0.2.1", "ann", 1000);
	for (size_t i = 0; i < CALLERS; i++)
		assert_true(goes(crowd, &turn, "192.0.2.1", "ann", 1000)); /* a slip */
	for (size_t i = 0; i < CALLERS; i++) { /* the settings want no delay */
		crowd_failed(crowd, &address, STR("bob"), 1000, 0);
		assert_true(goes(crowd, &turn, "192.0.2.1", "bob", 1000));
	}
	assert_true(crowd_next_turn_ms(crowd, 1000) == UINT64_MAX);
	crowd_leave_turn(crowd, &turn); /* has none */
	crowd_free(&crowd);
}

static void
test_C10_many_guesses_in_the_same_moment_take_turns(void **state)
{
	struct crowd *crowd = crowd_new();
	struct crowd_turn turns[5] = {0}, other = {0};
	uint64_t now_ms = 1000;

	guess(crowd, "192.0.2.1", "ann", now_ms);
	assert_true(goes(crowd, &turns[0], "192.0.2.1", "ann", now_ms));
	for (size_t i = 1; i < ARRAY_LEN(turns); i++)
		assert_false(goes(crowd, &turns[i], "192.0.2.1", "ann", now_ms));
	assert_true(goes(crowd, &other, "192.0.2.1", "bob", now_ms)); /* the same NAT */
	assert_true(goes(crowd, &other, "192.0.2.2", "ann", now_ms));
	for (size_t i = 1; i < ARRAY_LEN(turns); i++) {
		assert_int_equal(crowd_next_turn_ms(crowd, now_ms), CROWD_PACE_MS);
		assert_null(crowd_next_turn(crowd, now_ms + CROWD_PACE_MS - 1));
		now_ms += CROWD_PACE_MS;
		assert_int_equal(crowd_next_turn_ms(crowd, now_ms + 1), 0);
		assert_ptr_equal(crowd_next_turn(crowd, now_ms), &turns[i]);
		assert_null(turns[i].pair);
		assert_null(crowd_next_turn(crowd, now_ms));
	}
	assert_false(goes(crowd, &turns[0], "192.0.2.1", "ann", now_ms)); /* too early still */
	crowd_leave_turn(crowd, &turns[0]);
	assert_true(goes(crowd, &turns[0], "192.0.2.1", "ann", now_ms + CROWD_PACE_MS));
	crowd_free(&crowd);
}

/* Whoever guesses in masses, and comes again and again, does not keep the owner out. */
static void
test_C10_the_owner_behind_the_same_address_has_its_turn_soon(void **state)
{
	struct crowd *crowd = crowd_new();
	struct crowd_turn guesses[CALLERS * 10] = {0}, owner = {0}, *next;
	uint64_t now_ms = 1000, began_ms;
	size_t went = 0;

	guess(crowd, "192.0.2.1", "ann", now_ms);
	goes(crowd, &owner, "192.0.2.1", "ann", now_ms);
	for (size_t i = 0; i < ARRAY_LEN(guesses); i++)
		assert_false(goes(crowd, &guesses[i], "192.0.2.1", "ann", now_ms));
	assert_false(goes(crowd, &owner, "192.0.2.1", "ann", now_ms));
	began_ms = now_ms;
	while (owner.pair != NULL) {
		for (size_t i = 0; i < CALLERS; i++) { /* they leave, and are there again */
			crowd_leave_turn(crowd, &guesses[i]);
			assert_false(goes(crowd, &guesses[i], "192.0.2.1", "ann", now_ms));
		}
		now_ms += CROWD_PACE_MS;
		while ((next = crowd_next_turn(crowd, now_ms)) != NULL && next != &owner) {
			went++;
			assert_false(goes(crowd, next, "192.0.2.1", "ann", now_ms));
		}
	}
	assert_in_range(now_ms - began_ms, 1, (CROWD_LINE_PACES + 1) * CROWD_PACE_MS);
	assert_in_range(went, 1, ARRAY_LEN(guesses) + CALLERS);
	for (size_t i = 0; i < ARRAY_LEN(guesses); i++)
		crowd_leave_turn(crowd, &guesses[i]);
	crowd_free(&crowd);
}

static void
who_is_forgotten_keeps_its_line(void **state)
{
	struct crowd *crowd = crowd_new();
	struct crowd_turn turns[4] = {0};

	guess(crowd, "192.0.2.1", "ann", 1000);
	goes(crowd, &turns[0], "192.0.2.1", "ann", 1000);
	for (size_t i = 1; i < ARRAY_LEN(turns); i++)
		assert_false(goes(crowd, &turns[i], "192.0.2.1", "ann", 1000));
	succeeds(crowd, "192.0.2.1", "ann");
	assert_true(goes(crowd, &turns[0], "192.0.2.1", "ann", 1000)); /* has a line no more */
	assert_null(crowd_next_turn(crowd, 1000));
	assert_ptr_equal(crowd_next_turn(crowd, 1000 + CROWD_PACE_MS), &turns[1]);
	crowd_leave_turn(crowd, &turns[2]); /* out of the middle */
	assert_ptr_equal(crowd_next_turn(crowd, 1000 + 2 * CROWD_PACE_MS), &turns[3]);
	assert_true(crowd_next_turn_ms(crowd, 5000) == UINT64_MAX);
	crowd_free(&crowd);
}

static void
time_ends_the_turns_too(void **state)
{
	struct crowd *crowd = crowd_new();
	struct crowd_turn turn = {0};

	guess(crowd, "192.0.2.1", "ann", 1000);
	goes(crowd, &turn, "192.0.2.1", "ann", 1000 + CROWD_FORGET_MS);
	assert_false(goes(crowd, &turn, "192.0.2.1", "ann", 1000 + CROWD_FORGET_MS));
	crowd_leave_turn(crowd, &turn);
	assert_true(goes(crowd, &turn, "192.0.2.1", "ann", 1001 + CROWD_FORGET_MS));
	assert_null(crowd_next_turn(crowd, 1000000 + CROWD_FORGET_MS));
	crowd_free(&crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_has_so_many_places_and_gets_them_back),
	    cmocka_unit_test(which_addresses_are_one),
	    cmocka_unit_test(test_C10_parked_logins_are_bounded_by_address),
	    cmocka_unit_test(who_finds_no_place_leaves_no_trace),
	    cmocka_unit_test(test_C10_who_guesses_waits_longer_and_longer),
	    cmocka_unit_test(test_C10_others_behind_the_same_address_do_not_notice),
	    cmocka_unit_test(a_network_of_64_bits_is_one_guesser),
	    cmocka_unit_test(a_success_forgives),
	    cmocka_unit_test(time_forgives_who_rests),
	    cmocka_unit_test(without_a_delay_there_is_no_penalty),
	    cmocka_unit_test(test_C10_under_a_flood_the_oldest_are_forgotten),
	    cmocka_unit_test(who_owes_nothing_has_its_turn_at_once),
	    cmocka_unit_test(test_C10_many_guesses_in_the_same_moment_take_turns),
	    cmocka_unit_test(test_C10_the_owner_behind_the_same_address_has_its_turn_soon),
	    cmocka_unit_test(who_is_forgotten_keeps_its_line),
	    cmocka_unit_test(time_ends_the_turns_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
