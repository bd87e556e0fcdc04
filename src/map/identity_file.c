/*
 * identity_file.c - what a host keeps of which map this is            (driver)
 */
#include "map/identity_file.h"

#include "map/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 512, LOCK_AGAIN_NS = 2000000 };
_Static_assert(HEAD_ID_BYTES + 64 < FILE_MAX_BYTES, "an id that does not fit into the file");

#define NUMBER_MOST INT64_MAX /* Redis counts no further */

/* ---- reading */

static enum identity_reading
known_parse(struct str rest, struct identity_known *known_r)
{
	bool have_id = false, have_epoch = false;

	while (rest.len > 0) {
		size_t end = str_find(rest, '\n');
		struct str line = str_make(rest.ptr, end);

		if (str_starts(line, "id "))
			have_id =
			    head_word_read(str_from(line, 3), known_r->id, sizeof(known_r->id));
		else if (str_starts(line, "epoch "))
			have_epoch = str_number(str_from(line, 6), NUMBER_MOST, &known_r->epoch);
		rest = str_from(rest, end < rest.len ? end + 1 : end);
	}
	return have_id && have_epoch ? READ_WELL : READ_DAMAGED;
}

enum identity_reading
identity_file_read(const char *path, struct identity_known *known_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), error;
	char text[FILE_MAX_BYTES];
	ssize_t len;

	*known_r = (struct identity_known){0};
	if (fd == -1)
		return errno == ENOENT ? READ_NOTHING : READ_FAILED;
	len = read(fd, text, sizeof(text));
	error = errno;
	close(fd);
	errno = error;
	return len == -1 ? READ_FAILED : known_parse(str_make(text, (size_t)len), known_r);
}

/* ---- writing */

static enum attempt_end
failed(struct identity_attempt *attempt, const char *where)
{
	attempt->error = errno;
	attempt->where = where;
	return ATTEMPT_FAILED;
}

static enum attempt_end
lock_take(struct identity_attempt *attempt, int lock)
{
	const struct timespec pause = {.tv_nsec = LOCK_AGAIN_NS};

	while (flock(lock, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK)
			return failed(attempt, attempt->paths->lock);
		if (--attempt->lock_tries <= 0)
			return ATTEMPT_BUSY;
		nanosleep(&pause, NULL);
	}
	return ATTEMPT_DONE;
}

/* Under the lock. */
static enum attempt_end
file_advance(struct identity_attempt *attempt)
{
	const struct identity_paths *paths = attempt->paths;
	const struct identity_known *want = &attempt->want;
	struct identity_known *there = &attempt->there;
	char text[FILE_MAX_BYTES];
	const char *where;

	switch (identity_file_read(paths->file, there)) {
	case READ_FAILED:
		return failed(attempt, paths->file);
	case READ_DAMAGED:
		return ATTEMPT_DAMAGED;
	case READ_NOTHING:
		break;
	case READ_WELL:
		if (strcmp(there->id, want->id) != 0)
			return ATTEMPT_OTHER;
		if (there->epoch >= want->epoch)
			return ATTEMPT_DONE;
	}
	snprintf(text, sizeof(text), "id %s\nepoch %llu\n", want->id,
	    (unsigned long long)want->epoch);
	if (state_write(paths->dir, paths->file, paths->aside, str_of(text), &where) == -1)
		return failed(attempt, where);
	*there = *want;
	return ATTEMPT_DONE;
}

void
identity_attempt(struct identity_attempt *attempt)
{
	const struct identity_paths *paths = attempt->paths;
	int lock = state_open(paths->dir, paths->lock, O_RDWR | O_CREAT);

	if (lock == -1) {
		attempt->end = failed(attempt, paths->lock);
		return;
	}
	attempt->end = lock_take(attempt, lock);
	if (attempt->end == ATTEMPT_DONE)
		attempt->end = file_advance(attempt);
	close(lock); /* and with it the lock */
}

/* ---- what became of it */

int
identity_file_is_damaged(const char *path, struct fault *fault_r)
{
	return fault_set(fault_r, VERDICT_TEMP,
	    "%s is damaged: remove it if the map in Redis is the right one", path);
}

int
identity_attempt_fault(const struct identity_attempt *attempt, struct fault *fault_r)
{
	switch (attempt->end) {
	case ATTEMPT_DONE:
	case ATTEMPT_BUSY:
		return 0;
	case ATTEMPT_FAILED:
		errno = attempt->error;
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", attempt->where);
	case ATTEMPT_DAMAGED:
		return identity_file_is_damaged(attempt->paths->file, fault_r);
	case ATTEMPT_OTHER:
		break;
	}
	return fault_set(fault_r, VERDICT_TEMP,
	    "%s: another process of this host knows map %s, this one %s", attempt->paths->file,
	    attempt->there.id, attempt->want.id);
}
