/*
 * smtp_follow_client.c - what a client says, logged in               (machine)
 */
#include "base/mem.h"
#include "front/smtp_follow_inside.h"
#include "front/smtp_lex.h"

/* ---- what is asked */

static void
ask(struct smtp_follow *follow, enum asked what)
{
	must(follow->count < ASKED_MOST);
	follow->asked[(follow->first + follow->count) % ASKED_MOST] = (uint8_t)what;
	follow->count++;
}

/* ---- the content of a message */

/*
 * The client goes on behind what could be an end, and the backend has not said that it
 * was one. Whether these are commands nobody can tell but the backend, and it would
 * tell too late. A few that are pipelined may wait; what cannot be some is content.
 */
static bool
is_content_after_all(struct str waiting, enum smtp_before before)
{
	enum smtp_end end = SMTP_END_DOUBTFUL;
	size_t len;

	if (waiting.len > FOLLOW_HELD_MOST)
		return true;
	while (waiting.len > 0 && end == SMTP_END_DOUBTFUL) {
		end = smtp_find_end(waiting, before, &len);
		before = smtp_behind(str_make(waiting.ptr, len), before);
		waiting = str_from(waiting, len);
	}
	return end == SMTP_END_SURE;
}

static bool
wait_for_reply(struct smtp_follow *follow, struct buf *in, struct buf *to_client)
{
	if (follow->is_doubtful && !follow->is_inside &&
	    is_content_after_all(buf_str(in), (enum smtp_before)follow->before)) {
		buf_add_text(to_client, "550 5.5.2 A dot stands alone on a line that has no "
					"proper end\r\n");
		follow->follow.phase = FOLLOW_OVER;
	}
	return false;
}

static bool
pass_content(struct smtp_follow *follow, struct buf *in, struct buf *to_backend)
{
	size_t n;
	enum smtp_end end = smtp_find_end(buf_str(in), (enum smtp_before)follow->before, &n);

	follow->before =
	    (uint8_t)smtp_behind(str_make(buf_str(in).ptr, n), (enum smtp_before)follow->before);
	smtp_follow_hand(in, n, to_backend);
	if (end != SMTP_END_NONE) {
		follow->client = CLIENT_WAITS;
		follow->is_doubtful = end == SMTP_END_DOUBTFUL;
		ask(follow, ASKED_CONTENT);
	}
	return n > 0;
}

/* ---- commands */

static const struct command {
	const char *word;
	enum asked what;
	bool waits; /* it changes what the next line would be */
	struct str answer; /* not empty: it does not pass */
} commands[] = {
    {"MAIL", ASKED_MAIL, false, {"", 0}},
    {"RCPT", ASKED_OTHER, false, {"", 0}},
    {"DATA", ASKED_DATA, true, {"", 0}},
    {"BDAT", ASKED_CHUNK, false, {"", 0}},
    {"RSET", ASKED_RESET, false, {"", 0}},
    {"NOOP", ASKED_OTHER, false, {"", 0}},
    {"VRFY", ASKED_OTHER, false, {"", 0}},
    {"HELP", ASKED_OTHER, false, {"", 0}},
    {"EHLO", ASKED_HELLO, true, {"", 0}},
    {"HELO", ASKED_HELLO, true, {"", 0}},
    {"QUIT", ASKED_QUIT, true, {"", 0}},
    {"AUTH", ASKED_OTHER, false, {"503 5.5.1 Already logged in\r\n", 29}},
    {"STARTTLS", ASKED_OTHER, false, {"503 5.5.1 Already logged in\r\n", 29}},
};

static const struct command *
command_of(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (str_is_nocase(word, commands[i].word))
			return &commands[i];
	}
	return NULL;
}

/* What passes is a line for everybody: it ends with CR LF, and holds no CR or NUL. */
static bool
is_line(struct str line)
{
	return str_find(line, '\r') == line.len && str_find(line, '\0') == line.len;
}

static bool
pass_command(struct smtp_follow *follow, const struct command *command, struct str line,
    struct buf *in, size_t taken, struct buf *to_backend)
{
	ask(follow, command->what);
	if (command->waits)
		follow->client = CLIENT_WAITS;
	buf_add_str(to_backend, line);
	buf_add_text(to_backend, "\r\n");
	buf_consume(in, taken);
	return true;
}

