/*
 * pop3_back.h - POP3 with a backend, until the login stands          (machine)
 *
 * Banner, STLS where it is asked for, CAPA, then who is calling and the login: in one
 * write where the backend announces PIPELINING. Nothing that CAPA said before TLS is
 * believed behind it, and no secret leaves on an unsafe leg.
 *
 * That it takes XCLIENT Dovecot says in its banner ("+OK [XCLIENT] ..."), and nowhere
 * else; a banner that lies about it leads to a refusal, so it is believed in clear, too.
 */
#ifndef FRONT_POP3_BACK_H
#define FRONT_POP3_BACK_H

#include "front/dialect.h"

/* What struct back_row wants, in its order. */
struct back *pop3_back_new(const struct back_task *task);
void pop3_back_free(struct back *back);
enum back_step pop3_back_next(struct back *back, struct buf *in, struct buf *out,
    struct fault *fault_r);
void pop3_back_tls(struct back *back, struct buf *out);
void pop3_back_respond(struct back *back, struct str base64, struct buf *out);
void pop3_back_quit(struct back *back, struct buf *out);

#endif
