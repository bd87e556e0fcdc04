/*
 * session.c - one SMTP connection, as the milter sees it              (machine)
 */
#include "milter/session.h"

#include "base/mem.h"

#include <stdlib.h>

enum phase {
	PHASE_IDLE, /* no message */
	PHASE_ENVELOPE, /* MAIL was */
	PHASE_ASKED, /* a recipient waits for policyd */
	PHASE_HEADERS,
	PHASE_ENDED /* accepted; what is asked about it can still be answered */
};

enum { TEXT_MOST_BYTES = 400 };

/* Places in names, which moves while it grows. */
struct recipient {
	size_t address_at, address_len; /* canonical, with extension */
	size_t account_at, account_len;
	size_t owner_at, owner_len;
};

struct session {
	enum phase phase;
	const struct session_terms *terms; /* of this message */

	struct account asked; /* of the recipient that was named last */
	struct buf asked_text; /* as it came, without angle brackets */
	struct recipient *recipients;
	size_t recipient_count, recipient_size;
	struct buf names;
	uint64_t epoch; /* highest that an answer came from */

	struct trace *traces; /* SESSION_TRACES_MOST, made for the first */
	size_t trace_count;
	unsigned header_count; /* all that have the name of ours */
	unsigned removals[SESSION_TRACES_MOST];
	size_t own_count, removal_count;

	struct buf header, text;
};

/* ---- life */

struct session *
session_new(void)
{
	struct session *session = xnew(struct session);

	account_init(&session->asked);
	buf_init(&session->text, TEXT_MOST_BYTES);
	return session;
}

static void
forget_message(struct session *session)
{
	session->phase = PHASE_IDLE;
	session->terms = NULL;
	session->recipient_count = session->trace_count = 0;
	session->own_count = session->removal_count = 0;
	session->header_count = 0;
	session->epoch = 0;
	buf_clear(&session->names);
	buf_clear(&session->header);
	buf_clear(&session->text);
	buf_clear(&session->asked_text);
	/* A client that stays connected keeps nothing that a large message needed. */
	buf_release(&session->names);
	buf_release(&session->header);
	free(session->traces);
	session->traces = NULL;
	free(session->recipients);
	session->recipients = NULL;
	session->recipient_size = 0;
}

void
session_free(struct session **sessionp)
{
	struct session *session = *sessionp;

	if (session == NULL)
		return;
	account_fini(&session->asked);
	buf_fini(&session->asked_text);
	buf_fini(&session->names);
	buf_fini(&session->header);
	buf_fini(&session->text);
	free(session->recipients);
	free(session->traces);
	free(session);
	*sessionp = NULL;
}

void
session_abort(struct session *session)
{
	forget_message(session);
}

/* ---- what is said */

static const struct session_reply go_on = {.verdict = SESSION_GO_ON, .why = "go_on"};

/* The replies but for their text, which begins with the words here. */
enum said { UNKNOWN, HELD, TROUBLE, TOO_MANY, YOUNG, ENDLESS, DISORDER, SAID_COUNT };

static const struct {
	enum session_verdict verdict;
	const char *code, *status, *why, *text;
} replies[] = {
    [UNKNOWN] = {SESSION_NEVER, "550", "5.1.1", "unknown", "User unknown"},
    [HELD] = {SESSION_LATER, "450", "4.2.1", "held",
	"This mailbox is being moved, try again later"},
    [TROUBLE] = {SESSION_LATER, "451", "4.3.0", "trouble",
	"Cannot look the recipient up now, try again later"},
    [TOO_MANY] = {SESSION_LATER, "452", "4.5.3", "too_many", "Too many recipients"},
    [YOUNG] = {SESSION_LATER, "451", "4.4.6", "loop_young",
	"This message has just been here, try again later; its way: "},
    [ENDLESS] = {SESSION_NEVER, "554", "5.4.6", "loop_endless",
	"This message goes in a circle; its way: "},
    [DISORDER] = {SESSION_LATER, "451", "4.5.0", "disorder", "Commands out of order"},
};
_Static_assert(ARRAY_LEN(replies) == SAID_COUNT, "a reply lacks its words");

static struct session_reply
say(struct session *session, enum said said)
{
	buf_clear(&session->text);
	buf_add_text(&session->text, replies[said].text);
	return (struct session_reply){.verdict = replies[said].verdict,
	    .code = replies[said].code,
	    .status = replies[said].status,
	    .text = buf_str(&session->text),
	    .why = replies[said].why};
}

