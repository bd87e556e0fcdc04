/*
 * imap_follow_backend.c - what an IMAP backend says, logged in       (machine)
 *
 * Lines are looked at where they lie and handed on together: for a run of lines
 * that pass as they are there is one copy, whatever their number.
 */
#include "base/mem.h"
#include "front/imap_caps.h"
#include "front/imap_follow_inside.h"

enum { LOOK_BYTES = 24 }; /* "PREAUTH [CAPABILITY " fits */

/* What a line is, as soon as it can be told. */
enum kind {
	KIND_UNKNOWN, /* more of it is needed */
	KIND_DATA,
	KIND_STATUS,
	KIND_CONTINUE,
	KIND_ANSWER, /* tagged */
	KIND_ODD, /* no line of IMAP */
};

static struct str
first_word(struct str text)
{
	size_t len = 0;

	while (len < text.len && len < LOOK_BYTES && text.ptr[len] > ' ')
		len++;
	return str_make(text.ptr, len);
}

static bool
is_status(struct str text)
{
	static const char *const words[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
	struct str word = first_word(text);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_is_nocase(word, words[i]))
			return true;
	}
	return false;
}

/* Behind "* " or the tag: enough to see whether there is a capability list. */
static bool
has_look(struct str text)
{
	return text.len >= LOOK_BYTES || str_find(text, '\n') < text.len;
}

static enum kind
look_untagged(struct str line, struct str *text_r)
{
	if (line.len < 3)
		return str_find(line, '\n') < line.len ? KIND_ODD : KIND_UNKNOWN;
	if (line.ptr[1] != ' ')
		return KIND_ODD;
	*text_r = str_from(line, 2);
	if (text_r->ptr[0] >= '0' && text_r->ptr[0] <= '9')
		return KIND_DATA;
	if (!has_look(*text_r))
		return KIND_UNKNOWN;
	return is_status(*text_r) ? KIND_STATUS : KIND_DATA;
}

/* *text_r is what stands behind "* " or the tag, and goes on behind the line. */
static enum kind
look(struct str line, struct str *text_r)
{
	struct str tag =
	    str_make(line.ptr, line.len < IMAP_TAG_MOST + 1 ? line.len : IMAP_TAG_MOST + 1);

	if (line.ptr[0] == '*')
		return look_untagged(line, text_r);
	*text_r = STR("");
	if (line.ptr[0] == '+')
		return KIND_CONTINUE;
	tag.len = str_find(tag, ' ');
	if (tag.len > IMAP_TAG_MOST)
		return KIND_ODD;
	if (tag.len == line.len)
		return str_find(line, '\n') < line.len ? KIND_ODD : KIND_UNKNOWN;
	*text_r = str_from(line, tag.len + 1);
	return has_look(*text_r) ? KIND_ANSWER : KIND_UNKNOWN;
}

/* ---- one step of the run; each returns whether the run goes on */

struct run {
	struct imap_follow *follow;
	struct buf *in, *to_client;
	size_t at; /* so many bytes of "in" are to be handed on as they are */
	bool has_passed; /* something was taken already */
};

static void
hand_on(struct run *run)
{
	run->has_passed |= run->at > 0;
	imap_follow_hand(run->in, run->at, run->to_client);
	run->at = 0;
}

static bool
lose(struct run *run)
{
	hand_on(run);
	imap_follow_lose(run->follow, run->to_client);
	return false;
}

/* A line with a list: it is held until it is whole, and goes out filtered. */
static bool
pass_list(struct run *run, struct str line, struct str text)
{
	size_t len = str_find(line, '\n');
	struct str end;

	if (len > FOLLOW_HELD_MOST)
		return lose(run);
	if (len == line.len)
		return false;
	hand_on(run); /* "line" stays where it is: nothing is added to "in" */
	text.len = imap_follow_without_end(str_make(line.ptr, len + 1)).len -
		   (size_t)(text.ptr - line.ptr);
	end = str_make(text.ptr + text.len, (size_t)(line.ptr + len + 1 - text.ptr) - text.len);
	buf_add(run->to_client, line.ptr, (size_t)(text.ptr - line.ptr));
	imap_caps_pass(text, run->to_client);
	buf_add_str(run->to_client, end);
	buf_consume(run->in, len + 1);
	run->has_passed = true;
	run->follow->backend = BACKEND_START;
	return run->follow->follow.phase == FOLLOW_RUNNING;
}

