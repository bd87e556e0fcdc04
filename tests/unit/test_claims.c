/*
 * test_claims.c - what we have begun on an answer and what goes on by itself
 *
 * Single scenes with three claims; all of them at once is test_claims_play.c.
 */
#include "map/claims.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static const struct account_rules rules = {true, "+"};

static unsigned stood, ended, ended_by_nobody;

static bool
stands(void *ctx, const struct finding *finding)
{
	stood++;
	return str_is(finding->owner, "old");
}

static void
end(void *ctx, const struct finding *finding)
{
	ended++;
	ended_by_nobody += finding == NULL;
}

static const struct claim_events events = {stands, end};

static struct finding
found(const char *owner, const char *account)
{
	return (struct finding){
	    .verdict = VERDICT_FOUND, .owner = str_of(owner), .account = str_of(account)};
}

/* A claim to "old" of this address, which led to this account. */
static struct claim *
take(struct claims *claims, const char *address, const char *account)
{
	const struct finding finding = found("old", account);
	struct account asked;
	struct claim *claim;

	account_init(&asked);
	assert_true(account_read(&asked, str_of(address), &rules));
	claim = claims_take(claims, &asked, &finding, true, &events, NULL);
	account_fini(&asked);
	return claim;
}

static void
hear(struct claims *claims, const char *text)
{
	struct barrier barrier;

	assert_true(barrier_read(str_of(text), &barrier));
	claims_barrier(claims, &barrier);
	barrier_fini(&barrier);
}

/* The epochs of what has been agreed to since, as digits. */
static const char *
agreed(struct claims *claims)
{
	static char digits[64];
	char nonce[HEAD_NONCE_BYTES];
	uint64_t epoch;
	size_t len = 0;

	while (claims_agreed(claims, &epoch, nonce))
		digits[len++] = (char)('0' + epoch);
	digits[len] = '\0';
	return digits;
}

static void
answer(struct claims *claims, struct claim *claim, const char *owner)
{
	struct finding finding = {
	    .verdict = VERDICT_FOUND, .owner = str_of(owner), .account = claim_asked(claim)};

	if (owner[0] == '\0')
		finding = (struct finding){.verdict = VERDICT_TEMP, .reason = "later"};
	claims_answer(claims, claim, &finding);
}

static struct claims *
scene(void)
{
	stood = ended = ended_by_nobody = 0;
	return claims_new(&rules, NULL);
}

static void
without_claims_a_barrier_is_agreed_to_at_once(void **state)
{
	struct claims *claims = scene();

	hear(claims, "1 n a@x.org @y.org");
	hear(claims, "2 n *");
	assert_string_equal(agreed(claims), "12");
	claims_free(&claims);
}

static void
a_flip_waits_for_the_release_and_others_do_not(void **state)
{
	struct claims *claims = scene();
	struct claim *a = take(claims, "a@x.org", "a@x.org"),
		     *b = take(claims, "b@x.org", "b@x.org");

	claims_change(claims, STR("a@x.org"));
	claims_change(claims, STR("b@x.org"));
	hear(claims, "1 n a@x.org");
	hear(claims, "2 n b@x.org");
	assert_ptr_equal(claims_next(claims), a);
	assert_ptr_equal(claims_next(claims), b);
	assert_null(claims_next(claims));
	answer(claims, a, "new");
	assert_int_equal(ended, 1);
	assert_string_equal(agreed(claims), "");
	answer(claims, b, "old");
	assert_string_equal(agreed(claims), "2");
	claims_change(claims, STR("a@x.org")); /* and back: it is ending all the same */
	assert_null(claims_next(claims));
	hear(claims, "3 n c@x.org b@x.org");
	hear(claims, "4 n *");
	assert_string_equal(agreed(claims), "3");
	claims_drop(claims, a);
	assert_int_equal(strlen(agreed(claims)), 2);
	claims_drop(claims, b);
	claims_free(&claims);
}

