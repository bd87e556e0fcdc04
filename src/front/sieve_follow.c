/*
 * sieve_follow.c - a ManageSieve session that passes                 (machine)
 */
#include "front/sieve_follow.h"

#include "base/mem.h"
#include "front/running.h"
#include "front/sieve_lex.h"

#include <stdlib.h>

/* How a command is answered. */
enum kind {
	KIND_COMMAND, /* by the backend: data, and a line with OK, NO or BYE */
	KIND_CAPABILITY, /* likewise; not all of it passes */
	KIND_LOGOUT, /* likewise; it is the last */
	KIND_OWN, /* by us, from here on */
	KIND_ODD = KIND_OWN,
	KIND_REFUSED,
	KIND_COUNT
};

enum client_place {
	CLIENT_START, /* between commands */
	CLIENT_REST, /* behind a literal, in a command that passes */
	CLIENT_DROP, /* in one that does not; it has its answer, or will have */
};

enum backend_place {
	BACKEND_START, /* between lines: something of ours may be said to the client */
	BACKEND_DATA, /* inside a line */
	BACKEND_ANSWER, /* inside one that ends an answer: OK, or BYE */
	BACKEND_REFUSAL, /* likewise: NO */
};

struct sieve_follow {
	struct follow follow; /* first: the driver's view */
	uint64_t dropped; /* CLIENT_DROP: so much of a literal is still to be dropped */
	uint32_t searched; /* of the client's line that is held: no LF in there */
	uint8_t client; /* enum client_place */
	uint8_t backend; /* enum backend_place */
	uint8_t why; /* enum bye */
	bool has_logout; /* LOGOUT was passed on: nothing can follow it */
	bool was_left; /* and has been answered, or the backend has said BYE */
	struct running running;
};

/* What would end the authenticated state, or hide where commands end, or belongs before it. */
static const char *const refused_words[] = {
    "AUTHENTICATE", "COMPRESS", "STARTTLS", "UNAUTHENTICATE", "XCLIENT"};

static struct sieve_follow *
sieve_follow_of(struct follow *follow)
{
	return (struct sieve_follow *)follow;
}

static bool
is_refused(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(refused_words); i++) {
		if (str_is_nocase(word, refused_words[i]))
			return true;
	}
	return false;
}

/* ---- the order of answers */

static bool
may_speak(const struct sieve_follow *follow)
{
	return follow->backend == BACKEND_START && follow->follow.unseen[SIDE_BACKEND] == 0;
}

/* Ours, as far as all before them have been answered. */
static void
say_own(struct sieve_follow *follow, struct buf *to_client)
{
	static const char *const answers[KIND_COUNT] = {
	    [KIND_ODD] = "NO \"This is no command\"\r\n",
	    [KIND_REFUSED] = "NO \"Not here\"\r\n",
	};
	struct running *running = &follow->running;

	while (may_speak(follow) && !running_is_empty(running) &&
	       running_first(running) >= KIND_OWN) {
		buf_add_text(to_client, answers[running_first(running)]);
		running_remove(running);
	}
}

static void
was_answered(struct sieve_follow *follow)
{
	if (running_is_empty(&follow->running))
		return; /* nobody had asked */
	if (running_first(&follow->running) == KIND_LOGOUT) {
		follow->has_logout = follow->backend == BACKEND_ANSWER;
		follow->was_left |= follow->has_logout;
	}
	running_remove(&follow->running);
}

/* ---- the end */

static void
say_bye(struct sieve_follow *follow, enum bye why, struct buf *to_client)
{
	buf_add_str(to_client, words_bye(DIALECT_SIEVE, why));
	buf_add_text(to_client, "\r\n");
}

/* Cannot be followed any more. Says so to the client where that can be said. */
static void
lose(struct sieve_follow *follow, struct buf *to_client)
{
	if (may_speak(follow))
		say_bye(follow, BYE_PROTOCOL, to_client);
	follow->follow.phase = FOLLOW_OVER;
}

static bool
is_boundary(const struct sieve_follow *follow)
{
	return running_is_empty(&follow->running) && may_speak(follow) &&
	       follow->client != CLIENT_REST && follow->follow.unseen[SIDE_CLIENT] == 0;
}

static void
leave(struct sieve_follow *follow, struct buf *to_client, struct buf *to_backend)
{
	if (follow->follow.phase != FOLLOW_ENDING || !is_boundary(follow))
		return;
	if (!follow->was_left) {
		say_bye(follow, (enum bye)follow->why, to_client);
		buf_add_text(to_backend, "LOGOUT\r\n"); /* nobody sees the answer */
	}
	follow->follow.phase = FOLLOW_LEAVING;
}

/* ---- what passes as it is */

static void
hand(struct buf *in, size_t n, struct buf *other)
{
	buf_add_str(other, str_make(buf_str(in).ptr, n));
	buf_consume(in, n);
}

