/*
 * pop3_follow.c - a POP3 session that passes                         (machine)
 */
#include "front/pop3_follow.h"

#include "base/mem.h"
#include "front/running.h"

#include <stdlib.h>

/* How a command is answered. */
enum kind {
	KIND_LINE, /* by one line */
	KIND_BODY, /* by one line and, if that is +OK, others up to a lone dot */
	KIND_CAPA, /* likewise; not all of them pass */
	KIND_QUIT, /* by one line, the last */
	KIND_OWN, /* by us, from here on */
	KIND_ODD = KIND_OWN,
	KIND_REFUSED,
	KIND_LATER,
	KIND_COUNT
};

enum place {
	PLACE_START, /* between answers */
	PLACE_BODY,
	PLACE_CAPA,
};

struct pop3_follow {
	struct follow follow; /* first: the driver's view */
	uint32_t searched; /* of the client's line that is held: no LF in there */
	uint8_t place; /* enum place, of the backend */
	bool is_line_start; /* PLACE_BODY: what comes next begins a line */
	bool has_quit; /* QUIT was passed on: nothing can follow it */
	bool was_left; /* and has been answered */
	bool has_more; /* of the client, perhaps: QUIT could be among it */
	struct running running;
};

/*
 * Known commands that are answered by more than a line, if at all, and those that pass
 * never: what belongs before the login; XTND, by which a client could send a message; and
 * whatever would hide where an answer ends. Others are answered by one line: RFC 2449,
 * section 4.
 */
static const struct command {
	const char *word;
	enum kind kind, bare; /* bare: without an argument */
} commands[] = {
    {"APOP", KIND_REFUSED, KIND_REFUSED},
    {"AUTH", KIND_REFUSED, KIND_REFUSED},
    {"CAPA", KIND_ODD, KIND_CAPA},
    {"COMPRESS", KIND_REFUSED, KIND_REFUSED},
    {"LANG", KIND_LINE, KIND_BODY}, /* RFC 6856, section 3 */
    {"LIST", KIND_LINE, KIND_BODY},
    {"PASS", KIND_REFUSED, KIND_REFUSED},
    {"QUIT", KIND_ODD, KIND_QUIT},
    {"RETR", KIND_BODY, KIND_LINE},
    {"STLS", KIND_REFUSED, KIND_REFUSED},
    {"TOP", KIND_BODY, KIND_LINE},
    {"UIDL", KIND_LINE, KIND_BODY},
    {"USER", KIND_REFUSED, KIND_REFUSED},
    {"XCLIENT", KIND_REFUSED, KIND_REFUSED},
    {"XTND", KIND_REFUSED, KIND_REFUSED},
};

/* Capabilities that are taken out of the backend's answer to CAPA. */
static const char *const hidden_words[] = {"COMPRESS", "STLS", "XCLIENT"};

static struct pop3_follow *
pop3_follow_of(struct follow *follow)
{
	return (struct pop3_follow *)follow;
}

static struct str
answer_of(enum kind kind)
{
	static const struct str answers[] = {
	    [KIND_ODD] = {"-ERR This is no command", 23},
	    [KIND_REFUSED] = {"-ERR Not here", 13},
	};

	return kind == KIND_LATER ? words_refusal(DIALECT_POP3, REFUSAL_LATER) : answers[kind];
}

/* ---- the order of answers */

static void
say(enum kind kind, struct buf *to_client)
{
	buf_add_str(to_client, answer_of(kind));
	buf_add_text(to_client, "\r\n");
}

/* Ours, as far as all before them have been answered. */
static void
say_own(struct pop3_follow *follow, struct buf *to_client)
{
	struct running *running = &follow->running;

	while (!running_is_empty(running) && running_first(running) >= KIND_OWN) {
		say((enum kind)running_first(running), to_client);
		running_remove(running);
	}
}

/* A QUIT that was refused by a server that goes on has changed nothing. */
static void
was_answered(struct pop3_follow *follow, bool is_ok, struct buf *to_client)
{
	if (running_first(&follow->running) == KIND_QUIT) {
		follow->was_left = is_ok;
		follow->has_quit = is_ok;
	}
	follow->place = PLACE_START;
	running_remove(&follow->running);
	say_own(follow, to_client);
}

/* ---- the end */

static void
lose(struct pop3_follow *follow)
{
	follow->follow.phase = FOLLOW_OVER;
}

