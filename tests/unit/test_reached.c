/*
 * test_reached.c - which Redis servers have a change
 */
#include "map/reached.h"

#include "base/mem.h"

#include <string.h>

#include "unit.h"

enum { OFFSET = 100 };

/* "b:1" follows and has it; "b:1-" lags behind, "b:1~" is being filled, "b:1?" was just filled. */
static void
add_replica(struct server_replication *replication, const char *text)
{
	struct server_replica *replica = &replication->replicas[replication->replica_count++];
	size_t len = strcspn(text, "-~?");

	memcpy(replica->address, text, len);
	replica->is_online = text[len] != '~';
	replica->offset = text[len] == '\0' ? OFFSET : text[len] == '-' ? OFFSET - 1 : 0;
}

static const struct {
	const char *members, *dead, *master, *replicas[5];
	unsigned wanted, count;
	const char *missing;
} rows[] = {
    {"1", "", "a:1", {0}, 0, 0, ""},
    {"1", "", "a:1", {"x:1-"}, 0, 0, ""},
    {"3", "", "a:1", {"b:1", "c:1"}, 2, 2, ""},
    {"3", "", "a:1", {"b:1", "c:1-"}, 2, 1, ""},
    {"3", "", "a:1", {"b:1", "c:1~"}, 2, 1, ""},
    {"3", "c:1", "a:1", {"b:1", "c:1"}, 1, 1, ""},
    {"3", "c:1", "a:1", {"c:1"}, 1, 0, ""},
    /* Nobody knows which of three are the two. */
    {"3", "", "a:1", {"b:1", "c:1-", "d:1"}, 3, 2, ""},
    {"3", "x:1", "a:1", {"b:1", "c:1-"}, 2, 1, ""},
    {"3", "a:1", "a:1", {"b:1"}, 2, 1, ""},

    {"a:1 b:1 c:1", "", "a:1", {"b:1", "c:1"}, 2, 2, ""},
    {"a:1 b:1 c:1", "", "a:1", {"b:1", "x:1"}, 2, 1, "c:1"},
    {"a:1 b:1 c:1", "", "a:1", {"b:1"}, 2, 1, "c:1"},
    {"a:1 b:1 c:1", "c:1", "a:1", {"b:1"}, 1, 1, ""},
    {"a:1 b:1 c:1", "c:1", "a:1", {"c:1"}, 1, 0, "b:1"},
    /* Declared dead, and the master all the same. */
    {"a:1 b:1 c:1", "a:1", "a:1", {"b:1"}, 2, 1, "c:1"},
    {"a:1 b:1 c:1", "a:1", "a:1", {"b:1", "c:1"}, 2, 2, ""},
    /* By another name, or over a Unix socket. */
    {"a:1 b:1 c:1", "", "", {"b:1", "c:1"}, 2, 2, ""},
    {"a:1 b:1 c:1", "", "redis1:1", {"b:1"}, 2, 1, "a:1 c:1"},
    {"a:1 b:1 c:1", "", "", {"b:1", "c:1-"}, 2, 1, "c:1"},
    {"a:1 b:1 c:1", "", "", {"a:1-", "c:1"}, 2, 1, "a:1"},
    /* A stranger is the master. */
    {"a:1 b:1 c:1", "", "x:1", {"a:1", "b:1", "c:1-"}, 3, 2, "c:1"},
    {"a:1 b:1 c:1", "", "x:1", {"a:1", "b:1", "c:1"}, 3, 3, ""},
};

static void
test_reached_each_row(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct server_replication replication = {.offset = OFFSET};
		struct head_servers missing;
		struct map_head head = {0};
		struct reached reached;

		assert_true(head_members_read(str_of(rows[i].members), &head.members, &head.named));
		assert_true(head_servers_read(str_of(rows[i].dead), &head.dead));
		for (size_t r = 0; rows[i].replicas[r] != NULL; r++)
			add_replica(&replication, rows[i].replicas[r]);
		reached_count(&reached, &head, &replication, rows[i].master, OFFSET);
		if (reached.wanted != rows[i].wanted || reached.count != rows[i].count)
			fail_msg("row %zu: %u of %u", i, reached.count, reached.wanted);
		assert_true(head_servers_read(str_of(rows[i].missing), &missing));
		assert_int_equal(reached.missing.count, missing.count);
		for (unsigned m = 0; m < missing.count; m++)
			assert_string_equal(reached.missing.address[m], missing.address[m]);
	}
}

/* A master that had no replica before counts from 0. */
static void
test_reached_not_by_who_was_just_filled(void **state)
{
	struct map_head head = {.members = 3};
	struct server_replication replication = {0};
	struct reached reached;

	add_replica(&replication, "b:1?");
	add_replica(&replication, "c:1?");
	reached_count(&reached, &head, &replication, "a:1", 0);
	assert_int_equal(reached.wanted, 2);
	assert_int_equal(reached.count, 0);
}

static const struct {
	const char *members, *dead, *replicas[5];
	unsigned count;
} most_rows[] = {
    {"3", "", {"b:1", "x:1"}, 2},
    {"a:1 b:1 c:1", "", {"b:1", "x:1"}, 1},
    {"a:1 b:1 c:1", "", {"x:1", "y:1"}, 0},
    {"a:1 b:1 c:1", "", {"b:1-", "c:1~", "x:1"}, 0},
    {"a:1 b:1 c:1", "b:1", {"b:1"}, 1},
    {"a:1 b:1 c:1", "", {"b:1", "b:1"}, 1},
    {"a:1 b:1 c:1", "", {"b:1-", "b:1"}, 1},
};

static void
test_reached_by_a_majority_of_members_and_no_strangers(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(most_rows); i++) {
		struct server_replication replication = {.offset = OFFSET};
		struct map_head head = {0};
		unsigned count;

		assert_true(head_members_read(str_of(most_rows[i].members), &head.members,
		    &head.named));
		assert_true(head_servers_read(str_of(most_rows[i].dead), &head.dead));
		for (size_t r = 0; most_rows[i].replicas[r] != NULL; r++)
			add_replica(&replication, most_rows[i].replicas[r]);
		count = reached_most(&head, &replication, OFFSET);
		if (count != most_rows[i].count)
			fail_msg("row %zu: %u", i, count);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reached_each_row),
	    cmocka_unit_test(test_reached_not_by_who_was_just_filled),
	    cmocka_unit_test(test_reached_by_a_majority_of_members_and_no_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
