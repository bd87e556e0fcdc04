/*
 * pop3_front.c - POP3 with a client, until its credentials are there (machine)
 */
#include "front/pop3_front.h"

#include "base/line.h"
#include "base/mem.h"
#include "front/in_hand.h"
#include "front/sasl.h"
#include "front/sasl_inside.h"

#include <stdlib.h>

enum {
	MISTAKES_MOST = 20,
	LINE_MOST = 512, /* RFC 2449, section 4, says 255 */
	AUTH_LINE_MOST = SASL_LINE_MOST + 64, /* with its initial response */
};

enum pop3_front_phase {
	POP3_FRONT_COMMANDS,
	POP3_FRONT_SASL, /* the next line belongs to a SASL exchange */
	POP3_FRONT_ASKED, /* the driver has the credentials, or a response */
	POP3_FRONT_ENDED,
};

struct pop3_front {
	struct front front; /* first: the driver's view */
	enum pop3_front_phase phase;
	struct line_reader lines;
	struct sasl sasl;
	struct str user; /* whom USER named, in the arena; empty: nobody yet */
};

/* One command; everything in it is lent while it runs. */
struct call {
	const struct front_terms *terms;
	struct str args; /* what stands behind the word and one space */
	bool is_last; /* nothing has arrived behind it */
	struct buf *out;
};

typedef enum front_step run_fn(struct pop3_front *front, const struct call *call);

static struct pop3_front *
pop3_front_of(struct front *front)
{
	return (struct pop3_front *)front;
}

/* Forget the login in hand and every byte of it. */
static void
forget(struct pop3_front *front)
{
	in_hand_forget(&front->front, &front->sasl);
	front->user = STR("");
	front->phase = POP3_FRONT_COMMANDS;
}

/* ---- saying */

static struct str
refusal(enum refusal refusal)
{
	return words_refusal(DIALECT_POP3, refusal);
}

static enum front_step
end(struct pop3_front *front, struct str words, struct buf *out)
{
	forget(front);
	front->phase = POP3_FRONT_ENDED;
	if (words.len > 0)
		in_hand_say(out, words);
	return FRONT_END;
}

/* ---- capabilities: ours, and those that all backends have */

/* What we say ourselves, or what is of use only before a login and not to be had here. */
static bool
is_own_word(struct str word)
{
	static const char *const words[] = {"APOP", "AUTH-RESP-CODE", "CAPA", "COMPRESS",
	    "IMPLEMENTATION", "LANG", "RESP-CODES", "SASL", "STLS", "USER", "UTF8", "XCLIENT"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_is_nocase(word, words[i]))
			return true;
	}
	return false;
}

static void
say_mechanisms(const struct front_terms *terms, struct buf *out)
{
	if (!terms->may_login || terms->mechanisms == 0)
		return;
	buf_add_text(out, "SASL");
	for (unsigned i = 0; i < MECHANISM_COUNT; i++) {
		if (in_hand_offers(terms, (enum mechanism)i))
			buf_addf(out, " %s", mechanism_names[i]);
	}
	buf_add_text(out, "\r\n");
}

static enum front_step
capa(struct pop3_front *front, const struct call *call)
{
	const struct front_terms *terms = call->terms;
	size_t count = terms->offer != NULL ? offer_count(terms->offer) : 0;
	struct str word, value;

	buf_add_text(call->out, "+OK What there is\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n");
	if (terms->may_start_tls)
		buf_add_text(call->out, "STLS\r\n");
	if (in_hand_offers(terms, MECHANISM_PLAIN))
		buf_add_text(call->out, "USER\r\n");
	say_mechanisms(terms, call->out);
	for (size_t i = 0; i < count; i++) {
		offer_at(terms->offer, i, &word, &value);
		if (is_own_word(word))
			continue;
		buf_add_str(call->out, word);
		if (value.len > 0)
			buf_add_byte(call->out, ' ');
		in_hand_say(call->out, value);
	}
	return in_hand_say(call->out, STR("."));
}

/* ---- commands */

static enum front_step
noop(struct pop3_front *front, const struct call *call)
{
	return in_hand_say(call->out, STR("+OK Nothing done"));
}

static enum front_step
quit(struct pop3_front *front, const struct call *call)
{
	return end(front, STR("+OK Until later"), call->out);
}

/* What came in clear behind the command could be anybody's: RFC 2595, section 4. */
static enum front_step
stls(struct pop3_front *front, const struct call *call)
{
	if (!call->terms->may_start_tls)
		return in_hand_mistake(&front->front, call->out,
		    STR("-ERR TLS is not to be had here"));
	if (!call->is_last)
		return end(front, STR("-ERR Nothing may follow before TLS"), call->out);
	in_hand_say(call->out, STR("+OK Begin TLS now"));
	return FRONT_TLS;
}

