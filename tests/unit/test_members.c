/*
 * test_members.c - which Redis servers are there, and is that enough
 */
#include "admin/members.h"

#include "admin/status_map.h"
#include "base/mem.h"

#include <string.h>

#include "unit.h"

static struct map_head
head_of(const char *members, const char *dead)
{
	struct map_head head = {0};

	assert_true(head_members_read(str_of(members), &head.members, &head.named));
	assert_true(head_servers_read(str_of(dead), &head.dead));
	return head;
}

static void
add_replica(struct server_replication *replication, const char *address, bool is_online)
{
	struct server_replica *replica = &replication->replicas[replication->replica_count++];

	replica->is_online = is_online;
	replica->offset = 90;
	strcpy(replica->address, address);
}

static enum member_state
state_of(const struct members *members, const char *address)
{
	const struct member *member = members_find(members, address);

	assert_non_null(member);
	return member->state;
}

static void
each_member_has_its_state(void **state)
{
	struct map_head head = head_of("a:1 b:1 c:1 d:1 e:1", "d:1");
	struct server_replication replication = {.offset = 100};
	struct members members;

	add_replica(&replication, "b:1", true);
	add_replica(&replication, "c:1", false);
	add_replica(&replication, "x:1", true);
	members_judge(&members, &head, &replication, "a:1");
	assert_int_equal(state_of(&members, "a:1"), MEMBER_MASTER);
	assert_int_equal(state_of(&members, "b:1"), MEMBER_ONLINE);
	assert_int_equal(state_of(&members, "c:1"), MEMBER_SYNCS);
	assert_int_equal(state_of(&members, "d:1"), MEMBER_DEAD);
	assert_int_equal(state_of(&members, "e:1"), MEMBER_MISSING);
	assert_true(members_find(&members, "x:1")->is_stranger);
	assert_int_equal(members_find(&members, "b:1")->behind_bytes, 10);
	assert_int_equal(members.count, 6);
	assert_int_equal(members.wanted, 3);
	assert_int_equal(members.majority, 2);
	assert_int_equal(members.online, 1); /* neither the one that syncs nor the stranger */
}

static void
the_master_is_found_by_its_address_or_as_the_only_one_left(void **state)
{
	static const struct {
		const char *dead, *target, *master;
	} rows[] = {
	    {"", "", ""}, /* b or c */
	    {"c:1", "", "b:1"}, {"", "c:1", "c:1"}, {"c:1", "c:1", "c:1"}, /* against the promise */
	    {"", "xb:1", ""}, /* another name for b or c */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct map_head head = head_of("a:1 b:1 c:1", rows[i].dead);
		struct server_replication replication = {0};
		struct members members;

		add_replica(&replication, "a:1", true);
		members_judge(&members, &head, &replication, rows[i].target);
		assert_string_equal(members.list[0].address, rows[i].master);
	}
}

static void
a_dead_one_that_is_back_counts_for_the_majority_alone(void **state)
{
	struct map_head head = head_of("a:1 b:1 c:1", "b:1");
	struct server_replication replication = {0};
	struct members members;

	add_replica(&replication, "b:1", true);
	members_judge(&members, &head, &replication, "a:1");
	assert_int_equal(members.online, 0);
	assert_int_equal(members.online_dead, 1);
	assert_int_equal(members.wanted, 1);
	assert_true(members_find(&members, "b:1")->is_declared_dead);
}

/* Test: what a row of this table says, and how many sentences are said in all. */
static void
what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *members, *dead, *replicas[4];
		size_t troubles;
	} rows[] = {
	    {"1", "", {0}, 0}, {"3", "", {"b:1", "c:1"}, 0},
	    {"3", "", {"b:1"}, 1}, /* fewer than all */
	    {"3", "", {0}, 2}, /* and no majority */
	    {"3", "c:1", {"b:1"}, 0},
	    {"3", "", {"b:1", "c:1", "d:1"}, 1}, /* more than the map has */
	    {"a:1 b:1 c:1", "", {"b:1", "c:1", "d:1"}, 1}, /* a stranger */
	    {"a:1 b:1 c:1", "c:1", {"b:1", "c:1"}, 1}, /* back */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct map_head head = head_of(rows[i].members, rows[i].dead);
		struct server_replication replication = {0};
		struct members members;
		json_t *troubles;

		for (size_t r = 0; rows[i].replicas[r] != NULL; r++)
			add_replica(&replication, rows[i].replicas[r], true);
		members_judge(&members, &head, &replication, "a:1");
		troubles = members_troubles(&head, &members);
		assert_int_equal(json_array_size(troubles), rows[i].troubles);
		json_decref(troubles);
	}
}

static void
a_window_has_its_word(void **state)
{
	static const struct {
		uint32_t lease_ms, most_ms;
		const char *word;
	} rows[] = {
	    {15000, 15000, "half open"},
	    {2000, 15000, "opening"},
	    {2000, 2000, "open"},
	    {3600000, 3600000, "closed"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct map_head head = {
		    .lease_ms = rows[i].lease_ms, .lease_most_ms = rows[i].most_ms};

		assert_string_equal(window_word(&head), rows[i].word);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_member_has_its_state),
	    cmocka_unit_test(the_master_is_found_by_its_address_or_as_the_only_one_left),
	    cmocka_unit_test(a_dead_one_that_is_back_counts_for_the_majority_alone),
	    cmocka_unit_test(what_is_wrong_is_said),
	    cmocka_unit_test(a_window_has_its_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
