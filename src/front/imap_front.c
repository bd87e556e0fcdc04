/*
 * imap_front.c - IMAP with a client, until its credentials are there (machine)
 */
#include "front/imap_front.h"

#include "base/mem.h"
#include "front/imap_caps.h"
#include "front/imap_front_inside.h"

#include <stdlib.h>

enum {
	MISTAKES_MOST = 20,
	/* AUTHENTICATE with an initial response; other commands have IMAP_LINE_MOST. */
	SCAN_LINE_MOST = SASL_LINE_MOST + 2 * IMAP_TAG_MOST,
};

static struct imap_front *
imap_front_of(struct front *front)
{
	return (struct imap_front *)front;
}

/* ---- saying */

enum front_step
imap_front_say(const struct imap_call *call, struct str text)
{
	buf_add_str(call->out, call->tag);
	buf_add_byte(call->out, ' ');
	buf_add_str(call->out, text);
	buf_add_text(call->out, "\r\n");
	return FRONT_SAID;
}

enum front_step
imap_front_mistake(struct imap_front *front, const struct imap_call *call, struct str text)
{
	front->front.mistakes++;
	return imap_front_say(call, text);
}

static enum front_step
end(struct imap_front *front, enum bye bye, struct buf *out)
{
	imap_front_forget(front);
	front->phase = IMAP_FRONT_ENDED;
	buf_add_str(out, words_bye(DIALECT_IMAP, bye));
	buf_add_text(out, "\r\n");
	return FRONT_END;
}

/* ---- capabilities: ours, and those that all backends have */

/* What we say ourselves, or what is not ours to promise. */
static bool
is_own_word(struct str word)
{
	static const char *const words[] = {
	    "IMAP4rev1", "LITERAL+", "LITERAL-", "SASL-IR", "ID", "LOGIN-REFERRALS"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_is_nocase(word, words[i]))
			return true;
	}
	return imap_caps_is_hidden(word);
}

static void
say_mechanisms(const struct front_terms *terms, struct buf *out)
{
	if (terms->may_start_tls)
		buf_add_text(out, " STARTTLS");
	if (!imap_front_may_login(terms))
		buf_add_text(out, " LOGINDISABLED");
	for (unsigned i = 0; terms->may_login && i < MECHANISM_COUNT; i++) {
		if (terms->mechanisms & MECHANISM_BIT(i))
			buf_addf(out, " AUTH=%s", mechanism_names[i]);
	}
}

static void
say_capabilities(const struct front_terms *terms, struct buf *out)
{
	size_t count = terms->offer != NULL ? offer_count(terms->offer) : 0;
	struct str word, value;

	buf_add_text(out, "CAPABILITY IMAP4rev1 LITERAL- SASL-IR ID");
	say_mechanisms(terms, out);
	for (size_t i = 0; i < count; i++) {
		offer_at(terms->offer, i, &word, &value);
		if (is_own_word(word))
			continue;
		buf_add_byte(out, ' ');
		buf_add_str(out, word);
	}
}

/* ---- commands */

static enum front_step
capability(struct imap_front *front, const struct imap_call *call)
{
	buf_add_text(call->out, "* ");
	say_capabilities(call->terms, call->out);
	buf_add_text(call->out, "\r\n");
	return imap_front_say(call, STR("OK That is all"));
}

static enum front_step
noop(struct imap_front *front, const struct imap_call *call)
{
	return imap_front_say(call, STR("OK Nothing done"));
}

static enum front_step
logout(struct imap_front *front, const struct imap_call *call)
{
	buf_add_text(call->out, "* BYE Until later\r\n");
	imap_front_say(call, STR("OK Logged out"));
	front->phase = IMAP_FRONT_ENDED;
	return FRONT_END;
}

/* What came in clear behind the command could be anybody's: RFC 9051, section 6.2.1. */
static enum front_step
start_tls(struct imap_front *front, const struct imap_call *call)
{
	if (!call->terms->may_start_tls)
		return imap_front_mistake(front, call, STR("BAD TLS is not to be had here"));
	if (!call->is_last) {
		imap_front_mistake(front, call, STR("BAD Nothing may follow before TLS"));
		return end(front, BYE_PROTOCOL, call->out);
	}
	imap_front_say(call, STR("OK Begin TLS now"));
	return FRONT_TLS;
}