static void
a_change_reaches_what_depends_on_its_name(void **state)
{
	static const struct {
		const char *asked, *account, *name;
		bool reaches;
	} rows[] = {
	    {"a@x.org", "a@x.org", "a@x.org", true},
	    {"a@x.org", "a@x.org", "@x.org", true},
	    {"a@x.org", "a@x.org", "b@x.org", false},
	    {"a@x.org", "a@x.org", "@y.org", false},
	    {"a+t@x.org", "a@x.org", "a@x.org", true},
	    {"a+t@x.org", "a@x.org", "a+t@x.org", true},
	    {"l@x.org", "b@y.org", "l@x.org", true},
	    {"l@x.org", "b@y.org", "b@y.org", true},
	    {"l@x.org", "b@y.org", "@y.org", true},
	    {"l@x.org", "b@y.org", "@x.org", true},
	    {"l@x.org", "b@y.org", "b+t@y.org", true}, /* the alias may lead there */
	    {"a+t@z.org", "a@x.org", "a+t@x.org", true}, /* z.org is another name of x.org */
	    {"a@x.org", "a@x.org", "", false},
	    {"a@x.org", "a@x.org", "alias", false},
	    {"alice", "b@y.org", "alice", true}, /* a login: its key leads elsewhere, perhaps */
	    {"alice", "b@y.org", "b@y.org", true},
	    {"alice", "b@y.org", "b+t@y.org", true},
	    {"alice", "b@y.org", "@y.org", true},
	    {"alice", "b@y.org", "alic", false},
	    {"alice", "b@y.org", "alice@y.org", false},
	    {"alice+t", "b@y.org", "alice", false}, /* a login has no extension */
	    {"alice", "b@y.org", "alice+t", false},
	    {"alice@y.org", "alice@y.org", "alice", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claims *claims = scene();
		struct claim *claim = take(claims, rows[i].asked, rows[i].account);
		char text[64];

		claims_change(claims, str_of(rows[i].name));
		if ((claims_next(claims) != NULL) != rows[i].reaches)
			fail_msg("%s of %s by %s", rows[i].asked, rows[i].account, rows[i].name);
		if (rows[i].name[0] != '\0') {
			snprintf(text, sizeof(text), "1 n %s", rows[i].name);
			hear(claims, text);
			assert_string_equal(agreed(claims), rows[i].reaches ? "" : "1");
		}
		claims_drop(claims, claim);
		claims_free(&claims);
	}
}

static void
an_answer_that_was_overtaken_makes_nothing_sure(void **state)
{
	struct claims *claims = scene();
	struct claim *a = take(claims, "a@x.org", "a@x.org");

	claims_change(claims, STR("a@x.org"));
	assert_ptr_equal(claims_next(claims), a);
	claims_change(claims, STR("@x.org"));
	hear(claims, "1 n @x.org");
	answer(claims, a, "old");
	assert_int_equal(stood, 0);
	assert_string_equal(agreed(claims), "");
	assert_ptr_equal(claims_next(claims), a);
	answer(claims, a, "old");
	assert_string_equal(agreed(claims), "1");
	claims_drop(claims, a);
	claims_free(&claims);
}

/* Its login key leads elsewhere now, to somebody with the same owner; or nowhere. */
static void
a_claim_is_of_one_account(void **state)
{
	static const char *const logins[] = {"l@x.org", "alice"};
	const struct finding others[] = {
	    found("old", "b@x.org"), {.verdict = VERDICT_ABSENT, .account = STR("a@x.org")}};

	for (size_t i = 0; i < ARRAY_LEN(others) * ARRAY_LEN(logins); i++) {
		const char *login = logins[i / ARRAY_LEN(others)];
		struct claims *claims = scene();
		struct claim *a = take(claims, login, "a@x.org");

		claims_change(claims, str_of(login));
		assert_ptr_equal(claims_next(claims), a);
		claims_answer(claims, a, &others[i % ARRAY_LEN(others)]);
		assert_int_equal(stood, 0);
		assert_int_equal(ended, 1);
		assert_int_equal(ended_by_nobody, 0);
		claims_drop(claims, a);
		claims_free(&claims);
	}
}

static void
temp_leaves_it_unsure_until_later(void **state)
{
	struct claims *claims = scene();
	struct claim *a = take(claims, "a@x.org", "a@x.org");

	claims_change(claims, STR("a@x.org"));
	hear(claims, "1 n a@x.org");
	assert_ptr_equal(claims_next(claims), a);
	answer(claims, a, "");
	assert_null(claims_next(claims));
	assert_string_equal(agreed(claims), "");
	claims_again(claims);
	assert_ptr_equal(claims_next(claims), a);
	answer(claims, a, "old");
	assert_string_equal(agreed(claims), "1");
	claims_drop(claims, a);
	claims_free(&claims);
}

static void
everything_makes_all_unsure_and_those_that_are_waited_for_go_first(void **state)
{
	struct claims *claims = scene();
	struct claim *a = take(claims, "a@x.org", "a@x.org"),
		     *b = take(claims, "b@x.org", "b@x.org"),
		     *c = take(claims, "c@x.org", "c@x.org");

	claims_change_all(claims);
	hear(claims, "1 n c@x.org");
	hear(claims, "2 n b@x.org");
	assert_ptr_equal(claims_next(claims), c);
	assert_ptr_equal(claims_next(claims), b);
	assert_ptr_equal(claims_next(claims), a);
	hear(claims, "3 n *");
	answer(claims, a, "old");
	answer(claims, b, "old");
	assert_string_equal(agreed(claims), "2");
	claims_change(claims, STR("a@x.org")); /* younger than barrier 3 */
	answer(claims, c, "old");
	assert_string_equal(agreed(claims), "13");
	claims_drop(claims, a);
	claims_drop(claims, b);
	claims_drop(claims, c);
	claims_free(&claims);
}

static void
accounts_that_never_rest_do_not_hold_up_a_barrier_of_all(void **state)
{
	struct claims *claims = scene();
	struct claim *a = take(claims, "a@x.org", "a@x.org"),
		     *b = take(claims, "b@x.org", "b@x.org");

	claims_change(claims, STR("a@x.org"));
	hear(claims, "1 n *");
	assert_ptr_equal(claims_next(claims), a);
	claims_change(claims, STR("b@x.org"));
	hear(claims, "1 n *"); /* again, and no later than the first */
	answer(claims, a, "old");
	assert_string_equal(agreed(claims), "1");
	claims_drop(claims, a);
	claims_drop(claims, b);
	claims_free(&claims);
}

static void
barriers_are_bounded_and_repeated(void **state)
{
	struct claims *claims = scene();
	struct claim *a = take(claims, "a@x.org", "a@x.org"),
		     *b = take(claims, "b@x.org", "b@x.org");
	struct claims_counters counters;

	claims_change_all(claims);
	for (size_t i = 0; i < CLAIMS_BARRIERS_MOST + 5; i++) {
		char text[64];

		snprintf(text, sizeof(text), "1 n%zu a@x.org", i);
		hear(claims, text);
		hear(claims, text);
	}
	hear(claims, "1 n7 b@x.org"); /* another list of names is another barrier */
	claims_count(claims, &counters);
	assert_int_equal(counters.barriers, CLAIMS_BARRIERS_MOST);
	claims_drop(claims, b);
	assert_string_equal(agreed(claims), "1");
	claims_forget_barriers(claims);
	claims_drop(claims, a);
	assert_string_equal(agreed(claims), "");
	claims_free(&claims);
}

/* A barrier of many long names, of which a@x.org is the last. */
static void
hear_long(struct claims *claims, int epoch, size_t names)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "%d n", epoch);
	for (size_t i = 0; i < names; i++)
		buf_addf(&text, " %0500zu@y.org", i);
	buf_add_text(&text, " a@x.org");
	hear(claims, buf_cstr(&text));
	buf_fini(&text);
}

