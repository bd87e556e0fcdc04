/*
 * sieve_follow_client.c - what a ManageSieve client says, logged in  (machine)
 */
#include "front/sieve_follow_inside.h"

static enum kind
kind_of(struct str line, enum sieve_form form)
{
	struct str rest = line, word;

	if (form == SIEVE_FORM_ODD || !sieve_word(&rest, &word))
		return KIND_ODD;
	if (sieve_follow_is_refused(word))
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
    const struct lex_literal *literal, struct buf *to_backend)
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
drop(struct sieve_follow *follow, enum sieve_form form, const struct lex_literal *literal)
{
	follow->client = form == SIEVE_FORM_LITERAL ? CLIENT_DROP : CLIENT_START;
	follow->dropped = form == SIEVE_FORM_LITERAL ? literal->size : 0;
}

static void
begin_command(struct sieve_follow *follow, struct str line, struct buf *to_backend,
    struct buf *to_client)
{
	struct lex_literal literal;
	enum sieve_form form = sieve_form(line, &literal);
	enum kind kind = kind_of(line, form);

	if (form == SIEVE_FORM_LOST) {
		sieve_follow_lose(follow, to_client);
		return;
	}
	running_add(&follow->running, (uint8_t)kind);
	if (kind < KIND_OWN)
		forward(follow, line, form, &literal, to_backend);
	else
		drop(follow, form, &literal);
	follow->has_logout = kind == KIND_LOGOUT;
	sieve_follow_say_own(follow, to_client);
}

/* What stands behind a literal: part of it has been said already, so it is this or nothing. */
static void
go_on(struct sieve_follow *follow, struct str line, struct buf *to_backend, struct buf *to_client)
{
	struct str rest = line;
	bool has_gap = sieve_space(&rest);
	struct lex_literal literal;
	enum sieve_form form = sieve_form(rest, &literal);
	bool is_odd = form == SIEVE_FORM_ODD || (rest.len > 0 && !has_gap);

	if (form == SIEVE_FORM_LOST || (is_odd && follow->client == CLIENT_REST)) {
		sieve_follow_lose(follow, to_client);
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

bool
sieve_follow_client(struct sieve_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client)
{
	struct str all = buf_str(in), line;
	size_t end, n;

	if (follow->follow.unseen[SIDE_CLIENT] > 0)
		return sieve_follow_move(follow, SIDE_CLIENT, in, to_backend);
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
		sieve_follow_lose(follow, to_client);
		return false;
	}
	if (end == all.len)
		return false;
	line = sieve_follow_without_end(str_make(all.ptr, end + 1));
	if (follow->client == CLIENT_START)
		begin_command(follow, line, to_backend, to_client);
	else
		go_on(follow, line, to_backend, to_client);
	buf_consume(in, end + 1);
	return true;
}
