/*
 * pop3_front.h - POP3 with a client, until its credentials are there (machine)
 *
 * RFC 1939, AUTHORIZATION state; CAPA and response codes RFC 2449, STLS RFC 2595, AUTH
 * RFC 5034, [SYS/TEMP] and [AUTH] RFC 3206. What is no login is answered here: no
 * backend ever sees a command of somebody who has not logged in.
 */
#ifndef FRONT_POP3_FRONT_H
#define FRONT_POP3_FRONT_H

#include "front/dialect.h"

/* What struct front_row wants, in its order. */
struct front *pop3_front_new(struct arena *arena);
void pop3_front_free(struct front *front);
void pop3_front_greet(struct front *front, const struct front_terms *terms, struct buf *out);
enum front_step pop3_front_next(struct front *front, const struct front_terms *terms,
    struct buf *in, struct buf *out);
void pop3_front_tls(struct front *front, const struct front_terms *terms, struct buf *out);
void pop3_front_challenge(struct front *front, struct str base64, struct buf *out);
void pop3_front_accept(struct front *front, struct str untagged, struct str text, struct buf *out);
void pop3_front_refuse(struct front *front, const struct front_terms *terms, enum refusal refusal,
    struct str text, struct buf *out);
void pop3_front_wait(struct front *front, struct buf *out);
void pop3_front_bye(struct front *front, enum bye bye, struct buf *out);

#endif
