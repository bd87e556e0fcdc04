/*
 * test_awaited.c - for whom a change waits, and how long
 */
#include "map/awaited.h"

#include "base/mem.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEASE = 200, START = 1000, GRACE = 300, DRAIN = 400 };

/* The answer of HGETALL with these fields and values; the caller's. */
static struct resp *
hash(const char *const *words)
{
	struct resp_reader *reader = resp_reader_new();
	struct buf command = BUF_INIT;
	struct str argv[32];
	struct resp *reply = NULL;
	struct fault fault;
	size_t argc = 0;

	for (; words[argc] != NULL; argc++)
		argv[argc] = str_of(words[argc]);
	resp_command(&command, argv, argc);
	resp_feed(reader, buf_str(&command));
	assert_int_equal(resp_next(reader, &reply, &fault), 1);
	buf_fini(&command);
	resp_reader_free(&reader);
	return reply;
}

static void
look(struct awaited *awaited, const char *const *nodes, const char *const *beats, uint64_t now_ms)
{
	struct resp *n = hash(nodes), *b = hash(beats);

	assert_true(awaited_look(awaited, n, b, LEASE, now_ms, now_ms));
	resp_free(&n);
	resp_free(&b);
}

#define NODES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})
#define ENTRY(run)                                                                                 \
	"{\"host\":\"mx\",\"role\":\"r\",\"grace_ms\":0,\"drain_ms\":0,\"run\":\"" run "\"}"
#define PLAIN ENTRY("1")
#define GRACIOUS "{\"host\":\"mx\",\"role\":\"r\",\"grace_ms\":300,\"drain_ms\":400,\"run\":\"1\"}"

static struct awaited *
begin(void)
{
	return awaited_new(7, "aa", START);
}

static void
nobody_is_waited_for_before_anybody_looked(void **state)
{
	struct awaited *awaited = begin();

	assert_false(awaited_is_over(awaited));
	look(awaited, NONE, NONE, START);
	assert_true(awaited_is_over(awaited));
	assert_false(awaited_by_time(awaited));
	awaited_free(&awaited);
}

