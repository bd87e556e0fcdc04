/*
 * sieve_follow_backend.c - what a ManageSieve backend says, logged in (machine)
 */
#include "front/sieve_follow_inside.h"

static void
was_answered(struct sieve_follow *follow)
{
	if (running_is_empty(&follow->running) || running_first(&follow->running) >= KIND_OWN)
		return; /* nobody had asked it */
	if (running_first(&follow->running) == KIND_LOGOUT) {
		follow->has_logout = follow->backend == BACKEND_ANSWER;
		follow->was_left |= follow->has_logout;
	}
	running_remove(&follow->running);
}

static bool
is_hidden(struct str line)
{
	struct buf name = BUF_INIT;
	struct lex_string string;
	bool is_hidden = false;

	if (lex_string(&line, &string)) {
		lex_string_add(&string, &name);
		is_hidden = sieve_follow_is_refused(buf_str(&name));
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
		sieve_follow_lose(follow, to_client);
		return false;
	case SIEVE_SCAN_WHOLE:
		break;
	}
	if (is_hidden(line))
		buf_consume(in, taken);
	else
		sieve_follow_hand(in, taken, to_client);
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
	struct lex_literal literal;

	switch (sieve_promise(line, &literal)) {
	case LEX_LITERAL_HUGE:
		follow->follow.phase = FOLLOW_OVER;
		return;
	case LEX_LITERAL:
		if (literal.is_loose)
			break;
		follow->follow.unseen[SIDE_BACKEND] = literal.size;
		return;
	case LEX_NO_LITERAL:
		break;
	}
	if (follow->backend != BACKEND_DATA)
		was_answered(follow);
	follow->backend = BACKEND_START;
	sieve_follow_say_own(follow, to_client);
}

static bool
pass_line(struct sieve_follow *follow, struct buf *in, struct buf *to_client)
{
	struct str all = buf_str(in);
	size_t end = str_find(all, '\n');
	struct str line;

	if (end < all.len) {
		line = sieve_follow_without_end(str_make(all.ptr, end + 1));
		sieve_follow_hand(in, end + 1, to_client); /* "line" stays where it is */
		end_line(follow, line, to_client);
		return true;
	}
	if (end <= SIEVE_PROMISE_MOST)
		return false;
	sieve_follow_hand(in, end - SIEVE_PROMISE_MOST, to_client);
	return true;
}

bool
sieve_follow_backend(struct sieve_follow *follow, struct buf *in, struct buf *to_client)
{
	enum backend_place place;
	bool is_bye;

	if (follow->follow.phase == FOLLOW_LEAVING) {
		buf_consume(in, buf_len(in)); /* the client has had its last words */
		return true;
	}
	if (follow->follow.unseen[SIDE_BACKEND] > 0)
		return sieve_follow_move(follow, SIDE_BACKEND, in, to_client);
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
