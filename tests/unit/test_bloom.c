/*
 * test_bloom.c - a message's recipients, as bits that only we can read
 */
#include "milter/bloom.h"

#include <stdio.h>

#include "unit.h"

static const unsigned char secret[BLOOM_KEY_BYTES] = "a secret of this test, 32 bytes";
static const unsigned char other_secret[BLOOM_KEY_BYTES] = "another one of the same 32 bytes";
static const unsigned char salt[BLOOM_SALT_BYTES] = "a first nonce",
			   other_salt[BLOOM_SALT_BYTES] = "a second one";
static const struct bloom_key key = {secret, salt};

static struct str
name(unsigned i, char room[static 64])
{
	return str_make(room, (size_t)snprintf(room, 64, "user%u@example.org", i));
}

static void
make(struct bloom *bloom, struct bloom_key with, unsigned names)
{
	char room[64];

	bloom_init(bloom);
	for (unsigned i = 0; i < names; i++)
		bloom_add(bloom, with, name(i, room));
	bloom_seal(bloom, with);
}

static void
each_name_is_claimed_up_to_what_surely_fits(void **state)
{
	struct bloom bloom;
	char room[64];

	for (unsigned names = 0; names <= BLOOM_SURELY; names++) {
		make(&bloom, key, names);
		assert_false(bloom.is_saturated);
		for (unsigned i = 0; i < names; i++)
			assert_true(bloom_claims(&bloom, key, name(i, room)));
	}
}

static void
any_name_at_all_is_a_name(void **state)
{
	static const struct str names[] = {
	    STR(""), STR("\0"), STR("a@b\0c"), STR("\xff\xfe"), STR("\"a b\"@example.org")};
	struct bloom bloom;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bloom_init(&bloom);
		bloom_add(&bloom, key, names[i]);
		bloom_seal(&bloom, key);
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			assert_int_equal(bloom_claims(&bloom, key, names[k]), i == k);
	}
}

static void
the_number_of_names_is_not_to_be_seen(void **state)
{
	static const unsigned numbers[] = {0, 1, 2, 10, BLOOM_SURELY, 80, 500, 100000};
	struct bloom bloom;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		make(&bloom, key, numbers[i]);
		assert_int_equal(bloom_count(&bloom), BLOOM_HALF);
	}
}

/* Bits of the same places as often as chance has it: 512 of the 1,024, give or take 6 times 16. */
static void
nothing_is_to_be_seen_by_comparing(void **state)
{
	static const struct bloom_key keys[] = {
	    {secret, salt}, {secret, other_salt}, {other_secret, salt}};
	struct bloom a, b;

	for (size_t i = 1; i < 3; i++) {
		unsigned common = 0;

		make(&a, keys[0], BLOOM_SURELY);
		make(&b, keys[i], BLOOM_SURELY);
		for (size_t k = 0; k < BLOOM_BYTES; k++)
			common += (unsigned)__builtin_popcount(a.bits[k] & b.bits[k]);
		assert_in_range(common, 416, 608);
	}
}

static void
another_key_or_nonce_claims_nobody(void **state)
{
	static const struct bloom_key others[] = {{secret, other_salt}, {other_secret, salt}};
	struct bloom bloom;
	char room[64];

	make(&bloom, key, 50);
	for (size_t k = 0; k < 2; k++)
		for (unsigned i = 0; i < 50; i++)
			assert_false(bloom_claims(&bloom, others[k], name(i, room)));
}

/*
 * Half of the bits are set, 16 are asked for: 1 in 62,000, computed in bloom.h.
 * Of 400,000 strangers 6.4 are expected, and 20 or more once in 100,000 choices
 * of a key; the key is fixed, so it is the same each time. Without a recipient
 * just as many as with all that fit.
 */
static void
strangers_are_claimed_as_seldom_as_computed(void **state)
{
	static const unsigned numbers[] = {0, 1, BLOOM_SURELY, 80};
	enum { STRANGERS = 100000 };
	struct bloom bloom;
	unsigned claimed = 0;
	char room[64];

	for (size_t k = 0; k < 4; k++) {
		make(&bloom, key, numbers[k]);
		assert_false(bloom.is_saturated);
		for (unsigned i = 0; i < STRANGERS; i++)
			claimed += bloom_claims(&bloom, key, name(1000 + i, room));
	}
	print_message("%u of %u strangers\n", claimed, 4 * STRANGERS);
	assert_in_range(claimed, 1, 20);
}

static void
a_saturated_one_claims_nobody(void **state)
{
	struct bloom bloom, empty;
	unsigned names = 0;
	char room[64];

	bloom_init(&bloom);
	while (!bloom.is_saturated)
		bloom_add(&bloom, key, name(names++, room));
	print_message("saturated by %u names\n", names);
	assert_in_range(names, BLOOM_SURELY + 1, 110);
	bloom_add(&bloom, key, name(0, room)); /* too late */
	bloom_seal(&bloom, key);
	for (unsigned i = 0; i < names; i++)
		assert_false(bloom_claims(&bloom, key, name(i, room)));
	/* Its bits are those of a message to nobody: they tell nothing. */
	make(&empty, key, 0);
	assert_memory_equal(bloom.bits, empty.bits, BLOOM_BYTES);
	/* Nor does it if its bits do. */
	make(&bloom, key, 1);
	assert_true(bloom_claims(&bloom, key, name(0, room)));
	bloom.is_saturated = true;
	assert_false(bloom_claims(&bloom, key, name(0, room)));
}

static void
the_order_and_repetitions_do_not_matter(void **state)
{
	struct bloom a, b;
	char room[64];

	make(&a, key, 40);
	bloom_init(&b);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 40; i > 0; i--)
			bloom_add(&b, key, name(i - 1, room));
	bloom_seal(&b, key);
	assert_memory_equal(a.bits, b.bits, BLOOM_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_name_is_claimed_up_to_what_surely_fits),
	    cmocka_unit_test(any_name_at_all_is_a_name),
	    cmocka_unit_test(the_number_of_names_is_not_to_be_seen),
	    cmocka_unit_test(nothing_is_to_be_seen_by_comparing),
	    cmocka_unit_test(another_key_or_nonce_claims_nobody),
	    cmocka_unit_test(strangers_are_claimed_as_seldom_as_computed),
	    cmocka_unit_test(a_saturated_one_claims_nobody),
	    cmocka_unit_test(the_order_and_repetitions_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
