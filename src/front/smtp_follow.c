/*
 * smtp_follow.c - a submission that passes                           (machine)
 */
#include "front/smtp_follow.h"

#include "base/mem.h"
#include "front/smtp_follow_inside.h"

#include <stdlib.h>

static struct smtp_follow *
smtp_follow_of(struct follow *follow)
{
	return (struct smtp_follow *)follow;
}

void
smtp_follow_hand(struct buf *in, size_t n, struct buf *other)
{
	buf_add_str(other, str_make(buf_str(in).ptr, n));
	buf_consume(in, n);
}

enum asked
smtp_follow_oldest(const struct smtp_follow *follow)
{
	return (enum asked)follow->asked[follow->first];
}

/* ---- the end */

bool
smtp_follow_may_speak(const struct smtp_follow *follow)
{
	return follow->count == 0 && !follow->is_inside;
}

static void
say_bye(enum bye why, struct buf *to_client)
{
	buf_add_str(to_client, words_bye(DIALECT_SUBMISSION, why));
	buf_add_text(to_client, "\r\n");
}

void
smtp_follow_lose(struct smtp_follow *follow, struct buf *to_client)
{
	if (smtp_follow_may_speak(follow) && !follow->has_bye)
		say_bye(BYE_PROTOCOL, to_client);
	follow->follow.phase = FOLLOW_OVER;
}

/* Every reply was given, and nothing is half said by either side. */
static bool
is_between_commands(const struct smtp_follow *follow)
{
	return smtp_follow_may_speak(follow) && follow->follow.unseen[SIDE_CLIENT] == 0 &&
	       (follow->client == CLIENT_COMMANDS || follow->client == CLIENT_REFUSED);
}

/* A transaction of which no content has come is the client's to repeat. */
static bool
may_leave(const struct smtp_follow *follow)
{
	if (follow->has_bye)
		return !follow->is_inside;
	return is_between_commands(follow) &&
	       (!follow->is_open || (follow->is_hurried && !follow->has_content));
}

void
smtp_follow_leave(struct smtp_follow *follow, struct buf *to_client, struct buf *to_backend)
{
	if (follow->follow.phase != FOLLOW_ENDING || !may_leave(follow))
		return;
	if (!follow->has_bye)
		say_bye((enum bye)follow->why, to_client);
	if (is_between_commands(follow))
		buf_add_text(to_backend, "QUIT\r\n"); /* nobody sees the reply */
	follow->follow.phase = FOLLOW_LEAVING;
}

/* ---- what the driver asks */

struct follow *
smtp_follow_new(void)
{
	return &xnew(struct smtp_follow)->follow;
}

void
smtp_follow_free(struct follow *base)
{
	free(smtp_follow_of(base));
}

/* A backend that does not know BDAT would take the chunk for commands. */
void
smtp_follow_learn(struct follow *base, const struct offer *offer)
{
	smtp_follow_of(base)->has_chunking = offer != NULL && offer_has(offer, "CHUNKING");
}

bool
smtp_follow_pass(struct follow *base, enum side from, struct buf *in, struct buf *other,
    struct buf *back)
{
	struct smtp_follow *follow = smtp_follow_of(base);
	bool passed;

	if (base->phase == FOLLOW_OVER)
		return false;
	if (from == SIDE_CLIENT) {
		passed = smtp_follow_client(follow, in, other, back);
		smtp_follow_leave(follow, back, other);
	} else {
		passed = smtp_follow_backend(follow, in, other);
		smtp_follow_leave(follow, other, back);
	}
	return passed;
}

void
smtp_follow_end(struct follow *base, enum bye why, struct buf *to_client, struct buf *to_backend)
{
	struct smtp_follow *follow = smtp_follow_of(base);

	if (base->phase == FOLLOW_ENDING)
		follow->is_hurried = true;
	if (base->phase == FOLLOW_RUNNING) {
		follow->why = (uint8_t)why;
		base->phase = FOLLOW_ENDING;
	}
	smtp_follow_leave(follow, to_client, to_backend);
}

/* QUIT is the last that is asked, if it is: nothing passes behind it. */
static bool
has_quit(const struct smtp_follow *follow)
{
	unsigned last = (follow->first + follow->count + ASKED_MOST - 1U) % ASKED_MOST;

	return follow->count > 0 && follow->asked[last] == ASKED_QUIT;
}

/* 421 may be the reply to anything (RFC 5321, section 3.8), and to content that comes still. */
bool
smtp_follow_break_off(struct follow *base, enum bye why, struct buf *to_client)
{
	struct smtp_follow *follow = smtp_follow_of(base);
	bool is_announced = follow->has_bye || has_quit(follow);

	if (is_announced || base->phase == FOLLOW_LEAVING || base->phase == FOLLOW_OVER)
		return false;
	if (!follow->is_inside)
		say_bye(why, to_client);
	return true;
}

bool
smtp_follow_is_idle(const struct follow *base)
{
	const struct smtp_follow *follow = (const struct smtp_follow *)base;

	return is_between_commands(follow) && !follow->is_open;
}
