/*
 * test_cache.c - what this process remembers of the ownership map
 */
#include "map/cache.h"

#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

enum { MILLION = 1000000, AMPLE = 1 << 28 };

static const struct finding found = {
    .verdict = VERDICT_FOUND,
    .owner = {"new", 3},
    .account = {"a@x.org", 7},
    .matched = {"owner:a@x.org", 13},
};

static void
put(struct cache *cache, const char *address, const struct finding *finding)
{
	struct str names[] = {str_of(address), STR("@x.org")};
	struct cache_stamps stamps;

	cache_note(cache, names, ARRAY_LEN(names), &stamps);
	cache_put(cache, names[0], finding, &stamps);
}

static void
check_same(const struct finding *a, const struct finding *b)
{
	assert_int_equal(a->verdict, b->verdict);
	assert_int_equal(a->hold, b->hold);
	assert_int_equal(a->is_unknown, b->is_unknown);
	assert_true(str_eq(a->owner, b->owner));
	assert_true(str_eq(a->account, b->account));
	assert_true(str_eq(a->matched, b->matched));
	assert_int_equal(a->reason == NULL, b->reason == NULL);
	if (a->reason != NULL)
		assert_string_equal(a->reason, b->reason);
}

static void
every_kind_of_finding_comes_back_as_it_was(void **state)
{
	static const struct finding rows[] = {
	    /* clang-format off */
	    {.verdict = VERDICT_FOUND, .owner = {"new", 3}, .account = {"a@x.org", 7}, .matched = {"owner:a@x.org", 13}},
	    {.verdict = VERDICT_FOUND, .owner = {"old", 3}, .account = {"a@x.org", 7}, .matched = {"owner:@x.org", 12}, .hold = HOLD_MAIL, .is_unknown = true},
	    {.verdict = VERDICT_FOUND, .owner = {"n\0w", 3}, .account = {"b@y.org", 7}, .matched = {"owner:b@y.org", 13}, .hold = HOLD_ALL},
	    {.verdict = VERDICT_ABSENT, .account = {"a@x.org", 7}},
	    {.verdict = VERDICT_ABSENT},
	    {.verdict = VERDICT_TEMP, .account = {"a@x.org", 7}, .matched = {"hold:a@x.org", 12}, .reason = "hold:a@x.org is not a string"},
	    /* clang-format on */
	};
	struct cache *cache = cache_new(AMPLE);
	struct finding got;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put(cache, "a@x.org", &rows[i]);
		assert_true(cache_get(cache, STR("a@x.org"), &got));
		check_same(&got, &rows[i]);
		assert_int_equal(got.source, SOURCE_MEMORY);
		put(cache, "a@x.org", &got); /* from its own memory */
		assert_true(cache_get(cache, STR("a@x.org"), &got));
		check_same(&got, &rows[i]);
	}
	assert_false(cache_get(cache, STR("a@x.or"), &got));
	assert_false(cache_get(cache, STR(""), &got));
	cache_free(&cache);
	cache_free(&cache);
}

static void
a_change_of_any_name_makes_it_no_hit(void **state)
{
	static const char *const names[] = {"a@x.org", "@x.org"};
	struct cache *cache = cache_new(AMPLE);
	struct cache_counters count;
	struct finding got;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		put(cache, "a@x.org", &found);
		assert_true(cache_get(cache, STR("a@x.org"), &got));
		cache_change(cache, str_of(names[i]));
		assert_false(cache_get(cache, STR("a@x.org"), &got));
	}
	put(cache, "a@x.org", &found);
	cache_change_all(cache);
	assert_false(cache_get(cache, STR("a@x.org"), &got));
	cache_count(cache, &count);
	assert_int_equal(count.entries, 1);
	assert_int_equal(count.hits, 2);
	assert_int_equal(count.stale, 3);
	assert_int_equal(count.changes, 3);
	cache_free(&cache);
}

