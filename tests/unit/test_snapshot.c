/*
 * test_snapshot.c - what a node keeps on disk, and what the next one gets
 *
 * With a disk that does what it is told; test_snapshot_disk.c is about the others.
 */
#include "snapshot_node.h"

/* ---- what the next process gets */

static void
without_a_snapshot_there_is_nothing_and_nothing_to_wait_for(void **state)
{
	expect("");
	assert_int_equal(snapshot_valid_until_ms(snapshot), 0);
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(snapshot_when_synced(snapshot, on_synced, NULL));
	assert_true(snapshot_remove(snapshot, on_synced, NULL));
	assert_string_equal(alarm_text(), "");
}

static void
the_next_process_gets_what_was_saved_until_its_end(void **state)
{
	struct snapshot_status status;

	save();
	kill_and_start();
	expect(EVERYTHING);
	assert_true(snapshot_valid_until_ms(snapshot) == lease_until_ms + GRACE_MS);
	snapshot_count(snapshot, &status);
	assert_true(status.findings == 3 && status.domains == 2);
	kill_and_start(); /* and the one after it, which had no session either */
	expect(EVERYTHING);
}

static void
a_save_waits_for_its_moment(void **state)
{
	uint64_t one = 1;

	is_the_moment = false;
	snapshot_start(snapshot);
	assert_false(loop_run_until(loop, has_saved, &one, 20));
	kill_and_start();
	expect("");
}

static void
what_changed_since_is_not_handed_over(void **state)
{
	save();
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now());
	kill_and_start();
	expect("(x) (y) bob@y=old alias@x=old complete ");
	kill_and_start(); /* nor to the one after it */
	expect("(x) (y) bob@y=old alias@x=old complete ");
	snapshot_change(snapshot, STR("bob@y")); /* which alias@x leads to */
	assert_true(sync_now());
	kill_and_start();
	expect("(x) (y) complete ");
}

/* Of a login the names are itself and those of the account that its key leads to. */
static void
a_login_is_handed_over_until_a_name_of_its_own_or_its_targets_changes(void **state)
{
	static const char *const changes[] = {"login", "bob@y", "@y"};
	static const char *const others[] = {"@x", "ann@x", "login@y", "log"};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		knows = "(y) login=old complete";
		save();
		for (size_t n = 0; n < ARRAY_LEN(others); n++)
			snapshot_change(snapshot, str_of(others[n]));
		assert_true(sync_now());
		kill_and_start();
		expect("(y) login=old (x?) complete ");
		snapshot_change(snapshot, str_of(changes[i]));
		assert_true(sync_now());
		for (int twice = 0; twice < 2; twice++) {
			kill_and_start();
			assert_null(strstr(buf_cstr(&got), "login"));
		}
	}
}

static void
a_login_in_another_form_is_not_handed_over(void **state)
{
	knows = "(y) login=old loGin=old login\t=old complete";
	save();
	kill_and_start();
	expect("(y) login=old complete ");
}

static void
a_changed_domain_takes_its_findings_along_and_is_unsure(void **state)
{
	save();
	snapshot_change(snapshot, STR("@x"));
	snapshot_change(snapshot, STR("@new.org"));
	assert_true(sync_now());
	kill_and_start();
	expect("(x) (y) bob@y=old (x?) (new.org?) complete ");
}

static void
after_anything_may_have_changed_nothing_is_handed_over(void **state)
{
	save();
	snapshot_change_all(snapshot);
	assert_true(sync_now());
	kill_and_start();
	expect("(x) (y) ");
	assert_int_equal(snapshot_valid_until_ms(snapshot), 0);
	save();
	kill_and_start();
	expect(EVERYTHING);
}

static void
what_changes_during_a_save_counts_for_the_new_file_too(void **state)
{
	uint64_t one = 1, two = 2;

	settings.save_every_ms = 100000;
	kill_and_start();
	snapshot_start(snapshot);
	while (at != knows + strlen("(x) (y) ann@x=new "))
		loop_run_until(loop, has_saved, &two, 0);
	snapshot_change(snapshot, STR("ann@x")); /* its row is written already */
	snapshot_change(snapshot, STR("@y"));
	assert_true(loop_run_until(loop, has_saved, &one, 20000));
	assert_true(sync_now());
	kill_and_start();
	expect("(x) (y) (y?) complete ");
}

static void
a_save_that_everything_changes_under_is_given_up(void **state)
{
	uint64_t two = 2;

	save();
	at = knows;
	knows = "(x) ann@x=old complete";
	snapshot_start(snapshot);
	while (at != knows + strlen("(x) ann@x=old "))
		loop_run_until(loop, has_saved, &two, 0);
	snapshot_change_all(snapshot);
	snapshot_stop(snapshot);
	assert_true(sync_now());
	kill_and_start();
	expect("(x) (y) ");
}

static void
a_clean_stop_leaves_the_list_of_domains_alone(void **state)
{
	save();
	if (!snapshot_remove(snapshot, on_synced, NULL))
		assert_true(loop_run_until(loop, has_answered, NULL, 20000));
	assert_int_equal(refused, 0);
	kill_and_start();
	expect(DOMAINS);
}

