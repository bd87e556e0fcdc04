/*
 * ledger.c - what has arrived, in a file until it is counted          (driver)
 */
#include "policy/ledger_inside.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char ledger_lost_by_damage[] = "a policyd's file of arrivals was damaged";
static const char lost_by_size[] = "a policyd's file of arrivals was full";
static const char lost_by_disk[] = "a policyd could not write its file of arrivals";

/* ---- writing */

/* All of it or nothing; -1 with errno. */
static int
append(struct ledger *ledger, struct str text)
{
	ssize_t len = write(ledger->fd, text.ptr, text.len);
	int saved = len == -1 ? errno : ENOSPC;

	if (len == (ssize_t)text.len) {
		ledger->size += text.len;
		return 0;
	}
	if (len > 0 && ftruncate(ledger->fd, (off_t)ledger->size) == -1)
		log_error("arrivals_file", "file=%s why=%s", log_quote_text(ledger->path),
		    log_quote_text(strerror(errno))); /* a reader finds the torn line damaged */
	errno = saved;
	return -1;
}

int
ledger_open_file(struct ledger *ledger, int flags)
{
	return ledger->fd = state_open(ledger->dir, ledger->path, O_RDWR | O_APPEND | flags);
}

int
ledger_begin_file(struct ledger *ledger)
{
	struct buf head = BUF_INIT;
	int rc;

	ledger->size = 0;
	ledger->count = 0;
	ledger->is_full = false;
	if (ledger_open_file(ledger, O_CREAT | O_TRUNC) == -1)
		return -1;
	ledger_line_head(&head, ledger->series, ledger->batch, ledger->boot);
	if ((rc = append(ledger, buf_str(&head))) == -1) {
		int saved = errno;

		close(ledger->fd);
		ledger->fd = -1;
		errno = saved;
	}
	buf_fini(&head);
	return rc;
}

int
ledger_add_lines(struct ledger *ledger, struct str lines, size_t count)
{
	struct buf text = BUF_INIT;
	int rc = -1;

	if (ledger->fd == -1 && ledger_begin_file(ledger) == -1)
		return -1;
	if (ledger->owed != NULL)
		ledger_line_unknown(&text, ledger->owed_s, ledger->owed);
	buf_add_str(&text, lines);
	if (append(ledger, buf_str(&text)) == 0) {
		ledger->count += count + (ledger->owed != NULL);
		ledger->owed = NULL;
		rc = 0;
	}
	buf_fini(&text);
	return rc;
}

void
ledger_owe(struct ledger *ledger, int64_t now_s, const char *reason)
{
	ledger->owed = reason;
	ledger->owed_s = now_s;
}

void
ledger_add_unknown(struct ledger *ledger, int64_t now_s, const char *reason)
{
	ledger_owe(ledger, now_s, reason);
	(void)ledger_add_lines(ledger, STR(""), 0); /* where it cannot be, it is still owed */
}

static int
refuse(struct ledger *ledger, int64_t now_s, struct fault *fault_r)
{
	if (!ledger->is_full) {
		log_error("arrivals_file",
		    "file=%s why=\"full: Redis does not take what has arrived\"",
		    log_quote_text(ledger->path));
		ledger_add_unknown(ledger, now_s, lost_by_size);
	}
	ledger->is_full = true;
	return fault_set(fault_r, VERDICT_TEMP, "the file of arrivals is full");
}

int
ledger_add(struct ledger *ledger, const struct report *report, int64_t now_s, struct fault *fault_r)
{
	struct buf line = BUF_INIT;
	int rc;

	ledger_line_report(&line, report, now_s);
	if (ledger->size + buf_len(&line) > LEDGER_MOST_BYTES) {
		rc = refuse(ledger, now_s, fault_r);
	} else if ((rc = ledger_add_lines(ledger, buf_str(&line), 1)) == -1) {
		fault_set_errno(fault_r, VERDICT_TEMP, "the file of arrivals cannot be written");
		ledger_owe(ledger, now_s, lost_by_disk);
	}
	buf_fini(&line);
	return rc;
}

