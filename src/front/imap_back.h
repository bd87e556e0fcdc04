/*
 * imap_back.h - IMAP with a backend, until the login stands          (machine)
 *
 * One flight where the greeting told the capabilities: ID and the login in one
 * write. How a password is said is the backend's to choose: AUTHENTICATE PLAIN,
 * LOGIN with quoted strings or literals, AUTHENTICATE LOGIN. Nothing that was said
 * before TLS is believed behind it, and no secret leaves on an unsafe leg.
 */
#ifndef FRONT_IMAP_BACK_H
#define FRONT_IMAP_BACK_H

#include "front/dialect.h"

/* What struct back_row wants, in its order. */
struct back *imap_back_new(const struct back_task *task);
void imap_back_free(struct back *back);
enum back_step imap_back_next(struct back *back, struct buf *in, struct buf *out,
    struct fault *fault_r);
void imap_back_tls(struct back *back, struct buf *out);
void imap_back_respond(struct back *back, struct str base64, struct buf *out);
void imap_back_quit(struct back *back, struct buf *out);

#endif
