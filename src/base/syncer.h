/*
 * syncer.h - files made durable while the loop goes on                (driver)
 *
 * fsync(2) takes as long as the disk likes, and the loop may not wait. So a
 * process that keeps files has one thread that does nothing but write them, one
 * job after the other in the order in which they were given. What became of a
 * job is told in the loop's thread: watch syncer_fd(), call syncer_reap().
 *
 * The two threads share a list of jobs and nothing else: descriptors are the
 * thread's, callbacks and all memory the loop's. The thread allocates nothing
 * and takes no lock but the list's, so that a child of fork(2) finds malloc and
 * stdio as they should be; the child itself may not touch the syncer, its
 * thread has stayed behind.
 */
#ifndef BASE_SYNCER_H
#define BASE_SYNCER_H

#include "base/buf.h"
#include "base/fault.h"

struct syncer;
struct sync_file; /* one file: in its place, and the next one written aside */

typedef void syncer_done_fn(void *ctx, int error); /* 0, or an errno; fn may give new jobs */

/* Starts the thread. NULL and *fault_r where the system has none left for us. */
struct syncer *syncer_new(struct fault *fault_r);

/* Waits for the jobs that were given; no fn is called any more. Files must be gone before. */
void syncer_free(struct syncer **syncer);

int syncer_fd(const struct syncer *syncer); /* readable when there is something to reap */
void syncer_reap(struct syncer *syncer); /* calls fn for every job that is done */

/* For a start or an end: blocks until no job is left, those that fn gives included. */
void syncer_wait(struct syncer *syncer);

/* A file that will be written; nothing is opened yet. Free: jobs that were given are done first. */
struct sync_file *sync_file_new(struct syncer *syncer, const char *path);
void sync_file_free(struct sync_file **file);

/*
 * Write the next one aside (path.new): begin, any number of adds, commit, which
 * makes it durable in the place of what is there, or abandon. Once something
 * failed, the rest up to commit fails with the same error and what is in the
 * place stays, unless the error came after the renaming: then the new one is
 * there, perhaps not durably, and cannot be appended to. bytes are taken: *bytes
 * is empty afterwards. fn may be NULL where commit will tell.
 */
void sync_begin(struct sync_file *file);
void sync_add(struct sync_file *file, struct buf *bytes, syncer_done_fn *fn, void *ctx);
void sync_commit(struct sync_file *file, syncer_done_fn *fn, void *ctx);
void sync_abandon(struct sync_file *file);

/*
 * Append to what this sync_file has committed, durably. After an error nobody
 * knows what is on the disk, and no later fsync would tell (it reports an error
 * once): so every append fails from there, until the next commit. ESTALE: somebody
 * has removed the file.
 */
void sync_append(struct sync_file *file, struct buf *bytes, syncer_done_fn *fn, void *ctx);

/* The file is not there any more, durably; no error if it never was. What is aside is abandoned. */
void sync_remove(struct sync_file *file, syncer_done_fn *fn, void *ctx);

#endif