static bool
is_boundary(const struct pop3_follow *follow)
{
	return running_is_empty(&follow->running) && follow->place == PLACE_START;
}

/* Without a word for the client, which would take it for the answer to its next command. */
static void
leave(struct pop3_follow *follow, struct buf *to_backend)
{
	if (follow->follow.phase != FOLLOW_ENDING || !is_boundary(follow) || follow->has_more)
		return;
	if (!follow->was_left)
		buf_add_text(to_backend, "RSET\r\nQUIT\r\n");
	follow->follow.phase = FOLLOW_LEAVING;
}

/* ---- what the client says */

static bool
has_control_characters(struct str line)
{
	for (size_t i = 0; i < line.len; i++) {
		if ((unsigned char)line.ptr[i] < 0x20 || line.ptr[i] == 0x7f)
			return true;
	}
	return false;
}

static enum kind
kind_of(const struct pop3_follow *follow, struct str line)
{
	struct str word = str_make(line.ptr, str_find(line, ' '));
	bool is_bare = word.len == line.len;
	enum kind kind = KIND_LINE;

	if (word.len == 0 || has_control_characters(line))
		return KIND_ODD; /* servers could see another command in it than we do */
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (str_is_nocase(word, commands[i].word))
			kind = is_bare ? commands[i].bare : commands[i].kind;
	}
	if (follow->follow.phase == FOLLOW_ENDING && kind != KIND_QUIT)
		return KIND_LATER;
	return kind;
}

/* A line without its end, and without spaces there: "LIST " could be read in two ways. */
static struct str
trimmed(struct str line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	while (line.len > 0 && line.ptr[line.len - 1] == ' ')
		line.len--;
	return line;
}

static bool
pass_client(struct pop3_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client)
{
	struct str all = buf_str(in), line;
	size_t end = follow->searched + str_find(str_from(all, follow->searched), '\n');
	enum kind kind;

	follow->has_more = !follow->has_quit;
	if (running_is_full(&follow->running) || follow->has_quit)
		return false;
	if (end > FOLLOW_HELD_MOST) {
		lose(follow);
		return false;
	}
	follow->searched = end == all.len ? (uint32_t)end : 0;
	follow->has_more = end < all.len;
	if (!follow->has_more)
		return false;
	line = trimmed(str_make(all.ptr, end));
	kind = kind_of(follow, line);
	running_add(&follow->running, (uint8_t)kind);
	if (kind < KIND_OWN) {
		buf_add_str(to_backend, line);
		buf_add_text(to_backend, "\r\n");
	}
	follow->has_quit = kind == KIND_QUIT;
	buf_consume(in, end + 1);
	say_own(follow, to_client);
	return true;
}

/* ---- what the backend says */

static void
hand(struct buf *in, size_t n, struct buf *other)
{
	buf_add_str(other, str_make(buf_str(in).ptr, n));
	buf_consume(in, n);
}

/* One line with its end; 0: it is not whole, or the session was lost for its length. */
static size_t
whole_line(struct pop3_follow *follow, struct str all)
{
	size_t end = str_find(all, '\n');

	if (end > FOLLOW_HELD_MOST)
		lose(follow);
	return end < all.len && end <= FOLLOW_HELD_MOST ? end + 1 : 0;
}

/* The beginning of an answer, or what nobody asked for, which is passed as it is. */
static bool
pass_answer(struct pop3_follow *follow, struct buf *in, struct buf *to_client)
{
	struct str all = buf_str(in);
	size_t len = whole_line(follow, all);
	bool is_ok = str_starts(all, "+OK"), is_asked;

	if (len == 0)
		return false;
	is_asked = !running_is_empty(&follow->running) && (is_ok || str_starts(all, "-ERR"));
	hand(in, len, to_client);
	if (!is_asked)
		return true;
	if (is_ok && running_first(&follow->running) == KIND_BODY) {
		follow->place = PLACE_BODY;
		follow->is_line_start = true;
	} else if (is_ok && running_first(&follow->running) == KIND_CAPA) {
		follow->place = PLACE_CAPA;
	} else {
		was_answered(follow, is_ok, to_client);
	}
	return true;
}

/*
 * How much of a body there is to be handed on; a dot that begins a line is held until it
 * is known whether it is the last. Dots are rarer than line ends, most of all in base64.
 */
