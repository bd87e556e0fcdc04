/*
 * test_mirror.c - a copy of the whole map, where it is small enough
 */
#include "map/mirror.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

enum { AMPLE = 1000000 };

/*
 * A story in words, and what is said of the key "a" at its end:
 * begin, end: of a load; all: everything changed; change:X.
 * begin, send: note the moment; old: that of the last send.
 * X=V found under it, X=- absent, X=! odd, X=? not known.
 */
static const struct {
	const char *name, *story, *value; /* NULL: unknown; "-" absent, "!" odd */
} rows[] = {
    /* clang-format off */
    {"nothing is known at first", "", NULL},
    {"nor is anything taken before a load", "send a=v", NULL},
    {"what a load has brought is known", "begin send a=v", "v"},
    {"the last counts", "begin send a=v a=longer a=w", "w"},
    {"an empty string is one", "begin send a=", ""},
    {"a list is odd", "begin send a=!", "!"},
    {"an odd one becomes a string", "begin send a=! a=v", "v"},
    {"nothing is absent while a load goes on", "begin send b=v", NULL},
    {"not even what a read did not find", "begin send a=-", NULL},
    {"what a whole load has not found is absent", "begin send b=v end", "-"},
    {"what it has is known", "begin send a=v end", "v"},
    {"a name without a value is not", "begin send a=? end", NULL},
    {"until it was read", "begin send a=? end send a=!", "!"},
    {"a change makes it unknown", "begin send a=v end change:a", NULL},
    {"a change of another does not", "begin send a=v end change:b", "v"},
    {"one that was absent too", "begin end change:a", NULL},
    {"until it is read", "begin end change:a send a=v", "v"},
    {"or found absent", "begin send a=v end change:a send a=-", "-"},
    {"what was sent before the change does not count", "begin send change:a a=v end", NULL},
    {"nor does its absence", "begin send a=v end send change:a a=-", NULL},
    {"nor when the key was known before", "begin send a=v send change:a a=v end", NULL},
    {"nor when the change was read already", "begin send change:a now a=- old a=v end", NULL},
    {"nor does its absence then", "begin send change:a now a=v old a=- end", "v"},
    {"everything unknown", "begin send a=v end all", NULL},
    {"and absent no more", "begin end all", NULL},
    {"what was sent before is nothing any more", "begin send all begin old a=v", NULL},
    {"nor is the end of an older load one", "begin send all begin old end", NULL},
    {"a load in which all changed has no end", "begin send b=v all end", NULL},
    {"the next load counts", "begin send a=v end all begin send a=w end", "w"},
    {"during it old values do not", "begin send a=v end all begin", NULL},
    {"what it does not find is absent", "begin send a=v end all begin end", "-"},
    {"swept or not", "begin send a=v end all begin end sweep", "-"},
    {"what it finds stays", "begin send a=v end all begin send a=v end sweep", "v"},
    {"a change during it is not lost", "begin send a=v end all begin change:a end", NULL},
    {"nor by the sweep", "begin send a=v end all begin change:a end sweep", NULL},
    {"an old change does not last", "begin send change:a end all begin send a=v end", "v"},
    {"nothing is swept while a load goes on", "begin send a=v end all begin sweep send a=v end", "v"},
    {"nor anything lost by a sweep between loads", "begin send a=v end all sweep begin end", "-"},
    /* clang-format on */
};

static void
sweep(struct mirror *mirror)
{
	while (mirror_sweep(mirror))
		continue;
}

static void
play_value(struct mirror *mirror, struct str word, uint64_t moment)
{
	struct str key = str_make(word.ptr, str_find(word, '='));
	struct str value = str_from(word, key.len + 1);

	mirror_put(mirror, key,
	    str_is(value, "-")   ? MIRROR_ABSENT
	    : str_is(value, "!") ? MIRROR_ODD
	    : str_is(value, "?") ? MIRROR_UNKNOWN
				 : MIRROR_STRING,
	    value, moment);
}

static uint64_t
play_begin(struct mirror *mirror)
{
	mirror_begin(mirror, AMPLE);
	return mirror_now(mirror);
}