/*
 * Whoever it names: what is no name is refused behind the password, like one that
 * nobody has. The last one counts.
 */
static enum front_step
user(struct pop3_front *front, const struct call *call)
{
	if (!in_hand_offers(call->terms, MECHANISM_PLAIN))
		return in_hand_mistake(&front->front, call->out, refusal(REFUSAL_UNSAFE));
	forget(front);
	if (call->args.len == 0)
		return in_hand_mistake(&front->front, call->out, STR("-ERR USER wants a name"));
	must(arena_copy(front->front.arena, call->args, &front->user)); /* it is empty */
	return in_hand_say(call->out, STR("+OK And the password?"));
}

/* All of the line is the password, spaces too: RFC 1939, section 7. */
static enum front_step
pass(struct pop3_front *front, const struct call *call)
{
	struct credentials *credentials = &front->front.credentials;
	struct fault fault;

	if (!in_hand_offers(call->terms, MECHANISM_PLAIN))
		return in_hand_mistake(&front->front, call->out, refusal(REFUSAL_UNSAFE));
	if (front->user.len == 0)
		return in_hand_mistake(&front->front, call->out, STR("-ERR USER comes first"));
	*credentials = (struct credentials){.mechanism = MECHANISM_PLAIN, .authcid = front->user};
	must(arena_copy(front->front.arena, call->args, &credentials->secret));
	if (sasl_check_name(credentials->authcid, &fault) == -1 ||
	    sasl_check_password(credentials->secret, &fault) == -1) {
		forget(front);
		return in_hand_mistake(&front->front, call->out, refusal(REFUSAL_WRONG));
	}
	front->phase = POP3_FRONT_ASKED;
	return FRONT_LOGIN;
}

/* ---- AUTH */

static enum front_step
give_up(struct pop3_front *front, struct str line, struct buf *out)
{
	forget(front);
	return in_hand_mistake(&front->front, out, line);
}

static enum front_step
went(struct pop3_front *front, enum sasl_step step, struct buf *out)
{
	switch (step) {
	case SASL_CHALLENGE:
		buf_add_text(out, "+ ");
		front->phase = POP3_FRONT_SASL;
		return in_hand_say(out, front->sasl.challenge);
	case SASL_READY:
		front->phase = POP3_FRONT_ASKED;
		return FRONT_LOGIN;
	case SASL_RESPONSE:
		front->front.response = front->sasl.response;
		front->phase = POP3_FRONT_ASKED;
		return FRONT_RESPONSE;
	case SASL_CANCELLED:
		return give_up(front, STR("-ERR Authentication cancelled"), out);
	case SASL_BAD:
		return give_up(front, STR("-ERR This is not what the mechanism wants"), out);
	case SASL_TOKEN:
		return give_up(front, refusal(REFUSAL_TOKEN), out);
	}
	return FRONT_SAID;
}

/* AUTH alone is in no RFC, but old clients look for mechanisms with it. */
static enum front_step
list_mechanisms(const struct call *call)
{
	buf_add_text(call->out, "+OK\r\n");
	for (unsigned i = 0; i < MECHANISM_COUNT; i++) {
		if (in_hand_offers(call->terms, (enum mechanism)i))
			in_hand_say(call->out, str_of(mechanism_names[i]));
	}
	return in_hand_say(call->out, STR("."));
}

static enum front_step
auth(struct pop3_front *front, const struct call *call)
{
	struct str name = str_make(call->args.ptr, str_find(call->args, ' ')), initial = STR("");
	bool has_initial = name.len < call->args.len;
	enum mechanism mechanism = mechanism_of(name);
	struct fault fault;

	if (call->args.len == 0)
		return list_mechanisms(call);
	if (has_initial)
		initial = str_from(call->args, name.len + 1);
	if (has_initial && (initial.len == 0 || str_find(initial, ' ') < initial.len))
		return in_hand_mistake(&front->front, call->out, STR("-ERR Odd arguments"));
	if (!call->terms->may_login)
		return in_hand_mistake(&front->front, call->out, refusal(REFUSAL_UNSAFE));
	if (mechanism == MECHANISM_COUNT || !in_hand_offers(call->terms, mechanism))
		return in_hand_mistake(&front->front, call->out,
		    STR("-ERR This mechanism is not offered"));
	forget(front);
	return went(front,
	    sasl_begin(&front->sasl, call->terms->sasl, front->front.arena, mechanism,
		has_initial ? &initial : NULL, &front->front.credentials, &fault),
	    call->out);
}

/* ---- reading */

enum { NO_ARGS = 1, LONG_LINE = 2 };

