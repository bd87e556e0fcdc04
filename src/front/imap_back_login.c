/*
 * imap_back_login.c - how a login is said to an IMAP backend         (machine)
 */
#include "front/imap_back_inside.h"

#include "base/mem.h"
#include "front/back.h"
#include "front/back_sasl.h"
#include "front/sasl.h"

static bool
has(const struct imap_back *back, const char *word)
{
	return offer_has(back->back.offer, word);
}

/* ---- what can be said in which way */

/* Without waiting for the backend's leave. RFC 7888, sections 4 and 5. */
static bool
can_send_literal(const struct imap_back *back, struct str text)
{
	return has(back, "LITERAL+") || (text.len <= IMAP_LITERALS_MOST &&
					    (has(back, "LITERAL-") || has(back, "IMAP4rev2")));
}

static bool
can_say_at_once(const struct imap_back *back, struct str text)
{
	return imap_can_quote(text) || can_send_literal(back, text);
}

/* The way for a password, the shortest first; false: there is none. */
static bool
choose_for_password(struct imap_back *back)
{
	const struct back_task *task = back->back.task;
	bool as_other = task->credentials->authzid.len > 0;
	bool by_plain = has(back, "AUTH=PLAIN");
	bool by_login = !has(back, "LOGINDISABLED") && !as_other;
	bool at_once = can_say_at_once(back, back_name(task)) &&
		       can_say_at_once(back, task->credentials->secret);

	if (by_plain && (has(back, "SASL-IR") || !by_login || !at_once))
		back->way = IMAP_WAY_SASL;
	else if (by_login)
		back->way = IMAP_WAY_LOGIN;
	else if (has(back, "AUTH=LOGIN") && !as_other)
		back->way = IMAP_WAY_SASL_LOGIN;
	else
		return false;
	return true;
}

static bool
choose(struct imap_back *back)
{
	enum mechanism mechanism = back->back.task->credentials->mechanism;
	char word[32] = "AUTH=";

	if (back_sasl_is_password(mechanism))
		return choose_for_password(back);
	must(strlen(word) + strlen(mechanism_names[mechanism]) < sizeof(word));
	memcpy(word + strlen(word), mechanism_names[mechanism],
	    strlen(mechanism_names[mechanism]) + 1);
	back->way = IMAP_WAY_SASL;
	return has(back, word);
}

/* ---- saying it */

/* LOGIN's strings, as far as can be said before the backend asks for more. */
static void
say_strings(struct imap_back *back, struct buf *out)
{
	const struct back_task *task = back->back.task;
	struct str strings[] = {back_name(task), task->credentials->secret};

	for (; back->strings < ARRAY_LEN(strings); back->strings++) {
		struct str text = strings[back->strings];

		if (back->has_promised) {
			back->has_promised = false;
			buf_add_str(out, text);
			continue;
		}
		buf_add_byte(out, ' ');
		if (imap_can_quote(text)) {
			lex_say_quoted(out, text);
			continue;
		}
		if (!can_send_literal(back, text)) {
			buf_addf(out, "{%zu}\r\n", text.len);
			back->has_promised = true;
			return;
		}
		buf_addf(out, "{%zu+}\r\n", text.len);
		buf_add_str(out, text);
	}
	buf_add_text(out, "\r\n");
}

static void
say_mechanism(struct imap_back *back, const char *name, struct buf *out)
{
	const struct back_task *task = back->back.task;
	size_t before = buf_len(out), command;

	buf_addf(out, TAG_LOGIN " AUTHENTICATE %s", name);
	command = buf_len(out);
	if (back->way == IMAP_WAY_SASL && has(back, "SASL-IR")) {
		buf_add_byte(out, ' ');
		sasl_say(task->credentials, task->login, out);
		back->has_started = buf_len(out) - before <= IMAP_LINE_MOST - 2;
		if (!back->has_started)
			buf_truncate(out, command); /* too long for a command: when it asks */
	}
	buf_add_text(out, "\r\n");
}

static void
say_login(struct imap_back *back, struct buf *out)
{
	enum mechanism mechanism = back->back.task->credentials->mechanism;

	back->back.says_login = true;
	switch (back->way) {
	case IMAP_WAY_LOGIN:
		buf_add_text(out, TAG_LOGIN " LOGIN");
		say_strings(back, out);
		return;
	case IMAP_WAY_SASL:
		say_mechanism(back,
		    mechanism_names[back_sasl_is_password(mechanism) ? MECHANISM_PLAIN : mechanism],
		    out);
		return;
	case IMAP_WAY_SASL_LOGIN:
		say_mechanism(back, mechanism_names[MECHANISM_LOGIN], out);
		return;
	}
}

/* Who is calling goes first, in the same write. False: the backend would not hear it. */
static bool
say_id(struct imap_back *back, struct buf *out)
{
	const struct back_task *task = back->back.task;
	bool is_needed = task->way == CALLER_ID;

	if (!has(back, "ID"))
		return !is_needed;
	if (!is_needed && task->id == NULL)
		return true;
	buf_add_text(out, TAG_ID " ID ");
	client_id_say(task->id, is_needed ? task->caller : NULL, out);
	buf_add_text(out, "\r\n");
	back->awaits_id = true;
	return true;
}