static void
play(struct mirror *mirror, struct str story)
{
	uint64_t sent = 0, sent_before = 0;
	size_t len;

	for (; story.len > 0; story = str_from(story, len < story.len ? len + 1 : len)) {
		struct str word = str_make(story.ptr, len = str_find(story, ' '));

		if (str_is(word, "begin"))
			sent = play_begin(mirror);
		else if (str_is(word, "end"))
			mirror_end(mirror, sent);
		else if (str_is(word, "all"))
			mirror_change_all(mirror);
		else if (str_is(word, "sweep"))
			sweep(mirror);
		else if (str_is(word, "send"))
			sent = sent_before = mirror_now(mirror);
		else if (str_is(word, "now"))
			sent = mirror_now(mirror);
		else if (str_is(word, "old"))
			sent = sent_before;
		else if (str_starts(word, "change:"))
			mirror_change(mirror, str_from(word, strlen("change:")));
		else
			play_value(mirror, word, sent);
	}
}

static void
stories(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mirror *mirror = mirror_new();
		struct str value = STR("");
		const char *got = NULL;

		print_message("%s\n", rows[i].name);
		play(mirror, str_of(rows[i].story));
		switch (mirror_get(mirror, STR("a"), &value)) {
		case MIRROR_UNKNOWN:
			break;
		case MIRROR_ABSENT:
			got = "-";
			break;
		case MIRROR_ODD:
			got = "!";
			break;
		case MIRROR_STRING:
			got = rows[i].value;
			assert_true(got != NULL && str_is(value, got));
		}
		assert_int_equal(got == NULL, rows[i].value == NULL);
		if (got != NULL)
			assert_string_equal(got, rows[i].value);
		mirror_free(&mirror);
		mirror_free(&mirror);
	}
}

static void
an_unknown_key_is_due_once_for_each_change(void **state)
{
	struct mirror *mirror = mirror_new();
	struct mirror_counters count;
	struct str key;

	mirror_begin(mirror, AMPLE);
	mirror_change(mirror, STR("a"));
	mirror_change(mirror, STR("a"));
	mirror_put(mirror, STR("b"), MIRROR_UNKNOWN, STR(""), mirror_now(mirror));
	mirror_count(mirror, &count);
	assert_int_equal(count.unknown, 2);
	assert_true(mirror_next(mirror, &key) && str_is(key, "a"));
	mirror_change(mirror, STR("a")); /* while it is being read */
	assert_true(mirror_next(mirror, &key) && str_is(key, "b"));
	assert_true(mirror_next(mirror, &key) && str_is(key, "a"));
	assert_false(mirror_next(mirror, &key));
	mirror_change(mirror, STR("a"));
	mirror_put(mirror, STR("a"), MIRROR_STRING, STR("v"), mirror_now(mirror));
	assert_true(mirror_has_due(mirror));
	assert_false(mirror_next(mirror, &key)); /* somebody has read it meanwhile */
	assert_false(mirror_has_due(mirror));
	mirror_free(&mirror);
}

static void
too_long_is_never_known_and_never_due(void **state)
{
	struct mirror *mirror = mirror_new();
	char *text = xcalloc(1, 100001);
	struct str big = str_make(text, 100000), longest, value, key;

	memset(text, 'x', 100000);
	longest = str_make(text, MIRROR_KEY_MAX_BYTES);
	mirror_begin(mirror, AMPLE);
	mirror_put(mirror, STR("a"), MIRROR_STRING, big, mirror_now(mirror));
	mirror_put(mirror, big, MIRROR_STRING, STR("v"), mirror_now(mirror));
	mirror_put(mirror, longest, MIRROR_STRING, longest, mirror_now(mirror));
	mirror_change(mirror, big);
	assert_true(mirror_end(mirror, mirror_now(mirror)));
	assert_int_equal(mirror_get(mirror, STR("a"), &value), MIRROR_UNKNOWN);
	assert_int_equal(mirror_get(mirror, big, &value), MIRROR_UNKNOWN);
	assert_int_equal(mirror_get(mirror, longest, &value), MIRROR_STRING);
	assert_true(str_eq(value, longest));
	assert_false(mirror_next(mirror, &key));
	mirror_put(mirror, STR("a"), MIRROR_STRING, STR("v"), mirror_now(mirror));
	assert_int_equal(mirror_get(mirror, STR("a"), &value), MIRROR_STRING);
	mirror_free(&mirror);
	free(text);
}

