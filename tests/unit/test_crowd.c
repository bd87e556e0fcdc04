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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
