/*
 * syncer.h - work on files while the loop goes on                     (driver)
 *
 * fsync(2) takes as long as the disk likes, and the loop may not wait. So a
 * process that keeps files has one thread that does nothing but write them, one
 * job after the other in the order in which they were given. What became of a
 * job is told in the loop's thread: watch syncer_fd(), call syncer_reap().
 *
 * The two threads share a list of jobs and nothing else: callbacks and all memory
 * are the loop's, and each has a table of descriptors of its own, so what a job
 * opens is closed in a job. The thread allocates nothing and takes no lock but the
 * list's, so that a child of fork(2) finds malloc and stdio as they should be; the
 * child itself may not touch the syncer, its thread has stayed behind.
 */
#ifndef BASE_SYNCER_H
#define BASE_SYNCER_H

#include "base/fault.h"

#include <sys/queue.h>

struct syncer;

typedef void syncer_done_fn(void *ctx, int error); /* 0, or an errno; fn may give new jobs */

/* Starts the thread. NULL and *fault_r where the system has none left for us. */
struct syncer *syncer_new(struct fault *fault_r);

/* Waits for the jobs that were given; no fn is called any more. Whoever joined has parted. */
void syncer_free(struct syncer **syncer);

int syncer_fd(const struct syncer *syncer); /* readable when there is something to reap */
void syncer_reap(struct syncer *syncer); /* calls fn for every job that is done */

/* For a start or an end: blocks until no job is left, those that fn gives included. */
void syncer_wait(struct syncer *syncer);

/*
 * A job of one's own, in front of what it works on. run_fn in the thread: 0 or an
 * errno, which done_fn gets; then, or where nobody is called any more, free_fn, in
 * the loop's. Given, it is the syncer's.
 */
struct sync_job;
typedef int sync_run_fn(struct sync_job *job);
struct sync_job {
	TAILQ_ENTRY(sync_job) entry;
	sync_run_fn *run_fn;
	void (*free_fn)(struct sync_job *job);
	syncer_done_fn *done_fn; /* may be NULL */
	void *ctx;
	int error;
};
void syncer_give(struct syncer *syncer, struct sync_job *job);

/* Whoever gives jobs to it later, and parts before it is freed. */
void syncer_join(struct syncer *syncer);
void syncer_part(struct syncer *syncer);

#endif
