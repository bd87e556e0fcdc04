/*
 * smtp_back_login.c - how a login is said to an SMTP backend         (machine)
 *
 * RFC 4954.
 */
#include "front/smtp_back_inside.h"

#include "base/mem.h"
#include "front/back.h"
#include "front/back_sasl.h"
#include "front/sasl.h"
#include "front/smtp_lex.h"

#include <sodium.h>

/*
 * The longest command that every server takes. With a longer initial response AUTH goes
 * first alone: Postfix has its larger limit (smtpd_sasl_response_limit) only for responses.
 */
enum { AUTH_LINE_MOST = 512 };

static bool
offers(const struct smtp_back *back, const char *name)
{
	struct str list, word;

	if (!offer_value(back->back.offer, "AUTH", &list))
		return false;
	while (list.len > 0) {
		word = smtp_word(list, &list);
		if (str_is_nocase(word, name))
			return true;
	}
	return false;
}

/* ---- saying it */

static void
say_initial(struct smtp_back *back, struct buf *out)
{
	back->has_started = true;
	sasl_say(back->back.task->credentials, back->back.task->login, out);
	buf_add_text(out, "\r\n");
}

static enum back_step
say_auth(struct smtp_back *back, const char *name, struct buf *out)
{
	size_t begin = buf_len(out), command;

	back->back.says_login = true;
	buf_addf(out, "AUTH %s", name);
	command = buf_len(out);
	back->phase = SMTP_BACK_AUTH;
	if (!back->by_words) {
		buf_add_byte(out, ' ');
		say_initial(back, out);
		if (buf_len(out) - begin <= AUTH_LINE_MOST)
			return BACK_WAIT;
		back->has_started = false;
		sodium_memzero(out->mem + out->start + command, buf_len(out) - command);
		buf_truncate(out, command);
	}
	buf_add_text(out, "\r\n");
	return BACK_WAIT;
}

/* It is no wrong password, and it will not be better later. */
static enum back_step
cannot(struct smtp_back *back)
{
	back->back.refusal = REFUSAL_LATER;
	back->back.text = STR("504 5.5.4 This login is not possible here");
	return BACK_REFUSED;
}

enum back_step
smtp_back_log_in(struct smtp_back *back, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;
	enum mechanism mechanism;

	if (task->credentials == NULL) {
		back->phase = SMTP_BACK_OVER; /* all that was wanted is known */
		return BACK_ACCEPTED;
	}
	mechanism = task->credentials->mechanism;
	if (!task->is_safe && !back->is_tls && !mechanism_is_passed(mechanism))
		return back_unable(fault_r, "the connection is not safe enough for a password");
	if (!back_sasl_is_password(mechanism))
		return offers(back, mechanism_names[mechanism])
			   ? say_auth(back, mechanism_names[mechanism], out)
			   : cannot(back);
	if (offers(back, mechanism_names[MECHANISM_PLAIN]))
		return say_auth(back, mechanism_names[MECHANISM_PLAIN], out);
	if (!offers(back, mechanism_names[MECHANISM_LOGIN]))
		return back_unable(fault_r, "the backend announces no way to log in");
	if (task->credentials->authzid.len > 0)
		return cannot(back);
	back->by_words = true;
	return say_auth(back, mechanism_names[MECHANISM_LOGIN], out);
}

/* ---- what it asks for */

/* "334 base64"; it goes to the client as it is. */
static bool
is_base64(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c <= ' ' || c >= 0x7f)
			return false;
	}
	return true;
}

static enum back_step
go_on(struct smtp_back *back, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;
	struct str text = str_from(buf_str(&back->reply), 3);

	if (++back->rounds > SASL_ROUNDS_MOST)
		return back_unable(fault_r, "the backend asks for ever");
	if (back->by_words) {
		if (back->rounds > 2)
			return back_unable(fault_r, "the backend asks for more than LOGIN has");
		if (back->rounds == 2) {
			back->has_started = true;
			back_say_base64(task->credentials->secret, out);
		} else {
			back_say_base64(back_name(task), out);
		}
		return BACK_WAIT;
	}
	if (!back->has_started) {
		say_initial(back, out);
		return BACK_WAIT;
	}
	if (back_sasl_is_password(task->credentials->mechanism))
		return back_unable(fault_r, "the backend asks for more than PLAIN has");
	if (text.len > 0)
		text = str_from(text, 1);
	if (!is_base64(text))
		return back_unable(fault_r, "the backend asks what is no base64");
	back->back.text = text;
	back->phase = SMTP_BACK_ANSWER;
	return BACK_CHALLENGE;
}

/* ---- what came of it */

/* RFC 4954, section 6; RFC 5248. What is not here says nothing about a password. */
static const struct code {
	unsigned code;
	enum refusal refusal;
	bool passes; /* in the backend's own words */
} codes[] = {
    {421, REFUSAL_LATER, false}, /* it closes: the client need not */
    {525, REFUSAL_WRONG, false}, /* disabled: nobody is told who is known here */
    {534, REFUSAL_WRONG, true},
    {535, REFUSAL_WRONG, false},
    {538, REFUSAL_LATER, true},
};

static enum back_step
refuse(struct smtp_back *back)
{
	struct code what = {back->code, REFUSAL_LATER, back->code / 100 == 4};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (codes[i].code == back->code)
			what = codes[i];
	}
	back->back.refusal = what.refusal;
	back->back.text = what.passes ? buf_str(&back->reply) : STR("");
	return BACK_REFUSED;
}

enum back_step
smtp_back_went(struct smtp_back *back, struct buf *out, struct fault *fault_r)
{
	if (back->code == 334)
		return go_on(back, out, fault_r);
	if (back->code / 100 == 4 || back->code / 100 == 5)
		return refuse(back);
	if (back->code != 235)
		return back_unable(fault_r, "the backend answers what was not asked");
	back->back.text = buf_str(&back->reply);
	return BACK_ACCEPTED;
}