static void
only_an_acknowledgement_of_this_barrier_counts(void **state)
{
	static const struct {
		const char *name, *message;
		bool counts;
	} rows[] = {
	    {"ours", "7 aa n/r/0 1", true},
	    {"a later epoch, by a node that heard of it already", "8 aa n/r/0 1", true},
	    {"another nonce", "7 ab n/r/0 1", false},
	    {"an older epoch", "6 aa n/r/0 1", false},
	    {"another node", "7 aa n/r/1 1", false},
	    {"a node whose name is longer", "7 aa n/r/00 1", false},
	    {"another process of that node", "7 aa n/r/0 2", false},
	    {"no process", "7 aa n/r/0", false},
	    {"no node", "7 aa", false},
	    {"a barrier, heard on the wrong channel", "7 aa *", false},
	    {"nothing", "", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct awaited *awaited = begin();

		print_message("%s\n", rows[i].name);
		look(awaited, NODES("n/r/0", PLAIN), NONE, START);
		awaited_take_ack(awaited, str_of(rows[i].message), START + 5);
		assert_int_equal(awaited_is_over(awaited), rows[i].counts);
		if (rows[i].counts) {
			assert_int_equal(awaited_at(awaited, 0)->state, AWAITED_ACKNOWLEDGED);
			assert_int_equal(awaited_at(awaited, 0)->done_ms, 5);
		}
		awaited_free(&awaited);
	}
}

static void
an_acknowledgement_may_come_before_the_roster(void **state)
{
	struct awaited *awaited = begin();

	awaited_take_ack(awaited, STR("7 aa n/r/0 1"), START);
	assert_false(awaited_is_over(awaited));
	look(awaited, NODES("n/r/0", PLAIN), NONE, START);
	assert_true(awaited_is_over(awaited));
	awaited_free(&awaited);
}

/* Who held the id before, and was cut off, speaks for itself alone (model: ACK_RUN). */
static void
the_process_that_is_in_the_roster_must_acknowledge(void **state)
{
	struct awaited *awaited = begin();

	look(awaited, NODES("n/r/0", ENTRY("2")), NONE, START);
	awaited_take_ack(awaited, STR("7 aa n/r/0 1"), START);
	assert_false(awaited_is_over(awaited));
	awaited_take_ack(awaited, STR("7 aa n/r/0 2"), START + 3);
	assert_true(awaited_is_over(awaited));
	assert_int_equal(awaited_at(awaited, 0)->done_ms, 3);
	/* While another node is waited for, one of the same id starts, with what it has on disk. */
	look(awaited, NODES("n/r/0", ENTRY("3"), "n/r/1", PLAIN), NONE, START + 10);
	assert_int_equal(awaited_at(awaited, 0)->state, AWAITED_ENTERED);
	awaited_take_ack(awaited, STR("7 aa n/r/1 1"), START + 11);
	assert_false(awaited_is_over(awaited));
	awaited_take_ack(awaited, STR("7 aa n/r/0 2"), START + 12);
	assert_false(awaited_is_over(awaited));
	awaited_take_ack(awaited, STR("7 aa n/r/0 3"), START + 13);
	assert_true(awaited_is_over(awaited));
	awaited_free(&awaited);
}

/* It entered after our last look, and was quicker than our next one. */
static void
an_acknowledgement_may_come_before_its_run_is_seen(void **state)
{
	struct awaited *awaited = begin();

	look(awaited, NODES("n/r/0", ENTRY("1")), NONE, START);
	awaited_take_ack(awaited, STR("7 aa n/r/0 2"), START + 5);
	assert_false(awaited_is_over(awaited));
	look(awaited, NODES("n/r/0", ENTRY("2")), NONE, START + 10);
	assert_true(awaited_is_over(awaited));
	assert_int_equal(awaited_at(awaited, 0)->done_ms, 5);
	awaited_free(&awaited);
}

static void
strangers_cannot_fill_the_memory(void **state)
{
	struct awaited *awaited = begin();
	char message[64];

	for (int i = 0; i < 3000; i++) {
		snprintf(message, sizeof(message), "7 aa stranger/%d 1", i);
		awaited_take_ack(awaited, str_of(message), START);
	}
	look(awaited, NODES("n/r/0", PLAIN), NONE, START);
	assert_int_equal(awaited_count(awaited), 1);
	assert_false(awaited_is_over(awaited));
	awaited_take_ack(awaited, STR("7 aa n/r/0 1"), START);
	assert_true(awaited_is_over(awaited));
	awaited_free(&awaited);
}

static void
silence_must_last_for_lease_grace_and_drain_time(void **state)
{
	uint64_t wait = awaited_wait_ms(LEASE, GRACE, DRAIN);
	struct awaited *awaited = begin();

	assert_int_equal(wait, 900 + 9 + 100);
	look(awaited, NODES("n/r/0", GRACIOUS), NODES("n/r/0", "{\"beat\":1}"), START);
	assert_int_equal(awaited_at(awaited, 0)->state, AWAITED_SILENT);
	assert_int_equal(awaited_at(awaited, 0)->left_ms, wait);
	look(awaited, NODES("n/r/0", GRACIOUS), NODES("n/r/0", "{\"beat\":1}"), START + wait - 1);
	assert_int_equal(awaited_at(awaited, 0)->left_ms, 1);
	assert_false(awaited_is_over(awaited));
	look(awaited, NODES("n/r/0", GRACIOUS), NODES("n/r/0", "{\"beat\":1}"), START + wait);
	assert_true(awaited_is_over(awaited));
	assert_true(awaited_by_time(awaited));
	awaited_free(&awaited);
}

static void
the_longest_times_that_were_ever_declared_count(void **state)
{
	uint64_t wait = awaited_wait_ms(LEASE, GRACE, DRAIN);
	struct awaited *awaited = begin();

	look(awaited, NODES("n/r/0", GRACIOUS), NONE, START);
	look(awaited, NODES("n/r/0", PLAIN), NONE, START + wait - 1);
	assert_false(awaited_is_over(awaited));
	awaited_free(&awaited);
}

static void
who_beats_is_never_waited_out(void **state)
{
	struct awaited *awaited = begin();
	char beat[32];

	for (int i = 0; i < 100; i++) {
		snprintf(beat, sizeof(beat), "{\"beat\":%d}", i);
		look(awaited, NODES("n/r/0", PLAIN), NODES("n/r/0", beat),
		    START + (uint64_t)i * 100);
		assert_false(awaited_is_over(awaited));
	}
	assert_int_equal(awaited_at(awaited, 0)->state, AWAITED_BEATS);
	/* It falls silent: its time begins at the last heartbeat, not before. */
	look(awaited, NODES("n/r/0", PLAIN), NODES("n/r/0", beat), START + 9900 + 301);
	assert_false(awaited_is_over(awaited));
	look(awaited, NODES("n/r/0", PLAIN), NODES("n/r/0", beat), START + 9900 + 302);
	assert_true(awaited_is_over(awaited));
	awaited_free(&awaited);
}

static void
a_heartbeat_that_comes_or_goes_has_moved(void **state)
{
	struct awaited *awaited = begin();

	look(awaited, NODES("n/r/0", PLAIN), NONE, START);
	look(awaited, NODES("n/r/0", PLAIN), NODES("n/r/0", "1"), START + 300);
	look(awaited, NODES("n/r/0", PLAIN), NODES("n/r/0", "1"), START + 400);
	assert_false(awaited_is_over(awaited));
	look(awaited, NODES("n/r/0", PLAIN), NONE, START + 500);
	look(awaited, NODES("n/r/0", PLAIN), NONE, START + 700);
	assert_false(awaited_is_over(awaited));
	awaited_free(&awaited);
}

static void
silence_counts_until_it_was_asked_for_and_from_when_the_answer_came(void **state)
{
	struct awaited *awaited = begin();
	struct resp *nodes = hash(NODES("n/r/0", PLAIN)), *first = hash(NODES("n/r/0", "1")),
		    *second = hash(NODES("n/r/0", "2"));

	/* W is 302 ms. A slow answer may have been read at any moment. */
	awaited_look(awaited, nodes, first, LEASE, START, START);
	awaited_look(awaited, nodes, second, LEASE, START + 100, START + 250);
	awaited_look(awaited, nodes, second, LEASE, START + 551, START + 9000);
	assert_false(awaited_is_over(awaited));
	awaited_look(awaited, nodes, second, LEASE, START + 552, START + 9000);
	assert_true(awaited_is_over(awaited));
	resp_free(&nodes);
	resp_free(&first);
	resp_free(&second);
	awaited_free(&awaited);
}

static void
an_entry_that_cannot_be_read_is_never_waited_out(void **state)
{
	static const struct {
		const char *text;
		bool names_run; /* only then somebody can acknowledge for it */
	} entries[] = {{"", false}, {"{}", false}, {"[]", false}, {"{\"grace_ms\":0}", false},
	    {"{\"grace_ms\":-1,\"drain_ms\":0,\"run\":\"1\"}", true},
	    {"{\"grace_ms\":0,\"drain_ms\":\"0\",\"run\":\"1\"}", true}};

	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		struct awaited *awaited = begin();

		look(awaited, NODES("n/r/0", entries[i].text), NONE, START);
		look(awaited, NODES("n/r/0", entries[i].text), NONE, START + 1000 * 1000 * 1000);
		assert_int_equal(awaited_at(awaited, 0)->state, AWAITED_UNREADABLE);
		assert_false(awaited_is_over(awaited));
		awaited_take_ack(awaited, STR("7 aa n/r/0 1"), START);
		assert_int_equal(awaited_is_over(awaited), entries[i].names_run);
		awaited_free(&awaited);
	}
}