/* It is no wrong password, and it will not be better later: RFC 5530, section 3. */
static enum back_step
cannot(struct imap_back *back)
{
	back->back.refusal = REFUSAL_LATER;
	back->back.text = STR("NO [CANNOT] This login is not possible here");
	back->phase = IMAP_BACK_OVER;
	return BACK_REFUSED;
}

enum back_step
imap_back_log_in(struct imap_back *back, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;
	bool is_safe = task->is_safe || back->is_tls;

	if (task->credentials == NULL) {
		back->phase = IMAP_BACK_OVER; /* all that was wanted is known */
		return BACK_ACCEPTED;
	}
	if (!is_safe && !mechanism_is_passed(task->credentials->mechanism))
		return back_unable(fault_r, "the connection is not safe enough for a password");
	if (!choose(back)) {
		if (back_sasl_is_password(task->credentials->mechanism) &&
		    task->credentials->authzid.len == 0)
			return back_unable(fault_r, "the backend announces no way to log in");
		return cannot(back);
	}
	if (!say_id(back, out))
		return back_unable(fault_r,
		    "the backend does not announce ID, by which it is to learn who calls");
	back->phase = IMAP_BACK_LOGIN;
	say_login(back, out);
	return BACK_WAIT;
}

/* ---- what it asks for */

static enum back_step
go_on_sasl(struct imap_back *back, struct str text, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;

	if (!back->has_started) {
		back->has_started = true;
		sasl_say(task->credentials, task->login, out);
		buf_add_text(out, "\r\n");
		return BACK_WAIT;
	}
	if (back_sasl_is_password(task->credentials->mechanism))
		return back_unable(fault_r, "the backend asks for more than PLAIN has");
	buf_clear(&back->text);
	buf_add_str(&back->text, text);
	back->back.text = buf_str(&back->text);
	back->phase = IMAP_BACK_ANSWER;
	return BACK_CHALLENGE;
}

enum back_step
imap_back_go_on(struct imap_back *back, struct str text, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;

	if (back->phase != IMAP_BACK_LOGIN || ++back->rounds > SASL_ROUNDS_MOST)
		return back_unable(fault_r, "the backend asks where nothing is to be asked");
	switch (back->way) {
	case IMAP_WAY_LOGIN:
		if (!back->has_promised)
			break;
		say_strings(back, out);
		return BACK_WAIT;
	case IMAP_WAY_SASL:
		return go_on_sasl(back, text, out, fault_r);
	case IMAP_WAY_SASL_LOGIN:
		if (back->rounds > 2)
			break;
		back_say_base64(back->rounds == 1 ? back_name(task) : task->credentials->secret,
		    out);
		return BACK_WAIT;
	}
	return back_unable(fault_r, "the backend asks for more than the login has");
}

/* ---- what it refuses */

/* Response codes of RFC 5530, section 3, and RFC 3206; any other is a plain refusal. */
static const struct code {
	const char *name;
	enum refusal refusal;
	bool passes; /* in the backend's own words */
} codes[] = {
    {"UNAVAILABLE", REFUSAL_LATER, true},
    {"SYS/TEMP", REFUSAL_LATER, true},
    {"SYS/PERM", REFUSAL_LATER, true},
    {"EXPIRED", REFUSAL_WRONG, true},
    {"ALERT", REFUSAL_WRONG, true},
    {"CONTACTADMIN", REFUSAL_LATER, false},
    {"INUSE", REFUSAL_LATER, false},
    {"LIMIT", REFUSAL_LATER, false},
    {"OVERQUOTA", REFUSAL_LATER, false},
    {"PRIVACYREQUIRED", REFUSAL_LATER, false},
    {"SERVERBUG", REFUSAL_LATER, false},
};

static const struct code *
code_of(struct str text)
{
	size_t end;

	if (text.len < 5 || !str_is_nocase(str_make(text.ptr, 4), "NO ["))
		return NULL;
	text = str_from(text, 4);
	end = str_find(text, ']');
	text.len = end < str_find(text, ' ') ? end : str_find(text, ' ');
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (str_is_nocase(text, codes[i].name))
			return &codes[i];
	}
	return NULL;
}

enum back_step
imap_back_refuse(struct imap_back *back, struct str text)
{
	const struct code *code = code_of(text);
	bool is_bad = text.len < 2 || !str_is_nocase(str_make(text.ptr, 2), "NO");

	/* BAD is about our words, or its own trouble: never about a password. */
	back->back.refusal = code != NULL ? code->refusal : is_bad ? REFUSAL_LATER : REFUSAL_WRONG;
	buf_clear(&back->text);
	if (code != NULL && code->passes)
		buf_add_str(&back->text, text);
	back->back.text = buf_str(&back->text);
	back->phase = IMAP_BACK_OVER;
	return BACK_REFUSED;
}
