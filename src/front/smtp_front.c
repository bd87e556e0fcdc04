/*
 * smtp_front.c - submission with a client, until its credentials are there (machine)
 */
#include "front/smtp_front.h"

#include "base/line.h"
#include "base/mem.h"
#include "front/in_hand.h"
#include "front/sasl.h"
#include "front/smtp_lex.h"

#include <stdlib.h>

enum { MISTAKES_MOST = 20 };

enum smtp_front_phase {
	SMTP_FRONT_COMMANDS,
	SMTP_FRONT_SASL, /* the next line belongs to a SASL exchange */
	SMTP_FRONT_ASKED, /* the driver has the credentials, or a response */
	SMTP_FRONT_ENDED,
};

struct smtp_front {
	struct front front; /* first: the driver's view */
	enum smtp_front_phase phase;
	struct line_reader lines;
	struct sasl sasl;
	bool has_said_hello;
	char hello[SMTP_HELLO_MOST];
};

/* One command; everything in it is lent while it runs. */
struct smtp_call {
	const struct front_terms *terms;
	struct str args;
	bool is_last; /* nothing has arrived behind it */
	struct buf *out;
};

static struct smtp_front *
smtp_front_of(struct front *front)
{
	return (struct smtp_front *)front;
}

/* ---- saying */

/* Forget the login in hand and every byte of it. */
static void
forget(struct smtp_front *front)
{
	in_hand_forget(&front->front, &front->sasl);
	front->phase = SMTP_FRONT_COMMANDS;
}

static enum front_step
end(struct smtp_front *front, enum bye bye, struct buf *out)
{
	struct str words = words_bye(DIALECT_SUBMISSION, bye);

	forget(front);
	front->phase = SMTP_FRONT_ENDED;
	if (words.len > 0)
		in_hand_say(out, words);
	return FRONT_END;
}

/* ---- EHLO */

static void
add_mechanisms(const struct front_terms *terms, struct buf *lines)
{
	bool has_one = false;

	for (unsigned i = 0; i < MECHANISM_COUNT && terms->may_login; i++) {
		if (!(terms->mechanisms & MECHANISM_BIT(i)))
			continue;
		buf_add_text(lines, has_one ? " " : "AUTH ");
		buf_add_text(lines, mechanism_names[i]);
		has_one = true;
	}
	if (has_one)
		buf_add_byte(lines, '\n');
}

static void
add_offer(const struct offer *offer, struct buf *lines)
{
	struct str word, value;

	for (size_t i = 0; i < offer_count(offer); i++) {
		offer_at(offer, i, &word, &value);
		if (!smtp_may_announce(word))
			continue;
		buf_add_str(lines, word);
		if (value.len > 0) {
			buf_add_byte(lines, ' ');
			buf_add_str(lines, value);
		}
		buf_add_byte(lines, '\n');
	}
}

/* A name with a control character is taken for none: it is passed on to backends. */
static void
keep_hello(struct smtp_front *front, struct str name)
{
	bool is_clean = name.len <= SMTP_HELLO_MOST;

	for (size_t i = 0; i < name.len && is_clean; i++)
		is_clean = (unsigned char)name.ptr[i] > ' ' && name.ptr[i] != 0x7f;
	if (!is_clean)
		name.len = 0;
	memcpy(front->hello, name.ptr, name.len);
	front->front.hello = str_make(front->hello, name.len);
	front->has_said_hello = true;
}

static enum front_step
ehlo(struct smtp_front *front, const struct smtp_call *call)
{
	struct buf lines = BUF_INIT;

	if (call->args.len == 0)
		return in_hand_mistake(&front->front, call->out, STR("501 5.5.4 A name is wanted"));
	keep_hello(front, call->args);
	buf_addf(&lines, "%s\n", call->terms->host);
	if (call->terms->offer != NULL)
		add_offer(call->terms->offer, &lines);
	if (call->terms->may_start_tls)
		buf_add_text(&lines, "STARTTLS\n");
	add_mechanisms(call->terms, &lines);
	smtp_say_lines(250, buf_str(&lines), call->out);
	buf_fini(&lines);
	return FRONT_SAID;
}

static enum front_step
helo(struct smtp_front *front, const struct smtp_call *call)
{
	if (call->args.len == 0)
		return in_hand_mistake(&front->front, call->out, STR("501 5.5.4 A name is wanted"));
	keep_hello(front, call->args);
	buf_addf(call->out, "250 %s\r\n", call->terms->host);
	return FRONT_SAID;
}