static const struct command {
	const char *word;
	unsigned rules;
	run_fn *run;
} commands[] = {
    {"AUTH", LONG_LINE, auth}, /* RFC 5034, section 4 */
    {"CAPA", NO_ARGS, capa}, /* RFC 2449, section 5 */
    {"NOOP", NO_ARGS, noop},
    {"PASS", 0, pass},
    {"QUIT", NO_ARGS, quit},
    {"STLS", NO_ARGS, stls}, /* RFC 2595, section 4 */
    {"USER", 0, user},
};

static enum front_step
run(struct pop3_front *front, struct call *call, struct str line)
{
	struct str word = str_make(line.ptr, str_find(line, ' '));
	const struct command *command = NULL;

	for (size_t i = 0; i < ARRAY_LEN(commands) && command == NULL; i++) {
		if (str_is_nocase(word, commands[i].word))
			command = &commands[i];
	}
	if (command == NULL)
		return in_hand_mistake(&front->front, call->out, STR("-ERR Unknown before login"));
	if (line.len > LINE_MOST && !(command->rules & LONG_LINE))
		return in_hand_mistake(&front->front, call->out, STR("-ERR The line is too long"));
	call->args = word.len < line.len ? str_from(line, word.len + 1) : STR("");
	if ((command->rules & NO_ARGS) && call->args.len > 0)
		return in_hand_mistake(&front->front, call->out, STR("-ERR It has no arguments"));
	return command->run(front, call);
}

static enum front_step
next_line(struct pop3_front *front, const struct front_terms *terms, struct buf *in,
    struct buf *out)
{
	struct call call = {.terms = terms, .out = out};
	struct fault fault;
	struct str line;

	switch (line_next(&front->lines, in, &line)) {
	case LINE_WAIT:
		return FRONT_WAIT;
	case LINE_TOO_LONG:
		return end(front, STR("-ERR The line is too long"), out);
	case LINE_HERE:
		break;
	}
	if (front->phase == POP3_FRONT_SASL)
		return went(front, sasl_line(&front->sasl, line, &front->front.credentials, &fault),
		    out);
	call.is_last = buf_len(in) == 0;
	return run(front, &call, line);
}

enum front_step
pop3_front_next(struct front *base, const struct front_terms *terms, struct buf *in,
    struct buf *out)
{
	struct pop3_front *front = pop3_front_of(base);

	if (front->phase != POP3_FRONT_ENDED && base->mistakes > MISTAKES_MOST)
		return end(front, words_bye(DIALECT_POP3, BYE_PROTOCOL), out);
	switch (front->phase) {
	case POP3_FRONT_COMMANDS:
	case POP3_FRONT_SASL:
		return next_line(front, terms, in, out);
	case POP3_FRONT_ASKED:
		return FRONT_WAIT;
	case POP3_FRONT_ENDED:
		break;
	}
	return FRONT_END;
}

/* ---- what the driver tells */

struct front *
pop3_front_new(struct arena *arena)
{
	struct pop3_front *front = xnew(struct pop3_front);

	front->front.arena = arena;
	front->lines.max_bytes = AUTH_LINE_MOST;
	front->user = STR("");
	return &front->front;
}

void
pop3_front_free(struct front *base)
{
	free(pop3_front_of(base));
}

/* No timestamp, so no APOP: RFC 1939, section 7. */
void
pop3_front_greet(struct front *base, const struct front_terms *terms, struct buf *out)
{
	buf_addf(out, "+OK %s is ready\r\n", terms->host);
}

/* What was said in clear does not count any more. */
void
pop3_front_tls(struct front *base, const struct front_terms *terms, struct buf *out)
{
	forget(pop3_front_of(base));
}

void
pop3_front_challenge(struct front *base, struct str base64, struct buf *out)
{
	struct pop3_front *front = pop3_front_of(base);

	buf_add_text(out, "+ ");
	in_hand_say(out, base64);
	sasl_relay(&front->sasl);
	front->phase = POP3_FRONT_SASL;
}

void
pop3_front_accept(struct front *base, struct str untagged, struct str text, struct buf *out)
{
	buf_add_str(out, untagged);
	in_hand_say(out, text);
	pop3_front_of(base)->phase = POP3_FRONT_ENDED;
}

void
pop3_front_refuse(struct front *base, const struct front_terms *terms, enum refusal why,
    struct str text, struct buf *out)
{
	struct pop3_front *front = pop3_front_of(base);

	forget(front);
	in_hand_mistake(&front->front, out, text.len > 0 ? text : refusal(why));
}

/* There is nothing that a server could say between two answers. */
void
pop3_front_wait(struct front *base, struct buf *out)
{
}

void
pop3_front_bye(struct front *base, enum bye bye, struct buf *out)
{
	end(pop3_front_of(base), words_bye(DIALECT_POP3, bye), out);
}