/* Remembered under a name that is in no domain; also that nobody logs in so. */
static void
a_login_is_no_hit_when_its_key_or_its_target_changes(void **state)
{
	static const struct str names[] = {
	    {"alice", 5}, {"a@x.org", 7}, {"@x.org", 6}}; /* none but the first when ABSENT */
	static const struct finding absent = {.verdict = VERDICT_ABSENT, .account = {"alice", 5}};
	struct cache *cache = cache_new(AMPLE);
	struct cache_stamps stamps;
	struct finding got;

	for (size_t i = 0; i < ARRAY_LEN(names) + 1; i++) {
		const struct finding *finding = i < ARRAY_LEN(names) ? &found : &absent;
		size_t changed = i % ARRAY_LEN(names);

		cache_note(cache, names, finding == &found ? ARRAY_LEN(names) : 1, &stamps);
		cache_put(cache, names[0], finding, &stamps);
		cache_change(cache, STR("alice@x.org"));
		assert_true(cache_get(cache, names[0], &got));
		check_same(&got, finding);
		cache_change(cache, names[changed]);
		assert_false(cache_get(cache, names[0], &got));
	}
	cache_free(&cache);
}

static void
a_poisoned_fetch_stores_nothing(void **state)
{
	static const struct str names[] = {{"a@x.org", 7}, {"@x.org", 6}};
	struct cache *cache = cache_new(AMPLE);
	struct cache_stamps stamps;
	struct cache_counters count;
	struct finding got;

	for (int all = 0; all < 2; all++) {
		cache_note(cache, names, ARRAY_LEN(names), &stamps); /* the fetch is sent */
		assert_true(cache_is_current(cache, &stamps));
		if (all)
			cache_change_all(cache);
		else
			cache_change(cache, names[1]); /* the invalidation overtakes its reply */
		assert_false(cache_is_current(cache, &stamps));
		cache_put(cache, names[0], &found, &stamps);
		assert_false(cache_get(cache, names[0], &got));
		cache_count(cache, &count);
		assert_int_equal(count.entries, 0);
	}
	cache_free(&cache);
}

static void
a_value_read_before_a_change_does_not_come_back(void **state)
{
	static const struct str names[] = {{"a@x.org", 7}, {"@x.org", 6}};
	struct cache *cache = cache_new(AMPLE);
	struct cache_stamps early, late;
	struct finding newer = found, got;

	newer.owner = STR("third");
	cache_note(cache, names, ARRAY_LEN(names), &early);
	cache_change(cache, names[0]);
	cache_note(cache, names, ARRAY_LEN(names), &late);
	cache_put(cache, names[0], &newer, &late);
	cache_put(cache, names[0], &found, &early); /* the slow one arrives last */
	assert_true(cache_get(cache, names[0], &got));
	assert_true(str_is(got.owner, "third"));
	cache_free(&cache);
}

/* ---- against a model that remembers everything by slot, so that shared stamps are expected too */

enum { ADDRESSES = 60, FETCHES = 8, STEPS = 200000 };

struct model {
	struct cache *cache;
	uint32_t versions[1 << 18], all;
	struct fetch_in_flight {
		unsigned address, owner;
		struct cache_stamps stamps;
		uint32_t sum, all;
		bool is_sent;
	} fetches[FETCHES];
	struct {
		struct fetch_in_flight as;
		bool is_there;
	} known[ADDRESSES];
	char address[ADDRESSES][32], domain[ADDRESSES][32];
};

static uint32_t
model_sum(const struct model *model, const struct cache_stamps *stamps)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < stamps->count; i++)
		sum += model->versions[stamps->slot[i]];
	return sum;
}

static bool
model_is_current(const struct model *model, const struct fetch_in_flight *fetch)
{
	return fetch->all == model->all && fetch->sum == model_sum(model, &fetch->stamps);
}

static void
model_change(struct model *model, const char *name)
{
	struct str names[] = {str_of(name)};
	struct cache_stamps stamps;

	cache_note(model->cache, names, 1, &stamps);
	model->versions[stamps.slot[0]]++;
	cache_change(model->cache, names[0]);
}

