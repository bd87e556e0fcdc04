/*
 * test_snapshot.c - what a node keeps on disk, and what the next one gets
 *
 * The node of a test knows some findings and domains; it saves them, hears of
 * changes, is killed (without a word, as kill -9 does it) and comes again. The
 * disk fails when a test wants it: fsync(2) and others are our own here.
 */
#include "map/snapshot.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit.h"

static atomic_int rename_waits, is_renaming, fdatasync_waits, fsync_error, fdatasync_error,
    unlink_error;

int
fsync(int fd)
{
	if (fsync_error == 0)
		return (int)syscall(SYS_fsync, fd);
	errno = fsync_error;
	return -1;
}

int
fdatasync(int fd)
{
	while (fdatasync_waits)
		usleep(1000);
	if (fdatasync_error == 0)
		return (int)syscall(SYS_fdatasync, fd);
	errno = fdatasync_error;
	return -1;
}

/* Stands still before it renames, until somebody is about to drop what it renames. */
int
rename(const char *from, const char *to)
{
	if (rename_waits)
		is_renaming = 1;
	while (rename_waits)
		usleep(1000);
	return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int
unlink(const char *path)
{
	if (unlink_error == 0)
		return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	errno = unlink_error;
	return -1;
}

/* ---- a node */

enum { GRACE_MS = 600000, LONG_MS = 60000 };

static struct loop *loop;
static struct snapshot *snapshot;
static struct snapshot_settings settings;
static char dir[64], path[96], rows_path[112], tombs_path[112];
static struct buf got; /* what was handed over: "ann@x=new " "(x) " "(x?) " "complete " */
static const char *knows; /* the same, of this process, to be saved */
static const char *at; /* what of it has been written */
static bool is_the_moment, wants_keys;
static uint64_t lease_until_ms;
static int synced, refused; /* calls of on_synced */

static void
take_finding(void *ctx, struct str asked, const struct finding *finding, const struct str *names,
    size_t count)
{
	assert_true(count >= 2 && str_eq(names[0], asked));
	buf_add_str(&got, asked);
	buf_add_text(&got, "=");
	buf_add_str(&got, finding->owner);
	buf_add_text(&got, " ");
}

static void
take_domain(void *ctx, struct str domain, bool is_sure)
{
	buf_add_text(&got, "(");
	buf_add_str(&got, domain);
	buf_add_text(&got, is_sure ? ") " : "?) ");
}

static void
take_complete(void *ctx)
{
	buf_add_text(&got, "complete ");
}

static bool
take_keys(void *ctx)
{
	buf_add_text(&got, wants_keys ? "{ " : "");
	return wants_keys;
}

static void
take_key(void *ctx, struct str key, enum mirror_what what, struct str value)
{
	buf_add_text(&got, "[");
	buf_add_str(&got, key);
	buf_add_text(&got, what == MIRROR_STRING ? "=" : what == MIRROR_ODD ? "!" : "?");
	buf_add_str(&got, value);
	buf_add_text(&got, "] ");
}

static void
take_keys_end(void *ctx)
{
	buf_add_text(&got, "} ");
}

static bool
begin(void *ctx, struct snapshot_head *head_r)
{
	if (!is_the_moment)
		return false;
	head_r->map_id = str_of(settings.map_id);
	head_r->epoch = 7;
	head_r->end.lease_until_ms = lease_until_ms;
	at = knows;
	return true;
}

/* One word at each call, each of which takes so long that it is a piece of its own. */
static bool
write_row(void *ctx, struct snapshot_writer *writer, struct buf *out, unsigned *flags_r)
{
	size_t len = strcspn(at, " "), equals = strcspn(at, "=");
	struct finding finding = {.verdict = VERDICT_FOUND, .matched = STR("owner:@x")};

	if (*at == '[') {
		bool is_odd = at[len - 2] == '!', is_string = equals < len;
		size_t key_len = is_string ? equals - 1 : is_odd ? len - 3 : len - 2;

		snapshot_write_key(writer, str_make(at + 1, key_len),
		    is_string ? MIRROR_STRING
		    : is_odd  ? MIRROR_ODD
			      : MIRROR_UNKNOWN,
		    is_string ? str_make(at + equals + 1, len - equals - 2) : STR(""), out);
	} else if (len == 5 && strncmp(at, "whole", 5) == 0) {
		*flags_r |= SNAPSHOT_ALL_KEYS;
	} else if (*at == '(') {
		snapshot_write_domain(writer, str_make(at + 1, len - 2), true, out);
	} else if (equals < len) {
		finding.account = str_make(at, equals);
		if (str_starts(finding.account, "alias"))
			finding.account = STR("bob@y");
		finding.owner = str_make(at + equals + 1, len - equals - 1);
		snapshot_write_finding(writer, str_make(at, equals), &finding, out);
	} else if (len > 0) {
		*flags_r |= SNAPSHOT_ALL_DOMAINS;
	}
	at += len + (at[len] == ' ');
	usleep(1000);
	return *at != '\0';
}

static const struct snapshot_owner owner = {
    .finding_fn = take_finding,
    .domain_fn = take_domain,
    .domains_complete_fn = take_complete,
    .keys_begin_fn = take_keys,
    .key_fn = take_key,
    .keys_end_fn = take_keys_end,
    .begin_fn = begin,
    .rows_fn = write_row,
};

static void
node_start(void)
{
	struct fault fault;

	buf_clear(&got);
	assert_null(snapshot);
	assert_non_null(snapshot = snapshot_new(loop, &settings, &owner, NULL, &fault));
}

static void
node_stop(void)
{
	snapshot_free(&snapshot);
}

static int
setup(void **state)
{
	fsync_error = fdatasync_error = unlink_error = rename_waits = is_renaming = 0;
	synced = refused = 0;
	snprintf(dir, sizeof(dir), "/tmp/snapshot.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/policyd-0", dir);
	snprintf(rows_path, sizeof(rows_path), "%s.snapshot", path);
	snprintf(tombs_path, sizeof(tombs_path), "%s.tombs", path);
	settings = (struct snapshot_settings){.path = path,
	    .map_id = "m1",
	    .prefix = "splitmx",
	    .boot_id = "b1",
	    .reading = {1},
	    .rules = {true, "+"},
	    .grace_ms = GRACE_MS,
	    .first_save_ms = 0,
	    .save_every_ms = 1};
	knows = "(x) (y) ann@x=new bob@y=old alias@x=old complete";
	is_the_moment = wants_keys = true;
	lease_until_ms = clock_ms() + LONG_MS;
	loop = loop_new();
	node_start();
	return 0;
}

static int
teardown(void **state)
{
	fsync_error = fdatasync_error = unlink_error = 0;
	snapshot_free(&snapshot);
	loop_free(&loop);
	buf_fini(&got);
	for (size_t i = 0; i < 4; i++) { /* what could not be removed, too */
		char name[128];

		snprintf(name, sizeof(name), "%s%s", i % 2 ? rows_path : tombs_path,
		    i < 2 ? "" : ".new");
		unlink(name);
	}
	return rmdir(dir);
}

static bool
has_saved(void *ctx)
{
	struct snapshot_status status;

	snapshot_count(snapshot, &status);
	return status.saves >= *(uint64_t *)ctx;
}

/* Save once more, and then no more. */
static void
save(void)
{
	struct snapshot_status status;

	snapshot_count(snapshot, &status);
	status.saves++;
	snapshot_start(snapshot);
	assert_true(loop_run_until(loop, has_saved, &status.saves, 20000));
	snapshot_stop(snapshot);
}

static void
on_synced(void *ctx, bool is_synced)
{
	*(is_synced ? &synced : &refused) += 1;
}

static bool
never(void *ctx)
{
	return false;
}

static bool
has_answered(void *ctx)
{
	return synced + refused > 0;
}

/* As a barrier does: is what was told durable? */
static bool
sync_now(void)
{
	bool is_synced;

	synced = refused = 0;
	if (snapshot_when_synced(snapshot, on_synced, NULL))
		return true;
	assert_int_equal(synced + refused, 0); /* never from inside */
	assert_true(loop_run_until(loop, has_answered, NULL, 20000));
	is_synced = synced == 1;
	assert_int_equal(synced + refused, 1);
	return is_synced;
}

struct file {
	struct buf bytes;
	bool is_there;
};

static struct file
file_copy(const char *name)
{
	struct file file = {.bytes = BUF_INIT};

	file.is_there = file_read(name, &file.bytes) == 0;
	return file;
}

static void
file_put(const char *name, struct str bytes)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
	close(fd);
}

