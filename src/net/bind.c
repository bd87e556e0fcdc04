/*
 * bind.c - open a socket that listens, and never steal one            (driver)
 */
#include "net/bind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/privilege.h"
#include "net/endpoint.h"

enum { LOCK_WAIT_MS = 2000, LOCK_STEP_MS = 20 };

/* A request, understood. */
struct place {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} addr;
	socklen_t len;
	mode_t mode;
	uid_t uid; /* -1 = leave */
	gid_t gid;
	int backlog;
};

static int
place_unix(struct place *place, const struct endpoint *endpoint, struct fault *fault_r)
{
	if (endpoint->path[0] != '/')
		return fault_set(fault_r, VERDICT_PERM, "\"%s\" is not an absolute path",
		    endpoint->path);
	place->addr.un.sun_family = AF_UNIX;
	memcpy(place->addr.un.sun_path, endpoint->path, sizeof(endpoint->path));
	place->len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(endpoint->path) + 1);
	return 0;
}

static int
place_inet(struct place *place, const struct endpoint *endpoint, struct fault *fault_r)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	const char *host = strcmp(endpoint->host, "localhost") == 0 ? "127.0.0.1" : endpoint->host;
	struct addrinfo *found;

	if (getaddrinfo(host, endpoint->port, &hints, &found) != 0)
		return fault_set(fault_r, VERDICT_PERM,
		    "\"%s\" is a name; to listen, an address is needed", endpoint->host);
	memcpy(&place->addr, found->ai_addr, found->ai_addrlen);
	place->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int
place_address(struct place *place, const char *address, struct fault *fault_r)
{
	struct endpoint endpoint;

	memset(place, 0, sizeof(*place));
	if (endpoint_parse(address, &endpoint, fault_r) == -1)
		return -1;
	if (endpoint.kind == ENDPOINT_UNIX)
		return place_unix(place, &endpoint, fault_r);
	return place_inet(place, &endpoint, fault_r);
}

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static int
place_make(struct place *place, const struct bind_request *request, struct fault *fault_r)
{
	char *end;
	unsigned long mode;

	if (place_address(place, request->address, fault_r) == -1)
		return -1;
	place->backlog = request->backlog != 0 ? request->backlog : BIND_BACKLOG_DEFAULT;
	if (place->backlog < BIND_BACKLOG_LEAST)
		place->backlog = BIND_BACKLOG_LEAST;
	mode = strtoul(is_given(request->mode) ? request->mode : "0660", &end, 8);
	if (*end != '\0' || mode > 0777)
		return fault_set(fault_r, VERDICT_PERM, "mode \"%s\" is not octal, 0000 to 0777",
		    request->mode);
	place->mode = (mode_t)mode;
	place->uid = (uid_t)-1;
	place->gid = (gid_t)-1;
	if (is_given(request->owner) && identity_user(request->owner, &place->uid, fault_r) == -1)
		return -1;
	if (is_given(request->group) && identity_group(request->group, &place->gid, fault_r) == -1)
		return -1;
	return 0;
}

int
bind_check(const struct bind_request *request, struct fault *fault_r)
{
	struct place place;

	return place_make(&place, request, fault_r);
}

/* ---- Unix sockets */

/*
 * Between looking at a socket file and replacing it nobody else may do the same:
 * the directory is locked meanwhile. The lock goes with the descriptor.
 */
static int
lock_directory(const char *path, struct fault *fault_r)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd, waited = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "directory of %s", path);
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK || waited >= LOCK_WAIT_MS) {
			fault_set_errno(fault_r, VERDICT_TEMP, "locking the directory of %s", path);
			close(fd);
			return -1;
		}
		usleep(LOCK_STEP_MS * 1000);
		waited += LOCK_STEP_MS;
	}
	return fd;
}

