/*
 * smtp_follow_backend.c - what a backend replies, logged in          (machine)
 */
#include "base/mem.h"
#include "front/smtp_follow_inside.h"
#include "front/smtp_lex.h"

static struct str
without_cr(struct str line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool
is_good(unsigned code)
{
	return code / 100 == 2;
}

/* ---- what a reply means */

static enum asked
take_oldest(struct smtp_follow *follow)
{
	enum asked what = smtp_follow_oldest(follow);

	follow->first = (uint8_t)((follow->first + 1) % ASKED_MOST);
	follow->count--;
	return what;
}

static void
close_transaction(struct smtp_follow *follow)
{
	follow->is_open = false;
	follow->has_content = false;
}

static void
begin_content(struct smtp_follow *follow)
{
	follow->client = CLIENT_CONTENT;
	follow->before = SMTP_BEFORE_LINE;
	follow->has_content = true;
}

/* The client may go on: what it waited for is here. */
static void
go_on(struct smtp_follow *follow)
{
	if (follow->client == CLIENT_WAITS && follow->count == 0)
		follow->client = CLIENT_COMMANDS;
}

static void
was_answered(struct smtp_follow *follow, unsigned code)
{
	enum asked what = take_oldest(follow);

	go_on(follow);
	switch (what) {
	case ASKED_OTHER:
		return;
	case ASKED_MAIL:
		follow->is_open |= is_good(code);
		return;
	case ASKED_RESET:
	case ASKED_HELLO:
		if (is_good(code))
			close_transaction(follow);
		return;
	case ASKED_DATA:
		if (code == 354)
			begin_content(follow);
		return;
	case ASKED_CONTENT:
		follow->is_doubtful = false;
		close_transaction(follow);
		return;
	case ASKED_CHUNK:
		if (!is_good(code)) /* nothing can become of it: RFC 3030, section 2 */
			follow->has_content = false;
		return;
	case ASKED_LAST_CHUNK:
		close_transaction(follow);
		return;
	case ASKED_QUIT:
		if (is_good(code)) {
			follow->has_bye = true;
			follow->client = CLIENT_WAITS;
		}
		return;
	}
}

/* The last line of a reply has passed. 421: it closes, whatever was asked (RFC 5321, 3.8). */
static void
take_reply(struct smtp_follow *follow, unsigned code)
{
	follow->has_bye = code == 421;
	if (follow->count > 0)
		was_answered(follow, code);
	else if (code != 421)
		follow->follow.phase = FOLLOW_OVER; /* in the middle of content */
}

/* ---- the reply to EHLO */

enum whole { WHOLE_WAIT, WHOLE_HERE, WHOLE_ODD };

/* All lines of the reply that "all" begins with: their length, and what the last one is. */
static enum whole
whole_reply(struct str all, size_t *len_r, struct smtp_line *last_r)
{
	size_t at = 0, len;

	do {
		struct str rest = str_from(all, at);

		len = str_find(rest, '\n');
		if (len == rest.len)
			return at + len > FOLLOW_HELD_MOST ? WHOLE_ODD : WHOLE_WAIT;
		if (!smtp_line(without_cr(str_make(rest.ptr, len)), last_r))
			return WHOLE_ODD;
		at += len + 1;
	} while (!last_r->is_last);
	*len_r = at;
	return at > FOLLOW_HELD_MOST ? WHOLE_ODD : WHOLE_HERE;
}

static void
add_announced(struct smtp_follow *follow, struct str reply, struct buf *lines)
{
	bool is_name = true;

	while (reply.len > 0) {
		size_t len = str_find(reply, '\n');
		struct str word, rest;
		struct smtp_line line;

		must(smtp_line(without_cr(str_make(reply.ptr, len)), &line)); /* it was one */
		reply = str_from(reply, len + 1);
		word = smtp_word(line.text, &rest);
		if (!is_name && !smtp_may_announce(word))
			continue;
		follow->has_chunking |= !is_name && str_is_nocase(word, "CHUNKING");
		is_name = false;
		buf_add_str(lines, line.text);
		buf_add_byte(lines, '\n');
	}
}

/* It passes whole, and without what would not. */
static bool
pass_hello(struct smtp_follow *follow, struct buf *in, struct buf *to_client)
{
	struct buf lines = BUF_INIT;
	struct smtp_line last;
	size_t len = 0;

	switch (whole_reply(buf_str(in), &len, &last)) {
	case WHOLE_WAIT:
		return false;
	case WHOLE_ODD:
		smtp_follow_lose(follow, to_client);
		return false;
	case WHOLE_HERE:
		break;
	}
	follow->has_chunking = false;
	if (last.code == 250) {
		add_announced(follow, str_make(buf_str(in).ptr, len), &lines);
		smtp_say_lines(last.code, buf_str(&lines), to_client);
		buf_fini(&lines);
		buf_consume(in, len);
	} else {
		smtp_follow_hand(in, len, to_client);
	}
	take_reply(follow, last.code);
	return true;
}

/* ---- reading */

/* Was this reply asked for? While content passes it may only be the last one. */
static bool
is_expected(const struct smtp_follow *follow, unsigned code)
{
	return follow->count > 0 || follow->client == CLIENT_CONTENT || code == 421;
}

static bool
pass_line(struct smtp_follow *follow, struct buf *in, struct buf *to_client)
{
	struct str raw = buf_str(in);
	struct smtp_line line;

	raw.len = str_find(raw, '\n');
	if (raw.len == buf_len(in) && raw.len <= FOLLOW_HELD_MOST)
		return false;
	if (raw.len > FOLLOW_HELD_MOST || !smtp_line(without_cr(raw), &line) ||
	    !is_expected(follow, line.code)) {
		smtp_follow_lose(follow, to_client);
		return false;
	}
	smtp_follow_hand(in, raw.len + 1, to_client);
	follow->is_inside = !line.is_last;
	if (line.is_last)
		take_reply(follow, line.code);
	return true;
}

bool
smtp_follow_backend(struct smtp_follow *follow, struct buf *in, struct buf *to_client)
{
	if (buf_len(in) == 0)
		return false;
	if (follow->follow.phase == FOLLOW_LEAVING) {
		buf_consume(in, buf_len(in)); /* the client has had its last words */
		return true;
	}
	if (follow->count > 0 && smtp_follow_oldest(follow) == ASKED_HELLO)
		return pass_hello(follow, in, to_client);
	return pass_line(follow, in, to_client);
}
