/*
 * identity.c - which map this is, and that it never goes back         (driver)
 *
 * The lock of the file is never waited for by a loop: whoever finds it taken comes
 * again with the next heartbeat. A thread looks again for a while, since somebody
 * waits for the acknowledgement that comes after it; whoever has the lock longer than
 * that has stopped, and holds up no other process.
 */
#include "map/identity.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/syncer.h"
#include "map/identity_file.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOCK_TRIES = 200, /* of a thread */
	SLOW_MS = 5000 /* that an attempt takes */
};

/* What the thread has in hand. */
struct writing {
	struct sync_job job; /* first: both are the same */
	struct identity_attempt attempt;
	uint64_t since_ms;
};

struct identity {
	struct identity_paths paths; /* never change */
	struct identity_known known; /* the most that this process knows of */
	struct identity_known written; /* what the file is known to hold */
	struct fault trouble; /* the file is there and cannot be used */
	bool is_bad;

	struct syncer *syncer; /* NULL: whoever notes waits for the disk */
	struct watch *watch;
	identity_tried_fn *tried_fn;
	void *ctx;
	const struct writing *writing; /* the thread's; NULL: none is under way */
	struct identity_known tried; /* what the last one was to write */
	struct fault failed; /* why it did not; "" = it did */
};

/* ---- what is known */

struct identity *
identity_open(const char *state_dir)
{
	struct identity *identity = xnew(struct identity);

	identity->paths.dir = xstrdup(state_dir);
	identity->paths.file = xasprintf("%s/identity", state_dir);
	identity->paths.aside = xasprintf("%s/identity.new", state_dir);
	identity->paths.lock = xasprintf("%s/identity.lock", state_dir);
	identity_refresh(identity);
	return identity;
}

void
identity_close(struct identity **identityp)
{
	struct identity *identity = *identityp;

	if (identity == NULL)
		return;
	*identityp = NULL;
	syncer_free(&identity->syncer); /* waits for the file */
	watch_free(&identity->watch);
	free(identity->paths.dir);
	free(identity->paths.file);
	free(identity->paths.aside);
	free(identity->paths.lock);
	free(identity);
}

void
identity_refresh(struct identity *identity)
{
	struct identity_known there;
	enum identity_reading reading = identity_file_read(identity->paths.file, &there);

	identity->is_bad = reading == READ_FAILED || reading == READ_DAMAGED;
	if (reading == READ_FAILED)
		fault_set_errno(&identity->trouble, VERDICT_TEMP, "%s", identity->paths.file);
	if (reading == READ_DAMAGED)
		(void)identity_file_is_damaged(identity->paths.file, &identity->trouble);
	if (identity->is_bad)
		return;
	if (reading == READ_NOTHING) {
		/* A file that was there was removed by the operator, who says with it: begin anew.
		 */
		if (identity->written.id[0] != '\0')
			identity->known = there;
	} else if (strcmp(there.id, identity->known.id) != 0 ||
		   there.epoch > identity->known.epoch) {
		identity->known = there;
	}
	identity->written = identity->tried = there;
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
		    "this is another map: Redis says id %s, this host knows %s; restore that, then "
		    "look with \"splitmx doctor\"; only to go on without what it held, remove %s on "
		    "every host",
		    head->id, identity->known.id, identity->paths.file);
	if (head->epoch < identity->known.epoch)
		return fault_set(fault_r, VERDICT_TEMP,
		    "the map went back: Redis says epoch %llu, this host knows of %llu; restore "
		    "Redis, or look with \"splitmx doctor\", which also accepts it as it is",
		    (unsigned long long)head->epoch, (unsigned long long)identity->known.epoch);
	return 0;
}

/* ---- writing it */

static bool
file_knows_less(const struct identity *identity)
{
	return strcmp(identity->written.id, identity->known.id) != 0 ||
	       identity->written.epoch < identity->known.epoch;
}

static int
attempt_take(struct identity *identity, const struct identity_attempt *attempt,
    struct fault *fault_r)
{
	if (attempt->end == ATTEMPT_DONE)
		identity->written = attempt->there;
	return identity_attempt_fault(attempt, fault_r);
}

static int
writing_run(struct sync_job *job)
{
	identity_attempt(&((struct writing *)job)->attempt);
	return 0;
}

static void
writing_free(struct sync_job *job)
{
	free(job);
}

static void writing_start(struct identity *identity);

static void
on_written(void *ctx, int error)
{
	struct identity *identity = ctx;
	const struct identity_attempt *attempt = &identity->writing->attempt;

	identity->writing = NULL; /* freed when we are back */
	identity->tried = attempt->want;
	identity->failed.text[0] = '\0';
	if (attempt_take(identity, attempt, &identity->failed) == 0 &&
	    attempt->end == ATTEMPT_DONE && file_knows_less(identity))
		writing_start(identity); /* more was raised meanwhile */
	identity->tried_fn(identity->ctx);
}

static void
writing_start(struct identity *identity)
{
	struct writing *writing;

	if (identity->writing != NULL)
		return; /* its end sees to what it lacks */
	writing = xnew(struct writing);
	writing->job = (struct sync_job){
	    .run_fn = writing_run, .free_fn = writing_free, .done_fn = on_written, .ctx = identity};
	writing->attempt = (struct identity_attempt){
	    .paths = &identity->paths, .want = identity->known, .lock_tries = LOCK_TRIES};
	writing->since_ms = clock_ms();
	identity->writing = writing;
	syncer_give(identity->syncer, &writing->job);
}

static int
note_aside(struct identity *identity, struct fault *fault_r)
{
	writing_start(identity);
	if (clock_ms() - identity->writing->since_ms >= SLOW_MS)
		return fault_set(fault_r, VERDICT_TEMP,
		    "%s: the disk has not answered for %d s, and nothing is acknowledged meanwhile",
		    identity->paths.file, SLOW_MS / 1000);
	if (identity->failed.text[0] == '\0')
		return 0;
	*fault_r = identity->failed;
	return -1;
}

void
identity_raise(struct identity *identity, uint64_t epoch)
{
	if (epoch <= identity->known.epoch)
		return;
	identity->known.epoch = epoch;
	if (identity->syncer != NULL && identity->known.id[0] != '\0')
		writing_start(identity);
}

int
identity_note(struct identity *identity, const struct map_head *head, struct fault *fault_r)
{
	struct identity_attempt attempt = {.paths = &identity->paths};

	memcpy(identity->known.id, head->id, sizeof(identity->known.id));
	if (head_is_alone(head))
		identity_raise(identity, head->epoch);
	if (!file_knows_less(identity))
		return 0;
	if (identity->syncer != NULL)
		return note_aside(identity, fault_r);
	attempt.want = identity->known;
	identity_attempt(&attempt);
	return attempt_take(identity, &attempt, fault_r);
}

bool
identity_is_settled(const struct identity *identity, uint64_t epoch)
{
	return identity->syncer == NULL || identity->known.epoch < epoch ||
	       identity->written.epoch >= epoch || identity->tried.epoch >= epoch;
}

static void
on_ready(int ready, void *ctx)
{
	struct identity *identity = ctx;

	syncer_reap(identity->syncer);
}

int
identity_use_thread(struct identity *identity, struct loop *loop, identity_tried_fn *fn, void *ctx,
    struct fault *fault_r)
{
	if ((identity->syncer = syncer_new(fault_r)) == NULL)
		return -1;
	identity->tried_fn = fn;
	identity->ctx = ctx;
	identity->watch = watch_new(loop, syncer_fd(identity->syncer), on_ready, identity);
	watch_set(identity->watch, WATCH_READ);
	return 0;
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
