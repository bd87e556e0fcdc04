/*
 * faults.c - a kernel in a bad mood: preloaded before a program        (driver)
 *
 * Between a program and the C library: a share of the calls that take part in
 * moving bytes is interrupted, finds nothing, moves less than it could, or does not
 * get what it needs. A page of memory that a test shares (the file SPLITMX_FAULTS)
 * says what is to go wrong and how often, and counts what did, so that a test can
 * know that it has tested something. With nothing asked for, nothing is changed.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum call { ACCEPT, SOCKET, PIPE, CONNECT, RECV, SEND, SPLICE, WAIT, CALLS };

/* In the page, and in the test, in this order. */
enum kind {
	INTERRUPTED, /* EINTR */
	NOTHING, /* EAGAIN, though there is something */
	LESS, /* fewer bytes */
	LACKING, /* EMFILE, ENFILE, ENOBUFS, ENOMEM, one after the other */
	KINDS
};

struct page {
	_Atomic uint32_t thousandths[KINDS]; /* of the calls that can end so */
	_Atomic uint32_t count[CALLS][KINDS];
};

static struct page *page;

__attribute__((constructor)) static void
open_page(void)
{
	const char *path = getenv("SPLITMX_FAULTS");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory;

	if (fd == -1)
		return;
	memory = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED)
		page = memory;
}

/* Marsaglia's xorshift; each process has its own run of numbers. */
static uint32_t
draw(void)
{
	static _Thread_local uint32_t x;

	if (x == 0)
		x = 2463534242U ^ (uint32_t)getpid();
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static bool
happens(enum call call, enum kind kind)
{
	if (page == NULL || draw() % 1000 >= page->thousandths[kind])
		return false;
	page->count[call][kind]++;
	return true;
}

static bool
fails(enum call call, bool can_lack)
{
	static const int lacks[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
	static _Atomic unsigned turn;

	if (happens(call, INTERRUPTED))
		errno = EINTR;
	else if (can_lack && happens(call, LACKING))
		errno = lacks[turn++ % 4];
	else
		return false;
	return true;
}

static bool
finds_nothing(enum call call)
{
	if (!happens(call, NOTHING))
		return false;
	errno = EAGAIN;
	return true;
}

static size_t
less(enum call call, size_t len)
{
	return len > 1 && happens(call, LESS) ? 1 + draw() % (len - 1) : len;
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

/* ---- what a program calls */

int
accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	if (fails(ACCEPT, true) || finds_nothing(ACCEPT))
		return -1;
	return NEXT(int (*)(int, struct sockaddr *, socklen_t *, int), "accept4")(fd, address, len,
	    flags);
}

/* No socket(2) is interrupted. */
int
socket(int domain, int type, int protocol)
{
	static const int lacks[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};

	if (domain != AF_UNIX && happens(SOCKET, LACKING)) {
		errno = lacks[draw() % 4];
		return -1;
	}
	return NEXT(int (*)(int, int, int), "socket")(domain, type, protocol);
}

int
pipe2(int ends[2], int flags)
{
	if (happens(PIPE, LACKING)) {
		errno = draw() % 2 ? EMFILE : ENFILE;
		return -1;
	}
	return NEXT(int (*)(int[2], int), "pipe2")(ends, flags);
}

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
	if (fails(CONNECT, false))
		return -1;
	return NEXT(int (*)(int, const struct sockaddr *, socklen_t), "connect")(fd, address, len);
}

ssize_t
recv(int fd, void *bytes, size_t len, int flags)
{
	if (fails(RECV, false) || finds_nothing(RECV))
		return -1;
	return NEXT(ssize_t(*)(int, void *, size_t, int), "recv")(fd, bytes, less(RECV, len),
	    flags);
}

ssize_t
send(int fd, const void *bytes, size_t len, int flags)
{
	if (fails(SEND, false) || finds_nothing(SEND))
		return -1;
	return NEXT(ssize_t(*)(int, const void *, size_t, int), "send")(fd, bytes, less(SEND, len),
	    flags);
}

ssize_t
splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t len, unsigned flags)
{
	if (fails(SPLICE, false) || finds_nothing(SPLICE))
		return -1;
	return NEXT(ssize_t(*)(int, off64_t *, int, off64_t *, size_t, unsigned), "splice")(from,
	    from_at, to, to_at, less(SPLICE, len), flags);
}

int
epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	if (fails(WAIT, false))
		return -1;
	return NEXT(int (*)(int, struct epoll_event *, int, int), "epoll_wait")(fd, events, most,
	    timeout_ms);
}
