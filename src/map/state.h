/*
 * state.h - files of the state directory                              (driver)
 *
 * Daemons run as a user of their own, the operator's command as root, and both
 * use the same files: what root makes there belongs to whom the directory
 * belongs.
 */
#ifndef MAP_STATE_H
#define MAP_STATE_H

/* open(2) with O_CLOEXEC | O_NOFOLLOW; a file that root creates goes to the owner of dir. */
int state_open(const char *dir, const char *path, int flags);

#endif
