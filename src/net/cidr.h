/*
 * cidr.h - is this address one of those?                                (pure)
 *
 * "192.0.2.0/24", "2001:db8::/32", or one address. An IPv4 peer is recognised
 * also where the kernel shows it as ::ffff:192.0.2.7 (RFC 4291, section 2.5.5.2).
 */
#ifndef NET_CIDR_H
#define NET_CIDR_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct cidr {
	unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits; /* of those 128 */
};

/*
 * 0, or -1 with a sentence in *fault_r (VERDICT_PERM); 192.0.2.7/24 is refused,
 * because nobody can tell which of the two halves was meant.
 */
int cidr_parse(const char *text, struct cidr *cidr_r, struct fault *fault_r);

/* False for peers that have no IP address. */
bool cidr_has(const struct cidr *cidr, const struct sockaddr_storage *peer);
bool cidr_any_has(const struct cidr *list, size_t count, const struct sockaddr_storage *peer);

bool cidr_is_loopback(const struct sockaddr_storage *peer); /* 127.0.0.0/8 and ::1 */

#endif