/* A step that does not belong here leaves no message behind that could be accepted. */
static struct session_reply
disorder(struct session *session)
{
	forget_message(session);
	return say(session, DISORDER);
}

/* ---- the envelope */

struct session_reply
session_mail(struct session *session, const struct session_terms *terms)
{
	forget_message(session);
	session->terms = terms;
	session->phase = PHASE_ENVELOPE;
	return go_on;
}

/* Without angle brackets and without a source route (RFC 5321, appendix C). */
static struct str
bare_address(struct str argument)
{
	size_t colon;

	if (argument.len >= 2 && argument.ptr[0] == '<' && argument.ptr[argument.len - 1] == '>')
		argument = str_make(argument.ptr + 1, argument.len - 2);
	colon = str_find(argument, ':');
	if (str_starts(argument, "@") && colon < argument.len)
		argument = str_from(argument, colon + 1);
	return argument;
}

enum session_step
session_rcpt(struct session *session, struct str argument, struct str *address_r,
    struct session_reply *reply_r)
{
	struct str address = bare_address(argument);

	if (session->phase != PHASE_ENVELOPE) {
		*reply_r = disorder(session);
		return SESSION_SAY;
	}
	/* Whatever cannot be an account of ours is Postfix's affair. */
	if (account_parse(&session->asked, address, &session->terms->rules) != ACCOUNT_ADDRESS) {
		*reply_r = go_on;
		return SESSION_SAY;
	}
	if (session->recipient_count == SESSION_RECIPIENTS_MOST ||
	    buf_len(&session->names) > SESSION_NAMES_MOST_BYTES) {
		*reply_r = say(session, TOO_MANY);
		return SESSION_SAY;
	}
	buf_clear(&session->asked_text);
	buf_add_str(&session->asked_text, address);
	*address_r = buf_str(&session->asked_text);
	session->phase = PHASE_ASKED;
	return SESSION_ASK;
}

static size_t
keep(struct session *session, struct str name)
{
	size_t at = buf_len(&session->names);

	buf_add_str(&session->names, name);
	return at;
}

static struct str
kept(const struct session *session, size_t at, size_t len)
{
	return str_make(buf_str(&session->names).ptr + at, len);
}

static void
add_recipient(struct session *session, const struct inquiry *inquiry)
{
	struct str address = session->asked.name;

	if (session->recipient_count == session->recipient_size) {
		session->recipient_size =
		    session->recipient_size == 0 ? 8 : 2 * session->recipient_size;
		session->recipients = xrealloc(session->recipients,
		    session->recipient_size * sizeof(session->recipients[0]));
	}
	session->recipients[session->recipient_count++] = (struct recipient){
	    .address_at = keep(session, address),
	    .address_len = address.len,
	    .account_at = keep(session, inquiry->account),
	    .account_len = inquiry->account.len,
	    .owner_at = keep(session, inquiry->owner),
	    .owner_len = inquiry->owner.len,
	};
	if (inquiry->epoch > session->epoch)
		session->epoch = inquiry->epoch;
}

struct session_reply
session_answer(struct session *session, const struct inquiry *inquiry)
{
	if (session->phase != PHASE_ASKED)
		return disorder(session);
	session->phase = PHASE_ENVELOPE;
	switch (inquiry->verdict) {
	case VERDICT_ABSENT: /* not managed */
	case VERDICT_PERM: /* an impossible address: Postfix has words for it */
		return go_on;
	case VERDICT_FOUND:
		if (inquiry->is_unknown)
			return say(session, UNKNOWN);
		if (inquiry->hold != HOLD_NONE && session->terms->defers_held)
			return say(session, HELD);
		add_recipient(session, inquiry);
		return go_on;
	case VERDICT_TEMP:
	case VERDICT_COUNT:
		break;
	}
	return say(session, TROUBLE);
}

/* ---- the message */