/* Literals, where nobody else has moved them. */
static bool
move_unseen(struct sieve_follow *follow, enum side from, struct buf *in, struct buf *other)
{
	uint64_t unseen = follow->follow.unseen[from];
	size_t n = buf_len(in) < unseen ? buf_len(in) : (size_t)unseen;

	hand(in, n, other);
	follow->follow.unseen[from] -= n;
	return n > 0;
}

/* A line without its LF and one CR before it. */
static struct str
without_end(struct str line)
{
	line.len--;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* ---- what the client says */

static enum kind
kind_of(struct str line, enum sieve_form form)
{
	struct str rest = line, word;

	if (form == SIEVE_FORM_ODD || !sieve_word(&rest, &word))
		return KIND_ODD;
	if (is_refused(word))
		return KIND_REFUSED;
	sieve_space(&rest);
	if (str_is_nocase(word, "LOGOUT"))
		return rest.len > 0 ? KIND_ODD : KIND_LOGOUT;
	if (str_is_nocase(word, "CAPABILITY"))
		return KIND_CAPABILITY;
	return KIND_COMMAND;
}

/* Of a command that passes: with its literal in the form that is a client's. */
static void
forward(struct sieve_follow *follow, struct str line, enum sieve_form form,
    const struct sieve_literal *literal, struct buf *to_backend)
{
	if (form != SIEVE_FORM_LITERAL) {
		buf_add_str(to_backend, line);
		buf_add_text(to_backend, "\r\n");
		follow->client = CLIENT_START;
		return;
	}
	buf_add_str(to_backend, str_make(line.ptr, literal->at));
	buf_addf(to_backend, "{%zu+}\r\n", (size_t)literal->size);
	follow->follow.unseen[SIDE_CLIENT] = literal->size;
	follow->client = CLIENT_REST;
}

static void
drop(struct sieve_follow *follow, enum sieve_form form, const struct sieve_literal *literal)
{
	follow->client = form == SIEVE_FORM_LITERAL ? CLIENT_DROP : CLIENT_START;
	follow->dropped = form == SIEVE_FORM_LITERAL ? literal->size : 0;
}

static void
begin_command(struct sieve_follow *follow, struct str line, struct buf *to_backend,
    struct buf *to_client)
{
	struct sieve_literal literal;
	enum sieve_form form = sieve_form(line, &literal);
	enum kind kind = kind_of(line, form);

	if (form == SIEVE_FORM_LOST) {
		lose(follow, to_client);
		return;
	}
	running_add(&follow->running, (uint8_t)kind);
	if (kind < KIND_OWN)
		forward(follow, line, form, &literal, to_backend);
	else
		drop(follow, form, &literal);
	follow->has_logout = kind == KIND_LOGOUT;
	say_own(follow, to_client);
}

/* What stands behind a literal: part of it has been said already, so it is this or nothing. */
static void
go_on(struct sieve_follow *follow, struct str line, struct buf *to_backend, struct buf *to_client)
{
	struct str rest = line;
	bool has_gap = sieve_space(&rest);
	struct sieve_literal literal;
	enum sieve_form form = sieve_form(rest, &literal);
	bool is_odd = form == SIEVE_FORM_ODD || (rest.len > 0 && !has_gap);

	if (form == SIEVE_FORM_LOST || (is_odd && follow->client == CLIENT_REST)) {
		lose(follow, to_client);
		return;
	}
	if (follow->client == CLIENT_DROP) {
		drop(follow, form, &literal);
		return;
	}
	if (has_gap)
		buf_add_byte(to_backend, ' ');
	forward(follow, rest, form, &literal, to_backend);
}

static bool
may_begin(const struct sieve_follow *follow)
{
	return follow->follow.phase == FOLLOW_RUNNING && !running_is_full(&follow->running) &&
	       !follow->has_logout;
}

static bool
pass_client(struct sieve_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client)
{
	struct str all = buf_str(in), line;
	size_t end, n;

	if (follow->follow.unseen[SIDE_CLIENT] > 0)
		return move_unseen(follow, SIDE_CLIENT, in, to_backend);
	if (follow->dropped > 0) {
		n = all.len < follow->dropped ? all.len : (size_t)follow->dropped;
		follow->dropped -= n;
		buf_consume(in, n);
		return true;
	}
	if (follow->client == CLIENT_START && !may_begin(follow))
		return false;
	end = follow->searched + str_find(str_from(all, follow->searched), '\n');
	follow->searched = end == all.len ? (uint32_t)end : 0;
	if (end > FOLLOW_HELD_MOST) {
		lose(follow, to_client);
		return false;
	}
	if (end == all.len)
		return false;
	line = without_end(str_make(all.ptr, end + 1));
	if (follow->client == CLIENT_START)
		begin_command(follow, line, to_backend, to_client);
	else
		go_on(follow, line, to_backend, to_client);
	buf_consume(in, end + 1);
	return true;
}

/* ---- what the backend says */

static bool
is_hidden(struct str line)
{
	struct buf name = BUF_INIT;
	struct sieve_string string;
	bool is_hidden = false;

	if (sieve_string(&line, &string)) {
		sieve_string_add(&string, &name);
		is_hidden = is_refused(buf_str(&name));
	}
	buf_fini(&name);
	return is_hidden;
}

/* One line of capabilities with its literals: it is held until it is whole. */
static bool
pass_capability(struct sieve_follow *follow, struct buf *in, struct buf *to_client)
{
	struct sieve_scan scan;
	struct str line;
	size_t taken;

	sieve_scan_init(&scan, FOLLOW_HELD_MOST / 2, FOLLOW_HELD_MOST / 2);
	switch (sieve_scan(&scan, buf_str(in), &line, &taken)) {
	case SIEVE_SCAN_WAIT:
		return false;
	case SIEVE_SCAN_LOST:
		lose(follow, to_client);
		return false;
	case SIEVE_SCAN_WHOLE:
		break;
	}
	if (is_hidden(line))
		buf_consume(in, taken);
	else
		hand(in, taken, to_client);
	return true;
}

/*
 * What a line is; false: more of it is needed. Only strings and literals are data, but what
 * is no ManageSieve at all passes as such, too.
 */
static bool
look(struct str line, enum backend_place *place_r, bool *is_bye_r)
{
	struct str rest = line, word;

	*is_bye_r = false;
	*place_r = BACKEND_DATA;
	if (line.ptr[0] == '"' || line.ptr[0] == '{')
		return true;
	if (line.len < 4 && str_find(line, '\n') == line.len)
		return false;
	if (!sieve_word(&rest, &word) || (rest.len > 0 && memchr(" \r\n", rest.ptr[0], 3) == NULL))
		return true;
	*is_bye_r = str_is_nocase(word, "BYE");
	if (*is_bye_r || str_is_nocase(word, "OK"))
		*place_r = BACKEND_ANSWER;
	else if (str_is_nocase(word, "NO"))
		*place_r = BACKEND_REFUSAL;
	return true;
}

/* The line has ended, or a literal follows in it. */
static void
end_line(struct sieve_follow *follow, struct str line, struct buf *to_client)
{
	struct sieve_literal literal;

	switch (sieve_promise(line, &literal)) {
	case SIEVE_LITERAL_HUGE:
		follow->follow.phase = FOLLOW_OVER;
		return;
	case SIEVE_LITERAL:
		if (literal.is_loose)
			break;
		follow->follow.unseen[SIDE_BACKEND] = literal.size;
		return;
	case SIEVE_NO_LITERAL:
		break;
	}
	if (follow->backend != BACKEND_DATA)
		was_answered(follow);
	follow->backend = BACKEND_START;
	say_own(follow, to_client);
}

static bool
pass_line(struct sieve_follow *follow, struct buf *in, struct buf *to_client)
{
	struct str all = buf_str(in);
	size_t end = str_find(all, '\n');
	struct str line;

	if (end < all.len) {
		line = without_end(str_make(all.ptr, end + 1));
		hand(in, end + 1, to_client); /* "line" stays where it is */
		end_line(follow, line, to_client);
		return true;
	}
	if (end <= SIEVE_PROMISE_MOST)
		return false;
	hand(in, end - SIEVE_PROMISE_MOST, to_client);
	return true;
}

static bool
pass_backend(struct sieve_follow *follow, struct buf *in, struct buf *to_client)
{
	enum backend_place place;
	bool is_bye;

	if (follow->follow.phase == FOLLOW_LEAVING) {
		buf_consume(in, buf_len(in)); /* the client has had its last words */
		return true;
	}
	if (follow->follow.unseen[SIDE_BACKEND] > 0)
		return move_unseen(follow, SIDE_BACKEND, in, to_client);
	if (follow->backend != BACKEND_START)
		return pass_line(follow, in, to_client);
	if (!look(buf_str(in), &place, &is_bye))
		return false;
	if (place == BACKEND_DATA && !running_is_empty(&follow->running) &&
	    running_first(&follow->running) == KIND_CAPABILITY)
		return pass_capability(follow, in, to_client);
	follow->backend = (uint8_t)place;
	follow->was_left |= is_bye;
	return pass_line(follow, in, to_client);
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
		passed = pass_backend(follow, in, other);
		leave(follow, other, back);
		return passed;
	}
	if (base->phase == FOLLOW_LEAVING)
		return false;
	passed = pass_client(follow, in, other, back);
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
sieve_follow_is_idle(const struct follow *base)
{
	return is_boundary((const struct sieve_follow *)base);
}
