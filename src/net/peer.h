/*
 * peer.h - who is at the other end of a descriptor                    (driver)
 */
#ifndef NET_PEER_H
#define NET_PEER_H

#include <sys/socket.h>

/* "192.0.2.7:51022", "[2001:db8::7]:51022", "unix pid=123 uid=0", "unknown"; the caller's. */
char *peer_text(int fd);

/* The same of an address and no descriptor: IP, or "unknown". Returns room_r. */
enum { PEER_NAME_BYTES = 64 };
const char *peer_name(const struct sockaddr_storage *peer, char room_r[static PEER_NAME_BYTES]);

/* The same for an address that is at hand; fd is only asked about unix peers. */
char *peer_text_of(int fd, const struct sockaddr_storage *peer);

#endif