static void
the_names_of_a_flood_of_barriers_are_bounded_and_become_everything(void **state)
{
	struct claims *claims = scene();
	struct claim *a = take(claims, "a@x.org", "a@x.org"),
		     *b = take(claims, "b@x.org", "b@x.org");
	struct claims_counters counters;

	claims_change_all(claims);
	for (int epoch = 1; epoch < 10; epoch++)
		hear_long(claims, epoch, 999);
	claims_count(claims, &counters);
	assert_int_equal(counters.barriers, 9);
	assert_true(counters.barrier_bytes <= CLAIMS_NAMES_MOST_BYTES);
	claims_drop(claims, a);
	assert_string_equal(agreed(claims), "87654321"); /* b is in the way of everything alone */
	hear_long(claims, 9, 999); /* has room now, but goes on where it was */
	claims_count(claims, &counters);
	assert_int_equal(counters.barrier_bytes, 0);
	hear_long(claims, 9, 9); /* another list of names is another barrier */
	assert_string_equal(agreed(claims), "9");
	claims_drop(claims, b);
	claims_free(&claims);
}

static void
nobody_to_believe_ends_all_once(void **state)
{
	struct claims *claims = scene();
	struct claim *a = take(claims, "a@x.org", "a@x.org"),
		     *b = take(claims, "b@x.org", "b@x.org"),
		     *c = take(claims, "c@x.org", "c@x.org");

	claims_change(claims, STR("a@x.org"));
	assert_ptr_equal(claims_next(claims), a);
	claims_change(claims, STR("b@x.org"));
	claims_end_all(claims);
	claims_end_all(claims);
	assert_int_equal(ended, 3);
	assert_int_equal(ended_by_nobody, 3);
	answer(claims, a, "old"); /* that was still on its way */
	hear(claims, "1 n c@x.org");
	assert_string_equal(agreed(claims), "");
	claims_drop(claims, c);
	assert_string_equal(agreed(claims), "1");
	claims_drop(claims, a);
	claims_drop(claims, b);
	claims_free(&claims);
}

