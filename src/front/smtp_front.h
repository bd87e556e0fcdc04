/*
 * smtp_front.h - submission with a client, until its credentials are there (machine)
 *
 * RFC 6409: SMTP (RFC 5321) for those who log in, with AUTH (RFC 4954) and STARTTLS
 * (RFC 3207). Everything that begins a message is refused before that. What is
 * announced is ours, or what all backends can do.
 */
#ifndef FRONT_SMTP_FRONT_H
#define FRONT_SMTP_FRONT_H

#include "front/dialect.h"

/* What struct front_row wants, in its order. */
struct front *smtp_front_new(struct arena *arena);
void smtp_front_free(struct front *front);
void smtp_front_greet(struct front *front, const struct front_terms *terms, struct buf *out);
enum front_step smtp_front_next(struct front *front, const struct front_terms *terms,
    struct buf *in, struct buf *out);
void smtp_front_tls(struct front *front, const struct front_terms *terms, struct buf *out);
void smtp_front_challenge(struct front *front, struct str base64, struct buf *out);
void smtp_front_accept(struct front *front, struct str untagged, struct str text, struct buf *out);
void smtp_front_refuse(struct front *front, const struct front_terms *terms, enum refusal refusal,
    struct str text, struct buf *out);
void smtp_front_wait(struct front *front, struct buf *out);
void smtp_front_bye(struct front *front, enum bye bye, struct buf *out);

#endif