/* False: nobody asked with this tag. */
static bool
note_answer(struct imap_follow *follow, struct str line, struct str text)
{
	struct str tag = str_make(line.ptr, (size_t)(text.ptr - line.ptr) - 1);
	bool was_last;

	if (!imap_tags_remove(&follow->tags, tag, &was_last))
		return false;
	if (was_last)
		imap_follow_was_answered(follow);
	return true;
}

static bool
begin_line(struct run *run)
{
	struct imap_follow *follow = run->follow;
	struct str line = str_from(buf_str(run->in), run->at), text = STR("");
	enum kind kind = look(line, &text);
	struct str list;
	bool has_list = (kind == KIND_STATUS || kind == KIND_DATA || kind == KIND_ANSWER) &&
			imap_caps_find(text, &list);

	if (has_list && str_find(line, '\n') == line.len)
		return pass_list(run, line, text); /* its tag is looked at once */
	switch (kind) {
	case KIND_UNKNOWN:
		return false;
	case KIND_ODD:
		return lose(run);
	case KIND_DATA:
		follow->backend = BACKEND_DATA;
		break;
	case KIND_ANSWER:
		if (!note_answer(follow, line, text))
			return lose(run);
		follow->backend = BACKEND_TEXT;
		break;
	case KIND_CONTINUE:
		imap_follow_may_go_on(follow);
		follow->backend = BACKEND_TEXT;
		break;
	case KIND_STATUS:
		follow->has_bye |= str_is_nocase(first_word(text), "BYE");
		follow->backend = BACKEND_TEXT;
		break;
	}
	return has_list ? pass_list(run, line, text) : true;
}

static bool
pass_data(struct run *run)
{
	struct imap_follow *follow = run->follow;
	struct str rest = str_from(buf_str(run->in), run->at);
	struct lex_literal literal;
	bool is_whole;
	size_t n = imap_follow_part(rest, &is_whole), here;

	run->at += n;
	if (!is_whole)
		return false;
	follow->backend = BACKEND_START;
	switch (imap_promise(imap_follow_without_end(str_make(rest.ptr, n)), &literal)) {
	case LEX_NO_LITERAL:
		return follow->follow.phase == FOLLOW_RUNNING;
	case LEX_LITERAL_HUGE:
		follow->backend = BACKEND_DATA; /* nothing can be said any more */
		return lose(run);
	case LEX_LITERAL:
		break;
	}
	if (!literal.waits) /* only clients have those */
		return follow->follow.phase == FOLLOW_RUNNING;
	follow->backend = BACKEND_DATA;
	here = rest.len - n < literal.size ? rest.len - n : (size_t)literal.size;
	run->at += here;
	follow->follow.unseen[SIDE_BACKEND] = literal.size - here;
	return literal.size == here;
}

static bool
pass_text(struct run *run)
{
	struct str rest = str_from(buf_str(run->in), run->at);
	size_t len = str_find(rest, '\n');

	if (len == rest.len) {
		run->at += len;
		return false;
	}
	run->at += len + 1;
	run->follow->backend = BACKEND_START;
	return run->follow->follow.phase == FOLLOW_RUNNING; /* an end wants to be seen */
}

static bool
run_on(struct run *run)
{
	if (run->at == buf_len(run->in))
		return false;
	switch ((enum backend_place)run->follow->backend) {
	case BACKEND_START:
		return begin_line(run);
	case BACKEND_DATA:
		return pass_data(run);
	case BACKEND_TEXT:
		return pass_text(run);
	}
	return false;
}

bool
imap_follow_backend(struct imap_follow *follow, struct buf *in, struct buf *to_client)
{
	struct run run = {.follow = follow, .in = in, .to_client = to_client};

	if (buf_len(in) == 0)
		return false;
	if (follow->follow.phase == FOLLOW_LEAVING) {
		buf_consume(in, buf_len(in)); /* the client has had its last words */
		return true;
	}
	if (follow->follow.unseen[SIDE_BACKEND] > 0)
		return imap_follow_move(follow, SIDE_BACKEND, in, to_client);
	while (run_on(&run))
		;
	hand_on(&run);
	return run.has_passed;
}
