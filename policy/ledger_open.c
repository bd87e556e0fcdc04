/*
 * ledger_open.c - what a process before us has left in the ledger     (driver)
 */
#include "policy/ledger_inside.h"

#include "base/file.h"
#include "base/mem.h"
#include "map/state.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char lost_by_crash[] =
    "the host of a policyd went down before what had arrived was surely on its disk";

struct look {
	bool has_head, is_clean, is_damaged;
	uint64_t batch;
	char series[ARRIVALS_SERIES_BYTES];
	char boot[LEDGER_BOOT_BYTES]; /* of the last process */
	size_t count, whole; /* lines to be counted; bytes of whole lines */
};

static void
look_at_line(struct look *look, const struct ledger_line *line)
{
	look->is_clean = line->kind == LEDGER_CLEAN;
	switch (line->kind) {
	case LEDGER_HEAD:
		look->has_head = true;
		look->batch = line->batch;
		snprintf(look->series, sizeof(look->series), "%.*s", STR_FMT(line->series));
		/* fallthrough */
	case LEDGER_BOOT:
		snprintf(look->boot, sizeof(look->boot), "%.*s", STR_FMT(line->boot));
		break;
	case LEDGER_UNKNOWN:
	case LEDGER_REPORT:
		look->count++;
		break;
	case LEDGER_DAMAGED:
		look->is_damaged = true;
		break;
	case LEDGER_CLEAN:
		break;
	}
}

static void
look_at(struct look *look, struct str text)
{
	struct str rest = text;
	struct ledger_line line;

	*look = (struct look){0};
	while (ledger_line_next(&rest, &line)) {
		look_at_line(look, &line);
		ledger_line_fini(&line);
	}
	look->whole = text.len - rest.len;
}

/* Numbers go on in the series of the file; without one this is another series. */
static void
go_on_from(struct ledger *ledger, const struct look *look, uint64_t batch)
{
	memcpy(ledger->series, look->series, sizeof(ledger->series));
	ledger->batch = batch;
}

/* The batch that was in hand. One that lost its head is the first of another series. */
static int
find_sent(struct ledger *ledger)
{
	struct buf text;
	struct look look;
	int rc = ledger_read_file(ledger->sent_path, &text);

	if (rc == 1) {
		look_at(&look, buf_str(&text));
		ledger->has_sent = true;
		ledger->sent_size = buf_len(&text);
		ledger->batch++;
		if (look.has_head)
			go_on_from(ledger, &look, look.batch + 1);
		ledger->is_doubted = strcmp(look.boot, ledger->boot) != 0;
	}
	buf_fini(&text);
	return rc == -1 ? -1 : 0;
}

/* A process before us left it: what does it say of its end? */
static int
go_on(struct ledger *ledger, const struct look *look, size_t size, int64_t now_s)
{
	struct buf boot = BUF_INIT;
	const char *lost = NULL;
	int rc;

	if (ledger_open_file(ledger, 0) == -1)
		return -1;
	ledger->size = look->whole;
	ledger->count = look->count;
	if (look->has_head)
		go_on_from(ledger, look, look->batch);
	if (size > look->whole && ftruncate(ledger->fd, (off_t)look->whole) == -1)
		return -1;
	if (!look->is_clean && strcmp(look->boot, ledger->boot) != 0)
		lost = lost_by_crash;
	else if (look->is_damaged || !look->has_head)
		lost = ledger_lost_by_damage;
	if (lost != NULL)
		ledger_owe(ledger, now_s, lost);
	ledger_line_boot(&boot, ledger->boot);
	rc = ledger_add_lines(ledger, buf_str(&boot), 0);
	buf_fini(&boot);
	return rc;
}

/* An empty file, or none beside a batch of before: so looks what a host forgot as it went down. */
static int
begin_doubted(struct ledger *ledger, int64_t now_s)
{
	int rc = ledger_begin_file(ledger);

	ledger_add_unknown(ledger, now_s, lost_by_crash);
	return rc;
}

static int
find_file(struct ledger *ledger, int64_t now_s)
{
	struct buf text;
	struct look look;
	int rc = ledger_read_file(ledger->path, &text);

	look_at(&look, buf_str(&text));
	if (rc == 1 && look.whole > 0)
		rc = go_on(ledger, &look, buf_len(&text), now_s);
	else if (rc != -1 && (rc == 1 || ledger->is_doubted))
		rc = begin_doubted(ledger, now_s);
	else if (rc != -1 && (rc = ledger_begin_file(ledger)) == 0)
		rc = state_sync_dir(ledger->dir); /* the only time: there are files of ours here */
	buf_fini(&text);
	return rc;
}

static void
draw_series(char series_r[static ARRIVALS_SERIES_BYTES])
{
	unsigned char raw[(ARRIVALS_SERIES_BYTES - 1) / 2];

	randombytes_buf(raw, sizeof(raw));
	sodium_bin2hex(series_r, ARRIVALS_SERIES_BYTES, raw, sizeof(raw));
}

static void
read_boot(char boot_r[static LEDGER_BOOT_BYTES])
{
	struct buf text = BUF_INIT;

	if (file_read("/proc/sys/kernel/random/boot_id", &text) == -1 || buf_len(&text) == 0 ||
	    buf_len(&text) >= LEDGER_BOOT_BYTES) {
		/* Another one each time: then whoever was killed is doubted. */
		char none[ARRIVALS_SERIES_BYTES];

		draw_series(none);
		snprintf(boot_r, LEDGER_BOOT_BYTES, "none %s", none);
	} else {
		struct str id = buf_str(&text);

		snprintf(boot_r, LEDGER_BOOT_BYTES, "%.*s", (int)str_find(id, '\n'), id.ptr);
	}
	buf_fini(&text);
}

bool
ledger_is_left(const char *path)
{
	char *file = xasprintf("%s.arrivals", path), *sent = xasprintf("%s.arrivals.sent", path);
	bool is_left = access(sent, F_OK) == 0;
	struct buf text = BUF_INIT;
	struct look look;

	if (!is_left && ledger_read_file(file, &text) == 1) {
		look_at(&look, buf_str(&text));
		is_left = look.count > 0 || !look.is_clean;
	}
	buf_fini(&text);
	free(file);
	free(sent);
	return is_left;
}

/* Not the lock of the slot: who looks at what another one left is not that node. */
static int
lock(struct ledger *ledger, const char *path)
{
	char *name = xasprintf("%s.arrivals.lock", path);
	int rc = -1;

	ledger->lock = state_open(ledger->dir, name, O_RDWR | O_CREAT);
	if (ledger->lock != -1)
		rc = flock(ledger->lock, LOCK_EX | LOCK_NB);
	free(name);
	return rc;
}

struct ledger *
ledger_open(const char *path, int64_t now_s, struct fault *fault_r)
{
	struct ledger *ledger = xnew(struct ledger);
	const char *slash = strrchr(path, '/');

	must(slash != NULL);
	ledger->dir = xstrndup(path, (size_t)(slash - path));
	ledger->path = xasprintf("%s.arrivals", path);
	ledger->sent_path = xasprintf("%s.arrivals.sent", path);
	ledger->fd = ledger->lock = -1;
	ledger->batch = 1;
	read_boot(ledger->boot);
	draw_series(ledger->series);
	if (lock(ledger, path) == -1 || find_sent(ledger) == -1 || find_file(ledger, now_s) == -1) {
		fault_set_errno(fault_r, VERDICT_TEMP, "the file of arrivals %s", ledger->path);
		ledger_close(&ledger, false);
	}
	return ledger;
}
