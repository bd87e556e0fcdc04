/*
 * sieve_back.h - ManageSieve with a backend, until the login stands  (machine)
 *
 * Greeting with capabilities, STARTTLS where it is asked for and the capabilities once
 * more, XCLIENT, AUTHENTICATE with its initial response. Nothing that was said before TLS
 * is believed behind it, and no secret leaves on an unsafe leg.
 */
#ifndef FRONT_SIEVE_BACK_H
#define FRONT_SIEVE_BACK_H

#include "front/dialect.h"

/* What struct back_row wants, in its order. */
struct back *sieve_back_new(const struct back_task *task);
void sieve_back_free(struct back *back);
enum back_step sieve_back_next(struct back *back, struct buf *in, struct buf *out,
    struct fault *fault_r);
void sieve_back_tls(struct back *back, struct buf *out);
void sieve_back_respond(struct back *back, struct str base64, struct buf *out);
void sieve_back_quit(struct back *back, struct buf *out);

#endif