static void
other_rules_find_the_same_claims(void **state)
{
	static const struct account_rules dash = {true, "-"};
	const struct finding found_b = found("old", "b-t@x.org");
	struct claims *claims = scene();
	struct claim *a = take(claims, "a-t@x.org", "a-t@x.org"),
		     *b = take(claims, "ali-ce", "b-t@x.org");

	claims_change(claims, STR("a@x.org"));
	claims_change(claims, STR("b@x.org"));
	assert_null(claims_next(claims));
	claims_set_rules(claims, &dash);
	assert_ptr_equal(claims_next(claims), a);
	answer(claims, a, "old");
	assert_ptr_equal(claims_next(claims), b);
	claims_answer(claims, b, &found_b);
	claims_change(claims, STR("a@x.org"));
	assert_ptr_equal(claims_next(claims), a);
	claims_change(claims, STR("ali"));
	assert_null(claims_next(claims));
	claims_change(claims, STR("ali-ce"));
	assert_ptr_equal(claims_next(claims), b);
	claims_answer(claims, b, &found_b);
	claims_change(claims, STR("b@x.org"));
	assert_ptr_equal(claims_next(claims), b);
	claims_drop(claims, a);
	claims_drop(claims, b);
	claims_free(&claims);
}

static void
a_bounded_number_is_asked_about_at_a_time(void **state)
{
	struct claims *claims = scene();
	struct claim *all[CLAIMS_ASKED_MOST + 10];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		all[i] = take(claims, "a@x.org", "a@x.org");
	claims_change_all(claims);
	while (claims_next(claims) != NULL)
		count++;
	assert_int_equal(count, CLAIMS_ASKED_MOST);
	claims_change_all(claims); /* an answer is still owed, overtaken or not */
	assert_null(claims_next(claims));
	answer(claims, all[0], "old");
	assert_non_null(claims_next(claims));
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		claims_drop(claims, all[i]);
	claims_free(&claims);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_claims_a_barrier_is_agreed_to_at_once),
	    cmocka_unit_test(a_flip_waits_for_the_release_and_others_do_not),
	    cmocka_unit_test(a_change_reaches_what_depends_on_its_name),
	    cmocka_unit_test(an_answer_that_was_overtaken_makes_nothing_sure),
	    cmocka_unit_test(a_claim_is_of_one_account),
	    cmocka_unit_test(temp_leaves_it_unsure_until_later),
	    cmocka_unit_test(everything_makes_all_unsure_and_those_that_are_waited_for_go_first),
	    cmocka_unit_test(accounts_that_never_rest_do_not_hold_up_a_barrier_of_all),
	    cmocka_unit_test(barriers_are_bounded_and_repeated),
	    cmocka_unit_test(the_names_of_a_flood_of_barriers_are_bounded_and_become_everything),
	    cmocka_unit_test(nobody_to_believe_ends_all_once),
	    cmocka_unit_test(other_rules_find_the_same_claims),
	    cmocka_unit_test(a_bounded_number_is_asked_about_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
