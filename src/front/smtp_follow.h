/*
 * smtp_follow.h - a submission that passes                           (machine)
 *
 * A client's commands are counted as lines, a backend's replies against them. So
 * it is known at any moment which replies are owed, whether a transaction is open,
 * and whether content is under way.
 *
 * Content behind DATA is looked at for its end, because commands may follow in the
 * same piece (RFC 2920, section 3.1), and what passed unseen there could be XCLIENT,
 * or messages whose replies nobody counts. Nothing behind the end passes before the
 * backend has said what became of the message; if it says so earlier, it took
 * something else for the end, and the session is over. Chunks of BDAT have a length
 * and pass unseen.
 *
 * Only commands that are known here pass: any other could be an extension that
 * hides where commands end. What is refused is answered when no reply is owed.
 */
#ifndef FRONT_SMTP_FOLLOW_H
#define FRONT_SMTP_FOLLOW_H

#include "front/dialect.h"

/* What struct follow_row wants, in its order. */
struct follow *smtp_follow_new(void);
void smtp_follow_free(struct follow *follow);
void smtp_follow_learn(struct follow *follow, const struct offer *offer);
bool smtp_follow_pass(struct follow *follow, enum side from, struct buf *in, struct buf *other,
    struct buf *back);
void smtp_follow_end(struct follow *follow, enum bye why, struct buf *to_client,
    struct buf *to_backend);
bool smtp_follow_break_off(struct follow *follow, enum bye why, struct buf *to_client);
bool smtp_follow_is_idle(const struct follow *follow);

#endif
