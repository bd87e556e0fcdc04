/*
 * snapshot_load.c - what the process before us knew                   (driver)
 *
 * Both files are read and judged; then tombs is written anew with what of it
 * still counts, and only when that is durable anything is handed over. So what
 * was read is on the disk, whether or not the process that wrote it had got so
 * far, and a limit that is new with us (less grace, another boot) holds for the
 * process after us too. What cannot be used is removed: while it is there,
 * nobody writes tombstones for it.
 */
#include "map/snapshot_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AHEAD_MOST_MS = 7 * 24 * 3600 * 1000 }; /* of any lease and grace: settings.def */

#define ROWS_MOST_BYTES (2ULL << 30)

struct load {
	struct buf rows_bytes, tombs_bytes;
	struct snapshot_reader rows;
	struct tombs_reader tombs;
	struct dead_name *dead; /* what has changed since the rows were collected */
	bool rows_void, domains_void;
	struct snapshot_end end; /* the last that was told */
	uint64_t dead_ms; /* the latest that ever was */
};

/* ---- the files */

/* 1 read, 0 not there, -1 with *fault_r */
static int
read_file(const char *path, uint64_t max_bytes, struct buf *out, struct fault *fault_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t len = -1;

	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > max_bytes) {
		fault_set(fault_r, VERDICT_TEMP, "%s: no file of ours", path);
		close(fd);
		return -1;
	}
	while ((uint64_t)st.st_size > buf_len(out)) {
		size_t left = (size_t)st.st_size - buf_len(out);

		len = read(fd, buf_room(out, left), left);
		if (len <= 0)
			break;
		buf_added(out, (size_t)len);
	}
	if (len == -1 && st.st_size > 0)
		fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	close(fd);
	return len == -1 && st.st_size > 0 ? -1 : 1;
}

static void
end_take(struct load *load, const struct snapshot_end *end)
{
	load->end = *end;
	if (end->lease_until_ms + end->grace_ms > load->dead_ms)
		load->dead_ms = end->lease_until_ms + end->grace_ms;
}

static void
tomb_take(struct load *load, const struct tomb *tomb)
{
	switch (tomb->kind) {
	case TOMB_NAME:
		dead_add(&load->dead, tomb->name);
		break;
	case TOMB_ROWS:
		load->rows_void = true;
		break;
	case TOMB_DOMAINS:
		load->domains_void = true;
		break;
	case TOMB_END:
		end_take(load, &tomb->end);
		break;
	}
}

static int
tombs_take(struct load *load, struct fault *fault_r)
{
	struct tomb tomb;
	int rc;

	if (tombs_read(&load->tombs, buf_str(&load->tombs_bytes), fault_r) == -1)
		return -1;
	if (memcmp(load->tombs.head.series, load->rows.head.series, SNAPSHOT_KEY_BYTES) != 0 ||
	    load->tombs.head.base > load->rows.head.number)
		return fault_set(fault_r, VERDICT_TEMP, "does not belong to the snapshot");
	while ((rc = tombs_next(&load->tombs, &tomb, fault_r)) == 1) {
		if (load->tombs.number > load->rows.head.number)
			tomb_take(load, &tomb);
	}
	return rc;
}

/* 1 both are there and right, 0 there is no snapshot, -1 and *fault_r: it cannot be used. */
static int
files_read(struct snapshot *snapshot, struct load *load, struct fault *fault_r)
{
	struct fault why = {.text = ""};
	int rc;

	rc = read_file(snapshot->rows_path, ROWS_MOST_BYTES, &load->rows_bytes, fault_r);
	if (rc != 1)
		return rc;
	if (snapshot_read(&load->rows, buf_str(&load->rows_bytes), &why) == -1)
		return fault_set(fault_r, VERDICT_TEMP, "%s %s", snapshot->rows_path, why.text);
	end_take(load, &load->rows.head.end);
	rc =
	    read_file(snapshot->tombs_path, SNAPSHOT_TOMBS_MOST_BYTES, &load->tombs_bytes, fault_r);
	if (rc == 0)
		return fault_set(fault_r, VERDICT_TEMP, "%s is missing", snapshot->tombs_path);
	if (rc == 1 && tombs_take(load, &why) == -1)
		return fault_set(fault_r, VERDICT_TEMP, "%s %s", snapshot->tombs_path, why.text);
	return rc;
}