static void
a_name_that_is_none_stays_one_entry(void **state)
{
	struct awaited *awaited = begin();

	for (int i = 0; i < 3; i++) {
		look(awaited, NODES("a b\"c", PLAIN, "", PLAIN), NONE, START + 100000);
		assert_int_equal(awaited_count(awaited), 2);
		assert_int_equal(awaited_at(awaited, 0)->state, AWAITED_UNREADABLE);
	}
	awaited_free(&awaited);
}

static void
who_comes_is_waited_for_and_who_leaves_is_not(void **state)
{
	struct awaited *awaited = begin();

	look(awaited, NODES("n/r/0", PLAIN), NONE, START);
	awaited_take_ack(awaited, STR("7 aa n/r/0 1"), START);
	look(awaited, NODES("n/r/0", PLAIN, "n/r/1", PLAIN), NONE, START + 1);
	assert_false(awaited_is_over(awaited));
	look(awaited, NODES("n/r/0", PLAIN), NONE, START + 2);
	assert_true(awaited_is_over(awaited));
	assert_int_equal(awaited_count(awaited), 1);
	awaited_free(&awaited);
}

static void
what_is_no_hash_is_not_an_empty_one(void **state)
{
	struct awaited *awaited = begin();
	struct resp *odd = hash(NODES("n/r/0")), *none = hash(NONE);

	assert_false(awaited_look(awaited, odd, none, LEASE, START, START));
	assert_false(awaited_look(awaited, none, odd, LEASE, START, START));
	assert_false(awaited_is_over(awaited));
	resp_free(&odd);
	resp_free(&none);
	awaited_free(&awaited);
}

