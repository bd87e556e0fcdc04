/*
 * caller.h - whom a backend is to believe that it talks to              (pure)
 */
#ifndef FRONT_CALLER_H
#define FRONT_CALLER_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* How a destination learns it, by destination and protocol; there is no default. */
enum caller_way {
	CALLER_PROXY, /* the PROXY protocol, before everything else; not the dialects' business */
	CALLER_XCLIENT, /* SMTP, POP3, ManageSieve */
	CALLER_ID, /* IMAP ID with Dovecot's field names */
	CALLER_NONE,
};

struct caller {
	struct sockaddr_storage client, local; /* as they are, or as a trusted PROXY header said */
	const char *client_ip, *local_ip; /* numeric, without brackets or zone */
	uint16_t client_port, local_port;
	bool is_tls; /* the client's leg; then also, as OpenSSL names them: */
	const char *tls_version, *tls_cipher;
	const char *session; /* our id of this login, as in our log: [0-9a-f]{16} */
	unsigned ttl; /* hops that are left; 0 was refused before */
};

#endif
