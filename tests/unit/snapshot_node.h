/*
 * snapshot_node.h - a node that keeps a snapshot, for tests of what the next one gets
 *
 * The node of a test knows some findings and domains; it saves them, hears of
 * changes, is killed (without a word, as kill -9 does it) and comes again.
 */
#ifndef TESTS_SNAPSHOT_NODE_H
#define TESTS_SNAPSHOT_NODE_H

#include "map/snapshot.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

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

static inline void
take_finding(void *ctx, struct str asked, const struct finding *finding, const struct str *names,
    size_t count)
{
	assert_true(count >= 2 && str_eq(names[0], asked));
	buf_add_str(&got, asked);
	buf_add_text(&got, "=");
	buf_add_str(&got, finding->owner);
	buf_add_text(&got, " ");
}

static inline void
take_domain(void *ctx, struct str domain, bool is_sure)
{
	buf_add_text(&got, "(");
	buf_add_str(&got, domain);
	buf_add_text(&got, is_sure ? ") " : "?) ");
}

static inline void
take_complete(void *ctx)
{
	buf_add_text(&got, "complete ");
}

static inline bool
take_keys(void *ctx)
{
	buf_add_text(&got, wants_keys ? "{ " : "");
	return wants_keys;
}

static inline void
take_key(void *ctx, struct str key, enum mirror_what what, struct str value)
{
	buf_add_text(&got, "[");
	buf_add_str(&got, key);
	buf_add_text(&got, what == MIRROR_STRING ? "=" : what == MIRROR_ODD ? "!" : "?");
	buf_add_str(&got, value);
	buf_add_text(&got, "] ");
}

static inline void
take_keys_end(void *ctx)
{
	buf_add_text(&got, "} ");
}

static inline bool
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
static inline bool
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
		if (str_starts(finding.account, "alias") ||
		    str_find(finding.account, '@') == finding.account.len)
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

static inline void
node_start(void)
{
	struct fault fault;

	buf_clear(&got);
	assert_null(snapshot);
	assert_non_null(snapshot = snapshot_new(loop, &settings, &owner, NULL, &fault));
}

static inline void
node_stop(void)
{
	snapshot_free(&snapshot);
}

static inline int
setup(void **state)
{
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

static inline int
teardown(void **state)
{
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

static inline bool
has_saved(void *ctx)
{
	struct snapshot_status status;

	snapshot_count(snapshot, &status);
	return status.saves >= *(uint64_t *)ctx;
}

/* Save once more, and then no more. */
static inline void
save(void)
{
	struct snapshot_status status;

	snapshot_count(snapshot, &status);
	status.saves++;
	snapshot_start(snapshot);
	assert_true(loop_run_until(loop, has_saved, &status.saves, 20000));
	snapshot_stop(snapshot);
}

static inline void
on_synced(void *ctx, bool is_synced)
{
	*(is_synced ? &synced : &refused) += 1;
}

static inline bool
never(void *ctx)
{
	return false;
}

static inline bool
has_answered(void *ctx)
{
	return synced + refused > 0;
}

/* As a barrier does: is what was told durable? */
static inline bool
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

static inline struct file
file_copy(const char *name)
{
	struct file file = {.bytes = BUF_INIT};

	file.is_there = file_read(name, &file.bytes) == 0;
	return file;
}

static inline void
file_put(const char *name, struct str bytes)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
	close(fd);
}

/* As the next process finds the disk when this one is killed now: what it still does is undone. */
static inline void
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

static inline void
expect(const char *words)
{
	assert_string_equal(buf_cstr(&got), words);
}

static inline const char *
alarm_text(void)
{
	static struct snapshot_status status;

	snapshot_count(snapshot, &status);
	return status.alarm;
}

#define EVERYTHING "(x) (y) ann@x=new bob@y=old alias@x=old complete "
#define DOMAINS "(x) (y) complete "

#endif
