/*
 * syncer.c - files made durable while the loop goes on                (driver)
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STACK_BYTES = 256 * 1024 };

/* Behind "path": only the thread looks at it, and whoever frees it. */
struct sync_file {
	struct syncer *syncer;
	char *path, *aside_path, *dir;
	int fd, error; /* what is in the place, and why it cannot be appended to */
	int aside_fd, aside_error;
};

struct job;
typedef int job_fn(struct job *job); /* in the thread: 0 or an errno */

struct job {
	TAILQ_ENTRY(job) entry;
	job_fn *run;
	struct sync_file *file;
	struct buf bytes;
	syncer_done_fn *done_fn;
	void *ctx;
	int error;
	bool frees_file;
};
TAILQ_HEAD(jobs, job);

struct syncer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t given, finished;
	struct jobs queue, done; /* these four under the lock */
	size_t unfinished; /* queued or running */
	bool ending;
	int event_fd;
	pid_t pid;
	size_t files; /* the loop's alone */
};

/* ---- in the thread */

static int
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd); /* what matters was fsync'd before */
	*fd = -1;
	return 0;
}

static int
write_all(int fd, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t len = write(fd, bytes.ptr, bytes.len);

		if (len == -1 && errno == EINTR)
			continue;
		if (len == -1)
			return errno;
		bytes = str_from(bytes, (size_t)len);
	}
	return 0;
}

