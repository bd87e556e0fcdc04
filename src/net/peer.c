/*
 * peer.c - who is at the other end of a descriptor                    (driver)
 */
#include "net/peer.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *
peer_name(const struct sockaddr_storage *peer, char room_r[static PEER_NAME_BYTES])
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)peer;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
	char address[INET6_ADDRSTRLEN];

	snprintf(room_r, PEER_NAME_BYTES, "unknown");
	if (peer->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in4->sin_addr, address, sizeof(address));
		snprintf(room_r, PEER_NAME_BYTES, "%s:%u", address, (unsigned)ntohs(in4->sin_port));
	} else if (peer->ss_family == AF_INET6) {
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr); /* "::ffff:192.0.2.7" */

		inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
		snprintf(room_r, PEER_NAME_BYTES, is_mapped ? "%s:%u" : "[%s]:%u",
		    is_mapped ? strrchr(address, ':') + 1 : address,
		    (unsigned)ntohs(in6->sin6_port));
	}
	return room_r;
}

char *
peer_text_of(int fd, const struct sockaddr_storage *peer)
{
	char name[PEER_NAME_BYTES];
	struct ucred who;
	socklen_t len = sizeof(who);

	if (peer->ss_family != AF_UNIX)
		return xstrdup(peer_name(peer, name));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
		return xstrdup("unix");
	return xasprintf("unix pid=%ld uid=%lu", (long)who.pid, (unsigned long)who.uid);
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
