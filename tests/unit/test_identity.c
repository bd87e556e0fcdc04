/*
 * test_identity.c - which map this is, and that it never goes back
 */
#include "map/identity.h"

#include "base/mem.h"
#include "map/link.h"
#include "map/server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "unit.h"

static char dir[64], path[128];

static int
make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/identity.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/identity", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	static const char *const names[] = {"identity", "identity.lock", "identity.new"};
	char name[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		unlink(name);
	}
	return rmdir(dir);
}

static void
file_write(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static const char *
file_text(void)
{
	static char text[256];
	FILE *file = fopen(path, "r");

	memset(text, 0, sizeof(text));
	if (file != NULL) {
		assert_true(fread(text, 1, sizeof(text) - 1, file) < sizeof(text));
		fclose(file);
	}
	return text;
}

static const struct map_head a5 = {.id = "a", .epoch = 5, .lease_ms = 1000, .members = 1};
static const struct map_head a7 = {.id = "a", .epoch = 7, .lease_ms = 1000, .members = 1};
static const struct map_head a7_of_three = {.id = "a", .epoch = 7, .lease_ms = 1000, .members = 3};
static const struct map_head b9 = {.id = "b", .epoch = 9, .lease_ms = 1000, .members = 1};

static void
what_one_of_three_servers_says_may_be_undone(void **state)
{
	struct identity *identity = identity_open(dir);
	struct fault fault;

	assert_int_equal(identity_note(identity, &a7_of_three, &fault), 0);
	assert_string_equal(identity_id(identity), "a");
	assert_int_equal(identity_check(identity, &a5, &fault), 0);
	assert_int_equal(identity_check(identity, &b9, &fault), -1);
	identity_raise(identity, 6); /* this is on all of them */
	assert_int_equal(identity_check(identity, &a5, &fault), -1);
	assert_int_equal(identity_note(identity, &a7_of_three, &fault), 0);
	identity_close(&identity);
	identity = identity_open(dir);
	assert_int_equal(identity_epoch(identity), 6);
	identity_close(&identity);
}

static void
the_first_map_is_taken_and_no_other_after_it(void **state)
{
	struct identity *identity = identity_open(dir);
	struct fault fault;

	assert_int_equal(identity_check(identity, &a5, &fault), 0);
	assert_int_equal(identity_note(identity, &a5, &fault), 0);
	assert_string_equal(file_text(), "id a\nepoch 5\n");
	assert_int_equal(identity_check(identity, &b9, &fault), -1);
	assert_non_null(strstr(fault.text, "another map"));
	assert_int_equal(identity_note(identity, &a7, &fault), 0);
	assert_string_equal(file_text(), "id a\nepoch 7\n");
	assert_int_equal(identity_check(identity, &a5, &fault), -1);
	assert_non_null(strstr(fault.text, "went back"));
	identity_close(&identity);

	identity = identity_open(dir); /* another process, later */
	assert_int_equal(identity_check(identity, &a5, &fault), -1);
	assert_int_equal(identity_check(identity, &a7, &fault), 0);
	identity_close(&identity);
}

static void
processes_share_the_file_and_the_highest_epoch_stays(void **state)
{
	struct identity *one = identity_open(dir), *two = identity_open(dir);
	struct fault fault;

	assert_int_equal(identity_note(one, &a7, &fault), 0);
	assert_int_equal(identity_note(two, &a5, &fault), 0); /* it has not heard of 7 yet */
	assert_string_equal(file_text(), "id a\nepoch 7\n");
	identity_refresh(two);
	assert_int_equal(identity_check(two, &a5, &fault), -1);
	identity_close(&one);
	identity_close(&two);
}

static void
two_processes_with_two_maps_are_trouble(void **state)
{
	struct identity *one = identity_open(dir), *two = identity_open(dir);
	struct fault fault;

	assert_int_equal(identity_note(one, &a5, &fault), 0);
	assert_int_equal(identity_note(two, &b9, &fault), -1);
	assert_string_equal(file_text(), "id a\nepoch 5\n");
	identity_close(&one);
	identity_close(&two);
}

static void
a_lock_that_is_taken_is_not_waited_for(void **state)
{
	struct identity *identity = identity_open(dir);
	char lock_path[128];
	struct fault fault;
	int lock;

	snprintf(lock_path, sizeof(lock_path), "%s/identity.lock", dir);
	lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(identity_note(identity, &a5, &fault), 0);
	assert_string_equal(file_text(), "");
	assert_int_equal(identity_epoch(identity), 5);
	close(lock);
	assert_int_equal(identity_note(identity, &a5, &fault), 0);
	assert_string_equal(file_text(), "id a\nepoch 5\n");
	identity_close(&identity);
}

static void
removing_the_file_means_begin_anew(void **state)
{
	struct identity *identity = identity_open(dir);
	struct fault fault;

	assert_int_equal(identity_note(identity, &a5, &fault), 0);
	unlink(path);
	identity_refresh(identity);
	assert_int_equal(identity_check(identity, &b9, &fault), 0);
	identity_close(&identity);
}

static void
test_A20_what_cannot_be_written_is_still_known(void **state)
{
	struct identity *identity = identity_open("/nonexistent");
	struct fault fault;

	assert_int_equal(identity_note(identity, &a7, &fault), -1);
	identity_refresh(identity);
	assert_int_equal(identity_check(identity, &a5, &fault), -1);
	assert_int_equal(identity_check(identity, &a7, &fault), 0);
	identity_close(&identity);
}

static void
test_A20_a_damaged_file_is_no_licence(void **state)
{
	static const char *const texts[] = {"\n", "id a\n", "epoch 5\n", "id a\nepoch x\n",
	    "id a b\nepoch 5\n", "id \nepoch 5\n", "id a\nepoch 99999999999999999999\n"};
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		file_write(texts[i]);
		struct identity *identity = identity_open(dir);

		assert_int_equal(identity_check(identity, &a5, &fault), -1);
		assert_non_null(strstr(fault.text, "damaged"));
		identity_close(&identity);
	}
}