static void
model_fetch(struct model *model, struct fetch_in_flight *fetch, unsigned who, unsigned owner)
{
	struct str names[] = {str_of(model->address[who]), str_of(model->domain[who])};
	struct finding finding = {
	    .verdict = VERDICT_FOUND, .account = names[0], .matched = names[1]};
	char text[32];

	if (!fetch->is_sent) {
		*fetch = (struct fetch_in_flight){.address = who, .owner = owner, .is_sent = true};
		cache_note(model->cache, names, ARRAY_LEN(names), &fetch->stamps);
		fetch->sum = model_sum(model, &fetch->stamps);
		fetch->all = model->all;
		return;
	}
	snprintf(text, sizeof(text), "owner-%u", fetch->owner);
	finding.owner = str_of(text);
	finding.account = str_of(model->address[fetch->address]);
	cache_put(model->cache, finding.account, &finding, &fetch->stamps);
	assert_int_equal(cache_is_current(model->cache, &fetch->stamps),
	    model_is_current(model, fetch));
	if (model_is_current(model, fetch)) {
		model->known[fetch->address].as = *fetch;
		model->known[fetch->address].is_there = true;
	}
	fetch->is_sent = false;
}

static void
model_get(struct model *model, unsigned who, bool forgets)
{
	bool expected =
	    model->known[who].is_there && model_is_current(model, &model->known[who].as);
	struct finding got;
	char text[32];

	if (!cache_get(model->cache, str_of(model->address[who]), &got)) {
		assert_true(forgets || !expected);
		return;
	}
	assert_true(expected);
	snprintf(text, sizeof(text), "owner-%u", model->known[who].as.owner);
	assert_true(str_is(got.owner, text));
	assert_true(str_is(got.account, model->address[who]));
}

static void
check_against_model(size_t size_bytes, bool forgets)
{
	struct model *model = xnew(struct model);
	struct cache_counters count;

	model->cache = cache_new(size_bytes);
	for (unsigned i = 0; i < ADDRESSES; i++) {
		snprintf(model->address[i], sizeof(model->address[i]), "a%u@d%u.org", i, i % 7);
		snprintf(model->domain[i], sizeof(model->domain[i]), "@d%u.org", i % 7);
	}
	srand(7); /* the same steps every time */
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned dice = (unsigned)rand() % 1000, who = (unsigned)rand() % ADDRESSES;

		if (dice < 500)
			model_get(model, who, forgets);
		else if (dice < 900)
			model_fetch(model, &model->fetches[dice % FETCHES], who, step % 1000);
		else if (dice < 980)
			model_change(model, model->address[who]);
		else if (dice < 998)
			model_change(model, model->domain[who]);
		else {
			model->all++;
			cache_change_all(model->cache);
		}
		cache_count(model->cache, &count);
		assert_true(count.used_bytes <= size_bytes);
	}
	assert_true(forgets == (count.evicted > 0));
	assert_true(count.hits > 1000 && count.stale > 1000);
	cache_free(&model->cache);
	free(model);
}

static void
with_room_it_remembers_exactly_what_is_current(void **state)
{
	check_against_model(AMPLE, false);
}

static void
without_room_it_forgets_but_is_never_wrong(void **state)
{
	check_against_model(6000, true);
}

/* ---- memory */

static void
put_number(struct cache *cache, unsigned n, const char *owner)
{
	char address[64], domain[] = "@mail.example.org";
	struct str names[] = {{address, 0}, {domain, sizeof(domain) - 1}};
	struct finding finding = {.verdict = VERDICT_FOUND, .owner = str_of(owner)};
	struct cache_stamps stamps;

	names[0].len =
	    (size_t)snprintf(address, sizeof(address), "account%06u@mail.example.org", n);
	finding.account = names[0];
	finding.matched = STR("owner:@mail.example.org");
	cache_note(cache, names, ARRAY_LEN(names), &stamps);
	cache_put(cache, names[0], &finding, &stamps);
}

static bool
has_number(struct cache *cache, unsigned n)
{
	char address[64];
	size_t len = (size_t)snprintf(address, sizeof(address), "account%06u@mail.example.org", n);
	struct finding got;

	return cache_get(cache, str_make(address, len), &got);
}