/* ---- commands without consequences */

static enum front_step
noop(struct smtp_front *front, const struct smtp_call *call)
{
	return in_hand_say(call->out, STR("250 2.0.0 Done"));
}

static enum front_step
help(struct smtp_front *front, const struct smtp_call *call)
{
	return in_hand_say(call->out,
	    STR("214 2.0.0 Say EHLO, STARTTLS, AUTH, and then what is to be sent"));
}

static enum front_step
quit(struct smtp_front *front, const struct smtp_call *call)
{
	in_hand_say(call->out, STR("221 2.0.0 Until later"));
	front->phase = SMTP_FRONT_ENDED;
	return FRONT_END;
}

static enum front_step
not_yet(struct smtp_front *front, const struct smtp_call *call)
{
	return in_hand_mistake(&front->front, call->out, STR("530 5.7.0 Authentication required"));
}

/* ---- STARTTLS */

/* What came in clear behind the command could be anybody's: RFC 3207, section 6. */
static enum front_step
start_tls(struct smtp_front *front, const struct smtp_call *call)
{
	if (call->args.len > 0)
		return in_hand_mistake(&front->front, call->out,
		    STR("501 5.5.4 It has no parameters"));
	if (!call->terms->may_start_tls)
		return in_hand_mistake(&front->front, call->out,
		    STR("503 5.5.1 TLS is not to be had here"));
	if (!call->is_last) {
		in_hand_mistake(&front->front, call->out,
		    STR("503 5.5.1 Nothing may follow before TLS"));
		return end(front, BYE_PROTOCOL, call->out);
	}
	in_hand_say(call->out, STR("220 2.0.0 Begin TLS now"));
	return FRONT_TLS;
}

/* ---- AUTH */

static enum front_step
give_up(struct smtp_front *front, struct buf *out, struct str text)
{
	forget(front);
	return in_hand_mistake(&front->front, out, text);
}

static enum front_step
went(struct smtp_front *front, enum sasl_step step, struct buf *out)
{
	switch (step) {
	case SASL_CHALLENGE:
		buf_add_text(out, "334 ");
		front->phase = SMTP_FRONT_SASL;
		return in_hand_say(out, front->sasl.challenge);
	case SASL_READY:
		front->phase = SMTP_FRONT_ASKED;
		return FRONT_LOGIN;
	case SASL_RESPONSE:
		front->front.response = front->sasl.response;
		front->phase = SMTP_FRONT_ASKED;
		return FRONT_RESPONSE;
	case SASL_CANCELLED:
		return give_up(front, out, STR("501 5.7.0 Authentication cancelled"));
	case SASL_BAD:
		return give_up(front, out, STR("501 5.5.2 This is not what the mechanism wants"));
	case SASL_TOKEN:
		return give_up(front, out, words_refusal(DIALECT_SUBMISSION, REFUSAL_TOKEN));
	}
	return FRONT_SAID;
}

static enum front_step
auth(struct smtp_front *front, const struct smtp_call *call)
{
	struct str initial, name = smtp_word(call->args, &initial);
	enum mechanism mechanism = mechanism_of(name);
	struct fault fault;

	if (name.len == 0 || str_find(initial, ' ') < initial.len)
		return in_hand_mistake(&front->front, call->out,
		    STR("501 5.5.4 AUTH wants a mechanism"));
	if (!front->has_said_hello)
		return in_hand_mistake(&front->front, call->out, STR("503 5.5.1 Say EHLO first"));
	if (!call->terms->may_login)
		return in_hand_mistake(&front->front, call->out,
		    words_refusal(DIALECT_SUBMISSION, REFUSAL_UNSAFE));
	if (mechanism == MECHANISM_COUNT ||
	    (call->terms->mechanisms & MECHANISM_BIT(mechanism)) == 0)
		return in_hand_mistake(&front->front, call->out,
		    STR("504 5.5.4 This mechanism is not offered"));
	forget(front);
	return went(front,
	    sasl_begin(&front->sasl, call->terms->sasl, front->front.arena, mechanism,
		initial.len > 0 ? &initial : NULL, &front->front.credentials, &fault),
	    call->out);
}

/* ---- reading */

typedef enum front_step smtp_run_fn(struct smtp_front *front, const struct smtp_call *call);

