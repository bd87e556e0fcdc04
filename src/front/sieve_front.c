/*
 * sieve_front.c - ManageSieve with a client, until its credentials are there (machine)
 */
#include "front/sieve_front.h"

#include "base/mem.h"
#include "front/in_hand.h"
#include "front/sasl.h"
#include "front/sieve_lex.h"

#include <stdlib.h>

enum {
	MISTAKES_MOST = 20,
	/* AUTHENTICATE with an initial response, quoted; other commands have SIEVE_LINE_MOST. */
	SCAN_LINE_MOST = SASL_LINE_MOST + 64,
};

enum sieve_front_phase {
	SIEVE_FRONT_COMMANDS,
	SIEVE_FRONT_SASL, /* the next string belongs to a SASL exchange */
	SIEVE_FRONT_ASKED, /* the driver has the credentials, or a response */
	SIEVE_FRONT_ENDED,
};

struct sieve_front {
	struct front front; /* first: the driver's view */
	enum sieve_front_phase phase;
	struct sieve_scan scan;
	struct sasl sasl;
};

/* One command; everything in it is lent while it runs. */
struct call {
	const struct front_terms *terms;
	struct str args; /* what stands behind the word and its space */
	bool is_last; /* nothing has arrived behind it */
	struct buf *out;
};

typedef enum front_step run_fn(struct sieve_front *front, const struct call *call);

static struct sieve_front *
sieve_front_of(struct front *front)
{
	return (struct sieve_front *)front;
}

/* Forget the login in hand and every byte of it. */
static void
forget(struct sieve_front *front)
{
	in_hand_forget(&front->front, &front->sasl);
	front->phase = SIEVE_FRONT_COMMANDS;
}

/* ---- saying */

static struct str
refusal(enum refusal refusal)
{
	return words_refusal(DIALECT_SIEVE, refusal);
}

static enum front_step
end(struct sieve_front *front, struct str words, struct buf *out)
{
	forget(front);
	front->phase = SIEVE_FRONT_ENDED;
	in_hand_say(out, words);
	return FRONT_END;
}

static enum front_step
lose(struct sieve_front *front, struct buf *out)
{
	return end(front, words_bye(DIALECT_SIEVE, BYE_PROTOCOL), out);
}

/* ---- capabilities: ours, and those that all backends have */

/* What we say ourselves, or what is not ours to promise. */
static bool
is_own_word(struct str word)
{
	static const char *const words[] = {"COMPRESS", "IMPLEMENTATION", "OWNER", "SASL", "SIEVE",
	    "STARTTLS", "UNAUTHENTICATE", "VERSION", "XCLIENT"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_is_nocase(word, words[i]))
			return true;
	}
	return false;
}

static void
say_capability(struct str name, struct str value, struct buf *out)
{
	sieve_say_string(out, name, false);
	if (value.len > 0) {
		buf_add_byte(out, ' ');
		sieve_say_string(out, value, false);
	}
	buf_add_text(out, "\r\n");
}

/* Empty where there is none: RFC 5804, section 1.7. */
static void
say_mechanisms(const struct front_terms *terms, struct buf *out)
{
	const char *gap = "";

	buf_add_text(out, "\"SASL\" \"");
	for (unsigned i = 0; i < MECHANISM_COUNT; i++) {
		if (!in_hand_offers(terms, (enum mechanism)i))
			continue;
		buf_addf(out, "%s%s", gap, mechanism_names[i]);
		gap = " ";
	}
	buf_add_text(out, "\"\r\n");
}

static void
say_offer(const struct offer *offer, struct buf *out)
{
	struct str word, value;

	for (size_t i = 0; i < offer_count(offer); i++) {
		offer_at(offer, i, &word, &value);
		if (!is_own_word(word))
			say_capability(word, value, out);
	}
}

static void
say_capabilities(const struct front_terms *terms, struct buf *out)
{
	struct str extensions = STR("");

	if (terms->offer != NULL)
		offer_value(terms->offer, "SIEVE", &extensions);
	buf_add_text(out, "\"IMPLEMENTATION\" \"splitmx\"\r\n");
	say_mechanisms(terms, out);
	buf_add_text(out, "\"SIEVE\" ");
	sieve_say_string(out, extensions, false);
	buf_add_text(out, "\r\n");
	if (terms->may_start_tls)
		buf_add_text(out, "\"STARTTLS\"\r\n");
	if (terms->offer != NULL)
		say_offer(terms->offer, out);
	buf_add_text(out, "\"VERSION\" \"1.0\"\r\n");
}

/* ---- commands */

static enum front_step
capability(struct sieve_front *front, const struct call *call)
{
	say_capabilities(call->terms, call->out);
	return in_hand_say(call->out, STR("OK \"That is all\""));
}