enum { NO_ARGS = 1, NO_LITERALS = 2, LONG_LINE = 4 };

static const struct command {
	const char *word;
	unsigned rules;
	imap_run_fn *run;
} commands[] = {
    {"CAPABILITY", NO_ARGS | NO_LITERALS, capability},
    {"NOOP", NO_ARGS | NO_LITERALS, noop},
    {"LOGOUT", NO_ARGS | NO_LITERALS, logout},
    {"STARTTLS", NO_ARGS | NO_LITERALS, start_tls},
    {"ID", 0, imap_front_identify},
    {"LOGIN", 0, imap_front_login},
    {"AUTHENTICATE", NO_LITERALS | LONG_LINE, imap_front_authenticate},
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

/* The tag of a line that may be no command; "*" where there is none. */
static void
answer_to(struct imap_call *call, struct str line)
{
	call->tag = imap_tag(line);
	if (call->tag.len == 0 || call->tag.len > IMAP_TAG_MOST || call->tag.len == line.len ||
	    line.ptr[call->tag.len] != ' ')
		call->tag = STR("*");
}

static enum front_step
run(struct imap_front *front, struct imap_call *call, struct str line)
{
	const struct command *command;
	struct str word;

	answer_to(call, line);
	if (!imap_head(line, &call->tag, &word, &call->args))
		return imap_front_mistake(front, call, STR("BAD This is no command"));
	if ((command = command_of(word)) == NULL)
		return imap_front_mistake(front, call, STR("BAD Unknown before login"));
	if ((command->rules & NO_ARGS) && call->args.len > 0)
		return imap_front_mistake(front, call, STR("BAD It has no arguments"));
	if (!(command->rules & LONG_LINE) && line.len - front->scan.literals > IMAP_LINE_MOST)
		return imap_front_mistake(front, call, STR("BAD The line is too long"));
	return command->run(front, call);
}

/* Whether the bytes that wait could be of any use; else the command is answered now. */
static bool
wants_literal(struct imap_front *front, struct imap_call *call, struct str line)
{
	const struct command *command;
	struct str word;

	answer_to(call, line);
	if (!imap_head(line, &call->tag, &word, &call->args)) {
		imap_front_mistake(front, call, STR("BAD This is no command"));
		return false;
	}
	command = command_of(word);
	if (command == NULL || (command->rules & NO_LITERALS)) {
		imap_front_mistake(front, call, STR("BAD Not before login"));
		return false;
	}
	if (command->run == imap_front_login && !imap_front_may_login(call->terms)) {
		imap_front_mistake(front, call, words_refusal(DIALECT_IMAP, REFUSAL_UNSAFE));
		return false;
	}
	return true;
}

/* ---- reading */

static enum front_step
next_command(struct imap_front *front, const struct front_terms *terms, struct buf *in,
    struct buf *out)
{
	struct imap_call call = {.terms = terms, .out = out};
	enum front_step step = FRONT_SAID;
	struct str line;
	size_t taken;

	switch (imap_scan(&front->scan, buf_str(in), &line, &taken)) {
	case IMAP_SCAN_WAIT:
		return FRONT_WAIT;
	case IMAP_SCAN_WHOLE:
		call.is_last = taken == buf_len(in);
		step = run(front, &call, line);
		break;
	case IMAP_SCAN_LITERAL:
		if (wants_literal(front, &call, line)) {
			front->scan.was_asked = true;
			buf_add_text(out, "+ OK\r\n");
			return FRONT_SAID;
		}
		break;
	case IMAP_SCAN_TOO_LARGE:
		answer_to(&call, line);
		imap_front_mistake(front, &call, STR("BAD The literal is too large"));
		break;
	case IMAP_SCAN_LOST:
		answer_to(&call, line);
		imap_front_mistake(front, &call, STR("BAD Too long, or a literal too large"));
		step = end(front, BYE_PROTOCOL, out);
		break;
	}
	imap_scan_over(&front->scan);
	buf_consume(in, taken);
	return step;
}

static enum front_step
next_sasl(struct imap_front *front, struct buf *in, struct buf *out)
{
	struct str line;

	switch (line_next(&front->lines, in, &line)) {
	case LINE_WAIT:
		return FRONT_WAIT;
	case LINE_HERE:
		return imap_front_sasl_line(front, line, out);
	case LINE_TOO_LONG:
		break;
	}
	return end(front, BYE_PROTOCOL, out);
}

enum front_step
imap_front_next(struct front *base, const struct front_terms *terms, struct buf *in,
    struct buf *out)
{
	struct imap_front *front = imap_front_of(base);

	if (front->phase != IMAP_FRONT_ENDED && base->mistakes > MISTAKES_MOST)
		return end(front, BYE_PROTOCOL, out);
	switch (front->phase) {
	case IMAP_FRONT_COMMANDS:
		return next_command(front, terms, in, out);
	case IMAP_FRONT_SASL:
		return next_sasl(front, in, out);
	case IMAP_FRONT_ASKED:
		return FRONT_WAIT;
	case IMAP_FRONT_ENDED:
		break;
	}
	return FRONT_END;
}

/* ---- what the driver tells */

struct front *
imap_front_new(struct arena *arena)
{
	struct imap_front *front = xnew(struct imap_front);

	front->front.arena = arena;
	front->lines.max_bytes = SASL_LINE_MOST;
	imap_scan_init(&front->scan, SCAN_LINE_MOST, IMAP_LITERALS_MOST);
	return &front->front;
}

void
imap_front_free(struct front *base)
{
	struct imap_front *front = imap_front_of(base);

	client_id_free(&front->id);
	free(front);
}

void
imap_front_greet(struct front *base, const struct front_terms *terms, struct buf *out)
{
	buf_add_text(out, "* OK [");
	say_capabilities(terms, out);
	buf_addf(out, "] %s is ready\r\n", terms->host);
}

/* What was said in clear does not count any more. */
void
imap_front_tls(struct front *base, const struct front_terms *terms, struct buf *out)
{
	struct imap_front *front = imap_front_of(base);

	client_id_free(&front->id);
	base->ttl = 0;
	imap_front_forget(front);
}

void
imap_front_challenge(struct front *base, struct str base64, struct buf *out)
{
	struct imap_front *front = imap_front_of(base);

	buf_add_text(out, "+ ");
	buf_add_str(out, base64);
	buf_add_text(out, "\r\n");
	sasl_relay(&front->sasl);
	front->phase = IMAP_FRONT_SASL;
}

/* Whole lines, each "* text"; a line that only goes on behind a literal passes as it is. */
static void
pass_untagged(struct str lines, struct buf *out)
{
	while (lines.len > 0) {
		size_t len = str_find(lines, '\n');
		struct str line = str_make(lines.ptr, len);

		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		lines = str_from(lines, len < lines.len ? len + 1 : len);
		if (str_starts(line, "* ")) {
			buf_add_text(out, "* ");
			line = str_from(line, 2);
		}
		imap_caps_pass(line, out);
		buf_add_text(out, "\r\n");
	}
}

void
imap_front_accept(struct front *base, struct str untagged, struct str text, struct buf *out)
{
	struct imap_front *front = imap_front_of(base);

	pass_untagged(untagged, out);
	buf_add(out, front->tag, front->tag_len);
	buf_add_byte(out, ' ');
	imap_caps_pass(text, out);
	buf_add_text(out, "\r\n");
	front->phase = IMAP_FRONT_ENDED;
}

void
imap_front_refuse(struct front *base, const struct front_terms *terms, enum refusal refusal,
    struct str text, struct buf *out)
{
	struct imap_front *front = imap_front_of(base);
	struct imap_call call = {.tag = str_make(front->tag, front->tag_len), .out = out};

	imap_front_forget(front);
	imap_front_mistake(front, &call,
	    text.len > 0 ? text : words_refusal(DIALECT_IMAP, refusal));
}

void
imap_front_wait(struct front *base, struct buf *out)
{
	buf_add_text(out, "* OK This mailbox is being moved, please wait\r\n");
}

void
imap_front_bye(struct front *base, enum bye bye, struct buf *out)
{
	end(imap_front_of(base), bye, out);
}

const struct client_id *
imap_front_id(const struct front *base)
{
	return ((const struct imap_front *)base)->id;
}
