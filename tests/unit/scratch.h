/*
 * scratch.h - a directory of a test's own, and the place of one socket in it
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch_dir[] = "/tmp/scratchXXXXXX";
static char path[64], address[72]; /* of the socket; the address begins with "unix:" */

static inline int
scratch_make(void **state)
{
	if (mkdtemp(scratch_dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/s", scratch_dir);
	snprintf(address, sizeof(address), "unix:%s", path);
	return 0;
}

static inline int
scratch_remove(void **state)
{
	unlink(path);
	return rmdir(scratch_dir);
}

#endif