static void
another_boot_map_or_way_of_reading_gets_less(void **state)
{
	static const struct {
		const char *what, *gets;
	} rows[] = {
	    {"boot", DOMAINS},
	    {"boot unknown", DOMAINS},
	    {"reading", DOMAINS},
	    {"map", ""},
	    {"map unknown", ""},
	    {"prefix", ""},
	};
	struct snapshot_settings ours = settings;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *what = rows[i].what;

		save();
		settings.boot_id = strcmp(what, "boot") == 0           ? "b2"
				   : strcmp(what, "boot unknown") == 0 ? ""
								       : "b1";
		settings.reading[0] = strcmp(what, "reading") == 0 ? 2 : 1;
		settings.map_id = strcmp(what, "map") == 0           ? "m2"
				  : strcmp(what, "map unknown") == 0 ? ""
								     : "m1";
		settings.prefix = strcmp(what, "prefix") == 0 ? "other" : "splitmx";
		kill_and_start();
		if (strcmp(buf_cstr(&got), rows[i].gets) != 0)
			fail_msg("%s: %s", what, buf_cstr(&got));
		assert_int_equal(snapshot_valid_until_ms(snapshot), 0);
		settings = ours;
		kill_and_start(); /* and nobody who comes later, as it was before, gets more */
		if (strcmp(buf_cstr(&got), rows[i].gets) != 0)
			fail_msg("%s, then ours again: %s", what, buf_cstr(&got));
	}
}

static void
the_end_is_the_one_that_was_saved_and_never_later(void **state)
{
	lease_until_ms = clock_ms() - 1; /* the lease is over, the grace runs */
	save();
	kill_and_start();
	expect(EVERYTHING);
	settings.grace_ms = 0; /* what is declared now counts, where it is less */
	kill_and_start();
	expect(DOMAINS);
	settings.grace_ms = GRACE_MS; /* and for those who come later */
	kill_and_start();
	expect(DOMAINS);

	lease_until_ms = clock_ms() + LONG_MS;
	save();
	settings.grace_ms = GRACE_MS * 2;
	kill_and_start();
	expect(EVERYTHING);
	assert_true(snapshot_valid_until_ms(snapshot) == lease_until_ms + GRACE_MS);

	lease_until_ms = clock_ms() - 2 * GRACE_MS - 1;
	save();
	kill_and_start();
	expect(DOMAINS);
}

static void
a_lease_that_moves_moves_the_end(void **state)
{
	save();
	lease_until_ms += GRACE_MS; /* renewed: may be written, as it pleases */
	snapshot_lease(snapshot, lease_until_ms);
	assert_true(sync_now());
	kill_and_start();
	assert_true(snapshot_valid_until_ms(snapshot) == lease_until_ms + GRACE_MS);

	lease_until_ms = clock_ms() + 1000; /* cut short: before anything is acknowledged */
	snapshot_lease(snapshot, lease_until_ms);
	assert_true(sync_now());
	kill_and_start();
	assert_true(snapshot_valid_until_ms(snapshot) == lease_until_ms + GRACE_MS);
}

static void
without_grace_only_the_list_of_domains_is_kept(void **state)
{
	settings.grace_ms = 0;
	knows = "(x) (y) complete";
	kill_and_start();
	save();
	snapshot_change(snapshot, STR("ann@x")); /* of no account */
	assert_true(snapshot_when_synced(snapshot, on_synced, NULL));
	snapshot_change(snapshot, STR("@z"));
	assert_true(sync_now());
	kill_and_start();
	expect("(x) (y) (z?) complete ");
}

static void
tombs_stays_small_when_saves_succeed_and_ends_all_when_they_do_not(void **state)
{
	char name[64];
	struct stat st;

	save();
	for (unsigned i = 0; i < 30000; i++) {
		snprintf(name, sizeof(name), "%u@z", i);
		snapshot_change(snapshot, str_of(name));
	}
	assert_true(sync_now());
	assert_int_equal(stat(tombs_path, &st), 0);
	assert_true(st.st_size > 1 << 20);
	save();
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now());
	assert_int_equal(stat(tombs_path, &st), 0);
	assert_true(st.st_size < 1000);
	kill_and_start();
	expect("(x) (y) bob@y=old alias@x=old complete ");
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "%u@z", i);
		snapshot_change(snapshot, str_of(name));
	}
	assert_true(sync_now());
	assert_int_equal(stat(tombs_path, &st), 0);
	assert_true(st.st_size < 5 << 20);
	kill_and_start();
	expect(DOMAINS);
}

/* ---- a copy of the map */

#define KEYS                                                                                       \
	"[owner:@x=old] [owner:ann@x=new] [hold:ann@x=all:1] [owner:list@x!] [login:@y=@x] "       \
	"[hold:bob@x] [login:alice=ann@x] "

static bool
has_all_keys(void *ctx)
{
	return strchr(buf_cstr(&got), '}') != NULL;
}

static void
save_keys(void)
{
	knows = "(x) complete " KEYS "whole";
	save();
}

