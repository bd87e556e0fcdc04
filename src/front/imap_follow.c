/*
 * imap_follow.c - an IMAP session that passes                        (machine)
 */
#include "front/imap_follow.h"

#include "base/mem.h"
#include "front/imap_follow_inside.h"

#include <stdlib.h>

static struct imap_follow *
imap_follow_of(struct follow *follow)
{
	return (struct imap_follow *)follow;
}

struct str
imap_follow_without_end(struct str line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

size_t
imap_follow_part(struct str all, bool *is_whole_r)
{
	size_t len = str_find(all, '\n');

	*is_whole_r = len < all.len;
	if (*is_whole_r)
		return len + 1;
	return len > IMAP_PROMISE_MOST ? len - IMAP_PROMISE_MOST : 0;
}

void
imap_follow_hand(struct buf *in, size_t n, struct buf *other)
{
	buf_add_str(other, str_make(buf_str(in).ptr, n));
	buf_consume(in, n);
}

bool
imap_follow_move(struct imap_follow *follow, enum side from, struct buf *in, struct buf *other)
{
	uint64_t unseen = follow->follow.unseen[from];
	size_t n = buf_len(in) < unseen ? buf_len(in) : (size_t)unseen;

	imap_follow_hand(in, n, other);
	follow->follow.unseen[from] -= n;
	return n > 0;
}

/* ---- the end */

bool
imap_follow_may_speak(const struct imap_follow *follow)
{
	return follow->backend == BACKEND_START && follow->follow.unseen[SIDE_BACKEND] == 0;
}

static void
say_bye(enum bye why, struct buf *to_client)
{
	buf_add_str(to_client, words_bye(DIALECT_IMAP, why));
	buf_add_text(to_client, "\r\n");
}

void
imap_follow_lose(struct imap_follow *follow, struct buf *to_client)
{
	if (imap_follow_may_speak(follow))
		say_bye(BYE_PROTOCOL, to_client);
	follow->follow.phase = FOLLOW_OVER;
}

/* Nothing runs but IDLE, and nothing is half said by either side. */
static bool
is_boundary(const struct imap_follow *follow)
{
	if (!imap_follow_may_speak(follow) || follow->follow.unseen[SIDE_CLIENT] > 0)
		return false;
	switch ((enum client_place)follow->client) {
	case CLIENT_START:
	case CLIENT_REFUSED:
		return imap_tags_is_empty(&follow->tags);
	case CLIENT_IDLE:
		return imap_tags_is_single(&follow->tags);
	case CLIENT_LINE:
	case CLIENT_ASKS:
	case CLIENT_IDLE_ASKS:
		break;
	}
	return false;
}

void
imap_follow_leave(struct imap_follow *follow, struct buf *to_client, struct buf *to_backend)
{
	if (follow->follow.phase != FOLLOW_ENDING || !is_boundary(follow))
		return;
	if (!follow->has_bye)
		say_bye((enum bye)follow->why, to_client);
	if (follow->client == CLIENT_IDLE)
		buf_add_text(to_backend, "DONE\r\n");
	buf_add_text(to_backend, "q LOGOUT\r\n"); /* nobody sees the answer */
	follow->follow.phase = FOLLOW_LEAVING;
}

/* ---- what the driver asks */

struct follow *
imap_follow_new(void)
{
	return &xnew(struct imap_follow)->follow;
}

void
imap_follow_free(struct follow *base)
{
	free(imap_follow_of(base));
}

bool
imap_follow_pass(struct follow *base, enum side from, struct buf *in, struct buf *other,
    struct buf *back)
{
	struct imap_follow *follow = imap_follow_of(base);
	bool passed;

	if (base->phase == FOLLOW_OVER)
		return false;
	if (from == SIDE_CLIENT) {
		passed = imap_follow_client(follow, in, other, back);
		imap_follow_leave(follow, back, other);
	} else {
		passed = imap_follow_backend(follow, in, other);
		imap_follow_leave(follow, other, back);
	}
	return passed;
}

void
imap_follow_end(struct follow *base, enum bye why, struct buf *to_client, struct buf *to_backend)
{
	struct imap_follow *follow = imap_follow_of(base);

	if (base->phase != FOLLOW_RUNNING)
		return;
	follow->why = (uint8_t)why;
	base->phase = FOLLOW_ENDING;
	imap_follow_leave(follow, to_client, to_backend);
}

bool
imap_follow_break_off(struct follow *base, enum bye why, struct buf *to_client)
{
	struct imap_follow *follow = imap_follow_of(base);
	bool is_announced = follow->has_logout || follow->has_bye;

	if (is_announced || base->phase == FOLLOW_LEAVING || base->phase == FOLLOW_OVER)
		return false;
	if (imap_follow_may_speak(follow))
		say_bye(why, to_client);
	return true;
}

bool
imap_follow_is_idle(const struct follow *base)
{
	return is_boundary((const struct imap_follow *)base);
}