/*
 * W is 302 ms. Nobody was seen to be silent before he was seen, so a name for that
 * is right only when he has been silent since.
 */
static void
who_is_seen_late_is_named_by_what_was_seen(void **state)
{
	static const struct {
		const char *name;
		uint64_t first_ms; /* when somebody looked before it was there; 0: nobody did */
		uint64_t seen_ms, again_ms; /* after the begin */
		const char *run, *beat; /* when it is looked at again */
		const char *ack; /* between the two looks */
		enum awaited_state at_first, at_last;
	} rows[] = {
	    {"the first look is late: it may have beaten all the time", 0, 5000, 5301, "1", "1",
		NULL, AWAITED_SILENT, AWAITED_SILENT},
	    {"and was silent since", 0, 5000, 5302, "1", "1", NULL, AWAITED_SILENT, AWAITED_OUT},
	    {"and beats", 0, 5000, 5302, "1", "2", NULL, AWAITED_SILENT, AWAITED_BEATS},
	    {"it entered before W had passed", 1, 100, 401, "1", "1", NULL, AWAITED_ENTERED,
		AWAITED_ENTERED},
	    {"and was silent for W", 1, 100, 402, "1", "1", NULL, AWAITED_ENTERED, AWAITED_OUT},
	    {"it entered when W had passed", 1, 5000, 5301, "1", "1", NULL, AWAITED_ENTERED,
		AWAITED_ENTERED},
	    {"and was silent for W", 1, 5000, 5302, "1", "1", NULL, AWAITED_ENTERED, AWAITED_OUT},
	    {"and beats", 1, 5000, 5302, "1", "2", NULL, AWAITED_ENTERED, AWAITED_BEATS},
	    {"and acknowledges", 1, 5000, 5010, "1", "2", "7 aa n/r/0 1", AWAITED_ENTERED,
		AWAITED_ACKNOWLEDGED},
	    {"and is another process then", 1, 5000, 5302, "2", "1", NULL, AWAITED_ENTERED,
		AWAITED_ENTERED},
	    {"another process took a silent one's place", 0, 1, 303, "2", "1", NULL, AWAITED_SILENT,
		AWAITED_ENTERED},
	    {"and has acknowledged", 0, 1, 303, "2", "1", "7 aa n/r/0 2", AWAITED_SILENT,
		AWAITED_ACKNOWLEDGED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct awaited *awaited = begin();
		char entry[128];

		print_message("%s\n", rows[i].name);
		if (rows[i].first_ms > 0)
			look(awaited, NONE, NONE, START + rows[i].first_ms);
		look(awaited, NODES("n/r/0", PLAIN), NODES("n/r/0", "1"), START + rows[i].seen_ms);
		assert_int_equal(awaited_at(awaited, 0)->state, rows[i].at_first);
		assert_false(awaited_is_over(awaited));
		if (rows[i].ack != NULL)
			awaited_take_ack(awaited, str_of(rows[i].ack), START + rows[i].again_ms);
		snprintf(entry, sizeof(entry),
		    "{\"host\":\"mx\",\"role\":\"r\",\"grace_ms\":0,\"drain_ms\":0,\"run\":\"%s\"}",
		    rows[i].run);
		look(awaited, NODES("n/r/0", entry), NODES("n/r/0", rows[i].beat),
		    START + rows[i].again_ms);
		assert_int_equal(awaited_at(awaited, 0)->state, rows[i].at_last);
		assert_int_equal(awaited_by_time(awaited), rows[i].at_last == AWAITED_OUT);
		awaited_free(&awaited);
	}
}

static void
who_was_waited_out_and_comes_again_is_asked_again(void **state)
{
	struct awaited *awaited = begin();

	look(awaited, NODES("n/r/0", PLAIN, "n/r/1", PLAIN), NODES("n/r/1", "1"), START);
	look(awaited, NODES("n/r/0", PLAIN, "n/r/1", PLAIN), NODES("n/r/1", "2"), START + 302);
	assert_int_equal(awaited_at(awaited, 0)->state, AWAITED_OUT);
	look(awaited, NODES("n/r/0", ENTRY("2"), "n/r/1", PLAIN), NODES("n/r/1", "3"), START + 303);
	assert_int_equal(awaited_at(awaited, 0)->state, AWAITED_ENTERED);
	awaited_take_ack(awaited, STR("7 aa n/r/1 1"), START + 304);
	assert_false(awaited_is_over(awaited));
	awaited_take_ack(awaited, STR("7 aa n/r/0 2"), START + 305);
	assert_true(awaited_is_over(awaited));
	assert_false(awaited_by_time(awaited));
	/* One leaves, and enters with the same run. */
	look(awaited, NODES("n/r/1", PLAIN, "n/r/2", PLAIN), NONE, START + 400);
	look(awaited, NODES("n/r/1", PLAIN), NONE, START + 700);
	look(awaited, NODES("n/r/1", PLAIN, "n/r/2", PLAIN), NONE, START + 1000);
	assert_int_equal(awaited_at(awaited, 1)->state, AWAITED_ENTERED);
	awaited_free(&awaited);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_is_waited_for_before_anybody_looked),
	    cmocka_unit_test(only_an_acknowledgement_of_this_barrier_counts),
	    cmocka_unit_test(an_acknowledgement_may_come_before_the_roster),
	    cmocka_unit_test(the_process_that_is_in_the_roster_must_acknowledge),
	    cmocka_unit_test(an_acknowledgement_may_come_before_its_run_is_seen),
	    cmocka_unit_test(strangers_cannot_fill_the_memory),
	    cmocka_unit_test(silence_must_last_for_lease_grace_and_drain_time),
	    cmocka_unit_test(the_longest_times_that_were_ever_declared_count),
	    cmocka_unit_test(who_beats_is_never_waited_out),
	    cmocka_unit_test(a_heartbeat_that_comes_or_goes_has_moved),
	    cmocka_unit_test(silence_counts_until_it_was_asked_for_and_from_when_the_answer_came),
	    cmocka_unit_test(an_entry_that_cannot_be_read_is_never_waited_out),
	    cmocka_unit_test(a_name_that_is_none_stays_one_entry),
	    cmocka_unit_test(who_comes_is_waited_for_and_who_leaves_is_not),
	    cmocka_unit_test(what_is_no_hash_is_not_an_empty_one),
	    cmocka_unit_test(who_is_seen_late_is_named_by_what_was_seen),
	    cmocka_unit_test(who_was_waited_out_and_comes_again_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