/* As the next process finds the disk when this one is killed now: what it still does is undone. */
static void
kill_and_start(void)
{
	struct file rows = file_copy(rows_path), tombs = file_copy(tombs_path);

	node_stop();
	unlink(rows_path);
	unlink(tombs_path);
	if (rows.is_there)
		file_put(rows_path, buf_str(&rows.bytes));
	if (tombs.is_there)
		file_put(tombs_path, buf_str(&tombs.bytes));
	buf_fini(&rows.bytes);
	buf_fini(&tombs.bytes);
	node_start();
}

static void
expect(const char *words)
{
	assert_string_equal(buf_cstr(&got), words);
}

static const char *
alarm_text(void)
{
	static struct snapshot_status status;

	snapshot_count(snapshot, &status);
	return status.alarm;
}

#define EVERYTHING "(x) (y) ann@x=new bob@y=old alias@x=old complete "
#define DOMAINS "(x) (y) complete "

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
	"[hold:bob@x] "

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
	       "[login:@y=@x] [hold:bob@x?] } ");
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
	assert_true(sync_now());
	for (int i = 0; i < 2; i++) {
		kill_and_start();
		assert_true(loop_run_until(loop, has_all_keys, NULL, 20000));
		expect("(x) complete { [owner:ann@x?] [hold:ann@x?] [login:ann@x?] "
		       "[complete:ann@x?] [owner:eve@x?] [hold:eve@x?] [login:eve@x?] "
		       "[complete:eve@x?] [owner:@x=old] [owner:ann@x?] [hold:ann@x?] "
		       "[owner:list@x!] [login:@y=@x] [hold:bob@x?] } ");
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

/* ---- nobody waits for this node any more */

static bool
stands_still(void *ctx)
{
	return is_renaming;
}

static void *
soon(void *ctx)
{
	usleep(
	    20000); /* snapshot_drop() most likely waits by now; whatever comes first, it holds */
	rename_waits = is_renaming = 0;
	return NULL;
}

/* A new file may come into its place behind the back of whoever removes it. */
static void
what_is_dropped_while_it_is_renamed_is_gone(void **state)
{
	struct fault fault;
	pthread_t thread;

	for (int all = 0; all < 2; all++) {
		synced = refused = 0;
		save();
		snapshot_start(snapshot);
		rename_waits = 1;
		assert_true(loop_run_until(loop, stands_still, NULL, 20000));
		snapshot_change(snapshot, STR("ann@x"));
		assert_false(snapshot_when_synced(snapshot, on_synced, NULL));
		assert_int_equal(pthread_create(&thread, NULL, soon, NULL), 0);
		assert_int_equal(snapshot_drop(snapshot, all, &fault), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_true(synced == 1 && refused == 0);
		kill_and_start();
		expect(all ? "" : DOMAINS);
		assert_int_equal(snapshot_valid_until_ms(snapshot), 0);
	}
}

static void
test_A20_what_cannot_be_dropped_is_said(void **state)
{
	struct fault fault;

	save();
	fdatasync_error = unlink_error = EROFS;
	assert_int_equal(snapshot_drop(snapshot, false, &fault), -1);
	assert_non_null(strstr(fault.text, "removed"));
	assert_int_equal(snapshot_drop(snapshot, true, &fault), -1);
	unlink_error = 0;
	assert_int_equal(snapshot_drop(snapshot, true, &fault), 0);
	kill_and_start();
	expect("");
	assert_int_equal(snapshot_drop(snapshot, true, &fault), 0); /* there is nothing */
}

/* ---- an end that is cut short */

/* A barrier waits for a slow disk, and meanwhile all happens that writes a later end. */
static void
no_later_end_is_written_before_the_acknowledgement(void **state)
{
	uint64_t now_ms = clock_ms(), short_ms = now_ms + 1000, long_ms = now_ms + 40000, two = 2;
	bool is_saving = true;

	lease_until_ms = long_ms;
	for (int i = 0; i < 2; i++, is_saving = false) {
		settings.save_every_ms = 1;
		kill_and_start();
		save();
		synced = refused = 0;
		fdatasync_waits = 1;
		assert_false(snapshot_cut(snapshot, short_ms, on_synced, NULL));
		if (is_saving) {
			snapshot_start(snapshot);
			loop_run_until(loop, has_saved, &two, 20);
		} else {
			snapshot_lease(snapshot, long_ms);
			(void)snapshot_cut(snapshot, long_ms, on_synced, NULL);
		}
		assert_int_equal(synced, 0);
		fdatasync_waits = 0;
		assert_true(loop_run_until(loop, has_answered, NULL, 20000));
		snapshot_stop(snapshot);
		assert_true(sync_now()); /* whatever was told until then */
		kill_and_start();
		assert_true(snapshot_valid_until_ms(snapshot) <= short_ms + GRACE_MS);
	}
}

/* ---- trouble */

static void
test_A20_nothing_is_acknowledged_before_the_tombstone_is_durable(void **state)
{
	save();
	snapshot_change(snapshot, STR("ann@x"));
	fdatasync_error = EIO; /* so both files are removed, and that will do */
	assert_true(sync_now());
	assert_non_null(strstr(alarm_text(), "tombstones"));
	fdatasync_error = 0;
	kill_and_start();
	expect("");
}

static void
test_A20_what_can_neither_be_written_nor_removed_is_never_acknowledged(void **state)
{
	save();
	snapshot_change(snapshot, STR("ann@x"));
	fdatasync_error = unlink_error = EROFS;
	assert_false(sync_now());
	assert_non_null(strstr(alarm_text(), "removed"));
	assert_false(sync_now()); /* nor by the next barrier */
	unlink_error = 0;
	assert_true(sync_now()); /* until it can be */
	kill_and_start();
	expect("");
}

static void
test_A20_nor_before_the_end_of_what_is_there(void **state)
{
	settings.grace_ms = 1;
	kill_and_start();
	lease_until_ms = clock_ms() + 300;
	save();
	snapshot_change(snapshot, STR("ann@x"));
	fdatasync_error = unlink_error = EROFS;
	while (!sync_now())
		usleep(10000);
	assert_true(clock_ms() > lease_until_ms);
}

static void
test_A20_a_save_that_fails_leaves_the_old_file(void **state)
{
	struct snapshot_status status;

	save();
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now());
	fsync_error = ENOSPC;
	snapshot_start(snapshot);
	do {
		loop_run_until(loop, never, NULL, 0);
		snapshot_count(snapshot, &status);
	} while (status.alarm[0] == '\0');
	assert_non_null(strstr(status.alarm, "No space left"));
	fsync_error = 0;
	snapshot_stop(snapshot);
	kill_and_start();
	expect("(x) (y) bob@y=old alias@x=old complete ");
	save();
	assert_string_equal(alarm_text(), "");
}

/* A start makes durable what it has read: whoever wrote it may not have got so far. */
static void
test_A20_what_cannot_be_made_durable_is_not_used(void **state)
{
	save();
	node_stop();
	fsync_error = EIO;
	unlink_error = EIO;
	node_start();
	expect("");
	assert_false(sync_now());
	fsync_error = unlink_error = 0;
	assert_true(sync_now());
	kill_and_start();
	expect("");
}

static void
test_A20_a_directory_that_is_none_is_an_alarm(void **state)
{
	struct snapshot_status status;

	node_stop();
	assert_int_equal(rmdir(dir), 0);
	node_start();
	snapshot_start(snapshot);
	do {
		loop_run_until(loop, never, NULL, 0);
		snapshot_count(snapshot, &status);
	} while (status.alarm[0] == '\0');
	assert_true(sync_now());
	node_stop();
	assert_int_equal(mkdir(dir, 0700), 0);
}

/* Both files, each cut and each flipped here and there: the disk says something else than we said.
 */
static void
damage_and_start(const char *name, struct str bytes, size_t len, size_t flip)
{
	struct file rows = file_copy(rows_path), tombs = file_copy(tombs_path);
	char *copy = xstrndup(bytes.ptr, bytes.len);

	node_stop();
	if (flip < bytes.len)
		copy[flip] ^= 0x10;
	file_put(name, str_make(copy, len));
	node_start();
	if (strstr(buf_cstr(&got), "ann@x") != NULL)
		fail_msg("%s %zu %zu: %s", name, len, flip, buf_cstr(&got));
	file_put(rows_path, buf_str(&rows.bytes));
	file_put(tombs_path, buf_str(&tombs.bytes));
	buf_fini(&rows.bytes);
	buf_fini(&tombs.bytes);
	free(copy);
}

static void
test_A20_damaged_files_are_never_believed(void **state)
{
	struct file rows, tombs;

	save();
	snapshot_change(snapshot, STR("ann@x"));
	snapshot_change(snapshot, STR("@z"));
	assert_true(sync_now());
	rows = file_copy(rows_path);
	tombs = file_copy(tombs_path);
	for (size_t i = 0; i < buf_len(&rows.bytes); i += 13) {
		damage_and_start(rows_path, buf_str(&rows.bytes), i, SIZE_MAX);
		expect("");
		assert_string_not_equal(alarm_text(), "");
		damage_and_start(rows_path, buf_str(&rows.bytes), buf_len(&rows.bytes), i);
		expect("");
	}
	for (size_t i = 0; i < buf_len(&tombs.bytes); i += 7) {
		damage_and_start(tombs_path, buf_str(&tombs.bytes), buf_len(&tombs.bytes), i);
		expect("");
		assert_true(sync_now()); /* both were removed */
	}
	/* Cut in the last record, which was @z's: the one before it counts. */
	damage_and_start(tombs_path, buf_str(&tombs.bytes), buf_len(&tombs.bytes) - 3, SIZE_MAX);
	expect("(x) (y) bob@y=old alias@x=old complete ");
	node_stop();
	unlink(tombs_path);
	node_start();
	expect("");
	assert_non_null(strstr(alarm_text(), "missing"));
	buf_fini(&rows.bytes);
	buf_fini(&tombs.bytes);
}

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

/* As the link does it, when nobody waits for this node any more. */
static void
files_that_somebody_removed_are_begun_anew(void **state)
{
	save();
	unlink(rows_path);
	unlink(tombs_path);
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now());
	assert_string_equal(alarm_text(), "");
	kill_and_start();
	expect("");
	save();
	unlink(tombs_path); /* and nothing is told until the next save */
	knows = "(x) ann@x=old complete";
	save();
	snapshot_change(snapshot, STR("ann@x"));
	assert_true(sync_now());
	kill_and_start();
	expect("(x) complete ");
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
	    TEST(changes_that_do_not_end_keep_no_save_away),
	    TEST(files_that_somebody_removed_are_begun_anew),
	    TEST(a_copy_of_the_map_is_handed_over_from_the_loop),
	    TEST(what_changed_since_is_unknown_whatever_its_kind),
	    TEST(a_copy_that_is_not_whole_or_void_or_over_is_not_handed_over),
	    TEST(a_copy_that_everything_changes_under_has_no_end),
	    TEST(what_is_dropped_while_it_is_renamed_is_gone),
	    TEST(test_A20_what_cannot_be_dropped_is_said),
	    TEST(no_later_end_is_written_before_the_acknowledgement),
	    TEST(test_A20_nothing_is_acknowledged_before_the_tombstone_is_durable),
	    TEST(test_A20_what_can_neither_be_written_nor_removed_is_never_acknowledged),
	    TEST(test_A20_nor_before_the_end_of_what_is_there),
	    TEST(test_A20_a_save_that_fails_leaves_the_old_file),
	    TEST(test_A20_what_cannot_be_made_durable_is_not_used),
	    TEST(test_A20_a_directory_that_is_none_is_an_alarm),
	    TEST(test_A20_damaged_files_are_never_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
