/*
 * client_id.h - what an IMAP client says of itself, and what we add     (pure)
 *
 * RFC 2971: at most 30 fields, names of at most 30 bytes, values of at most 1,024.
 * Names that begin with "x-" are not taken from clients: with them a front tells
 * a backend who is calling.
 */
#ifndef FRONT_CLIENT_ID_H
#define FRONT_CLIENT_ID_H

#include "base/buf.h"
#include "base/str.h"
#include "front/caller.h"

#include <stdbool.h>

enum { CLIENT_ID_FIELDS_MOST = 30, CLIENT_ID_NAME_MOST = 30, CLIENT_ID_VALUE_MOST = 1024 };

struct client_id;

struct client_id *client_id_new(void);
void client_id_free(struct client_id **id);

/* A later field of the same name counts; is_nil: the value is NIL. False: over the RFC's limits. */
bool client_id_add(struct client_id *id, struct str name, struct str value, bool is_nil);

/*
 * The argument of the one ID command for the backend, "(...)" or "NIL": the
 * client's fields and, with a caller, those of Dovecot ("x-originating-ip",
 * "x-originating-port", "x-connected-ip", "x-connected-port", "x-session-id",
 * "x-session-ext-id" is not ours, "x-proxy-ttl"), the client's last where there
 * is not enough room for both.
 */
void client_id_say(const struct client_id *id, const struct caller *caller, struct buf *out);

#endif
