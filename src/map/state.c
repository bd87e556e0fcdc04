/*
 * state.c - files of the state directory                              (driver)
 */
#include "map/state.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What root made belongs to the owner of dir. */
static int
give_away(const char *dir, int fd)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	return stat(dir, &st) == 0 ? fchown(fd, st.st_uid, st.st_gid) : -1;
}

static int
close_failed(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int
state_open(const char *dir, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd == -1 || (flags & O_CREAT) == 0 || give_away(dir, fd) == 0)
		return fd;
	return close_failed(fd);
}

int
state_make_dir(const char *path)
{
	char *parent;
	int fd, rc;

	if (mkdir(path, 0750) == -1)
		return errno == EEXIST ? 0 : -1;
	parent = xasprintf("%s/..", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd == -1 ? -1 : give_away(parent, fd);
	free(parent);
	if (rc == -1)
		return fd == -1 ? -1 : close_failed(fd);
	close(fd);
	return 0;
}

int
state_sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fsync(fd) == -1)
		return close_failed(fd);
	close(fd);
	return 0;
}

/* Closes fd. */
static int
text_write(int fd, struct str text)
{
	while (text.len > 0) {
		ssize_t len = write(fd, text.ptr, text.len);

		if (len == -1 && errno == EINTR)
			continue;
		if (len == -1)
			return close_failed(fd);
		text = str_from(text, (size_t)len);
	}
	if (fsync(fd) == -1)
		return close_failed(fd);
	return close(fd);
}

int
state_write(const char *dir, const char *path, const char *aside, struct str text,
    const char **where_r)
{
	int fd = state_open(dir, aside, O_WRONLY | O_CREAT | O_TRUNC);

	*where_r = aside;
	if (fd == -1 || text_write(fd, text) == -1)
		return -1;
	*where_r = path;
	if (rename(aside, path) == -1)
		return -1;
	*where_r = dir;
	return state_sync_dir(dir);
}

int
state_replace(const char *dir, const char *path, struct str text, struct fault *fault_r)
{
	char *aside = xasprintf("%s.new", path);
	const char *where;
	int rc = state_write(dir, path, aside, text, &where);

	if (rc == -1)
		fault_set_errno(fault_r, VERDICT_TEMP, "%s", where);
	free(aside);
	return rc;
}
