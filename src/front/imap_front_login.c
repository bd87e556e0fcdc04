/*
 * imap_front_login.c - IMAP commands that carry credentials or names (machine)
 *
 * What a client says of itself with ID is kept and goes to the backend with ours.
 */
#include "front/imap_front_inside.h"

#include "front/imap_id.h"
#include "front/in_hand.h"
#include "front/sasl_inside.h"

void
imap_front_forget(struct imap_front *front)
{
	in_hand_forget(&front->front, &front->sasl);
	front->phase = IMAP_FRONT_COMMANDS;
}

static void
keep_tag(struct imap_front *front, struct str tag)
{
	memcpy(front->tag, tag.ptr, tag.len);
	front->tag_len = tag.len;
}

/* ---- LOGIN */

bool
imap_front_may_login(const struct front_terms *terms)
{
	return in_hand_offers(terms, MECHANISM_PLAIN);
}

static struct str
refusal(enum refusal refusal)
{
	return words_refusal(DIALECT_IMAP, refusal);
}

/* Into the arena, and nowhere else. */
static bool
take_string(struct arena *arena, const struct lex_string *string, struct str *text_r)
{
	char *room = arena_room(arena, string->raw.len);

	if (room == NULL)
		return false;
	*text_r = str_make(room, lex_string_copy(string, room));
	return true;
}

enum front_step
imap_front_login(struct imap_front *front, const struct imap_call *call)
{
	struct credentials *credentials = &front->front.credentials;
	struct str rest = call->args;
	struct lex_string name, password;
	struct fault fault;

	if (!imap_space(&rest) || !imap_astring(&rest, &name) || !imap_space(&rest) ||
	    !imap_astring(&rest, &password) || rest.len > 0)
		return imap_front_mistake(front, call,
		    STR("BAD LOGIN wants a name and a password"));
	if (!imap_front_may_login(call->terms))
		return imap_front_mistake(front, call, refusal(REFUSAL_UNSAFE));
	imap_front_forget(front);
	credentials->mechanism = MECHANISM_PLAIN;
	/* A name that is none is refused like an unknown one. */
	if (!take_string(front->front.arena, &name, &credentials->authcid) ||
	    !take_string(front->front.arena, &password, &credentials->secret) ||
	    sasl_check_name(credentials->authcid, &fault) == -1 ||
	    sasl_check_password(credentials->secret, &fault) == -1) {
		imap_front_forget(front);
		return imap_front_mistake(front, call, refusal(REFUSAL_WRONG));
	}
	keep_tag(front, call->tag);
	front->phase = IMAP_FRONT_ASKED;
	return FRONT_LOGIN;
}

/* ---- AUTHENTICATE */

static enum front_step
give_up(struct imap_front *front, struct str text, struct buf *out)
{
	struct imap_call call = {.tag = str_make(front->tag, front->tag_len), .out = out};

	imap_front_forget(front);
	return imap_front_mistake(front, &call, text);
}

static enum front_step
went(struct imap_front *front, enum sasl_step step, struct buf *out)
{
	switch (step) {
	case SASL_CHALLENGE:
		buf_add_text(out, "+ ");
		buf_add_str(out, front->sasl.challenge);
		buf_add_text(out, "\r\n");
		front->phase = IMAP_FRONT_SASL;
		return FRONT_SAID;
	case SASL_READY:
		front->phase = IMAP_FRONT_ASKED;
		return FRONT_LOGIN;
	case SASL_RESPONSE:
		front->front.response = front->sasl.response;
		front->phase = IMAP_FRONT_ASKED;
		return FRONT_RESPONSE;
	case SASL_CANCELLED:
		return give_up(front, STR("BAD Authentication cancelled"), out);
	case SASL_BAD:
		return give_up(front, STR("BAD This is not what the mechanism wants"), out);
	case SASL_TOKEN:
		return give_up(front, refusal(REFUSAL_TOKEN), out);
	}
	return FRONT_SAID;
}

enum front_step
imap_front_authenticate(struct imap_front *front, const struct imap_call *call)
{
	struct str rest = call->args, name, initial = STR("");
	enum mechanism mechanism;
	bool has_initial;
	struct fault fault;

	if (!imap_space(&rest) || !imap_atom(&rest, &name))
		return imap_front_mistake(front, call, STR("BAD AUTHENTICATE wants a mechanism"));
	has_initial = imap_space(&rest);
	if (has_initial)
		initial = rest;
	if (has_initial ? initial.len == 0 || str_find(initial, ' ') < initial.len : rest.len > 0)
		return imap_front_mistake(front, call, STR("BAD Odd arguments"));
	if (!call->terms->may_login)
		return imap_front_mistake(front, call, refusal(REFUSAL_UNSAFE));
	mechanism = mechanism_of(name);
	if (mechanism == MECHANISM_COUNT ||
	    (call->terms->mechanisms & MECHANISM_BIT(mechanism)) == 0)
		return imap_front_mistake(front, call, STR("NO This mechanism is not offered"));
	imap_front_forget(front);
	keep_tag(front, call->tag);
	return went(front,
	    sasl_begin(&front->sasl, call->terms->sasl, front->front.arena, mechanism,
		has_initial ? &initial : NULL, &front->front.credentials, &fault),
	    call->out);
}

enum front_step
imap_front_sasl_line(struct imap_front *front, struct str line, struct buf *out)
{
	struct fault fault;

	return went(front, sasl_line(&front->sasl, line, &front->front.credentials, &fault), out);
}

/* ---- ID */

/* The last one counts, if it is one. */
enum front_step
imap_front_identify(struct imap_front *front, const struct imap_call *call)
{
	struct client_id *id = client_id_new();
	struct str rest = call->args;

	if (!imap_space(&rest) || !imap_id_read(rest, id, &front->front.ttl)) {
		client_id_free(&id);
		return imap_front_mistake(front, call, STR("BAD This is no list of RFC 2971"));
	}
	client_id_free(&front->id);
	front->id = id;
	buf_add_text(call->out, "* ID (\"name\" \"splitmx\")\r\n");
	return imap_front_say(call, STR("OK Pleased to meet you"));
}