enum trace_kind
session_header(struct session *session, struct str name, struct str value)
{
	struct trace *trace;
	enum trace_kind kind;

	if (session->phase == PHASE_ENVELOPE)
		session->phase = PHASE_HEADERS;
	if (session->phase != PHASE_HEADERS || !str_is_nocase(name, TRACE_HEADER))
		return TRACE_KINDS;
	session->header_count++;
	if (session->trace_count == SESSION_TRACES_MOST)
		return TRACE_KINDS;
	if (session->traces == NULL)
		session->traces = xnew_array(struct trace, SESSION_TRACES_MOST);
	trace = &session->traces[session->trace_count];
	kind = trace_read(trace, value, session->terms->keys);
	if (kind != TRACE_GOOD)
		return kind;
	session->trace_count++;
	if (str_is(session->terms->instance, trace->instance))
		session->removals[session->own_count++] = session->header_count;
	return TRACE_GOOD;
}

/* A circle, in words; nobody's name is in them, as others of the message may read them too. */
static struct session_reply
say_way(struct session *session, enum said said)
{
	struct session_reply reply = say(session, said);

	loop_path(session->traces, session->trace_count, session->terms->instance, &session->text);
	must(!session->text.failed);
	reply.text = buf_str(&session->text);
	return reply;
}

static struct loop
look_for_loop(const struct session *session, uint64_t now_s)
{
	struct loop loop = {.verdict = LOOP_NONE};
	struct str *addresses;

	if (session->own_count == 0 || session->recipient_count == 0)
		return loop;
	addresses = xnew_array(struct str, session->recipient_count);
	for (size_t i = 0; i < session->recipient_count; i++)
		addresses[i] = kept(session, session->recipients[i].address_at,
		    session->recipients[i].address_len);
	loop = loop_decide(session->traces, session->trace_count, session->terms->instance,
	    addresses, session->recipient_count, now_s, session->terms->loops);
	free(addresses);
	return loop;
}

static void
write_header(struct session *session, uint64_t now_s,
    const unsigned char nonce[static TRACE_NONCE_BYTES])
{
	const struct session_terms *terms = session->terms;
	struct trace trace;

	must(trace_begin(&trace, terms->instance, trace_keys_first(terms->keys), session->epoch,
	    now_s, nonce));
	for (size_t i = 0; i < session->recipient_count; i++)
		trace_add(&trace, kept(session, session->recipients[i].address_at,
				      session->recipients[i].address_len));
	trace_write(&trace, &session->header);
}

/* Counted from the top, taken off from the bottom, so that no number changes before its turn. */
static void
choose_removals(struct session *session)
{
	if (session->recipient_count > 0 || !session->terms->strips_outgoing)
		return;
	for (size_t i = 0; i < session->own_count / 2; i++) {
		unsigned place = session->removals[i];

		session->removals[i] = session->removals[session->own_count - 1 - i];
		session->removals[session->own_count - 1 - i] = place;
	}
	session->removal_count = session->own_count;
}

struct session_reply
session_end(struct session *session, uint64_t now_s,
    const unsigned char nonce[static TRACE_NONCE_BYTES], struct str *header_r)
{
	struct session_reply reply = go_on;
	struct loop loop;

	*header_r = STR("");
	if (session->phase != PHASE_HEADERS && session->phase != PHASE_ENVELOPE)
		return disorder(session);
	loop = look_for_loop(session, now_s);
	if (loop.verdict != LOOP_NONE) {
		reply = say_way(session, loop.verdict == LOOP_YOUNG ? YOUNG : ENDLESS);
		session->recipient_count = 0; /* nothing has arrived */
	} else {
		choose_removals(session);
		if (session->recipient_count > 0)
			write_header(session, now_s, nonce);
		*header_r = buf_str(&session->header);
	}
	session->phase = PHASE_ENDED;
	return reply;
}

/* ---- afterwards */

size_t
session_removals(const struct session *session, const unsigned **places_r)
{
	*places_r = session->removals;
	return session->phase == PHASE_ENDED ? session->removal_count : 0;
}

size_t
session_arrivals(const struct session *session)
{
	return session->phase == PHASE_ENDED ? session->recipient_count : 0;
}

struct arrival
session_arrival(const struct session *session, size_t i)
{
	const struct recipient *recipient = &session->recipients[i];
	struct str side = session->terms->side;
	struct str owner = kept(session, recipient->owner_at, recipient->owner_len);

	return (struct arrival){
	    .account = kept(session, recipient->account_at, recipient->account_len),
	    .owner = owner,
	    .is_stray = side.len > 0 && !str_eq(side, owner),
	};
}
