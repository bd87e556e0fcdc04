/*
 * sieve_follow.h - a ManageSieve session that passes                 (machine)
 *
 * Both directions are followed as lines and literals, so that it is known at any moment
 * what runs. A client's line is passed on when it is whole and made of words and strings,
 * with its literal as every server understands it: no backend sees a command where we
 * see a script.
 *
 * pass() for the client takes nothing while too many commands run. Call it again when
 * something of the backend has passed.
 */
#ifndef FRONT_SIEVE_FOLLOW_H
#define FRONT_SIEVE_FOLLOW_H

#include "front/dialect.h"

/* What struct follow_row wants, in its order. */
struct follow *sieve_follow_new(void);
void sieve_follow_free(struct follow *follow);
bool sieve_follow_pass(struct follow *follow, enum side from, struct buf *in, struct buf *other,
    struct buf *back);
void sieve_follow_end(struct follow *follow, enum bye why, struct buf *to_client,
    struct buf *to_backend);
bool sieve_follow_break_off(struct follow *follow, enum bye why, struct buf *to_client);
bool sieve_follow_is_idle(const struct follow *follow);

#endif
