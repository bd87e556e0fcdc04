/*
 * imap_follow_client.c - what an IMAP client says, logged in         (machine)
 */
#include "base/mem.h"
#include "front/imap_follow_inside.h"
#include "front/imap_id.h"

/*
 * What would end the authenticated state, or hide where commands end, or belongs
 * before the login. RFC 9051, section 6; COMPRESS RFC 4978; UNAUTHENTICATE RFC 8437.
 */
static const struct refused {
	const char *word;
	struct str answer;
} refused_words[] = {
    {"AUTHENTICATE", {" BAD Already logged in", 22}},
    {"LOGIN", {" BAD Already logged in", 22}},
    {"STARTTLS", {" BAD Already logged in", 22}},
    {"COMPRESS", {" NO [CANNOT] Not here", 21}},
    {"UNAUTHENTICATE", {" BAD Unknown command", 20}},
};

/* ---- where a line ends */

/* The line of a command that passes has ended; line, or its tail, without line end. */
static void
end_line(struct imap_follow *follow, struct str line, bool is_idle, struct buf *to_client)
{
	struct imap_quotes quotes = follow->quotes;
	struct lex_literal literal;

	follow->quotes = (struct imap_quotes){false, false};
	follow->client = is_idle ? CLIENT_IDLE_ASKS : CLIENT_START;
	switch (imap_promise(line, &literal)) {
	case LEX_NO_LITERAL:
		return;
	case LEX_LITERAL_HUGE:
		imap_follow_lose(follow, to_client);
		return;
	case LEX_LITERAL:
		break;
	}
	if (literal.waits) { /* the backend says whether it is one */
		follow->asked = literal.size;
		follow->client = CLIENT_ASKS;
		return;
	}
	/* Where the backend could see no literal it would read commands that we do not. */
	if (quotes.is_open || literal.is_loose) {
		imap_follow_lose(follow, to_client);
		return;
	}
	follow->follow.unseen[SIDE_CLIENT] = literal.size;
	follow->client = CLIENT_LINE;
}

/* ---- the rest of a command */

static bool
pass_line(struct imap_follow *follow, struct buf *in, struct buf *to_backend, struct buf *to_client)
{
	struct str all = buf_str(in);
	bool is_whole;
	size_t n = imap_follow_part(all, &is_whole);
	struct str part = str_make(all.ptr, n);

	imap_quotes_see(&follow->quotes, part);
	if (is_whole)
		end_line(follow, imap_follow_without_end(part), false, to_client);
	if (follow->follow.phase == FOLLOW_OVER)
		return false;
	imap_follow_hand(in, n, to_backend);
	return n > 0;
}

/* Of a command that was refused: what it has said and is still to say, without asking. */
static bool
drop_line(struct imap_follow *follow, struct buf *in, struct buf *to_client)
{
	struct str all = buf_str(in);
	struct lex_literal literal;
	bool is_whole;
	size_t n;

	if (follow->refused > 0) {
		n = all.len < follow->refused ? all.len : (size_t)follow->refused;
		follow->refused -= n;
		buf_consume(in, n);
		return n > 0;
	}
	n = imap_follow_part(all, &is_whole);
	if (is_whole) {
		follow->client = CLIENT_START;
		switch (imap_promise(imap_follow_without_end(str_make(all.ptr, n)), &literal)) {
		case LEX_NO_LITERAL:
			break;
		case LEX_LITERAL:
			if (literal.waits)
				break; /* it has its answer: nothing comes */
			follow->client = CLIENT_REFUSED;
			follow->refused = literal.size;
			break;
		case LEX_LITERAL_HUGE:
			imap_follow_lose(follow, to_client);
			return false;
		}
	}
	buf_consume(in, n);
	return n > 0;
}

/* ---- the beginning of one */

static bool
refuse(struct imap_follow *follow, struct str tag, struct str answer, struct buf *in,
    struct buf *to_client)
{
	if (!imap_follow_may_speak(follow))
		return false;
	buf_add_str(to_client, tag);
	buf_add_str(to_client, answer);
	buf_add_text(to_client, "\r\n");
	follow->searched = 0;
	follow->client = CLIENT_REFUSED;
	drop_line(follow, in, to_client);
	return true;
}

static const struct refused *
refused_of(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(refused_words); i++) {
		if (str_is_nocase(word, refused_words[i].word))
			return &refused_words[i];
	}
	return NULL;
}

/*
 * What a client says of itself passes, without the names by which fronts tell who
 * is calling. Literals are for more than anybody has to say here.
 */
static bool
pass_id(struct imap_follow *follow, struct str tag, struct str args, struct buf *in,
    struct buf *to_backend)
{
	struct client_id *id = client_id_new();
	unsigned ttl;
	bool is_id =
	    imap_space(&args) && str_find(args, '\r') == args.len && imap_id_read(args, id, &ttl);

	if (is_id) {
		buf_add_str(to_backend, tag);
		buf_add_text(to_backend, " ID ");
		client_id_say(id, NULL, to_backend);
		buf_add_text(to_backend, "\r\n");
		follow->searched = 0;
		buf_consume(in, str_find(buf_str(in), '\n') + 1);
	}
	client_id_free(&id);
	return is_id;
}

/* Enough of a line to know its command, and all of it unless it is very long. */
static bool
has_command(struct imap_follow *follow, struct str all, struct str *line_r, bool *is_whole_r)
{
	size_t end = follow->searched + str_find(str_from(all, follow->searched), '\n');

	*is_whole_r = end < all.len && end < FOLLOW_HELD_MOST;
	*line_r = imap_follow_without_end(str_make(all.ptr, end));
	if (*is_whole_r || end >= FOLLOW_HELD_MOST)
		return true;
	follow->searched = (uint32_t)end;
	return false;
}