static void
one_too_many_and_it_gives_up(void **state)
{
	struct mirror *mirror = mirror_new();
	struct mirror_counters count;
	struct str value;

	for (int by_change = 0; by_change < 2; by_change++) {
		mirror_begin(mirror, 2);
		assert_false(mirror_is_full(mirror));
		mirror_put(mirror, STR("a"), MIRROR_STRING, STR("v"), mirror_now(mirror));
		mirror_put(mirror, STR("b"), MIRROR_STRING, STR("v"), mirror_now(mirror));
		assert_true(mirror_is_open(mirror));
		if (by_change)
			mirror_change(mirror, STR("c"));
		else
			mirror_put(mirror, STR("c"), MIRROR_STRING, STR("v"), mirror_now(mirror));
		assert_true(mirror_is_full(mirror));
		assert_false(mirror_is_open(mirror));
		assert_false(mirror_end(mirror, mirror_now(mirror)));
		assert_int_equal(mirror_get(mirror, STR("a"), &value), MIRROR_UNKNOWN);
		mirror_count(mirror, &count);
		assert_int_equal(count.old, 2);
		sweep(mirror);
		mirror_count(mirror, &count);
		assert_int_equal(count.old, 0);
	}
	mirror_free(&mirror);
}

/* ---- many */

enum { MANY = 200000 };

static struct str
number_key(unsigned n, char text[32])
{
	return str_make(text, (size_t)snprintf(text, 32, "owner:user%u@x.org", n));
}

static void
tally(void *ctx, struct str key, enum mirror_what what, struct str value)
{
	unsigned *seen = ctx, n = (unsigned)strtoul(key.ptr + strlen("owner:user"), NULL, 10);

	assert_true(what == MIRROR_STRING && str_is(value, "new"));
	seen[n]++;
}

static void
a_walk_visits_once_what_is_there_all_the_time(void **state)
{
	struct mirror *mirror = mirror_new();
	unsigned *seen = xnew_array(unsigned, 3 * MANY), cursor = 0, turns = 0;
	char text[32];

	mirror_begin(mirror, AMPLE);
	for (unsigned n = 0; n < 2 * MANY; n++)
		mirror_put(mirror, number_key(n, text), MIRROR_STRING, STR("new"), 1);
	while (mirror_walk(mirror, &cursor, tally, seen)) {
		for (unsigned n = turns * 40; n < (turns + 1) * 40; n++) { /* tables grow */
			mirror_put(mirror, number_key(2 * MANY + n, text), MIRROR_STRING,
			    STR("new"), 1);
			mirror_put(mirror, number_key(MANY + n, text), MIRROR_ABSENT, STR(""), 1);
		}
		turns++;
	}
	assert_false(mirror_walk(mirror, &cursor, tally, seen));
	assert_true(turns * 40 < MANY && turns > 1000);
	for (unsigned n = 0; n < 3 * MANY; n++)
		assert_true(n < MANY ? seen[n] == 1 : seen[n] <= 1);
	free(seen);
	mirror_free(&mirror);
}

static void
a_second_load_finds_its_records_and_the_rest_is_swept(void **state)
{
	struct mirror *mirror = mirror_new();
	struct mirror_counters first, count;
	char text[32];

	for (unsigned step = 1; step <= 2; step++) {
		mirror_begin(mirror, AMPLE);
		for (unsigned n = 0; n < MANY; n += step)
			mirror_put(mirror, number_key(n, text), MIRROR_STRING, STR("new"),
			    mirror_now(mirror));
		if (step == 1)
			mirror_count(mirror, &first);
		sweep(mirror); /* not while it goes on */
		mirror_count(mirror, &count);
		assert_int_equal(count.used_bytes, first.used_bytes);
		assert_true(mirror_end(mirror, mirror_now(mirror)));
	}
	assert_int_equal(count.records, MANY / 2);
	assert_int_equal(count.old, MANY / 2);
	sweep(mirror);
	mirror_count(mirror, &count);
	assert_int_equal(count.records, MANY / 2);
	assert_int_equal(count.old, 0);
	print_message("%.1f bytes each, %zu of them key and value\n",
	    (double)first.used_bytes / MANY, number_key(MANY - 1, text).len + 3);
	assert_true(first.used_bytes / MANY < 60 + number_key(MANY - 1, text).len);
	mirror_free(&mirror);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stories),
	    cmocka_unit_test(an_unknown_key_is_due_once_for_each_change),
	    cmocka_unit_test(too_long_is_never_known_and_never_due),
	    cmocka_unit_test(one_too_many_and_it_gives_up),
	    cmocka_unit_test(a_walk_visits_once_what_is_there_all_the_time),
	    cmocka_unit_test(a_second_load_finds_its_records_and_the_rest_is_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
