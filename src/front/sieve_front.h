/*
 * sieve_front.h - ManageSieve with a client, until its credentials are there (machine)
 *
 * RFC 5804, section 2, before authentication. A command is put together where it
 * arrived, in "in", and leaves it whole: so what stands behind a login is the
 * session's, untouched. What a literal promises beyond the limits ends the connection:
 * it comes unasked.
 */
#ifndef FRONT_SIEVE_FRONT_H
#define FRONT_SIEVE_FRONT_H

#include "front/dialect.h"

/* What struct front_row wants, in its order. */
struct front *sieve_front_new(struct arena *arena);
void sieve_front_free(struct front *front);
void sieve_front_greet(struct front *front, const struct front_terms *terms, struct buf *out);
enum front_step sieve_front_next(struct front *front, const struct front_terms *terms,
    struct buf *in, struct buf *out);
void sieve_front_tls(struct front *front, const struct front_terms *terms, struct buf *out);
void sieve_front_challenge(struct front *front, struct str base64, struct buf *out);
void sieve_front_accept(struct front *front, struct str untagged, struct str text, struct buf *out);
void sieve_front_refuse(struct front *front, const struct front_terms *terms, enum refusal refusal,
    struct str text, struct buf *out);
void sieve_front_wait(struct front *front, struct buf *out);
void sieve_front_bye(struct front *front, enum bye bye, struct buf *out);

#endif
