/*
 * mortal_disk.h - a disk whose process dies, or whose power fails, at the n-th call
 *
 * open(2), write(2) and others are our own here. In a child of the test they count
 * the calls on files of the node's directory; at number die_at the child kills
 * itself, before the call. A write is two calls, each of half the bytes.
 *
 * Where the power fails, bytes that were not fsync'd are lost, and a name in the
 * directory is what it was when that was fsync'd last. So fsync(2) need not wait
 * for any real disk.
 */
#ifndef TESTS_MORTAL_DISK_H
#define TESTS_MORTAL_DISK_H

#include "snapshot_node.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum { FDS = 256, INODES = 64 };

enum call {
	CALL_OPEN,
	CALL_WRITE,
	CALL_FSYNC,
	CALL_FDATASYNC,
	CALL_RENAME,
	CALL_UNLINK,
	CALL_CLOSE
};
enum { CALL_COUNT = CALL_CLOSE + 1 };
static const char *const call_names[] = {
    "open", "write", "fsync", "fdatasync", "rename", "unlink", "close"};
_Static_assert(ARRAY_LEN(call_names) == CALL_COUNT, "a call lacks its name");

/* In shared memory: how many there were, and what the last one was that was to be deadly. */
static struct calls {
	atomic_uint count, last;
} * calls;

static pid_t tester; /* whoever else we are, we are the child */
static unsigned die_at;
static bool loses; /* the power, not only the process */
static atomic_bool fails; /* fdatasync does */
static char is_ours[FDS]; /* by descriptor: 1 a file of ours, 2 their directory */

/* Of each inode, how much is durable. */
static struct {
	ino_t inode;
	off_t bytes;
} durable[INODES];

/* The names that are read after a death; what they were when the directory was fsync'd. */
static struct place {
	const char *path;
	char before[160]; /* another name of it */
	bool has_changed, was_there;
} places[] = {{.path = rows_path}, {.path = tombs_path}};

static inline off_t *
durable_bytes(ino_t inode)
{
	size_t i = 0;

	while (i < INODES && durable[i].inode != inode && durable[i].inode != 0)
		i++;
	must(i < INODES);
	durable[i].inode = inode;
	return &durable[i].bytes;
}

static inline void
remove_name(const char *name)
{
	must(syscall(SYS_unlinkat, AT_FDCWD, name, 0) == 0 || errno == ENOENT);
}

/* A name is about to mean something else, and the directory is not fsync'd. */
static inline void
place_change(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct place *place = &places[i];

		if (strcmp(place->path, name) != 0 || place->has_changed)
			continue;
		snprintf(place->before, sizeof(place->before), "%s.before", name);
		place->has_changed = true;
		place->was_there = link(name, place->before) == 0;
	}
}

static inline void
places_sync(void)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (places[i].has_changed && places[i].was_there)
			remove_name(places[i].before);
		places[i].has_changed = false;
	}
}

static inline void
lose_power(void)
{
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct place *place = &places[i];

		if (place->has_changed)
			remove_name(place->path);
		if (place->has_changed && place->was_there)
			must(link(place->before, place->path) == 0);
		if (stat(place->path, &st) == 0)
			must(truncate(place->path, *durable_bytes(st.st_ino)) == 0);
	}
}

/* Before a call that would have been the n-th. */
static inline void
call(enum call what)
{
	if (++calls->count != die_at)
		return;
	calls->last = what;
	if (loses)
		lose_power();
	kill(getpid(), SIGKILL);
	for (;;)
		pause(); /* nothing else is done by this thread */
}

static inline bool
is_child_with(int fd, int kind)
{
	return tester != 0 && getpid() != tester && fd >= 0 && fd < FDS && is_ours[fd] == kind;
}

static inline bool
is_child_in(const char *name)
{
	return tester != 0 && getpid() != tester && strncmp(name, dir, strlen(dir)) == 0;
}

int
open(const char *name, int flags, ...)
{
	struct stat st;
	va_list args;
	mode_t mode;
	int fd;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (!is_child_in(name))
		return (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
	call(CALL_OPEN);
	fd = (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
	must(fd < FDS);
	if (fd == -1)
		return -1;
	is_ours[fd] = flags & O_DIRECTORY ? 2 : 1;
	if (flags & O_EXCL && fstat(fd, &st) == 0)
		*durable_bytes(st.st_ino) = 0;
	return fd;
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	size_t half = len / 2;

	if (!is_child_with(fd, 1))
		return syscall(SYS_write, fd, bytes, len);
	call(CALL_WRITE);
	must(syscall(SYS_write, fd, bytes, half) == (ssize_t)half);
	call(CALL_WRITE);
	must(syscall(SYS_write, fd, (const char *)bytes + half, len - half) ==
	     (ssize_t)(len - half));
	return (ssize_t)len;
}

static inline int
sync_bytes(int fd)
{
	struct stat st;

	must(fstat(fd, &st) == 0);
	*durable_bytes(st.st_ino) = st.st_size;
	return 0;
}

int
fsync(int fd)
{
	if (is_child_with(fd, 2)) {
		call(CALL_FSYNC);
		places_sync();
	} else if (is_child_with(fd, 1)) {
		call(CALL_FSYNC);
		return sync_bytes(fd);
	}
	return 0;
}

int
fdatasync(int fd)
{
	if (!is_child_with(fd, 1))
		return 0;
	call(CALL_FDATASYNC);
	if (!fails)
		return sync_bytes(fd);
	errno = EIO;
	return -1;
}

int
rename(const char *from, const char *to)
{
	if (is_child_in(to)) {
		call(CALL_RENAME);
		place_change(to);
	}
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
unlink(const char *name)
{
	if (is_child_in(name)) {
		call(CALL_UNLINK);
		place_change(name);
	}
	return (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}

int
close(int fd)
{
	if (is_child_with(fd, 1) || is_child_with(fd, 2)) {
		call(CALL_CLOSE);
		is_ours[fd] = 0;
	}
	return (int)syscall(SYS_close, fd);
}

#endif