static void
a_copy_of_the_map_is_handed_over_from_the_loop(void **state)
{
	save_keys();
	kill_and_start();
	expect("(x) complete { "); /* who starts need not wait for it */
	assert_true(loop_run_until(loop, has_all_keys, NULL, 20000));
	expect("(x) complete { [owner:@x=old] [owner:ann@x=new] [hold:ann@x=all:1] [owner:list@x!] "
	       "[login:@y=@x] [hold:bob@x?] [login:alice=ann@x] } ");
	wants_keys = false;
	kill_and_start();
	assert_false(loop_run_until(loop, never, NULL, 20));
	expect("(x) complete ");
}

/* What was not there may be there now: so nothing is known of any key of the name. */
static void
what_changed_since_is_unknown_whatever_its_kind(void **state)
{
	save_keys();
	snapshot_change(snapshot, STR("ann@x"));
	snapshot_change(snapshot, STR("eve@x"));
	snapshot_change(snapshot, STR("alice"));
	assert_true(sync_now());
	for (int i = 0; i < 2; i++) {
		kill_and_start();
		assert_true(loop_run_until(loop, has_all_keys, NULL, 20000));
		expect("(x) complete { [owner:ann@x?] [hold:ann@x?] [login:ann@x?] "
		       "[complete:ann@x?] [owner:eve@x?] [hold:eve@x?] [login:eve@x?] "
		       "[complete:eve@x?] [owner:alice?] [hold:alice?] [login:alice?] "
		       "[complete:alice?] [owner:@x=old] [owner:ann@x?] [hold:ann@x?] "
		       "[owner:list@x!] [login:@y=@x] [hold:bob@x?] [login:alice?] } ");
	}
}

static void
a_copy_that_is_not_whole_or_void_or_over_is_not_handed_over(void **state)
{
	knows = "(x) complete " KEYS;
	save();
	kill_and_start();
	assert_false(loop_run_until(loop, never, NULL, 20));
	expect("(x) complete ");
	save_keys();
	snapshot_change_all(snapshot);
	assert_true(sync_now());
	kill_and_start();
	assert_false(loop_run_until(loop, never, NULL, 20));
	expect("(x) ");
	lease_until_ms = clock_ms() - GRACE_MS - 1;
	save_keys();
	kill_and_start();
	assert_false(loop_run_until(loop, never, NULL, 20));
	expect("(x) complete ");
}

static void
a_copy_that_everything_changes_under_has_no_end(void **state)
{
	save_keys();
	kill_and_start();
	snapshot_change_all(snapshot); /* a first lease, before the first key */
	assert_false(loop_run_until(loop, never, NULL, 20));
	expect("(x) complete { ");
	assert_true(sync_now());
	kill_and_start();
	assert_false(loop_run_until(loop, never, NULL, 20));
	expect("(x) ");
}

/* ---- much that changes */

static struct timer *changing;

static void
change_again(void *ctx)
{
	snapshot_change(snapshot, STR("other@y"));
	timer_start(changing, 5);
}

static void
changes_that_do_not_end_keep_no_save_away(void **state)
{
	uint64_t two = 2;
	char name[10000] = "";

	settings.first_save_ms = 100;
	settings.save_every_ms = 100000;
	kill_and_start();
	save();
	memset(name, 'n', sizeof(name));
	for (int i = 0; i < 500; i++) /* more than a snapshot is worth */
		snapshot_change(snapshot, str_make(name, sizeof(name)));
	changing = timer_new(loop, change_again, NULL);
	snapshot_start(snapshot);
	change_again(NULL);
	assert_true(loop_run_until(loop, has_saved, &two, 20000));
	timer_free(&changing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(without_a_snapshot_there_is_nothing_and_nothing_to_wait_for),
	    TEST(the_next_process_gets_what_was_saved_until_its_end),
	    TEST(a_save_waits_for_its_moment),
	    TEST(what_changed_since_is_not_handed_over),
	    TEST(a_login_is_handed_over_until_a_name_of_its_own_or_its_targets_changes),
	    TEST(a_login_in_another_form_is_not_handed_over),
	    TEST(a_changed_domain_takes_its_findings_along_and_is_unsure),
	    TEST(after_anything_may_have_changed_nothing_is_handed_over),
	    TEST(what_changes_during_a_save_counts_for_the_new_file_too),
	    TEST(a_save_that_everything_changes_under_is_given_up),
	    TEST(a_clean_stop_leaves_the_list_of_domains_alone),
	    TEST(another_boot_map_or_way_of_reading_gets_less),
	    TEST(the_end_is_the_one_that_was_saved_and_never_later),
	    TEST(a_lease_that_moves_moves_the_end),
	    TEST(without_grace_only_the_list_of_domains_is_kept),
	    TEST(tombs_stays_small_when_saves_succeed_and_ends_all_when_they_do_not),
	    TEST(a_copy_of_the_map_is_handed_over_from_the_loop),
	    TEST(what_changed_since_is_unknown_whatever_its_kind),
	    TEST(a_copy_that_is_not_whole_or_void_or_over_is_not_handed_over),
	    TEST(a_copy_that_everything_changes_under_has_no_end),
	    TEST(changes_that_do_not_end_keep_no_save_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