/* 0: nobody listens. Only a refused connection says so for sure. */
static int
probe(const struct place *place, struct fault *fault_r)
{
	const char *path = place->addr.un.sun_path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "socket");
	if (connect(fd, &place->addr.any, place->len) == -1)
		error = errno;
	close(fd);
	if (error == ECONNREFUSED)
		return 0;
	if (error == 0 || error == EAGAIN)
		return fault_set(fault_r, VERDICT_TEMP, "another process listens on %s", path);
	errno = error;
	return fault_set_errno(fault_r, VERDICT_PERM, "cannot tell whether %s is in use", path);
}

static int
clear_stale(const struct place *place, struct fault *fault_r)
{
	const char *path = place->addr.un.sun_path;
	struct stat st;

	if (lstat(path, &st) == -1) {
		if (errno == ENOENT)
			return 0;
		return fault_set_errno(fault_r, VERDICT_PERM, "%s", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return fault_set(fault_r, VERDICT_PERM, "%s exists and is not a socket", path);
	if (probe(place, fault_r) == -1)
		return -1;
	if (unlink(path) == -1 && errno != ENOENT)
		return fault_set_errno(fault_r, VERDICT_PERM, "removing the old %s", path);
	return 0;
}

/* The mode comes from the umask and the owner from lchown: no link is followed. */
static int
bind_file_socket(const struct place *place, int fd, struct fault *fault_r)
{
	const char *path = place->addr.un.sun_path;
	mode_t before;
	int rc;

	if (clear_stale(place, fault_r) == -1)
		return -1;
	before = umask((mode_t)(0777 & ~place->mode));
	rc = bind(fd, &place->addr.any, place->len);
	umask(before);
	if (rc == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "binding %s", path);
	if ((place->uid != (uid_t)-1 || place->gid != (gid_t)-1) &&
	    lchown(path, place->uid, place->gid) == -1) {
		fault_set_errno(fault_r, VERDICT_PERM, "giving %s to its owner", path);
		goto undo;
	}
	if (listen(fd, place->backlog) == -1) {
		fault_set_errno(fault_r, VERDICT_PERM, "listening on %s", path);
		goto undo;
	}
	return 0;
undo:
	unlink(path);
	return -1;
}

static int
bind_unix(const struct place *place, int fd, struct fault *fault_r)
{
	int lock = lock_directory(place->addr.un.sun_path, fault_r);
	int rc;

	if (lock == -1)
		return -1;
	rc = bind_file_socket(place, fd, fault_r);
	close(lock);
	return rc;
}

/* ---- inet sockets */

static int
bind_inet(const struct place *place, const char *address, int fd, struct fault *fault_r)
{
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "%s: SO_REUSEADDR", address);
	if (place->addr.any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "%s: IPV6_V6ONLY", address);
	if (bind(fd, &place->addr.any, place->len) == -1 || listen(fd, place->backlog) == -1)
		return fault_set_errno(fault_r, errno == EADDRINUSE ? VERDICT_TEMP : VERDICT_PERM,
		    "listening on %s", address);
	return 0;
}

int
bind_open(const struct bind_request *request, struct bind_file *file_r, struct fault *fault_r)
{
	struct place place;
	int fd, rc;

	memset(file_r, 0, sizeof(*file_r));
	if (place_make(&place, request, fault_r) == -1)
		return -1;
	fd = socket(place.addr.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "%s: socket", request->address);
	if (place.addr.any.sa_family == AF_UNIX)
		rc = bind_unix(&place, fd, fault_r);
	else
		rc = bind_inet(&place, request->address, fd, fault_r);
	if (rc == -1) {
		close(fd);
		return -1;
	}
	bind_find_file(request->address, file_r);
	return fd;
}

/* chmod follows links, so it is told a descriptor that is surely the socket. */
static int
adjust_file(const struct place *place, struct fault *fault_r)
{
	const char *path = place->addr.un.sun_path;
	char by_fd[64];
	struct stat st;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int rc = -1;

	if (fd == -1 || fstat(fd, &st) == -1) {
		fault_set_errno(fault_r, VERDICT_PERM, "%s", path);
		goto out;
	}
	if (!S_ISSOCK(st.st_mode)) {
		fault_set(fault_r, VERDICT_PERM, "%s is no longer a socket", path);
		goto out;
	}
	if ((place->uid != (uid_t)-1 || place->gid != (gid_t)-1) &&
	    fchownat(fd, "", place->uid, place->gid, AT_EMPTY_PATH) == -1) {
		fault_set_errno(fault_r, VERDICT_PERM, "giving %s to its owner", path);
		goto out;
	}
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	if ((st.st_mode & 0777) != place->mode && chmod(by_fd, place->mode) == -1) {
		fault_set_errno(fault_r, VERDICT_PERM, "mode of %s", path);
		goto out;
	}
	rc = 0;
out:
	if (fd != -1)
		close(fd);
	return rc;
}

int
bind_adjust(const struct bind_request *request, int fd, struct fault *fault_r)
{
	struct place place;

	if (place_make(&place, request, fault_r) == -1)
		return -1;
	if (listen(fd, place.backlog) == -1) /* again: only the backlog changes */
		return fault_set_errno(fault_r, VERDICT_PERM, "backlog of %s", request->address);
	return place.addr.any.sa_family == AF_UNIX ? adjust_file(&place, fault_r) : 0;
}

/* ---- which file, which address */

bool
bind_find_file(const char *address, struct bind_file *file_r)
{
	struct place place;
	struct fault ignored;
	struct stat st;

	if (place_address(&place, address, &ignored) == -1 || place.addr.any.sa_family != AF_UNIX)
		return false;
	if (lstat(place.addr.un.sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	*file_r = (struct bind_file){st.st_dev, st.st_ino};
	return true;
}

void
bind_remove(const char *address, const struct bind_file *file)
{
	struct place place;
	struct fault ignored;
	struct bind_file now;

	if (!bind_find_file(address, &now) || now.dev != file->dev || now.ino != file->ino)
		return;
	if (place_address(&place, address, &ignored) == 0)
		unlink(place.addr.un.sun_path);
}

static bool
place_name(const struct place *place, char *name_r)
{
	char host[INET6_ADDRSTRLEN];

	switch (place->addr.any.sa_family) {
	case AF_UNIX:
		if (place->addr.un.sun_path[0] != '/')
			return false; /* abstract or unnamed */
		snprintf(name_r, BIND_NAME_BYTES, "unix:%.*s", (int)sizeof(place->addr.un.sun_path),
		    place->addr.un.sun_path);
		return true;
	case AF_INET:
		inet_ntop(AF_INET, &place->addr.in.sin_addr, host, sizeof(host));
		snprintf(name_r, BIND_NAME_BYTES, "inet:%s:%u", host,
		    ntohs(place->addr.in.sin_port));
		return true;
	case AF_INET6:
		inet_ntop(AF_INET6, &place->addr.in6.sin6_addr, host, sizeof(host));
		snprintf(name_r, BIND_NAME_BYTES, "inet:[%s]:%u", host,
		    ntohs(place->addr.in6.sin6_port));
		return true;
	default:
		return false;
	}
}

bool
bind_name(const char *address, char name_r[static BIND_NAME_BYTES])
{
	struct place place;
	struct fault ignored;

	return place_address(&place, address, &ignored) == 0 && place_name(&place, name_r);
}

bool
bind_name_of(int fd, char name_r[static BIND_NAME_BYTES])
{
	struct place place;
	int type, listens;
	socklen_t len = sizeof(type);

	memset(&place, 0, sizeof(place));
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 || type != SOCK_STREAM)
		return false;
	len = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == -1 || !listens)
		return false;
	place.len = sizeof(place.addr.room);
	if (getsockname(fd, &place.addr.any, &place.len) == -1)
		return false;
	return place_name(&place, name_r);
}