static bool
begin_command(struct imap_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client)
{
	struct str all = buf_str(in), line, tag, word, rest;
	const struct refused *refused;
	bool is_whole, was_last;

	if (follow->follow.phase != FOLLOW_RUNNING || !has_command(follow, all, &line, &is_whole))
		return false;
	if (!imap_head(line, &tag, &word, &rest))
		return refuse(follow, STR("*"), STR(" BAD This is no command"), in, to_client);
	if ((refused = refused_of(word)) != NULL)
		return refuse(follow, tag, refused->answer, in, to_client);
	if (!imap_tags_add(&follow->tags, tag))
		return false;
	if (str_is_nocase(word, "ID")) {
		if (is_whole && pass_id(follow, tag, rest, in, to_backend))
			return true;
		imap_tags_remove(&follow->tags, tag, &was_last);
		return refuse(follow, tag, STR(" BAD ID wants a list of quoted strings"), in,
		    to_client);
	}
	follow->searched = 0;
	follow->has_logout |= str_is_nocase(word, "LOGOUT");
	follow->client = CLIENT_LINE;
	if (!is_whole)
		return pass_line(follow, in, to_backend, to_client);
	if (line.len > 0 && line.ptr[line.len - 1] == '}')
		imap_quotes_see(&follow->quotes, line);
	end_line(follow, line, str_is_nocase(word, "IDLE"), to_client);
	if (follow->follow.phase == FOLLOW_OVER)
		return false;
	imap_follow_hand(in, str_find(str_from(all, line.len), '\n') + line.len + 1, to_backend);
	return true;
}

/* ---- IDLE */

static bool
end_idle(struct imap_follow *follow, struct buf *in, struct buf *to_backend, struct buf *to_client)
{
	struct str line;
	bool is_whole;

	if (follow->follow.phase != FOLLOW_RUNNING ||
	    !has_command(follow, buf_str(in), &line, &is_whole))
		return false;
	if (!is_whole) {
		imap_follow_lose(follow, to_client);
		return false;
	}
	if (str_is_nocase(line, "DONE")) {
		follow->client = CLIENT_START;
		imap_follow_hand(in, imap_follow_part(buf_str(in), &is_whole), to_backend);
	} else {
		if (!imap_follow_may_speak(follow))
			return false;
		buf_add_text(to_client, "* BAD Only DONE can follow IDLE\r\n");
		buf_consume(in, imap_follow_part(buf_str(in), &is_whole));
	}
	follow->searched = 0;
	return true;
}

/* ---- what the backend says to it */

void
imap_follow_may_go_on(struct imap_follow *follow)
{
	if (follow->client == CLIENT_ASKS) {
		follow->follow.unseen[SIDE_CLIENT] = follow->asked;
		follow->client = CLIENT_LINE;
	} else if (follow->client == CLIENT_IDLE_ASKS) {
		follow->client = CLIENT_IDLE;
	}
}

void
imap_follow_was_answered(struct imap_follow *follow)
{
	if (follow->client == CLIENT_ASKS || follow->client == CLIENT_IDLE_ASKS ||
	    follow->client == CLIENT_IDLE)
		follow->client = CLIENT_START;
}

/* ---- behind our last words */

/*
 * A command that was read, but too late: it has not been done. LOGOUT has: whoever asked
 * for the end waits for its answer, and has it. Only where it is sure that this is a
 * command, and what follows is one.
 */
static bool
answer_late(struct imap_follow *follow, struct buf *in, struct buf *to_client)
{
	struct lex_literal literal;
	struct str line, tag, word, rest;
	bool is_whole;

	if (follow->client == CLIENT_REFUSED)
		return drop_line(follow, in, to_client);
	if (!has_command(follow, buf_str(in), &line, &is_whole) || !is_whole)
		return false;
	if (follow->client == CLIENT_IDLE && str_is_nocase(line, "DONE")) {
		follow->client = CLIENT_START;
	} else if (follow->client == CLIENT_START && imap_head(line, &tag, &word, &rest) &&
		   imap_promise(line, &literal) == LEX_NO_LITERAL) {
		buf_add_str(to_client, tag);
		buf_add_byte(to_client, ' ');
		if (str_is_nocase(word, "LOGOUT"))
			buf_add_text(to_client, "OK Logged out");
		else
			buf_add_str(to_client, words_refusal(DIALECT_IMAP, REFUSAL_LATER));
		buf_add_text(to_client, "\r\n");
	} else {
		return false;
	}
	follow->searched = 0;
	buf_consume(in, str_find(buf_str(in), '\n') + 1);
	return true;
}

bool
imap_follow_client(struct imap_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client)
{
	if (buf_len(in) == 0)
		return false;
	if (follow->follow.phase == FOLLOW_LEAVING)
		return answer_late(follow, in, to_client);
	if (follow->follow.unseen[SIDE_CLIENT] > 0)
		return imap_follow_move(follow, SIDE_CLIENT, in, to_backend);
	switch ((enum client_place)follow->client) {
	case CLIENT_START:
		return begin_command(follow, in, to_backend, to_client);
	case CLIENT_LINE:
		return pass_line(follow, in, to_backend, to_client);
	case CLIENT_IDLE:
		return end_idle(follow, in, to_backend, to_client);
	case CLIENT_REFUSED:
		return drop_line(follow, in, to_client);
	case CLIENT_ASKS:
	case CLIENT_IDLE_ASKS:
		break;
	}
	return false;
}