/* ---- judging */

static bool
is_our_map(const struct snapshot *snapshot, const struct load *load)
{
	return snapshot->settings.map_id[0] != '\0' &&
	       str_is(load->rows.head.map_id, snapshot->settings.map_id) &&
	       str_is(load->rows.head.prefix, snapshot->settings.prefix);
}

static bool
is_other_boot(const struct snapshot *snapshot, const struct load *load)
{
	return snapshot->settings.boot_id[0] != '\0' &&
	       !str_is(load->rows.head.boot_id, snapshot->settings.boot_id);
}

/* The end that was saved, or what is left of it with the grace that is declared now. */
static void
end_limit(const struct snapshot *snapshot, struct load *load)
{
	if (load->end.grace_ms > snapshot->settings.grace_ms)
		load->end.grace_ms = snapshot->settings.grace_ms;
}

static bool
rows_are_good(const struct snapshot *snapshot, const struct load *load)
{
	const struct snapshot_head *head = &load->rows.head;
	const struct snapshot_end *end = &load->end;
	uint64_t now_ms = clock_ms();

	if (load->rows_void || snapshot->settings.boot_id[0] == '\0' ||
	    is_other_boot(snapshot, load) ||
	    memcmp(head->reading, snapshot->settings.reading, sizeof(head->reading)) != 0)
		return false;
	/* Of this boot, so said before now, and not for longer than anybody may say. */
	return end->said_ms <= now_ms && end->lease_until_ms < now_ms + AHEAD_MOST_MS &&
	       end->grace_ms < AHEAD_MOST_MS && now_ms < end->lease_until_ms + end->grace_ms;
}

/* ---- making it durable */

static void
on_written(void *ctx, int error)
{
	*(int *)ctx = error;
}

static int
tombs_rewrite(struct snapshot *snapshot, const struct load *load)
{
	struct tomb tomb = {.kind = TOMB_END, .end = load->end};
	const struct dead_name *dead;
	struct buf bytes = BUF_INIT;
	int error = 0;

	snapshot->head = load->tombs.head;
	snapshot->head.base = snapshot->number = load->rows.head.number;
	tombs_write_head(&snapshot->head, &bytes);
	tombs_write(&snapshot->head, ++snapshot->number, &tomb, &bytes);
	tomb = (struct tomb){.kind = TOMB_ROWS};
	if (load->rows_void)
		tombs_write(&snapshot->head, ++snapshot->number, &tomb, &bytes);
	tomb = (struct tomb){.kind = TOMB_DOMAINS};
	if (load->domains_void)
		tombs_write(&snapshot->head, ++snapshot->number, &tomb, &bytes);
	for (dead = load->dead; dead != NULL; dead = dead->hh.next) {
		tomb = (struct tomb){.kind = TOMB_NAME, .name = str_make(dead->text, dead->len)};
		tombs_write(&snapshot->head, ++snapshot->number, &tomb, &bytes);
	}
	snapshot->tombs_bytes = buf_len(&bytes);
	sync_begin(snapshot->tombs);
	sync_add(snapshot->tombs, &bytes, NULL, NULL);
	sync_commit(snapshot->tombs, on_written, &error);
	syncer_wait(snapshot->syncer);
	snapshot->synced = snapshot->number;
	return error;
}

/* ---- handing over */

static void
finding_give(struct snapshot *snapshot, struct load *load, const struct snapshot_row *row,
    struct account *asked, struct account *account)
{
	const struct account_rules *rules = &snapshot->settings.rules;
	struct str names[FETCH_NAMES_MOST];
	size_t count;

	if (!account_read(asked, row->asked, rules) ||
	    account_parse(account, row->finding.account, rules) != ACCOUNT_ADDRESS ||
	    !str_eq(asked->name, row->asked))
		return;
	count = fetch_finding_names(asked, account, names);
	for (size_t i = 0; i < count; i++) {
		if (dead_has(load->dead, names[i]))
			return;
	}
	snapshot->status.findings++;
	snapshot->owner.finding_fn(snapshot->ctx, row->asked, &row->finding, names, count);
}