static bool
refuse(struct smtp_follow *follow, struct str answer, struct buf *in, size_t taken,
    struct buf *to_client)
{
	if (!smtp_follow_may_speak(follow))
		return false;
	buf_add_str(to_client, answer);
	buf_consume(in, taken);
	return true;
}

/*
 * A chunk comes whether or not it is wanted. One whose length cannot be told, or that a
 * server could take for shorter than it is, would be read as commands here as there.
 */
static bool
take_chunk(struct smtp_follow *follow, const struct command *command, struct str line,
    struct buf *in, size_t taken, struct buf *to_backend, struct buf *to_client)
{
	struct command chunk = *command;
	struct str args;
	uint64_t size;
	bool is_last;

	smtp_word(line, &args);
	if (!smtp_chunk(args, &size, &is_last))
		return refuse(follow, STR("501 5.5.4 No size of a chunk\r\n"), in, taken,
		    to_client);
	if (!follow->has_chunking) {
		if (!refuse(follow, STR("502 5.5.1 Not here\r\n"), in, taken, to_client))
			return false;
		follow->client = size > 0 ? CLIENT_REFUSED : CLIENT_COMMANDS;
		follow->refused = size;
		return true;
	}
	chunk.what = is_last ? ASKED_LAST_CHUNK : ASKED_CHUNK;
	follow->has_content = true;
	follow->follow.unseen[SIDE_CLIENT] = size;
	return pass_command(follow, &chunk, line, in, taken, to_backend);
}

/* While it is ending, only what belongs to a transaction that had begun, one by one. */
static bool
may_begin(const struct smtp_follow *follow)
{
	if (follow->follow.phase == FOLLOW_ENDING)
		return smtp_follow_may_speak(follow) && follow->is_open;
	return follow->count < ASKED_MOST;
}

static bool
take_command(struct smtp_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client)
{
	struct str line = buf_str(in), rest;
	const struct command *command;
	size_t taken;

	if (!may_begin(follow))
		return false;
	line.len = str_find(line, '\n');
	if (line.len > FOLLOW_HELD_MOST) {
		if (smtp_follow_may_speak(follow))
			smtp_follow_lose(follow, to_client);
		return false;
	}
	if (line.len == buf_len(in))
		return false;
	taken = line.len + 1;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	command = is_line(line) ? command_of(smtp_word(line, &rest)) : NULL;
	if (command == NULL)
		return refuse(follow, STR("500 5.5.2 Unknown command\r\n"), in, taken, to_client);
	if (command->answer.len > 0)
		return refuse(follow, command->answer, in, taken, to_client);
	if (command->what == ASKED_CHUNK)
		return take_chunk(follow, command, line, in, taken, to_backend, to_client);
	return pass_command(follow, command, line, in, taken, to_backend);
}

/* ---- what passes unseen, or not at all */

static bool
move_unseen(struct smtp_follow *follow, struct buf *in, struct buf *to_backend)
{
	uint64_t *unseen = &follow->follow.unseen[SIDE_CLIENT];
	size_t n = buf_len(in) < *unseen ? buf_len(in) : (size_t)*unseen;

	*unseen -= n;
	smtp_follow_hand(in, n, to_backend);
	return n > 0;
}

static bool
drop(struct smtp_follow *follow, struct buf *in)
{
	size_t n = buf_len(in) < follow->refused ? buf_len(in) : (size_t)follow->refused;

	follow->refused -= n;
	buf_consume(in, n);
	if (follow->refused == 0)
		follow->client = CLIENT_COMMANDS;
	return n > 0;
}

bool
smtp_follow_client(struct smtp_follow *follow, struct buf *in, struct buf *to_backend,
    struct buf *to_client)
{
	if (follow->follow.phase == FOLLOW_LEAVING || buf_len(in) == 0)
		return false;
	if (follow->follow.unseen[SIDE_CLIENT] > 0)
		return move_unseen(follow, in, to_backend);
	switch ((enum client_place)follow->client) {
	case CLIENT_COMMANDS:
		return take_command(follow, in, to_backend, to_client);
	case CLIENT_WAITS:
		return wait_for_reply(follow, in, to_client);
	case CLIENT_CONTENT:
		return pass_content(follow, in, to_backend);
	case CLIENT_REFUSED:
		return drop(follow, in);
	}
	return false;
}
