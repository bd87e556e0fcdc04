/*
 * syncer.c - work on files while the loop goes on                     (driver)
 *
 * A job is owned by whoever has it in hand: the loop until it is queued, the
 * thread while it runs, the loop again when it is done. The lock guards the two
 * lists and nothing in a job.
 */
#include "base/syncer.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STACK_BYTES = 256 * 1024, FIRST_FD = 3 };

TAILQ_HEAD(jobs, sync_job);

struct syncer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t given, finished;
	struct jobs queue, done; /* these five under the lock */
	size_t unfinished; /* queued or running */
	bool ready, ending;
	int event_fd;
	pid_t pid;
	size_t users; /* the loop's alone */
};

/* ---- in the thread */

/*
 * While two threads share a table of descriptors, the kernel counts who uses one
 * in every recv and send of the loop: a sixth of their cost. So the thread has a
 * table of its own, with nothing of the loop's in it but the way to tell it;
 * where the system refuses that, they share one. So they do for ThreadSanitizer
 * (SYNCER_SHARES_DESCRIPTORS), which takes equal numbers for one descriptor.
 */
static void
take_own_descriptors(const struct syncer *syncer)
{
#ifndef SYNCER_SHARES_DESCRIPTORS
	unsigned event_fd = (unsigned)syncer->event_fd;

	if (unshare(CLONE_FILES) == -1)
		return;
	if (event_fd > FIRST_FD)
		must(close_range(FIRST_FD, event_fd - 1, 0) == 0);
	must(close_range(event_fd < FIRST_FD ? FIRST_FD : event_fd + 1, ~0U, 0) == 0);
#endif
}

static void *
work(void *arg)
{
	struct syncer *syncer = arg;
	const uint64_t one = 1;
	struct sync_job *job;

	take_own_descriptors(syncer);
	pthread_mutex_lock(&syncer->lock);
	syncer->ready = true;
	pthread_cond_signal(&syncer->finished);
	for (;;) {
		while ((job = TAILQ_FIRST(&syncer->queue)) == NULL && !syncer->ending)
			pthread_cond_wait(&syncer->given, &syncer->lock);
		if (job == NULL)
			break;
		TAILQ_REMOVE(&syncer->queue, job, entry);
		pthread_mutex_unlock(&syncer->lock);
		job->error = job->run_fn(job);
		pthread_mutex_lock(&syncer->lock);
		TAILQ_INSERT_TAIL(&syncer->done, job, entry);
		syncer->unfinished--;
		pthread_cond_signal(&syncer->finished);
		must(write(syncer->event_fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN);
	}
	pthread_mutex_unlock(&syncer->lock);
	return NULL;
}

/* ---- in the loop's thread: life */

/* With all signals blocked: they are the loop's, and a write beyond a limit is an errno. */
static int
thread_start(struct syncer *syncer)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int error;

	if ((error = pthread_attr_init(&attr)) != 0)
		return error;
	must(pthread_attr_setstacksize(&attr, STACK_BYTES) == 0);
	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	error = pthread_create(&syncer->thread, &attr, work, syncer);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	pthread_attr_destroy(&attr);
	if (error != 0)
		return error;
	/* Until then what the loop closes would stay open, locks and all. */
	pthread_mutex_lock(&syncer->lock);
	while (!syncer->ready)
		pthread_cond_wait(&syncer->finished, &syncer->lock);
	pthread_mutex_unlock(&syncer->lock);
	return 0;
}

struct syncer *
syncer_new(struct fault *fault_r)
{
	struct syncer *syncer = xnew(struct syncer);

	TAILQ_INIT(&syncer->queue);
	TAILQ_INIT(&syncer->done);
	syncer->pid = getpid();
	if ((syncer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		fault_set_errno(fault_r, VERDICT_TEMP, "eventfd");
		free(syncer);
		return NULL;
	}
	must(pthread_mutex_init(&syncer->lock, NULL) == 0);
	must(pthread_cond_init(&syncer->given, NULL) == 0);
	must(pthread_cond_init(&syncer->finished, NULL) == 0);
	if ((errno = thread_start(syncer)) == 0)
		return syncer;
	fault_set_errno(fault_r, VERDICT_TEMP, "a thread for files");
	close(syncer->event_fd);
	free(syncer);
	return NULL;
}

void
syncer_free(struct syncer **syncerp)
{
	struct syncer *syncer = *syncerp;
	struct sync_job *job;

	*syncerp = NULL;
	if (syncer == NULL)
		return;
	must(syncer->users == 0 && syncer->pid == getpid());
	pthread_mutex_lock(&syncer->lock);
	syncer->ending = true;
	pthread_cond_signal(&syncer->given);
	pthread_mutex_unlock(&syncer->lock);
	must(pthread_join(syncer->thread, NULL) == 0);
	while ((job = TAILQ_FIRST(&syncer->done)) != NULL) {
		TAILQ_REMOVE(&syncer->done, job, entry);
		job->free_fn(job);
	}
	pthread_cond_destroy(&syncer->given);
	pthread_cond_destroy(&syncer->finished);
	pthread_mutex_destroy(&syncer->lock);
	close(syncer->event_fd);
	free(syncer);
}

/* ---- in the loop's thread: jobs */

void
syncer_give(struct syncer *syncer, struct sync_job *job)
{
	must(syncer->pid == getpid()); /* a fork's copy has no thread */
	pthread_mutex_lock(&syncer->lock);
	TAILQ_INSERT_TAIL(&syncer->queue, job, entry);
	syncer->unfinished++;
	pthread_cond_signal(&syncer->given);
	pthread_mutex_unlock(&syncer->lock);
}

void
syncer_join(struct syncer *syncer)
{
	syncer->users++;
}

void
syncer_part(struct syncer *syncer)
{
	must(syncer->users > 0);
	syncer->users--;
}

int
syncer_fd(const struct syncer *syncer)
{
	return syncer->event_fd;
}

void
syncer_reap(struct syncer *syncer)
{
	struct jobs done = TAILQ_HEAD_INITIALIZER(done);
	struct sync_job *job;
	uint64_t count;

	must(read(syncer->event_fd, &count, sizeof(count)) == sizeof(count) || errno == EAGAIN);
	pthread_mutex_lock(&syncer->lock);
	TAILQ_CONCAT(&done, &syncer->done, entry);
	pthread_mutex_unlock(&syncer->lock);
	while ((job = TAILQ_FIRST(&done)) != NULL) {
		TAILQ_REMOVE(&done, job, entry);
		if (job->done_fn != NULL)
			job->done_fn(job->ctx, job->error);
		job->free_fn(job);
	}
}

void
syncer_wait(struct syncer *syncer)
{
	bool is_idle;

	do {
		pthread_mutex_lock(&syncer->lock);
		while (syncer->unfinished > 0)
			pthread_cond_wait(&syncer->finished, &syncer->lock);
		is_idle = TAILQ_EMPTY(&syncer->done);
		pthread_mutex_unlock(&syncer->lock);
		if (!is_idle)
			syncer_reap(syncer);
	} while (!is_idle);
}
