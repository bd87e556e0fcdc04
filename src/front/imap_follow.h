/*
 * imap_follow.h - an IMAP session that passes                        (machine)
 *
 * Both directions are followed as lines and literals, so that it is known at any
 * moment which commands run. Of a client's command nothing has been passed on
 * until its line is whole, or longer than FOLLOW_HELD_MOST: a command that is half
 * said can be dropped. What is refused here never reaches the backend.
 *
 * pass() for the client may take nothing although a command is there: too many run,
 * one with the same tag does, or a refusal would fall into the middle of something
 * that the backend says. Call it again when something of the backend has passed.
 */
#ifndef FRONT_IMAP_FOLLOW_H
#define FRONT_IMAP_FOLLOW_H

#include "front/dialect.h"

/* What struct follow_row wants, in its order. */
struct follow *imap_follow_new(void);
void imap_follow_free(struct follow *follow);
bool imap_follow_pass(struct follow *follow, enum side from, struct buf *in, struct buf *other,
    struct buf *back);
void imap_follow_end(struct follow *follow, enum bye why, struct buf *to_client,
    struct buf *to_backend);
bool imap_follow_break_off(struct follow *follow, enum bye why, struct buf *to_client);
bool imap_follow_is_idle(const struct follow *follow);

#endif
