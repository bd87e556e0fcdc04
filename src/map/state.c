/*
 * state.c - files of the state directory                              (driver)
 */
#include "map/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
state_open(const char *dir, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0640), saved;
	struct stat st;

	if (fd == -1 || geteuid() != 0 || (flags & O_CREAT) == 0)
		return fd;
	if (stat(dir, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}
