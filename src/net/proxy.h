/*
 * proxy.h - a line before the first byte: who is really calling         (pure)
 *
 * The PROXY protocol, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt). Whether
 * a header is to come is known from the settings and from who connects: nobody
 * looks whether there is one. A header that is not exactly one is refused.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "base/buf.h"
#include "base/fault.h"

#include <stdbool.h>
#include <sys/socket.h>

enum {
	PROXY_LINE_MOST = 107, /* version 1, its CR LF included */
	PROXY_REST_MOST = 2048, /* version 2, addresses and what follows them */
	PROXY_MOST = 16 + PROXY_REST_MOST, /* what an in-buffer must be able to hold */
};

struct proxy {
	bool is_own; /* LOCAL or UNKNOWN: the connection's own addresses count */
	struct sockaddr_storage client, local; /* unless is_own; both of one family */
};

/*
 * Take a header out of "in". What follows it stays there.
 *   1  proxy_r is filled
 *   0  more bytes needed; never so with PROXY_MOST bytes in "in"
 *  -1  no header, or one that says what TCP cannot be; *fault_r (VERDICT_PERM)
 * Of version 2 a checksum is checked where it is there; everything else behind the
 * addresses is passed over.
 */
int proxy_next(struct buf *in, struct proxy *proxy_r, struct fault *fault_r);

/* The client's leg, where it is TLS: names as OpenSSL's ("1.3", "TLS_AES_256_GCM_SHA384"). */
struct proxy_tls {
	const char *version;
	const char *cipher; /* NULL: not said */
};

/*
 * Append a header. An IPv4 address beside an IPv6 one is written as ::ffff:a.b.c.d;
 * a client without an IP address is not spoken of (UNKNOWN, LOCAL). tls: NULL where the
 * client's leg is none; version 1 has no word for it.
 */
void proxy_add_v1(struct buf *out, const struct sockaddr_storage *client,
    const struct sockaddr_storage *local);
void proxy_add_v2(struct buf *out, const struct sockaddr_storage *client,
    const struct sockaddr_storage *local, const struct proxy_tls *tls);

#endif
