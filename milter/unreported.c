/*
 * unreported.c - messages of which policyd was not told               (driver)
 *
 * nodes/milter-0.unreported is the mark, nodes/milter-0.unreported.lock the place's
 * lock, which stays. What matters of a mark is that it is there; its text is for people.
 */
#include "milter/unreported.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mark_text[] = "Messages were accepted whose arrival policyd was not told.\n";

struct unreported {
	pthread_mutex_t lock;
	char *state_dir, *dir;
	/* under the lock: */
	char *mark; /* where it is, or would be; NULL: no place yet */
	int place; /* the lock of it; -1: none yet */
	uint64_t lost; /* nobody was told, nor is on the way to be */
	uint64_t carried; /* in reports that are on their way */
	bool is_marked;
	bool is_said; /* that it cannot be */
};

static void
say_why(struct unreported *unreported, const struct fault *fault)
{
	struct buf why = BUF_INIT;

	if (unreported->is_said)
		return;
	unreported->is_said = true;
	log_quote_into(&why, str_of(fault->text));
	log_error("loss_not_marked", "why=%s", buf_cstr(&why));
	buf_fini(&why);
}

/* ---- the mark */

static char *
mark_path(const struct unreported *unreported, unsigned place)
{
	return xasprintf("%s/milter-%u.unreported", unreported->dir, place);
}

/* What cannot be looked at may be there. */
static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 || errno != ENOENT;
}

static void
mark_remove(struct unreported *unreported)
{
	struct fault fault;

	if (!unreported->is_marked)
		return;
	/* After a loss of power it may be back: then a count is unknown, and not wrong. */
	if (unlink(unreported->mark) == 0 || errno == ENOENT) {
		unreported->is_marked = false;
		return;
	}
	fault_set_errno(&fault, VERDICT_TEMP, "%s cannot be removed", unreported->mark);
	say_why(unreported, &fault);
}

/* ---- the place */

/* 1 it is ours, as long as *fd_r is open; 0 somebody else's; -1 and *fault_r. */
static int
place_try(const struct unreported *unreported, unsigned place, int *fd_r, struct fault *fault_r)
{
	char *path = xasprintf("%s/milter-%u.unreported.lock", unreported->dir, place);
	int fd = state_open(unreported->dir, path, O_RDWR | O_CREAT), rc = 1;

	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1) {
		rc = fd != -1 && errno == EWOULDBLOCK
			 ? 0
			 : fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
		if (fd != -1)
			close(fd);
	}
	*fd_r = fd;
	free(path);
	return rc;
}

/* The first that nobody holds, and the mark that its last holder has left. */
static int
place_find(struct unreported *unreported, struct fault *fault_r)
{
	for (unsigned place = 0; place < UNREPORTED_PLACES_MOST; place++) {
		int fd, rc = place_try(unreported, place, &fd, fault_r);

		if (rc == -1)
			return -1;
		if (rc == 0)
			continue;
		unreported->place = fd;
		unreported->mark = mark_path(unreported, place);
		unreported->is_marked = is_there(unreported->mark);
		unreported->lost += unreported->is_marked;
		return 0;
	}
	return fault_set(fault_r, VERDICT_TEMP, "%s: all %d places are taken", unreported->dir,
	    UNREPORTED_PLACES_MOST);
}

static int
place_take(struct unreported *unreported, struct fault *fault_r)
{
	if (unreported->place != -1)
		return 0;
	if (state_make_dir(unreported->dir) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", unreported->dir);
	if (state_sync_dir(unreported->state_dir) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", unreported->state_dir);
	return place_find(unreported, fault_r);
}

/* With the lock held. There is a mark from here, or it is said why there is none. */
static void
mark(struct unreported *unreported)
{
	struct fault fault;

	if (unreported->is_marked)
		return;
	if (place_take(unreported, &fault) == -1 ||
	    (!unreported->is_marked && state_replace(unreported->dir, unreported->mark,
					   str_of(mark_text), &fault) == -1)) {
		say_why(unreported, &fault);
		return;
	}
	unreported->is_marked = true;
	unreported->is_said = false;
}

/* Ours first, then theirs goes. */
static void
take_over(struct unreported *unreported, const char *theirs)
{
	struct fault fault;

	unreported->lost++;
	mark(unreported);
	if (unreported->is_marked && unlink(theirs) == -1) {
		fault_set_errno(&fault, VERDICT_TEMP, "%s cannot be removed", theirs);
		say_why(unreported, &fault);
	}
}

/* Of places that nobody holds. */
static void
take_over_left(struct unreported *unreported)
{
	struct fault unimportant; /* it stays for the next who starts */

	for (unsigned place = 0; place < UNREPORTED_PLACES_MOST; place++) {
		char *theirs = mark_path(unreported, place);
		int fd;

		if (strcmp(theirs, unreported->mark) != 0 && is_there(theirs) &&
		    place_try(unreported, place, &fd, &unimportant) == 1) {
			take_over(unreported, theirs);
			close(fd);
		}
		free(theirs);
	}
}

/* ---- life */

struct unreported *
unreported_open(const char *state_dir)
{
	struct unreported *unreported = xnew(struct unreported);
	struct fault fault;

	must(pthread_mutex_init(&unreported->lock, NULL) == 0);
	unreported->state_dir = xstrdup(state_dir);
	unreported->dir = xasprintf("%s/nodes", state_dir);
	unreported->place = -1;
	if (place_take(unreported, &fault) == 0) {
		take_over_left(unreported);
	} else {
		unreported->lost = is_there(unreported->dir);
		say_why(unreported, &fault);
	}
	return unreported;
}

void
unreported_close(struct unreported **unreportedp)
{
	struct unreported *unreported = *unreportedp;

	if (unreported == NULL)
		return;
	if (unreported->place != -1)
		close(unreported->place);
	pthread_mutex_destroy(&unreported->lock);
	free(unreported->state_dir);
	free(unreported->dir);
	free(unreported->mark);
	free(unreported);
	*unreportedp = NULL;
}

/* ---- what is lost, and told */

void
unreported_add(struct unreported *unreported)
{
	pthread_mutex_lock(&unreported->lock);
	unreported->lost++;
	mark(unreported);
	pthread_mutex_unlock(&unreported->lock);
}

uint64_t
unreported_take(struct unreported *unreported)
{
	uint64_t taken;

	pthread_mutex_lock(&unreported->lock);
	taken = unreported->lost;
	unreported->lost = 0;
	unreported->carried += taken;
	pthread_mutex_unlock(&unreported->lock);
	return taken;
}

void
unreported_told(struct unreported *unreported, uint64_t taken)
{
	pthread_mutex_lock(&unreported->lock);
	must(unreported->carried >= taken);
	unreported->carried -= taken;
	if (taken > 0 && unreported->lost == 0 && unreported->carried == 0)
		mark_remove(unreported);
	pthread_mutex_unlock(&unreported->lock);
}

void
unreported_not_told(struct unreported *unreported, uint64_t taken)
{
	pthread_mutex_lock(&unreported->lock);
	must(unreported->carried >= taken);
	unreported->carried -= taken;
	unreported->lost += taken;
	pthread_mutex_unlock(&unreported->lock);
}