/* ---- the end */

void
ledger_close(struct ledger **ledgerp, bool is_clean)
{
	struct ledger *ledger = *ledgerp;
	struct buf line = BUF_INIT;

	if (ledger == NULL)
		return;
	*ledgerp = NULL;
	if (is_clean && ledger->fd != -1 && ledger->owed == NULL && fsync(ledger->fd) == 0) {
		ledger_line_clean(&line);
		if (append(ledger, buf_str(&line)) == -1 || fsync(ledger->fd) == -1 ||
		    state_sync_dir(ledger->dir) == -1)
			log_error("arrivals_file", "file=%s why=%s", log_quote_text(ledger->path),
			    log_quote_text(strerror(errno))); /* it will be doubted */
	}
	buf_fini(&line);
	if (ledger->fd != -1)
		close(ledger->fd);
	if (ledger->lock != -1)
		close(ledger->lock);
	free(ledger->dir);
	free(ledger->path);
	free(ledger->sent_path);
	free(ledger);
}

/* ---- batches */

int
ledger_read_file(const char *path, struct buf *text)
{
	buf_init(text, LEDGER_READ_MOST_BYTES);
	if (file_read(path, text) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

/* Somebody has removed one of the files. */
static void
is_gone(struct ledger *ledger, int64_t now_s, const char *path)
{
	log_error("arrivals_file", "file=%s why=\"somebody has removed it\"", log_quote_text(path));
	ledger_add_unknown(ledger, now_s, ledger_lost_by_damage);
}

/* Rename what is there, and begin the next one. */
static int
turn(struct ledger *ledger, int64_t now_s)
{
	bool has_gone = rename(ledger->path, ledger->sent_path) == -1;

	if (has_gone && errno != ENOENT)
		return -1;
	close(ledger->fd);
	ledger->fd = -1;
	ledger->has_sent = !has_gone;
	ledger->sent_size = has_gone ? 0 : ledger->size;
	ledger->batch++;
	ledger->size = 0;
	ledger->count = 0;
	(void)ledger_begin_file(ledger); /* where it cannot be, the next report says so */
	if (has_gone)
		is_gone(ledger, now_s, ledger->path);
	return 0;
}

int
ledger_batch(struct ledger *ledger, int64_t now_s, struct buf *lines_r,
    struct arrivals_place *place_r, struct fault *fault_r)
{
	int rc;

	if (!ledger->has_sent) {
		if (ledger->owed != NULL)
			(void)ledger_add_lines(ledger, STR(""), 0);
		if (ledger->count == 0)
			return 0;
		if (turn(ledger, now_s) == -1)
			return fault_set_errno(fault_r, VERDICT_TEMP, "%s", ledger->sent_path);
		if (!ledger->has_sent)
			return 0;
	}
	rc = ledger_read_file(ledger->sent_path, lines_r);
	*place_r = (struct arrivals_place){.batch = ledger->batch - 1};
	memcpy(place_r->series, ledger->series, sizeof(place_r->series));
	if (rc == 1)
		return 1;
	if (rc == -1)
		fault_set_errno(fault_r, VERDICT_TEMP, "%s", ledger->sent_path);
	buf_fini(lines_r);
	if (rc == 0) {
		ledger->has_sent = false;
		ledger->sent_size = 0;
		is_gone(ledger, now_s, ledger->sent_path);
	}
	return rc;
}

int
ledger_done(struct ledger *ledger, struct fault *fault_r)
{
	must(ledger->has_sent);
	if (unlink(ledger->sent_path) == -1 && errno != ENOENT)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", ledger->sent_path);
	ledger->has_sent = false;
	ledger->sent_size = 0;
	return 0;
}

bool
ledger_is_empty(const struct ledger *ledger)
{
	return ledger->count == 0 && !ledger->has_sent && ledger->owed == NULL;
}

uint64_t
ledger_bytes(const struct ledger *ledger)
{
	return ledger != NULL && !ledger_is_empty(ledger) ? ledger->size + ledger->sent_size : 0;
}
