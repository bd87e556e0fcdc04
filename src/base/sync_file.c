/*
 * sync_file.c - files made durable while the loop goes on             (driver)
 */
#include "base/sync_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Behind "path": only the thread looks at it, and whoever frees it. */
struct sync_file {
	struct syncer *syncer;
	char *path, *aside_path, *dir;
	int fd, error; /* what is in the place, and why it cannot be appended to */
	int aside_fd, aside_error;
};

struct job {
	struct sync_job job; /* first: both are the same */
	struct sync_file *file;
	struct buf bytes;
	bool frees_file;
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
job_begin(struct sync_job *given)
{
	struct job *job = (struct job *)given;
	struct sync_file *file = job->file;

	close_fd(&file->aside_fd);
	unlink(file->aside_path); /* what a killed process left; O_EXCL tells if it stays */
	file->aside_fd = open(file->aside_path,
	    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	return file->aside_error = file->aside_fd == -1 ? errno : 0;
}

static int
job_abandon(struct sync_job *given)
{
	struct job *job = (struct job *)given;
	struct sync_file *file = job->file;

	if (file->aside_fd != -1)
		unlink(file->aside_path);
	close_fd(&file->aside_fd);
	return file->aside_error = ECANCELED;
}

static int
job_add(struct sync_job *given)
{
	struct job *job = (struct job *)given;
	struct sync_file *file = job->file;

	if (file->aside_error == 0)
		file->aside_error = write_all(file->aside_fd, buf_str(&job->bytes));
	return file->aside_error;
}

static int
job_commit(struct sync_job *given)
{
	struct job *job = (struct job *)given;
	struct sync_file *file = job->file;
	int error = file->aside_error;

	if (error == 0 && fsync(file->aside_fd) == -1)
		error = errno;
	if (error == 0 && rename(file->aside_path, file->path) == -1)
		error = errno;
	if (error != 0) {
		job_abandon(given);
		return error;
	}
	close_fd(&file->fd);
	file->fd = file->aside_fd;
	file->aside_fd = -1;
	file->aside_error = ECANCELED;
	return file->error = dir_sync(file);
}

static int
job_append(struct sync_job *given)
{
	struct job *job = (struct job *)given;
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
job_remove(struct sync_job *given)
{
	struct job *job = (struct job *)given;
	struct sync_file *file = job->file;
	int error;

	job_abandon(given); /* nobody reads that one: it may stay */
	close_fd(&file->fd);
	file->error = EBADF;
	if ((error = unlink_if_there(file->path)) != 0)
		return error;
	error = dir_sync(file);
	return error == ENOENT ? 0 : error; /* without the directory, no file */
}

static int
job_close(struct sync_job *given)
{
	struct job *job = (struct job *)given;
	job_abandon(given);
	return close_fd(&job->file->fd);
}

/* ---- in the loop's thread */

static void
job_free(struct sync_job *given)
{
	struct job *job = (struct job *)given;
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

static struct job *
job_new(struct sync_file *file, sync_run_fn *run, struct buf *bytes, syncer_done_fn *fn, void *ctx)
{
	struct job *job = xnew(struct job);

	job->job = (struct sync_job){.run_fn = run, .free_fn = job_free, .done_fn = fn, .ctx = ctx};
	job->file = file;
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
	syncer_give(job->file->syncer, &job->job);
}

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
	syncer_join(syncer);
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
	syncer_part((*file)->syncer);
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
