/*
 * imap_front.h - IMAP with a client, until its credentials are there (machine)
 *
 * RFC 9051 and 3501, not authenticated state; ID RFC 2971, SASL-IR RFC 4959,
 * LITERAL- RFC 7888. A command is put together where it arrived, in "in", and
 * leaves it whole: so what stands behind a login is the session's, untouched.
 *
 * A synchronizing literal is only asked for where its command could succeed: a
 * password that is not wanted never comes.
 */
#ifndef FRONT_IMAP_FRONT_H
#define FRONT_IMAP_FRONT_H

#include "front/dialect.h"

/* What struct front_row wants, in its order. */
struct front *imap_front_new(struct arena *arena);
void imap_front_free(struct front *front);
void imap_front_greet(struct front *front, const struct front_terms *terms, struct buf *out);
enum front_step imap_front_next(struct front *front, const struct front_terms *terms,
    struct buf *in, struct buf *out);
void imap_front_tls(struct front *front, const struct front_terms *terms, struct buf *out);
void imap_front_challenge(struct front *front, struct str base64, struct buf *out);
void imap_front_accept(struct front *front, struct str untagged, struct str text, struct buf *out);
void imap_front_refuse(struct front *front, const struct front_terms *terms, enum refusal refusal,
    struct str text, struct buf *out);
void imap_front_wait(struct front *front, struct buf *out);
void imap_front_bye(struct front *front, enum bye bye, struct buf *out);
const struct client_id *imap_front_id(const struct front *front);

#endif
