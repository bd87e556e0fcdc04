/*
 * endpoint.h - where something listens                                  (pure)
 *
 * The words of Postfix: "unix:/path", "inet:host:port", "inet:[::1]:port"; a
 * port is a number. For Redis also "unix:///path", "redis://host[:port]" and
 * "rediss://host[:port]" (endpoint_parse_redis; default port 6379).
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include "base/fault.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct endpoint {
	enum { ENDPOINT_UNIX, ENDPOINT_INET } kind;
	bool tls; /* rediss:// */
	char host[256]; /* ENDPOINT_INET: name or address, without brackets */
	char port[6];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* 0, or -1 with a sentence in *fault_r (VERDICT_PERM). */
int endpoint_parse(const char *text, struct endpoint *endpoint_r, struct fault *fault_r);
int endpoint_parse_redis(const char *url, struct endpoint *endpoint_r, struct fault *fault_r);

/*
 * Of a host (a name, or an address without brackets) and a port that somebody told
 * us; a zone would be one of theirs.
 */
int endpoint_from(struct str host, struct str port, struct endpoint *endpoint_r,
    struct fault *fault_r);

/* The text that endpoint_parse() takes; lent until the fourth next call. */
const char *endpoint_name(const struct endpoint *endpoint);

#endif