static int
dir_sync(const struct sync_file *file)
{
	int dir = open(file->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;

	if (dir == -1)
		return errno;
	if (fsync(dir) == -1)
		error = errno;
	close(dir);
	return error;
}

static int
job_begin(struct job *job)
{
	struct sync_file *file = job->file;

	close_fd(&file->aside_fd);
	unlink(file->aside_path); /* what a killed process left; O_EXCL tells if it stays */
	file->aside_fd = open(file->aside_path,
	    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	return file->aside_error = file->aside_fd == -1 ? errno : 0;
}

static int
job_abandon(struct job *job)
{
	struct sync_file *file = job->file;

	if (file->aside_fd != -1)
		unlink(file->aside_path);
	close_fd(&file->aside_fd);
	return file->aside_error = ECANCELED;
}

static int
job_add(struct job *job)
{
	struct sync_file *file = job->file;

	if (file->aside_error == 0)
		file->aside_error = write_all(file->aside_fd, buf_str(&job->bytes));
	return file->aside_error;
}

static int
job_commit(struct job *job)
{
	struct sync_file *file = job->file;
	int error = file->aside_error;

	if (error == 0 && fsync(file->aside_fd) == -1)
		error = errno;
	if (error == 0 && rename(file->aside_path, file->path) == -1)
		error = errno;
	if (error != 0) {
		job_abandon(job);
		return error;
	}
	close_fd(&file->fd);
	file->fd = file->aside_fd;
	file->aside_fd = -1;
	file->aside_error = ECANCELED;
	return file->error = dir_sync(file);
}

static int
job_append(struct job *job)
{
	struct sync_file *file = job->file;
	struct stat st;

	if (file->error != 0)
		return file->error;
	file->error = write_all(file->fd, buf_str(&job->bytes));
	if (file->error == 0 && (fdatasync(file->fd) == -1 || fstat(file->fd, &st) == -1))
		file->error = errno;
	if (file->error == 0 && st.st_nlink == 0)
		file->error = ESTALE;
	return file->error;
}

/* A file system that is read-only says so of files that never were, too. */
static int
unlink_if_there(const char *path)
{
	struct stat st;
	int error;

	if (unlink(path) == 0)
		return 0;
	error = errno;
	return lstat(path, &st) == -1 && errno == ENOENT ? 0 : error;
}

static int
job_remove(struct job *job)
{
	struct sync_file *file = job->file;
	int error;

	job_abandon(job); /* nobody reads that one: it may stay */
	close_fd(&file->fd);
	file->error = EBADF;
	if ((error = unlink_if_there(file->path)) != 0)
		return error;
	error = dir_sync(file);
	return error == ENOENT ? 0 : error; /* without the directory, no file */
}

static int
job_close(struct job *job)
{
	job_abandon(job);
	return close_fd(&job->file->fd);
}

static void *
work(void *arg)
{
	struct syncer *syncer = arg;
	const uint64_t one = 1;
	struct job *job;

	pthread_mutex_lock(&syncer->lock);
	for (;;) {
		while ((job = TAILQ_FIRST(&syncer->queue)) == NULL && !syncer->ending)
			pthread_cond_wait(&syncer->given, &syncer->lock);
		if (job == NULL)
			break;
		TAILQ_REMOVE(&syncer->queue, job, entry);
		pthread_mutex_unlock(&syncer->lock);
		job->error = job->run(job);
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
	return error;
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

static void
job_free(struct job *job)
{
	struct sync_file *file = job->file;

	if (job->frees_file) {
		free(file->path);
		free(file->aside_path);
		free(file->dir);
		free(file);
	}
	buf_fini(&job->bytes);
	free(job);
}

void
syncer_free(struct syncer **syncerp)
{
	struct syncer *syncer = *syncerp;
	struct job *job;

	*syncerp = NULL;
	if (syncer == NULL)
		return;
	must(syncer->files == 0 && syncer->pid == getpid());
	pthread_mutex_lock(&syncer->lock);
	syncer->ending = true;
	pthread_cond_signal(&syncer->given);
	pthread_mutex_unlock(&syncer->lock);
	must(pthread_join(syncer->thread, NULL) == 0);
	while ((job = TAILQ_FIRST(&syncer->done)) != NULL) {
		TAILQ_REMOVE(&syncer->done, job, entry);
		job_free(job);
	}
	pthread_cond_destroy(&syncer->given);
	pthread_cond_destroy(&syncer->finished);
	pthread_mutex_destroy(&syncer->lock);
	close(syncer->event_fd);
	free(syncer);
}

/* ---- in the loop's thread: jobs */

static struct job *
job_new(struct sync_file *file, job_fn *run, struct buf *bytes, syncer_done_fn *fn, void *ctx)
{
	struct job *job = xnew(struct job);

	job->file = file;
	job->run = run;
	job->done_fn = fn;
	job->ctx = ctx;
	if (bytes != NULL) {
		must(!bytes->failed);
		job->bytes = *bytes;
		*bytes = (struct buf){.max_bytes = bytes->max_bytes};
	}
	return job;
}

static void
job_give(struct job *job)
{
	struct syncer *syncer = job->file->syncer;

	must(syncer->pid == getpid()); /* a fork's copy has no thread */
	pthread_mutex_lock(&syncer->lock);
	TAILQ_INSERT_TAIL(&syncer->queue, job, entry);
	syncer->unfinished++;
	pthread_cond_signal(&syncer->given);
	pthread_mutex_unlock(&syncer->lock);
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
	struct job *job;
	uint64_t count;

	must(read(syncer->event_fd, &count, sizeof(count)) == sizeof(count) || errno == EAGAIN);
	pthread_mutex_lock(&syncer->lock);
	TAILQ_CONCAT(&done, &syncer->done, entry);
	pthread_mutex_unlock(&syncer->lock);
	while ((job = TAILQ_FIRST(&done)) != NULL) {
		TAILQ_REMOVE(&done, job, entry);
		if (job->done_fn != NULL)
			job->done_fn(job->ctx, job->error);
		job_free(job);
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

/* ---- in the loop's thread: files */

struct sync_file *
sync_file_new(struct syncer *syncer, const char *path)
{
	struct sync_file *file = xnew(struct sync_file);
	const char *slash = strrchr(path, '/');

	file->syncer = syncer;
	file->path = xstrdup(path);
	file->aside_path = xasprintf("%s.new", path);
	file->dir = slash == NULL   ? xstrdup(".")
		    : slash == path ? xstrdup("/")
				    : xstrndup(path, (size_t)(slash - path));
	file->fd = file->aside_fd = -1;
	file->error = EBADF;
	file->aside_error = ECANCELED;
	syncer->files++;
	return file;
}

void
sync_file_free(struct sync_file **file)
{
	struct job *job;

	if (*file == NULL)
		return;
	job = job_new(*file, job_close, NULL, NULL, NULL);
	job->frees_file = true;
	(*file)->syncer->files--;
	*file = NULL;
	job_give(job);
}

void
sync_begin(struct sync_file *file)
{
	job_give(job_new(file, job_begin, NULL, NULL, NULL));
}

void
sync_add(struct sync_file *file, struct buf *bytes, syncer_done_fn *fn, void *ctx)
{
	job_give(job_new(file, job_add, bytes, fn, ctx));
}

void
sync_commit(struct sync_file *file, syncer_done_fn *fn, void *ctx)
{
	job_give(job_new(file, job_commit, NULL, fn, ctx));
}

void
sync_abandon(struct sync_file *file)
{
	job_give(job_new(file, job_abandon, NULL, NULL, NULL));
}

void
sync_append(struct sync_file *file, struct buf *bytes, syncer_done_fn *fn, void *ctx)
{
	job_give(job_new(file, job_append, bytes, fn, ctx));
}

void
sync_remove(struct sync_file *file, syncer_done_fn *fn, void *ctx)
{
	job_give(job_new(file, job_remove, NULL, fn, ctx));
}
