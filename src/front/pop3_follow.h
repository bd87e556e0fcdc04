/*
 * pop3_follow.h - a POP3 session that passes                         (machine)
 *
 * Commands and answers are followed as lines, messages and lists up to their lone dot, so
 * that it is known at any moment what runs. Deletions happen at QUIT, and nowhere else: a
 * session that is ended while nothing runs is reset before its backend is left, so that
 * nothing is deleted behind a copy of the mailbox that has the messages still.
 *
 * pass() for the client takes nothing while too many commands run. Call it again when
 * something of the backend has passed.
 */
#ifndef FRONT_POP3_FOLLOW_H
#define FRONT_POP3_FOLLOW_H

#include "front/dialect.h"

/* What struct follow_row wants, in its order. */
struct follow *pop3_follow_new(void);
void pop3_follow_free(struct follow *follow);
bool pop3_follow_pass(struct follow *follow, enum side from, struct buf *in, struct buf *other,
    struct buf *back);
void pop3_follow_end(struct follow *follow, enum bye why, struct buf *to_client,
    struct buf *to_backend);
bool pop3_follow_break_off(struct follow *follow, enum bye why, struct buf *to_client);
bool pop3_follow_is_idle(const struct follow *follow);

#endif
