/*
 * sieve_follow.c - a ManageSieve session that passes                 (machine)
 */
#include "front/sieve_follow.h"

#include "base/mem.h"
#include "front/sieve_follow_inside.h"

#include <stdlib.h>

static struct sieve_follow *
sieve_follow_of(struct follow *follow)
{
	return (struct sieve_follow *)follow;
}

/* ---- what passes, and what does not */

bool
sieve_follow_is_refused(struct str word)
{
	static const char *const refused_words[] = {
	    "AUTHENTICATE", "COMPRESS", "STARTTLS", "UNAUTHENTICATE", "XCLIENT"};

	for (size_t i = 0; i < ARRAY_LEN(refused_words); i++) {
		if (str_is_nocase(word, refused_words[i]))
			return true;
	}
	return false;
}

void
sieve_follow_hand(struct buf *in, size_t n, struct buf *other)
{
	buf_add_str(other, str_make(buf_str(in).ptr, n));
	buf_consume(in, n);
}

bool
sieve_follow_move(struct sieve_follow *follow, enum side from, struct buf *in, struct buf *other)
{
	uint64_t unseen = follow->follow.unseen[from];
	size_t n = buf_len(in) < unseen ? buf_len(in) : (size_t)unseen;

	sieve_follow_hand(in, n, other);
	follow->follow.unseen[from] -= n;
	return n > 0;
}

struct str
sieve_follow_without_end(struct str line)
{
	line.len--;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* ---- the order of answers */

bool
sieve_follow_may_speak(const struct sieve_follow *follow)
{
	return follow->backend == BACKEND_START && follow->follow.unseen[SIDE_BACKEND] == 0;
}

void
sieve_follow_say_own(struct sieve_follow *follow, struct buf *to_client)
{
	static const char *const answers[KIND_COUNT] = {
	    [KIND_ODD] = "NO \"This is no command\"\r\n",
	    [KIND_REFUSED] = "NO \"Not here\"\r\n",
	};
	struct running *running = &follow->running;

	while (sieve_follow_may_speak(follow) && !running_is_empty(running) &&
	       running_first(running) >= KIND_OWN) {
		buf_add_text(to_client, answers[running_first(running)]);
		running_remove(running);
	}
}

/* ---- the end */

static void
say_bye(enum bye why, struct buf *to_client)
{
	buf_add_str(to_client, words_bye(DIALECT_SIEVE, why));
	buf_add_text(to_client, "\r\n");
}

void
sieve_follow_lose(struct sieve_follow *follow, struct buf *to_client)
{
	if (sieve_follow_may_speak(follow))
		say_bye(BYE_PROTOCOL, to_client);
	follow->follow.phase = FOLLOW_OVER;
}

static bool
is_boundary(const struct sieve_follow *follow)
{
	return running_is_empty(&follow->running) && sieve_follow_may_speak(follow) &&
	       follow->client != CLIENT_REST && follow->follow.unseen[SIDE_CLIENT] == 0;
}

static void
leave(struct sieve_follow *follow, struct buf *to_client, struct buf *to_backend)
{
	if (follow->follow.phase != FOLLOW_ENDING || !is_boundary(follow))
		return;
	if (!follow->was_left) {
		say_bye((enum bye)follow->why, to_client);
		buf_add_text(to_backend, "LOGOUT\r\n"); /* nobody sees the answer */
	}
	follow->follow.phase = FOLLOW_LEAVING;
}

/* ---- what the driver asks */

struct follow *
sieve_follow_new(void)
{
	return &xnew(struct sieve_follow)->follow;
}

void
sieve_follow_free(struct follow *base)
{
	free(sieve_follow_of(base));
}

bool
sieve_follow_pass(struct follow *base, enum side from, struct buf *in, struct buf *other,
    struct buf *back)
{
	struct sieve_follow *follow = sieve_follow_of(base);
	bool passed;

	if (base->phase == FOLLOW_OVER || buf_len(in) == 0)
		return false;
	if (from == SIDE_BACKEND) {
		passed = sieve_follow_backend(follow, in, other);
		leave(follow, other, back);
		return passed;
	}
	if (base->phase == FOLLOW_LEAVING)
		return false;
	passed = sieve_follow_client(follow, in, other, back);
	leave(follow, back, other);
	return passed;
}

void
sieve_follow_end(struct follow *base, enum bye why, struct buf *to_client, struct buf *to_backend)
{
	struct sieve_follow *follow = sieve_follow_of(base);

	if (base->phase != FOLLOW_RUNNING)
		return;
	follow->why = (uint8_t)why;
	base->phase = FOLLOW_ENDING;
	leave(follow, to_client, to_backend);
}

bool
sieve_follow_break_off(struct follow *base, enum bye why, struct buf *to_client)
{
	struct sieve_follow *follow = sieve_follow_of(base);
	bool is_announced = follow->has_logout || follow->was_left;

	if (is_announced || base->phase == FOLLOW_LEAVING || base->phase == FOLLOW_OVER)
		return false;
	if (sieve_follow_may_speak(follow))
		say_bye(why, to_client);
	return true;
}

bool
sieve_follow_is_idle(const struct follow *base)
{
	return is_boundary((const struct sieve_follow *)base);
}
