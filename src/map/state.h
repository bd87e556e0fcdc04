/*
 * state.h - files of the state directory                              (driver)
 *
 * Daemons run as a user of their own, the operator's command as root, and both
 * use the same files: what root makes there belongs to whom the directory
 * belongs.
 */
#ifndef MAP_STATE_H
#define MAP_STATE_H

#include "base/fault.h"
#include "base/str.h"

/* open(2) with O_CLOEXEC | O_NOFOLLOW; a file that root creates goes to the owner of dir. */
int state_open(const char *dir, const char *path, int flags);

/* A directory in the state directory; one that is there already is well. -1 and errno. */
int state_make_dir(const char *path);

/* What was created, renamed and removed in it is so after a loss of power too. -1 and errno. */
int state_sync_dir(const char *dir);

/*
 * The file "path" of dir is this text, whole, or what it was before, and durably so;
 * written aside first. -1, errno, and *where_r: with what. Allocates nothing.
 */
int state_write(const char *dir, const char *path, const char *aside, struct str text,
    const char **where_r);

/* The same by way of "path.new". */
int state_replace(const char *dir, const char *path, struct str text, struct fault *fault_r);

#endif