/* A client that has lost its place sends a string, and looks for it: RFC 5804, section 2.13. */
static enum front_step
noop(struct sieve_front *front, const struct call *call)
{
	struct str rest = call->args;
	struct buf tag = BUF_INIT;
	struct lex_string string;

	if (rest.len == 0)
		return in_hand_say(call->out, STR("OK \"Nothing done\""));
	if (!lex_string(&rest, &string) || rest.len > 0)
		return in_hand_mistake(&front->front, call->out,
		    STR("NO \"NOOP wants a string, or nothing\""));
	lex_string_add(&string, &tag);
	buf_add_text(call->out, "OK (TAG ");
	sieve_say_string(call->out, buf_str(&tag), false);
	buf_fini(&tag);
	return in_hand_say(call->out, STR(") \"Nothing done\""));
}

static enum front_step
logout(struct sieve_front *front, const struct call *call)
{
	return end(front, STR("OK \"Until later\""), call->out);
}

/* What came in clear behind the command could be anybody's: RFC 5804, section 2.2. */
static enum front_step
start_tls(struct sieve_front *front, const struct call *call)
{
	if (!call->terms->may_start_tls)
		return in_hand_mistake(&front->front, call->out,
		    STR("NO \"TLS is not to be had here\""));
	if (!call->is_last) {
		in_hand_mistake(&front->front, call->out,
		    STR("NO \"Nothing may follow before TLS\""));
		return lose(front, call->out);
	}
	in_hand_say(call->out, STR("OK \"Begin TLS now\""));
	return FRONT_TLS;
}

/* ---- AUTHENTICATE */

static enum front_step
give_up(struct sieve_front *front, struct str line, struct buf *out)
{
	forget(front);
	return in_hand_mistake(&front->front, out, line);
}

static enum front_step
went(struct sieve_front *front, enum sasl_step step, struct buf *out)
{
	switch (step) {
	case SASL_CHALLENGE:
		sieve_say_string(out, front->sasl.challenge, false);
		front->phase = SIEVE_FRONT_SASL;
		return in_hand_say(out, STR(""));
	case SASL_READY:
		front->phase = SIEVE_FRONT_ASKED;
		return FRONT_LOGIN;
	case SASL_RESPONSE:
		front->front.response = front->sasl.response;
		front->phase = SIEVE_FRONT_ASKED;
		return FRONT_RESPONSE;
	case SASL_CANCELLED:
		return give_up(front, STR("NO \"Authentication cancelled\""), out);
	case SASL_BAD:
		return give_up(front, STR("NO \"This is not what the mechanism wants\""), out);
	case SASL_TOKEN:
		return give_up(front, refusal(REFUSAL_TOKEN), out);
	}
	return FRONT_SAID;
}

/* base64 has nothing to be escaped: what has escapes is none, and is refused as that. */
static enum front_step
authenticate(struct sieve_front *front, const struct call *call)
{
	struct str rest = call->args;
	struct lex_string name, initial = {.is_quoted = false};
	enum mechanism mechanism;
	bool has_initial;
	struct fault fault;

	if (!lex_string(&rest, &name))
		return in_hand_mistake(&front->front, call->out,
		    STR("NO \"AUTHENTICATE wants a mechanism\""));
	has_initial = sieve_space(&rest) && rest.len > 0;
	if ((has_initial && !lex_string(&rest, &initial)) || rest.len > 0)
		return in_hand_mistake(&front->front, call->out, STR("NO \"Odd arguments\""));
	if (!call->terms->may_login)
		return in_hand_mistake(&front->front, call->out, refusal(REFUSAL_UNSAFE));
	mechanism = mechanism_of(name.raw);
	if (mechanism == MECHANISM_COUNT || !in_hand_offers(call->terms, mechanism))
		return in_hand_mistake(&front->front, call->out,
		    STR("NO \"This mechanism is not offered\""));
	forget(front);
	return went(front,
	    sasl_begin(&front->sasl, call->terms->sasl, front->front.arena, mechanism,
		has_initial ? &initial.raw : NULL, &front->front.credentials, &fault),
	    call->out);
}

static enum front_step
take_response(struct sieve_front *front, struct str line, struct buf *out)
{
	struct lex_string string;
	struct fault fault;

	if (!lex_string(&line, &string) || line.len > 0)
		return give_up(front, STR("NO \"This is no string\""), out);
	return went(front, sasl_line(&front->sasl, string.raw, &front->front.credentials, &fault),
	    out);
}

/* ---- reading */

enum { NO_ARGS = 1, LONG_LINE = 2 };

static const struct command {
	const char *word;
	unsigned rules;
	run_fn *run;
} commands[] = {
    {"AUTHENTICATE", LONG_LINE, authenticate},
    {"CAPABILITY", NO_ARGS, capability},
    {"LOGOUT", NO_ARGS, logout},
    {"NOOP", 0, noop},
    {"STARTTLS", NO_ARGS, start_tls},
};