static struct resp *
reply_of(const char *bytes)
{
	struct resp_reader *reader = resp_reader_new();
	struct resp *reply;
	struct fault fault;

	resp_feed(reader, str_of(bytes));
	assert_int_equal(resp_next(reader, &reply, &fault), 1);
	resp_reader_free(&reader);
	return reply;
}

static void
servers_say_who_they_are(void **state)
{
	struct resp *reply = reply_of("$34\r\n# Server\r\nrun_id:abc\r\ntcp_port:0\r\n\r\n");
	char run_id[SERVER_RUN_ID_BYTES];
	struct fault fault;

	assert_int_equal(server_run_id(reply, run_id, &fault), 0);
	assert_string_equal(run_id, "abc");
	resp_free(&reply);
	reply = reply_of("$8\r\n# Server\r\n");
	assert_int_equal(server_run_id(reply, run_id, &fault), -1);
	resp_free(&reply);
	reply = reply_of("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
	assert_int_equal(server_is_master(reply, &fault), 0);
	resp_free(&reply);
	reply = reply_of("*2\r\n$5\r\nslave\r\n:0\r\n");
	assert_int_equal(server_is_master(reply, &fault), -1);
	resp_free(&reply);
}

static void
a_server_that_may_evict_is_refused(void **state)
{
	static const struct {
		const char *name, *most, *policy;
		int rc;
	} rows[] = {
	    {"no limit", "maxmemory:0\r\n", "maxmemory_policy:allkeys-lru\r\n", 0},
	    {"a limit, and nothing leaves", "maxmemory:100\r\n", "maxmemory_policy:noeviction\r\n",
		0},
	    {"owners may leave", "maxmemory:100\r\n", "maxmemory_policy:allkeys-lru\r\n", -1},
	    {"holds may leave", "maxmemory:100\r\n", "maxmemory_policy:volatile-ttl\r\n", -1},
	    {"it does not say how much", "maxmemory_human:0B\r\n",
		"maxmemory_policy:noeviction\r\n", -1},
	    {"it does not say what leaves", "maxmemory:100\r\n", "", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[128], bytes[192];
		struct fault fault = {.text = ""};
		struct resp *reply;

		snprintf(text, sizeof(text), "# Memory\r\n%s%s", rows[i].most, rows[i].policy);
		snprintf(bytes, sizeof(bytes), "$%zu\r\n%s\r\n", strlen(text), text);
		reply = reply_of(bytes);
		if (server_keeps_all(reply, &fault) != rows[i].rc)
			fail_msg("%s: %s", rows[i].name, fault.text);
		resp_free(&reply);
	}
}

static void
pauses_double_and_jitter_between_their_bounds(void **state)
{
	assert_int_equal(link_pause_ms(0, 50, 5000, 12345), 50);
	assert_int_equal(link_pause_ms(3, 50, 5000, 0), 50);
	assert_int_equal(link_pause_ms(3, 50, 5000, 350), 400);
	assert_int_equal(link_pause_ms(3, 50, 5000, 351), 50);
	assert_int_equal(link_pause_ms(1000, 50, 5000, 4950), 5000);
	assert_int_equal(link_pause_ms(5, 100, 100, 7), 100);
	assert_int_equal(link_pause_ms(5, 200, 100, 7), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_one_of_three_servers_says_may_be_undone, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(the_first_map_is_taken_and_no_other_after_it, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(processes_share_the_file_and_the_highest_epoch_stays,
		make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(two_processes_with_two_maps_are_trouble, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(a_lock_that_is_taken_is_not_waited_for, make_dir,
		remove_dir),
	    cmocka_unit_test_setup_teardown(removing_the_file_means_begin_anew, make_dir,
		remove_dir),
	    cmocka_unit_test(test_A20_what_cannot_be_written_is_still_known),
	    cmocka_unit_test_setup_teardown(test_A20_a_damaged_file_is_no_licence, make_dir,
		remove_dir),
	    cmocka_unit_test(servers_say_who_they_are),
	    cmocka_unit_test(a_server_that_may_evict_is_refused),
	    cmocka_unit_test(pauses_double_and_jitter_between_their_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
