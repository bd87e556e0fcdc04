/*
 * journal.c - what was changed from this host                         (driver)
 *
 * Lines are appended under a lock, by whichever command comes. The last good line
 * says what the highest epoch is, so no more than the end of the file is read.
 */
#include "map/journal.h"

#include "base/mem.h"
#include "map/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Two whole lines, whatever stands between them and the end. */
enum { TAIL_BYTES = 4 * JOURNAL_LINE_MOST_BYTES };

struct journal {
	char *dir, *path, *old_path, *lock_path;
	bool is_absent;
};

struct journal *
journal_open(const char *state_dir)
{
	struct journal *journal = xnew(struct journal);

	journal->dir = xstrdup(state_dir);
	journal->path = xasprintf("%s/journal", state_dir);
	journal->old_path = xasprintf("%s/journal.1", state_dir);
	journal->lock_path = xasprintf("%s/journal.lock", state_dir);
	return journal;
}

void
journal_close(struct journal **journal)
{
	if (*journal == NULL)
		return;
	free((*journal)->dir);
	free((*journal)->path);
	free((*journal)->old_path);
	free((*journal)->lock_path);
	free(*journal);
	*journal = NULL;
}

bool
journal_is_kept(const struct journal *journal)
{
	return !journal->is_absent;
}

/* ---- the last good line */

/* Sets the highest epoch that the end of the file knows of this map. */
static bool
tail_scan(struct str tail, const char *map, uint64_t *highest_r)
{
	struct journal_line line;

	while (tail.len > 0) {
		size_t start = str_rfind(str_make(tail.ptr, tail.len - 1), '\n');
		struct str text;

		start = start == tail.len - 1 ? 0 : start + 1; /* none before it: the first line */
		text = str_from(tail, start);
		tail.len = start;
		if (text.ptr[text.len - 1] != '\n')
			continue; /* torn */
		text.len--;
		if (!journal_line_read(text, &line))
			continue;
		*highest_r = strcmp(line.map, map) == 0 ? line.highest : 0;
		journal_line_fini(&line);
		return true;
	}
	return false;
}

/* 0, or -1 with errno. A file that ends in no line feed is torn. */
static int
tail_read(int fd, const char *map, uint64_t *highest_r, bool *good_r, bool *torn_r)
{
	struct stat st;
	char *tail;
	ssize_t len;
	off_t from;

	*good_r = *torn_r = false;
	*highest_r = 0;
	if (fstat(fd, &st) == -1)
		return -1;
	from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
	tail = xcalloc(1, TAIL_BYTES);
	len = pread(fd, tail, TAIL_BYTES, from);
	if (len > 0) {
		*torn_r = tail[len - 1] != '\n';
		*good_r = tail_scan(str_make(tail, (size_t)len), map, highest_r);
	}
	free(tail);
	return len == -1 ? -1 : 0;
}

