/*
 * socketmap.h - Postfix's socketmap protocol, the server's side      (machine)
 *
 * A request is a netstring "name SP key"; the key is everything behind the first
 * space, any bytes. A reply is a netstring too: "OK text", "NOTFOUND ", "TEMP
 * reason" or "PERM reason", at most 100,000 bytes of it (socketmap_table(5)).
 * Postfix takes PERM for TEMP, and an empty "OK " for a mistake of ours.
 */
#ifndef POLICY_SOCKETMAP_H
#define POLICY_SOCKETMAP_H

#include "policy/step.h"
#include "rules/ruleset.h"

/* Has no state: what is no netstring is PERM and the end. A missing key is an empty one. */
enum step socketmap_next(struct buf *in, struct buf *out, struct query *query_r);
void socketmap_say(const struct answer *answer, struct buf *out);

#endif