static size_t
body_len(struct str body, bool is_line_start, bool *is_whole_r)
{
	size_t end;

	*is_whole_r = false;
	for (size_t at = 0; at < body.len; at++) {
		at += str_find(str_from(body, at), '.');
		if (at == body.len)
			break;
		if (at == 0 ? !is_line_start : body.ptr[at - 1] != '\n')
			continue;
		end = at + 1;
		if (end < body.len && body.ptr[end] == '\r')
			end++;
		if (end == body.len)
			return at;
		if (body.ptr[end] == '\n') {
			*is_whole_r = true;
			return end + 1;
		}
	}
	return body.len;
}

static bool
pass_body(struct pop3_follow *follow, struct buf *in, struct buf *to_client)
{
	struct str all = buf_str(in);
	bool is_whole;
	size_t len = body_len(all, follow->is_line_start, &is_whole);

	if (len == 0)
		return false;
	follow->is_line_start = all.ptr[len - 1] == '\n';
	hand(in, len, to_client);
	if (is_whole)
		was_answered(follow, true, to_client);
	return true;
}

static bool
is_hidden(struct str line)
{
	struct str word = str_make(line.ptr, str_find(line, ' '));

	for (size_t i = 0; i < ARRAY_LEN(hidden_words); i++) {
		if (str_is_nocase(word, hidden_words[i]))
			return true;
	}
	return false;
}

static bool
pass_capability(struct pop3_follow *follow, struct buf *in, struct buf *to_client)
{
	struct str all = buf_str(in), line;
	size_t len = whole_line(follow, all);

	if (len == 0)
		return false;
	line = trimmed(str_make(all.ptr, len - 1));
	if (is_hidden(line)) {
		buf_consume(in, len);
		return true;
	}
	if (str_is(line, ".")) {
		hand(in, len, to_client);
		was_answered(follow, true, to_client);
		return true;
	}
	hand(in, len, to_client);
	return true;
}

static bool
pass_backend(struct pop3_follow *follow, struct buf *in, struct buf *to_client)
{
	if (follow->follow.phase == FOLLOW_LEAVING) {
		buf_consume(in, buf_len(in)); /* answers to what we said */
		return true;
	}
	switch ((enum place)follow->place) {
	case PLACE_START:
		return pass_answer(follow, in, to_client);
	case PLACE_BODY:
		return pass_body(follow, in, to_client);
	case PLACE_CAPA:
		return pass_capability(follow, in, to_client);
	}
	return false;
}

/* ---- what the driver asks */

struct follow *
pop3_follow_new(void)
{
	return &xnew(struct pop3_follow)->follow;
}

void
pop3_follow_free(struct follow *base)
{
	free(pop3_follow_of(base));
}

bool
pop3_follow_pass(struct follow *base, enum side from, struct buf *in, struct buf *other,
    struct buf *back)
{
	struct pop3_follow *follow = pop3_follow_of(base);
	bool passed;

	if (base->phase == FOLLOW_OVER || (from == SIDE_BACKEND && buf_len(in) == 0))
		return false;
	if (from == SIDE_BACKEND) {
		passed = pass_backend(follow, in, other);
		leave(follow, back);
		return passed;
	}
	if (base->phase == FOLLOW_LEAVING)
		return false;
	passed = pass_client(follow, in, other, back);
	leave(follow, other);
	return passed;
}

void
pop3_follow_end(struct follow *base, enum bye why, struct buf *to_client, struct buf *to_backend)
{
	if (base->phase != FOLLOW_RUNNING)
		return;
	base->phase = FOLLOW_ENDING;
	leave(pop3_follow_of(base), to_backend);
}

/*
 * Whoever waits for an answer gets one. Nobody who has said QUIT: whether the messages
 * are deleted the backend alone knows.
 */
bool
pop3_follow_break_off(struct follow *base, enum bye why, struct buf *to_client)
{
	struct pop3_follow *follow = pop3_follow_of(base);

	(void)why; /* there is one answer for all of it */
	if (follow->has_quit || base->phase == FOLLOW_LEAVING || base->phase == FOLLOW_OVER)
		return false;
	while (follow->place == PLACE_START && !running_is_empty(&follow->running)) {
		say(KIND_LATER, to_client);
		running_remove(&follow->running);
		say_own(follow, to_client);
	}
	return true;
}

bool
pop3_follow_is_idle(const struct follow *base)
{
	return is_boundary((const struct pop3_follow *)base);
}