static const struct command {
	const char *word;
	smtp_run_fn *run;
} commands[] = {
    {"EHLO", ehlo},
    {"HELO", helo},
    {"AUTH", auth},
    {"STARTTLS", start_tls},
    {"NOOP", noop},
    {"RSET", noop},
    {"HELP", help},
    {"QUIT", quit},
    {"MAIL", not_yet},
    {"RCPT", not_yet},
    {"DATA", not_yet},
    {"BDAT", not_yet},
    {"VRFY", not_yet},
};

static enum front_step
run(struct smtp_front *front, struct smtp_call *call, struct str line)
{
	struct str word = smtp_word(line, &call->args);

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!str_is_nocase(word, commands[i].word))
			continue;
		if (line.len > SMTP_COMMAND_MOST && commands[i].run != auth)
			return in_hand_mistake(&front->front, call->out,
			    STR("500 5.5.2 The line is too long"));
		return commands[i].run(front, call);
	}
	return in_hand_mistake(&front->front, call->out, STR("500 5.5.2 Unknown before login"));
}

static enum front_step
take_line(struct smtp_front *front, struct smtp_call *call, struct str line)
{
	struct fault fault;

	if (front->phase == SMTP_FRONT_COMMANDS)
		return run(front, call, line);
	return went(front, sasl_line(&front->sasl, line, &front->front.credentials, &fault),
	    call->out);
}

enum front_step
smtp_front_next(struct front *base, const struct front_terms *terms, struct buf *in,
    struct buf *out)
{
	struct smtp_front *front = smtp_front_of(base);
	struct smtp_call call = {.terms = terms, .out = out};
	struct str line;

	if (front->phase == SMTP_FRONT_ENDED)
		return FRONT_END;
	if (base->mistakes > MISTAKES_MOST)
		return end(front, BYE_PROTOCOL, out);
	if (front->phase == SMTP_FRONT_ASKED)
		return FRONT_WAIT;
	switch (line_next(&front->lines, in, &line)) {
	case LINE_WAIT:
		return FRONT_WAIT;
	case LINE_HERE:
		call.is_last = buf_len(in) == 0;
		return take_line(front, &call, line);
	case LINE_TOO_LONG:
		break;
	}
	in_hand_say(out, STR("500 5.5.6 The line is too long")); /* RFC 4954, section 4 */
	return end(front, BYE_PROTOCOL, out);
}

/* ---- what the driver tells */

struct front *
smtp_front_new(struct arena *arena)
{
	struct smtp_front *front = xnew(struct smtp_front);

	front->front.arena = arena;
	front->lines.max_bytes = SASL_LINE_MOST;
	return &front->front;
}

void
smtp_front_free(struct front *base)
{
	free(smtp_front_of(base));
}

void
smtp_front_greet(struct front *base, const struct front_terms *terms, struct buf *out)
{
	buf_addf(out, "220 %s ESMTP is ready\r\n", terms->host);
}

/* What was said in clear does not count any more. RFC 3207, section 4.2. */
void
smtp_front_tls(struct front *base, const struct front_terms *terms, struct buf *out)
{
	struct smtp_front *front = smtp_front_of(base);

	front->has_said_hello = false;
	base->hello = STR("");
	forget(front);
}

void
smtp_front_challenge(struct front *base, struct str base64, struct buf *out)
{
	struct smtp_front *front = smtp_front_of(base);

	buf_add_text(out, "334 ");
	in_hand_say(out, base64);
	sasl_relay(&front->sasl);
	front->phase = SMTP_FRONT_SASL;
}

void
smtp_front_accept(struct front *base, struct str untagged, struct str text, struct buf *out)
{
	buf_add_str(out, untagged);
	in_hand_say(out, text);
	smtp_front_of(base)->phase = SMTP_FRONT_ENDED;
}

void
smtp_front_refuse(struct front *base, const struct front_terms *terms, enum refusal refusal,
    struct str text, struct buf *out)
{
	struct smtp_front *front = smtp_front_of(base);

	forget(front);
	in_hand_mistake(&front->front, out,
	    text.len > 0 ? text : words_refusal(DIALECT_SUBMISSION, refusal));
}

/* A login is not parked here, and there is nothing that could be said. */
void
smtp_front_wait(struct front *base, struct buf *out)
{
}

void
smtp_front_bye(struct front *base, enum bye bye, struct buf *out)
{
	end(smtp_front_of(base), bye, out);
}
