/*
 * sync_file.h - files made durable while the loop goes on             (driver)
 *
 * One file: what is in its place, and the next one written aside. The syncer's
 * thread does it, in the order in which it was given.
 */
#ifndef BASE_SYNC_FILE_H
#define BASE_SYNC_FILE_H

#include "base/buf.h"
#include "base/syncer.h"

struct sync_file;

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