static int
find_highest(const struct journal *journal, int fd, const char *map, uint64_t *highest_r,
    bool *torn_r, struct fault *fault_r)
{
	struct stat st;
	bool good, unimportant;
	int old, rc;

	if (tail_read(fd, map, highest_r, &good, torn_r) == -1 || fstat(fd, &st) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", journal->path);
	if (good)
		return 0;
	if (st.st_size > TAIL_BYTES)
		return fault_set(fault_r, VERDICT_TEMP,
		    "%s is damaged: keep it elsewhere if it matters, and remove it", journal->path);
	if ((old = open(journal->old_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) == -1) {
		if (errno == ENOENT)
			return 0; /* the first change ever */
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", journal->old_path);
	}
	rc = tail_read(old, map, highest_r, &good, &unimportant);
	if (rc == -1)
		fault_set_errno(fault_r, VERDICT_TEMP, "%s", journal->old_path);
	close(old);
	return rc;
}

/* ---- appending */

/* Is it somebody else's business? */
static bool
is_not_ours(const struct journal *journal, int error)
{
	struct stat st;

	if (stat(journal->dir, &st) == -1)
		return errno == ENOENT || errno == EACCES;
	return (error == EACCES || error == EPERM) && st.st_uid != geteuid();
}

static int
sync_dir(const struct journal *journal)
{
	int fd = open(journal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* The journal, with room for a line; -1 with errno. */
static int
open_file(const struct journal *journal)
{
	int fd = state_open(journal->dir, journal->path, O_RDWR | O_APPEND | O_CREAT);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return fd;
	if (st.st_size == 0 && sync_dir(journal) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
append(int fd, struct str text, bool sync)
{
	struct stat st;
	ssize_t len;
	int saved;

	if (fstat(fd, &st) == -1)
		return -1;
	len = write(fd, text.ptr, text.len);
	if (len == (ssize_t)text.len && (!sync || fsync(fd) == 0))
		return 0;
	saved = len == -1 || len == (ssize_t)text.len ? errno : ENOSPC;
	if (ftruncate(fd, st.st_size) == -1)
		saved = errno; /* the reader passes over it */
	errno = saved;
	return -1;
}

static void
set_time(struct journal_line *line)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(line->time, sizeof(line->time), "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int
add_locked(const struct journal *journal, int fd, struct journal_line *line, struct fault *fault_r)
{
	struct buf text = BUF_INIT;
	uint64_t highest;
	bool torn;
	int rc;

	if (find_highest(journal, fd, line->map, &highest, &torn, fault_r) == -1)
		return -1;
	if (line->what == JOURNAL_LOST && highest == line->epoch)
		highest--;
	else if (line->is_everywhere && line->epoch > highest)
		highest = line->epoch;
	line->highest = highest;
	set_time(line);
	if (torn)
		buf_add_byte(&text, '\n');
	journal_line_write(&text, line);
	rc = append(fd, buf_str(&text), line->what != JOURNAL_WRITTEN);
	buf_fini(&text);
	if (rc == 0)
		return 0;
	return fault_set_errno(fault_r, VERDICT_TEMP,
	    "the journal of changes cannot be written, so nothing may be changed from here: %s",
	    journal->path);
}

/* Full: the next line begins another, which knows from this one what the highest is. */
static int
rotate(const struct journal *journal, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (st.st_size < JOURNAL_MOST_BYTES)
		return 0;
	if (fsync(fd) == -1 || rename(journal->path, journal->old_path) == -1)
		return -1;
	return sync_dir(journal);
}

/* Locked and open. 0 with both -1: no journal is kept here. */
static int
begin(struct journal *journal, int *lock_r, int *fd_r, struct fault *fault_r)
{
	const char *path = journal->lock_path;
	int lock = state_open(journal->dir, path, O_RDWR | O_CREAT);

	*lock_r = *fd_r = -1;
	journal->is_absent = lock == -1 && is_not_ours(journal, errno);
	if (journal->is_absent)
		return 0;
	if (lock != -1 && flock(lock, LOCK_EX) == 0) {
		path = journal->path;
		*fd_r = open_file(journal);
	}
	if (*fd_r == -1)
		fault_set_errno(fault_r, VERDICT_TEMP,
		    "the journal of changes cannot be opened, so nothing may be changed from here: "
		    "%s",
		    path);
	if (*fd_r == -1 && lock != -1)
		close(lock);
	else
		*lock_r = lock;
	return *fd_r == -1 ? -1 : 0;
}

static void
end(int lock, int fd)
{
	close(fd);
	close(lock); /* and with it the lock */
}

int
journal_highest(struct journal *journal, const char *map, uint64_t *highest_r,
    struct fault *fault_r)
{
	int lock, fd, rc;
	bool unimportant;

	*highest_r = 0;
	if (begin(journal, &lock, &fd, fault_r) == -1)
		return -1;
	if (journal->is_absent)
		return 0;
	rc = find_highest(journal, fd, map, highest_r, &unimportant, fault_r);
	end(lock, fd);
	return rc;
}

int
journal_add(struct journal *journal, struct journal_line *line, struct fault *fault_r)
{
	int lock, fd, rc;

	if (begin(journal, &lock, &fd, fault_r) == -1)
		return -1;
	if (journal->is_absent)
		return 0;
	rc = add_locked(journal, fd, line, fault_r);
	if (rc == 0 && rotate(journal, fd) == -1)
		rc = fault_set_errno(fault_r, VERDICT_TEMP, "%s", journal->old_path);
	end(lock, fd);
	return rc;
}

/* ---- reading */

static int
read_file(const char *path, journal_line_fn *fn, void *ctx, bool *more, size_t *damaged,
    struct fault *fault_r)
{
	FILE *file = fopen(path, "re");
	struct journal_line line;
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	int rc = 0;

	if (file == NULL)
		return errno == ENOENT ? 0 : fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	while (*more && (len = getline(&text, &size, file)) != -1) {
		if (text[len - 1] != '\n' ||
		    !journal_line_read(str_make(text, (size_t)len - 1), &line)) {
			++*damaged;
			continue;
		}
		*more = fn(ctx, &line);
		journal_line_fini(&line);
	}
	if (ferror(file))
		rc = fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	free(text);
	fclose(file);
	return rc;
}

int
journal_read(const char *state_dir, journal_line_fn *fn, void *ctx, size_t *damaged_r,
    struct fault *fault_r)
{
	static const char *const names[] = {"journal.1", "journal"};
	bool more = true;
	int rc = 0;

	*damaged_r = 0;
	for (size_t i = 0; i < ARRAY_LEN(names) && rc == 0; i++) {
		char *path = xasprintf("%s/%s", state_dir, names[i]);

		rc = read_file(path, fn, ctx, &more, damaged_r, fault_r);
		free(path);
	}
	return rc;
}