static void
rows_give(struct snapshot *snapshot, struct load *load)
{
	struct snapshot_reader rows = load->rows;
	struct account asked, account;
	struct dead_name *dead;
	struct snapshot_row row;

	account_init(&asked);
	account_init(&account);
	while (snapshot_next(&rows, &row) && row.kind != SNAPSHOT_KEY) {
		if (row.kind == SNAPSHOT_DOMAIN) {
			snapshot->status.domains++;
			snapshot->owner.domain_fn(snapshot->ctx, row.domain, row.is_sure);
		} else if (row.kind == SNAPSHOT_FINDING && !load->rows_void) {
			finding_give(snapshot, load, &row, &asked, &account);
		}
	}
	account_fini(&asked);
	account_fini(&account);
	for (dead = load->dead; dead != NULL; dead = dead->hh.next) {
		if (dead->len > 1 && dead->text[0] == '@')
			snapshot->owner.domain_fn(snapshot->ctx,
			    str_make(dead->text + 1, dead->len - 1), false);
	}
	if (!load->domains_void)
		snapshot->owner.domains_complete_fn(snapshot->ctx);
	if (!load->rows_void && (rows.flags & SNAPSHOT_ALL_KEYS) != 0)
		snapshot_keys_take(snapshot, &load->rows_bytes, &load->rows, &load->dead);
}

/* ---- all of it */

/* Nobody may use it after us: gone, or nothing is acknowledged until it cannot be used. */
static void
load_refuse(struct snapshot *snapshot, uint64_t dead_ms)
{
	snapshot->dead_ms = dead_ms;
	snapshot->domains_void = false; /* it may have a list, for a process that can use it */
	snapshot_spoil(snapshot);
	syncer_wait(snapshot->syncer);
}

static void
load_use(struct snapshot *snapshot, struct load *load)
{
	int error;

	end_limit(snapshot, load);
	load->rows_void = !rows_are_good(snapshot, load);
	load->domains_void |= (load->rows.flags & SNAPSHOT_ALL_DOMAINS) == 0;
	if ((error = tombs_rewrite(snapshot, load)) != 0) {
		snapshot_alarm(snapshot, error, "cannot be made durable, and is not used");
		load_refuse(snapshot, load->dead_ms);
		return;
	}
	snapshot->disk = DISK_KEPT;
	snapshot->rows_void = load->rows_void;
	snapshot->domains_void = load->domains_void;
	snapshot->end = load->end;
	if (!load->rows_void)
		snapshot->valid_until_ms = snapshot->dead_ms =
		    load->end.lease_until_ms + load->end.grace_ms;
	rows_give(snapshot, load);
	log_info("snapshot_loaded",
	    "path=%s findings=%" PRIu64 " domains=%" PRIu64 " valid_ms=%" PRIu64,
	    snapshot->rows_path, snapshot->status.findings, snapshot->status.domains,
	    load->rows_void ? 0 : snapshot->valid_until_ms - clock_ms());
}

void
snapshot_load(struct snapshot *snapshot)
{
	struct load load = {.rows_void = false};
	struct fault fault;

	/* Nothing in it is for us: a loop that runs already need not wait for its checksum. */
	if (snapshot->settings.map_id[0] == '\0' && access(snapshot->rows_path, F_OK) == 0) {
		load_refuse(snapshot, UINT64_MAX);
		if (snapshot->disk == DISK_NONE)
			return;
	}
	switch (files_read(snapshot, &load, &fault)) {
	case -1:
		snapshot->alarm = fault;
		log_error("snapshot", "why=%s", log_quote_text(fault.text));
		load_refuse(snapshot, UINT64_MAX); /* it may be readable another time */
		break;
	case 0:
		break;
	default:
		if (is_other_boot(snapshot, &load))
			load.dead_ms = 0; /* that one does not come again */
		if (is_our_map(snapshot, &load))
			load_use(snapshot, &load);
		else
			load_refuse(snapshot, load.dead_ms);
	}
	dead_free(&load.dead);
	buf_fini(&load.rows_bytes);
	buf_fini(&load.tombs_bytes);
}