static enum front_step
run(struct sieve_front *front, struct call *call, struct str line)
{
	const struct command *command = NULL;
	struct str word;

	call->args = line;
	if (!sieve_word(&call->args, &word) || (!sieve_space(&call->args) && call->args.len > 0))
		return in_hand_mistake(&front->front, call->out, STR("NO \"This is no command\""));
	for (size_t i = 0; i < ARRAY_LEN(commands) && command == NULL; i++) {
		if (str_is_nocase(word, commands[i].word))
			command = &commands[i];
	}
	if (command == NULL)
		return in_hand_mistake(&front->front, call->out,
		    STR("NO \"Unknown before login\""));
	if (line.len > SIEVE_LINE_MOST && !(command->rules & LONG_LINE))
		return in_hand_mistake(&front->front, call->out,
		    STR("NO \"The command is too long\""));
	if ((command->rules & NO_ARGS) && call->args.len > 0)
		return in_hand_mistake(&front->front, call->out, STR("NO \"It has no arguments\""));
	return command->run(front, call);
}

static enum front_step
next_command(struct sieve_front *front, const struct front_terms *terms, struct buf *in,
    struct buf *out)
{
	struct call call = {.terms = terms, .out = out};
	enum front_step step;
	struct str line;
	size_t taken;

	switch (sieve_scan(&front->scan, buf_str(in), &line, &taken)) {
	case SIEVE_SCAN_WAIT:
		return FRONT_WAIT;
	case SIEVE_SCAN_LOST:
		in_hand_mistake(&front->front, out, STR("NO \"Too long, or a literal too large\""));
		return lose(front, out);
	case SIEVE_SCAN_WHOLE:
		break;
	}
	call.is_last = taken == buf_len(in);
	if (front->phase == SIEVE_FRONT_SASL)
		step = take_response(front, line, out);
	else
		step = run(front, &call, line);
	sieve_scan_over(&front->scan);
	buf_consume(in, taken);
	return step;
}

enum front_step
sieve_front_next(struct front *base, const struct front_terms *terms, struct buf *in,
    struct buf *out)
{
	struct sieve_front *front = sieve_front_of(base);

	if (front->phase != SIEVE_FRONT_ENDED && base->mistakes > MISTAKES_MOST)
		return lose(front, out);
	switch (front->phase) {
	case SIEVE_FRONT_COMMANDS:
	case SIEVE_FRONT_SASL:
		return next_command(front, terms, in, out);
	case SIEVE_FRONT_ASKED:
		return FRONT_WAIT;
	case SIEVE_FRONT_ENDED:
		break;
	}
	return FRONT_END;
}

/* ---- what the driver tells */

struct front *
sieve_front_new(struct arena *arena)
{
	struct sieve_front *front = xnew(struct sieve_front);

	front->front.arena = arena;
	sieve_scan_init(&front->scan, SCAN_LINE_MOST, SASL_LINE_MOST);
	return &front->front;
}

void
sieve_front_free(struct front *base)
{
	free(sieve_front_of(base));
}

void
sieve_front_greet(struct front *base, const struct front_terms *terms, struct buf *out)
{
	say_capabilities(terms, out);
	buf_addf(out, "OK \"%s is ready\"\r\n", terms->host);
}

/* Without being asked: RFC 5804, section 2.2. What was said in clear does not count any more. */
void
sieve_front_tls(struct front *base, const struct front_terms *terms, struct buf *out)
{
	forget(sieve_front_of(base));
	say_capabilities(terms, out);
	in_hand_say(out, STR("OK \"TLS it is\""));
}

void
sieve_front_challenge(struct front *base, struct str base64, struct buf *out)
{
	struct sieve_front *front = sieve_front_of(base);

	sieve_say_string(out, base64, false);
	in_hand_say(out, STR(""));
	sasl_relay(&front->sasl);
	front->phase = SIEVE_FRONT_SASL;
}

void
sieve_front_accept(struct front *base, struct str untagged, struct str text, struct buf *out)
{
	buf_add_str(out, untagged);
	in_hand_say(out, text);
	sieve_front_of(base)->phase = SIEVE_FRONT_ENDED;
}

void
sieve_front_refuse(struct front *base, const struct front_terms *terms, enum refusal why,
    struct str text, struct buf *out)
{
	struct sieve_front *front = sieve_front_of(base);

	forget(front);
	in_hand_mistake(&front->front, out, text.len > 0 ? text : refusal(why));
}

/* Nothing may be said that is no answer, but BYE. */
void
sieve_front_wait(struct front *base, struct buf *out)
{
}

void
sieve_front_bye(struct front *base, enum bye bye, struct buf *out)
{
	end(sieve_front_of(base), words_bye(DIALECT_SIEVE, bye), out);
}
