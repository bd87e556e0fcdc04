/*
 * imap_id.h - what ID tells of a client                                 (pure)
 */
#ifndef FRONT_IMAP_ID_H
#define FRONT_IMAP_ID_H

#include "base/str.h"
#include "front/client_id.h"

/*
 * The argument of ID, "(" string nstring ... ")" or NIL (RFC 2971, section 4), into
 * an id that is new. False: it is none. *ttl stays where a front before us says none.
 */
bool imap_id_read(struct str args, struct client_id *id, unsigned *ttl);

#endif
