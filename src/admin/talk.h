/*
 * talk.h - a conversation in lines, for a command that may wait       (driver)
 *
 * One connection, from an address of this host that may be named, with TLS from its
 * start or from any line on. What is said may be a password: it is wiped.
 */
#ifndef ADMIN_TALK_H
#define ADMIN_TALK_H

#include "base/fault.h"
#include "base/str.h"
#include "net/endpoint.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stdbool.h>
#include <sys/socket.h>

enum {
	TALK_TIMEOUT_MS = 5000, /* to connect, to shake hands */
	TALK_ANSWER_MS = 10000, /* to say a line */
	TALK_LOGIN_MS = 30000, /* Dovecot takes up to 17 s for a wrong password */
	TALK_LINE_MOST = 16 * 1024,
};

struct talk;

/* from: a numeric address of this host; NULL: whichever leads there. NULL and *fault_r. */
struct talk *talk_open(struct loop *loop, const struct endpoint *endpoint, const char *from,
    struct fault *fault_r);
void talk_close(struct talk **talk); /* NULL is allowed */

/* From which address we talk, numeric; "unix" on a socket file. Lent as long as the talk. */
const char *talk_from(const struct talk *talk);
void talk_address(const struct talk *talk, struct sockaddr_storage *own_r);

/* All return 0, or -1 and *fault_r; nothing but talk_close() may follow a -1. */
int talk_start_tls(struct talk *talk, struct tls_context *tls, const char *server_name,
    struct fault *fault_r);
void talk_say(struct talk *talk, struct str bytes); /* leaves with the next wait */

/* Without its end; lent until the next call. */
int talk_line(struct talk *talk, struct str *line_r, struct fault *fault_r);

void talk_be_patient(struct talk *talk, uint64_t answer_ms); /* from now on */

const char *talk_tls(const struct talk *talk); /* "1.3"; NULL: none */

#endif
