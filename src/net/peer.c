/*
 * peer.c - who is at the other end of a descriptor                    (driver)
 */
#include "net/peer.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

char *
peer_text_of(int fd, const struct sockaddr_storage *peer)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)peer;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
	char address[INET6_ADDRSTRLEN];
	struct ucred who;
	socklen_t len = sizeof(who);

	switch (peer->ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &in4->sin_addr, address, sizeof(address));
		return xasprintf("%s:%u", address, (unsigned)ntohs(in4->sin_port));
	case AF_INET6:
		inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) /* "::ffff:192.0.2.7" */
			return xasprintf("%s:%u", strrchr(address, ':') + 1,
			    (unsigned)ntohs(in6->sin6_port));
		return xasprintf("[%s]:%u", address, (unsigned)ntohs(in6->sin6_port));
	case AF_UNIX:
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
			return xstrdup("unix");
		return xasprintf("unix pid=%ld uid=%lu", (long)who.pid, (unsigned long)who.uid);
	}
	return xstrdup("unknown");
}

char *
peer_text(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	memset(&peer, 0, sizeof(peer));
	if (getpeername(fd, (struct sockaddr *)&peer, &len) == -1)
		peer.ss_family = AF_UNSPEC;
	return peer_text_of(fd, &peer);
}