static void
a_million_entries_cost_at_most_150_bytes_beyond_their_names(void **state)
{
	struct mallinfo2 before = mallinfo2(), after;
	struct cache *cache = cache_new(AMPLE);
	struct cache_counters count;
	double real_bytes;

	for (unsigned i = 0; i < MILLION; i++)
		put_number(cache, i, i % 2 ? "new" : "old");
	after = mallinfo2();
	cache_count(cache, &count);
	assert_int_equal(count.entries, MILLION);
	real_bytes =
	    (double)(after.uordblks + after.hblkhd) - (double)(before.uordblks + before.hblkhd);
	print_message("each: %.1f bytes counted, %.1f real, 30 of them its name\n",
	    (double)count.used_bytes / MILLION, real_bytes / MILLION);
	assert_true(count.used_bytes <= (150 + 30) * (uint64_t)MILLION);
#ifndef WITH_SANITIZERS
	assert_true(real_bytes <= 180.0 * MILLION); /* stamps included */
	/* What is counted is what malloc says, but for the stamps and its rounding to pages. */
	assert_true(real_bytes - (double)count.used_bytes < 2 * 1048576);
#endif
	cache_free(&cache);
}

static void
a_flood_of_different_addresses_stays_within_the_size(void **state)
{
	const unsigned flood = getenv("SPLITMX_FULL") ? 10 * MILLION : MILLION;
	const size_t size_bytes = 16 << 20;
	struct mallinfo2 before = mallinfo2(), after;
	struct cache *cache = cache_new(size_bytes);
	struct cache_counters count;
	char owner[64];

	for (unsigned i = 0; i < flood; i++) {
		snprintf(owner, sizeof(owner), "owner-%u", i); /* and of strange values */
		put_number(cache, i, owner);
		if (i % 1000 == 0)
			assert_true(has_number(cache, i));
	}
	after = mallinfo2();
	cache_count(cache, &count);
	assert_true(count.used_bytes <= size_bytes);
	assert_true(count.used_bytes > size_bytes / 2);
	assert_int_equal(count.entries + count.evicted, flood);
	assert_true((after.uordblks + after.hblkhd) - (before.uordblks + before.hblkhd) <
		    size_bytes + (2 << 20));
	assert_true(after.arena - before.arena < size_bytes * 3 / 2); /* no holes either */
	cache_free(&cache);
}

static void
who_is_asked_for_survives_a_flood_of_strangers(void **state)
{
	struct cache *cache = cache_new(1 << 20);
	unsigned there = 0;

	for (unsigned i = 0; i < 100; i++)
		put_number(cache, i, "new");
	for (unsigned i = 0; i < 100000; i++) {
		put_number(cache, 1000 + i, "old");
		if (i % 10 == 0)
			has_number(cache, i / 10 % 100);
	}
	for (unsigned i = 0; i < 100; i++)
		there += has_number(cache, i);
	assert_int_equal(there, 100);
	cache_free(&cache);
}

static void
a_smaller_size_counts_at_once(void **state)
{
	struct cache *cache = cache_new(AMPLE);
	struct cache_counters count;

	for (unsigned i = 0; i < 10000; i++)
		put_number(cache, i, "new");
	cache_set_size(cache, 1 << 20);
	cache_count(cache, &count);
	assert_true(count.used_bytes <= 1 << 20);
	assert_true(count.entries > 1000);
	cache_set_size(cache, 0);
	put_number(cache, 1, "new");
	cache_count(cache, &count);
	assert_int_equal(count.used_bytes, 0);
	assert_int_equal(count.entries, 0);
	cache_free(&cache);
}

static void
a_full_house_of_asked_entries_still_lets_one_go(void **state)
{
	struct cache *cache = cache_new(1 << 20);
	struct cache_counters count;

	for (unsigned i = 0; i < 100000; i++) {
		put_number(cache, i, "new");
		has_number(cache, i);
	}
	cache_count(cache, &count);
	assert_true(count.used_bytes <= 1 << 20);
	assert_true(has_number(cache, 99999));
	cache_free(&cache);
}

/* ---- going over it */

struct visit {
	unsigned seen[200], total;
	const char *owner; /* of all that come; NULL: any */
};

