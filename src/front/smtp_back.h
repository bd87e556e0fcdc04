/*
 * smtp_back.h - submission with a backend, until the login stands    (machine)
 *
 * Banner, EHLO, perhaps STARTTLS and EHLO again, perhaps XCLIENT and EHLO again,
 * AUTH. Each waits for its reply: none of them may be pipelined (RFC 2920, section
 * 3.1; RFC 4954, section 4). Nothing that was said before TLS is believed behind it,
 * and no secret leaves on an unsafe leg.
 *
 * XCLIENT as in Postfix's XCLIENT_README: the backend begins anew, with a greeting.
 * What the client called itself is said again in the EHLO behind it, because that
 * is the name that counts; our own follows where the backend does not like it.
 */
#ifndef FRONT_SMTP_BACK_H
#define FRONT_SMTP_BACK_H

#include "front/dialect.h"

/* What struct back_row wants, in its order. */
struct back *smtp_back_new(const struct back_task *task);
void smtp_back_free(struct back *back);
enum back_step smtp_back_next(struct back *back, struct buf *in, struct buf *out,
    struct fault *fault_r);
void smtp_back_tls(struct back *back, struct buf *out);
void smtp_back_respond(struct back *back, struct str base64, struct buf *out);
void smtp_back_quit(struct back *back, struct buf *out);

#endif
