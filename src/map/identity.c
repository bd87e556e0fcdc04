/*
 * identity.c - which map this is, and that it never goes back         (driver)
 *
 * The file is two lines, replaced as a whole (written aside, fsync, rename,
 * fsync of the directory) under a lock that is never waited for: whoever finds
 * it taken comes again with the next heartbeat.
 */
#include "map/identity.h"

#include "base/mem.h"
#include "map/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 512 };

#define NUMBER_MOST INT64_MAX /* Redis counts no further */

struct known {
	char id[HEAD_ID_BYTES];
	uint64_t epoch;
};

struct identity {
	char *dir, *path, *lock_path;
	struct known known; /* the most that this process knows of */
	struct known written; /* what the file is known to hold */
	struct fault trouble; /* the file is there and cannot be used */
	bool is_bad;
};

/* 1 read, 0 there is no file, -1 it cannot be used. */
static int
known_read(const char *path, struct known *known_r, struct fault *fault_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[FILE_MAX_BYTES];
	struct str rest;
	ssize_t len;
	bool have_id = false, have_epoch = false;

	if (fd == -1) {
		if (errno == ENOENT)
			return 0;
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	}
	len = read(fd, text, sizeof(text));
	close(fd);
	if (len == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	for (rest = str_make(text, (size_t)len); rest.len > 0;) {
		size_t end = str_find(rest, '\n');
		struct str line = str_make(rest.ptr, end);

		if (str_starts(line, "id "))
			have_id =
			    head_word_read(str_from(line, 3), known_r->id, sizeof(known_r->id));
		else if (str_starts(line, "epoch "))
			have_epoch = str_number(str_from(line, 6), NUMBER_MOST, &known_r->epoch);
		rest = str_from(rest, end < rest.len ? end + 1 : end);
	}
	if (have_id && have_epoch)
		return 1;
	return fault_set(fault_r, VERDICT_TEMP,
	    "%s is damaged: remove it if the map in Redis is the right one", path);
}

struct identity *
identity_open(const char *state_dir)
{
	struct identity *identity = xnew(struct identity);

	identity->dir = xstrdup(state_dir);
	identity->path = xasprintf("%s/identity", state_dir);
	identity->lock_path = xasprintf("%s/identity.lock", state_dir);
	identity_refresh(identity);
	return identity;
}

void
identity_close(struct identity **identity)
{
	if (*identity == NULL)
		return;
	free((*identity)->dir);
	free((*identity)->path);
	free((*identity)->lock_path);
	free(*identity);
	*identity = NULL;
}

void
identity_refresh(struct identity *identity)
{
	struct known known = {0};
	int rc = known_read(identity->path, &known, &identity->trouble);

	identity->is_bad = rc == -1;
	if (rc == -1)
		return;
	if (rc == 0) {
		/* A file that was there was removed by the operator, who says with it: begin anew.
		 */
		if (identity->written.id[0] != '\0')
			identity->known = known;
	} else if (strcmp(known.id, identity->known.id) != 0 ||
		   known.epoch > identity->known.epoch) {
		identity->known = known;
	}
	identity->written = known;
}

int
identity_check(const struct identity *identity, const struct map_head *head, struct fault *fault_r)
{
	if (identity->is_bad) {
		*fault_r = identity->trouble;
		return -1;
	}
	if (identity->known.id[0] == '\0')
		return 0;
	if (strcmp(identity->known.id, head->id) != 0)
		return fault_set(fault_r, VERDICT_TEMP,
		    "this is another map: Redis says id %s, this host knows %s; if Redis is right, "
		    "remove %s",
		    head->id, identity->known.id, identity->path);
	if (head->epoch < identity->known.epoch)
		return fault_set(fault_r, VERDICT_TEMP,
		    "the map went back: Redis says epoch %llu, this host knows of %llu; restore "
		    "Redis, or look with \"splitmx doctor\", which also accepts it as it is",
		    (unsigned long long)head->epoch, (unsigned long long)identity->known.epoch);
	return 0;
}

static int
file_replace(const struct identity *identity, const struct known *known, struct fault *fault_r)
{
	char *text = xasprintf("id %s\nepoch %llu\n", known->id, (unsigned long long)known->epoch);
	int rc = state_replace(identity->dir, identity->path, str_of(text), fault_r);

	free(text);
	return rc;
}

static int
file_advance(struct identity *identity, struct fault *fault_r)
{
	int lock = state_open(identity->dir, identity->lock_path, O_RDWR | O_CREAT);
	struct known there = {0};
	int rc = -1;

	if (lock == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", identity->lock_path);
	if (flock(lock, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			rc = 0; /* somebody writes just now: the next call will see to it */
		else
			fault_set_errno(fault_r, VERDICT_TEMP, "%s", identity->lock_path);
		goto out;
	}
	if (known_read(identity->path, &there, fault_r) == -1)
		goto out;
	if (there.id[0] != '\0' && strcmp(there.id, identity->known.id) != 0) {
		fault_set(fault_r, VERDICT_TEMP,
		    "%s: another process of this host knows map %s, this one %s", identity->path,
		    there.id, identity->known.id);
		goto out;
	}
	if (there.id[0] == '\0' || there.epoch < identity->known.epoch) {
		if (file_replace(identity, &identity->known, fault_r) == -1)
			goto out;
		there = identity->known;
	}
	identity->written = there;
	rc = 0;
out:
	close(lock); /* and with it the lock */
	return rc;
}

void
identity_raise(struct identity *identity, uint64_t epoch)
{
	if (epoch > identity->known.epoch)
		identity->known.epoch = epoch;
}

int
identity_note(struct identity *identity, const struct map_head *head, struct fault *fault_r)
{
	memcpy(identity->known.id, head->id, sizeof(identity->known.id));
	if (head_is_alone(head))
		identity_raise(identity, head->epoch);
	if (strcmp(identity->written.id, identity->known.id) == 0 &&
	    identity->written.epoch >= identity->known.epoch)
		return 0;
	return file_advance(identity, fault_r);
}

const char *
identity_id(const struct identity *identity)
{
	return identity->known.id;
}

uint64_t
identity_epoch(const struct identity *identity)
{
	return identity->known.epoch;
}
