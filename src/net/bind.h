/*
 * bind.h - open a socket that listens, and never steal one            (driver)
 *
 * A socket file that nobody listens on any more is replaced; one that still
 * answers is somebody else's and stays. Directories are not made: who may enter
 * them is the packager's decision. A Unix socket has its mode and owner before
 * it listens, so nobody connects who may not.
 */
#ifndef NET_BIND_H
#define NET_BIND_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	BIND_BACKLOG_LEAST = 512,
	BIND_BACKLOG_DEFAULT = 1024,
	BIND_NAME_BYTES = 160,
};

struct bind_request {
	const char
	    *address; /* as net/endpoint.h reads it; a host is numeric or "localhost", 127.0.0.1 */
	const char *mode; /* unix: octal digits; NULL or "" = "0660" */
	const char *owner; /* unix: NULL or "" = ours */
	const char *group; /* unix: NULL or "" = ours */
	int backlog; /* 0 = BIND_BACKLOG_DEFAULT; less than the least is raised */
	int line; /* in the settings file; 0 = in none */
};

/* Which socket file is ours: a successor at the same path has another. */
struct bind_file {
	dev_t dev;
	ino_t ino;
};

/* Can this be bound at all? 0, or -1 with a sentence; asks no network. */
int bind_check(const struct bind_request *request, struct fault *fault_r);

/*
 * A listening, non-blocking, close-on-exec descriptor, the caller's, or -1. The
 * fault is VERDICT_TEMP where somebody else listens there (now), and
 * VERDICT_PERM where waiting would not help.
 */
int bind_open(const struct bind_request *request, struct bind_file *file_r, struct fault *fault_r);

/* The mode, owner, group and backlog of an open one, after they were changed. */
int bind_adjust(const struct bind_request *request, int fd, struct fault *fault_r);

/* Removes the socket file, if it is still that one. Harmless on inet. */
void bind_remove(const char *address, const struct bind_file *file);

/* Which file is at this address now; false where none is, or on inet. */
bool bind_find_file(const char *address, struct bind_file *file_r);

/*
 * What a request and a descriptor are bound to, in one spelling, so that two can
 * be compared: "unix:/path", "inet:127.0.0.1:25", "inet:[::1]:25". false: not
 * an address that can be bound, not a listening stream socket.
 */
bool bind_name(const char *address, char name_r[static BIND_NAME_BYTES]);
bool bind_name_of(int fd, char name_r[static BIND_NAME_BYTES]);

#endif
