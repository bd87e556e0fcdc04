/*
 * test_mirror_play.c - a copy of the map against a Redis in miniature
 *
 * A handful of keys, of which one changes now and then. Its invalidation waits
 * in a pipe (T), and so do the replies to what was asked (D): each pipe in
 * order, but who is read first is a matter of dice. A load names the keys as SCAN
 * does: each that is there all the time at least once.
 */
#include "map/mirror.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

enum { AMPLE = 1000000 };

static void
sweep(struct mirror *mirror)
{
	while (mirror_sweep(mirror))
		continue;
}

enum { KEYS = 12, PIPE = 256, STEPS = 400000, ALL = KEYS, WALKS = 4 };

struct asked {
	uint64_t moment;
	unsigned key;
	bool is_load, is_last, was_asked; /* asked: Redis has run it */
	unsigned value; /* what it found then; 0: nothing */
};

struct world {
	struct mirror *mirror;
	unsigned truth[KEYS]; /* 0: not there */
	unsigned told[PIPE], told_first, told_last;
	struct asked asked[PIPE];
	unsigned asked_first, asked_run, asked_last;
	unsigned load_next; /* the next key that SCAN comes to; KEYS: no load */
	unsigned count_known, count_absent, count_unknown, count_complete;
};

static struct str
key_text(unsigned key)
{
	static char text[16];

	return str_make(text, (size_t)snprintf(text, sizeof(text), "owner:%u", key));
}

static void
world_change(struct world *world, unsigned key, unsigned value)
{
	if (world->told_last - world->told_first == PIPE)
		return;
	if (key == ALL)
		memset(world->truth, 0, sizeof(world->truth));
	else
		world->truth[key] = value;
	world->told[world->told_last++ % PIPE] = key;
}

static void
world_hear(struct world *world)
{
	unsigned key;

	if (world->told_first == world->told_last)
		return;
	key = world->told[world->told_first++ % PIPE];
	if (key == ALL)
		mirror_change_all(world->mirror);
	else
		mirror_change(world->mirror, key_text(key));
}

static void
world_ask(struct world *world, unsigned key, bool is_load, bool is_last)
{
	world->asked[world->asked_last++ % PIPE] =
	    (struct asked){.moment = mirror_now(world->mirror),
		.key = key,
		.is_load = is_load,
		.is_last = is_last};
}

/* What the driver does when it has time. */
static void
world_drive(struct world *world)
{
	struct str key;
	uint64_t number = 0;

	if (world->asked_last - world->asked_first == PIPE)
		return;
	if (!mirror_is_open(world->mirror) && world->load_next == KEYS) {
		mirror_begin(world->mirror, AMPLE);
		world->load_next = 0;
	}
	if (world->load_next < KEYS) {
		world_ask(world, world->load_next, true, world->load_next == KEYS - 1);
		world->load_next++;
	} else if (mirror_is_complete(world->mirror) && mirror_next(world->mirror, &key)) {
		assert_true(str_number(str_from(key, strlen("owner:")), KEYS - 1, &number));
		world_ask(world, (unsigned)number, false, false);
	}
}

static void
world_run(struct world *world)
{
	struct asked *asked = &world->asked[world->asked_run % PIPE];

	if (world->asked_run == world->asked_last)
		return;
	world->asked_run++;
	asked->value = world->truth[asked->key];
}

static void
world_reply(struct world *world)
{
	struct asked *asked = &world->asked[world->asked_first % PIPE];
	char text[16];
	struct str value = str_make(text, 0);

	if (world->asked_first == world->asked_run)
		return;
	world->asked_first++;
	value.len = (size_t)snprintf(text, sizeof(text), "%u", asked->value);
	if (asked->value != 0)
		mirror_put(world->mirror, key_text(asked->key),
		    asked->value % 7 == 0 ? MIRROR_ODD : MIRROR_STRING, value, asked->moment);
	else if (!asked->is_load) /* SCAN says nothing of what is not there */
		mirror_put(world->mirror, key_text(asked->key), MIRROR_ABSENT, STR(""),
		    asked->moment);
	if (asked->is_last)
		world->count_complete += mirror_end(world->mirror, asked->moment);
}

/* The connections are gone; in a new session nothing was told and nothing asked. */
static void
world_lose(struct world *world)
{
	world->told_first = world->told_last;
	world->asked_first = world->asked_run = world->asked_last;
	mirror_change_all(world->mirror);
	world->load_next = KEYS;
}

static bool
is_awaited(const struct world *world, unsigned key)
{
	for (unsigned i = world->told_first; i != world->told_last; i++) {
		if (world->told[i % PIPE] == key || world->told[i % PIPE] == ALL)
			return true;
	}
	return false;
}

/* What it says is so, unless news of it is on its way. */
static void
world_check(struct world *world, unsigned key)
{
	unsigned truth = world->truth[key];
	char text[16];
	struct str value;

	snprintf(text, sizeof(text), "%u", truth);
	switch (mirror_get(world->mirror, key_text(key), &value)) {
	case MIRROR_UNKNOWN:
		world->count_unknown++;
		return;
	case MIRROR_ABSENT:
		world->count_absent++;
		assert_true(truth == 0 || is_awaited(world, key));
		return;
	case MIRROR_ODD:
		assert_true((truth != 0 && truth % 7 == 0) || is_awaited(world, key));
		return;
	case MIRROR_STRING:
		world->count_known++;
		assert_true((truth % 7 != 0 && str_is(value, text)) || is_awaited(world, key));
	}
}

/* In peace, everything becomes known. */
static void
world_settle(struct world *world)
{
	struct str value;

	for (int i = 0; i < 4 * PIPE; i++) {
		world_hear(world);
		world_drive(world);
		world_run(world);
		world_reply(world);
	}
	assert_true(mirror_is_complete(world->mirror));
	for (unsigned key = 0; key < KEYS; key++) {
		assert_int_not_equal(mirror_get(world->mirror, key_text(key), &value),
		    MIRROR_UNKNOWN);
		world_check(world, key);
	}
}

static void
it_is_never_wrong_whatever_comes_first(void **state)
{
	struct world *world = xnew(struct world);
	struct mirror_counters count;

	world->mirror = mirror_new();
	world->load_next = KEYS;
	srand(11); /* the same steps every time */
	for (unsigned step = 1; step <= STEPS; step++) {
		unsigned dice = (unsigned)rand() % 10000, key = (unsigned)rand() % KEYS;

		if (dice < 2500)
			world_check(world, key);
		else if (dice < 3000)
			world_change(world, key, dice % 3 == 0 ? 0 : step);
		else if (dice < 4500)
			world_hear(world);
		else if (dice < 6000)
			world_drive(world);
		else if (dice < 7500)
			world_run(world);
		else if (dice < 9000)
			world_reply(world);
		else if (dice < 9970)
			mirror_sweep(world->mirror);
		else if (dice < 9990)
			world_change(world, ALL, 0);
		else
			world_lose(world);
		if (step % 1000 == 0)
			world_settle(world);
	}
	sweep(world->mirror);
	mirror_count(world->mirror, &count);
	assert_true(count.unknown == 0 && count.old == 0 && count.records <= KEYS);
	print_message("known %u absent %u unknown %u complete %u\n", world->count_known,
	    world->count_absent, world->count_unknown, world->count_complete);
	assert_true(world->count_known > 10000 && world->count_absent > 10000);
	assert_true(world->count_unknown > 10000 && world->count_complete > 100);
	mirror_free(&world->mirror);
	free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_never_wrong_whatever_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