static void
visit_one(void *ctx, struct str address, const struct finding *finding,
    const struct cache_stamps *stamps)
{
	struct visit *visit = ctx;
	unsigned number = (unsigned)strtoul(address.ptr + 1, NULL, 10);

	assert_true(visit->owner == NULL || str_is(finding->owner, visit->owner));
	assert_int_equal(finding->source, SOURCE_MEMORY);
	assert_true(str_eq(finding->account, address));
	if (number < ARRAY_LEN(visit->seen))
		visit->seen[number]++;
	visit->total++;
	assert_int_equal(stamps->count, 2);
}

static void
put_walked(struct cache *cache, unsigned number, const char *owner)
{
	char address[32];
	struct finding finding = found;

	snprintf(address, sizeof(address), "n%u@x.org", number);
	finding.owner = str_of(owner);
	finding.account = str_of(address);
	put(cache, address, &finding);
}

static void
going_over_it_shows_each_that_stays_once(void **state)
{
	struct cache *cache = cache_new(AMPLE);
	struct visit visit = {.owner = NULL};
	unsigned number = 0;

	cache_walk_begin(cache);
	assert_false(cache_walk(cache, 10, visit_one, &visit));
	for (unsigned i = 0; i < 200; i++)
		put_walked(cache, i, "new");
	cache_change(cache, STR("n7@x.org"));
	cache_walk_begin(cache);
	do { /* strangers come meanwhile, and old ones are replaced behind us */
		put_walked(cache, 1000 + number, "old");
		put_walked(cache, number++ / 2, "new");
	} while (cache_walk(cache, 3, visit_one, &visit));
	for (unsigned i = 0; i < 200; i++) {
		if (visit.seen[i] != (i != 7) && i > number)
			fail_msg("n%u came %u times", i, visit.seen[i]);
	}
	assert_true(visit.total <= 200);
	assert_false(cache_walk(cache, 1000, visit_one, &visit));
	cache_free(&cache);
}

static void
going_over_it_survives_whatever_happens_between(void **state)
{
	struct cache *cache = cache_new(AMPLE);
	struct visit visit = {.owner = "new"};

	for (unsigned i = 0; i < 200; i++)
		put_walked(cache, i, "new");
	cache_walk_begin(cache);
	assert_true(cache_walk(cache, 10, visit_one, &visit));
	cache_set_size(cache, 0); /* all leave, the next one too */
	assert_false(cache_walk(cache, 10, visit_one, &visit));
	cache_set_size(cache, AMPLE);
	for (unsigned i = 0; i < 200; i++)
		put_walked(cache, i, "new");
	cache_walk_begin(cache);
	assert_true(cache_walk(cache, 10, visit_one, &visit));
	cache_change_all(cache);
	visit.total = 0;
	while (cache_walk(cache, 10, visit_one, &visit))
		;
	assert_int_equal(visit.total, 0);
	cache_free(&cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_of_finding_comes_back_as_it_was),
	    cmocka_unit_test(a_change_of_any_name_makes_it_no_hit),
	    cmocka_unit_test(a_login_is_no_hit_when_its_key_or_its_target_changes),
	    cmocka_unit_test(a_poisoned_fetch_stores_nothing),
	    cmocka_unit_test(a_value_read_before_a_change_does_not_come_back),
	    cmocka_unit_test(with_room_it_remembers_exactly_what_is_current),
	    cmocka_unit_test(without_room_it_forgets_but_is_never_wrong),
	    cmocka_unit_test(a_million_entries_cost_at_most_150_bytes_beyond_their_names),
	    cmocka_unit_test(a_flood_of_different_addresses_stays_within_the_size),
	    cmocka_unit_test(who_is_asked_for_survives_a_flood_of_strangers),
	    cmocka_unit_test(a_smaller_size_counts_at_once),
	    cmocka_unit_test(a_full_house_of_asked_entries_still_lets_one_go),
	    cmocka_unit_test(going_over_it_shows_each_that_stays_once),
	    cmocka_unit_test(going_over_it_survives_whatever_happens_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
