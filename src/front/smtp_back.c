/*
 * smtp_back.c - submission with a backend, until the login stands    (machine)
 */
#include "front/smtp_back.h"

#include "base/mem.h"
#include "front/back.h"
#include "front/smtp_back_inside.h"
#include "front/smtp_lex.h"

#include <stdlib.h>

enum {
	LINE_MOST = 4096, /* RFC 5321 says 512 */
	REPLY_MOST = 16 * 1024,
};

static struct smtp_back *
smtp_back_of(struct back *back)
{
	return (struct smtp_back *)back;
}

/* With the reply in hand, as long as it cannot repeat a password. */
static enum back_step
broken(struct smtp_back *back, enum verdict verdict, const char *why, struct fault *fault_r)
{
	bool is_told = back->code != 0 && back->phase < SMTP_BACK_AUTH;

	return back_broken(fault_r, verdict, why, is_told ? buf_str(&back->reply) : STR(""));
}

/* A refusal that is about no login. 4yz may be another one tomorrow: RFC 5321, 4.2.1. */
static enum back_step
refused(struct smtp_back *back, const char *why, struct fault *fault_r)
{
	return broken(back, back->code / 100 == 4 ? VERDICT_TEMP : VERDICT_PERM, why, fault_r);
}

/* The client whom we have told of is not welcome: that is no fault of the backend. */
static enum back_step
not_welcome(struct smtp_back *back)
{
	back->back.refusal = REFUSAL_LATER;
	back->back.text = STR("");
	return BACK_REFUSED;
}

/* ---- EHLO */

static enum back_step
say_hello(struct smtp_back *back, struct buf *out)
{
	const struct back_task *task = back->back.task;

	back_forget_offer(&back->back);
	buf_add_text(out, "EHLO ");
	if (back->says_client)
		buf_add_str(out, task->hello);
	else
		buf_add_text(out, task->host);
	buf_add_text(out, "\r\n");
	back->phase = SMTP_BACK_HELLO;
	return BACK_WAIT;
}

/* "250-KEYWORD value", line by line; the first is its name. */
static bool
note_offer(struct smtp_back *back)
{
	struct str rest = buf_str(&back->reply);
	bool is_name = true;

	while (rest.len > 0) {
		size_t len = str_find(rest, '\r');
		struct smtp_line line;
		struct str word, value;

		if (!smtp_line(str_make(rest.ptr, len), &line))
			return false;
		rest = str_from(rest, len < rest.len ? len + 2 : len);
		word = smtp_word(line.text, &value);
		if (!is_name && word.len > 0 && !offer_add(back->back.offer, word, value))
			return false;
		is_name = false;
	}
	return true;
}

static enum back_step
take_hello(struct smtp_back *back, struct buf *out, struct fault *fault_r)
{
	const struct back_task *task = back->back.task;

	if (back->code != 250 && back->says_client && back->code != 421) {
		back->says_client = false;
		return say_hello(back, out);
	}
	if (back->code != 250)
		return back->has_told ? not_welcome(back)
				      : refused(back, "the backend refuses EHLO", fault_r);
	if (!note_offer(back))
		return broken(back, VERDICT_PERM, "the backend announces too much", fault_r);
	if (task->start_tls && !back->is_tls) {
		if (!offer_has(back->back.offer, "STARTTLS"))
			return broken(back, VERDICT_PERM, "the backend does not offer STARTTLS",
			    fault_r);
		buf_add_text(out, "STARTTLS\r\n");
		back->phase = SMTP_BACK_STARTTLS;
		return BACK_WAIT;
	}
	if (task->way != CALLER_XCLIENT || back->has_told)
		return smtp_back_log_in(back, out, fault_r);
	if (!smtp_back_say_caller(back, out))
		return broken(back, VERDICT_PERM,
		    "the backend does not announce XCLIENT, by which it is to learn who calls",
		    fault_r);
	back->phase = SMTP_BACK_XCLIENT;
	return BACK_WAIT;
}

/* ---- the other replies */

static enum back_step
take_greeting(struct smtp_back *back, struct buf *out, struct fault *fault_r)
{
	if (back->code != 220)
		return refused(back, "the backend does not want to talk", fault_r);
	return say_hello(back, out);
}

static enum back_step
take_tls(struct smtp_back *back, bool is_last, struct fault *fault_r)
{
	if (back->code != 220)
		return refused(back, "the backend refuses STARTTLS", fault_r);
	if (!is_last)
		return broken(back, VERDICT_PERM,
		    "unsafe: the backend goes on in clear behind its reply to STARTTLS", fault_r);
	back->phase = SMTP_BACK_SHAKING;
	return BACK_TLS;
}

/* It begins anew, and its greeting is the reply. */
static enum back_step
take_caller(struct smtp_back *back, struct buf *out, struct fault *fault_r)
{
	bool is_about_command = back->code >= 500 && back->code <= 504;

	if (is_about_command || (back->code / 100 < 4 && back->code != 220))
		return refused(back, "the backend does not take XCLIENT from us", fault_r);
	if (back->code != 220)
		return not_welcome(back);
	back->has_told = true;
	back->says_client = smtp_is_plain_name(back->back.task->hello);
	return say_hello(back, out);
}

static enum back_step
take_reply(struct smtp_back *back, bool is_last, struct buf *out, struct fault *fault_r)
{
	switch (back->phase) {
	case SMTP_BACK_GREETING:
		return take_greeting(back, out, fault_r);
	case SMTP_BACK_HELLO:
		return take_hello(back, out, fault_r);
	case SMTP_BACK_STARTTLS:
		return take_tls(back, is_last, fault_r);
	case SMTP_BACK_XCLIENT:
		return take_caller(back, out, fault_r);
	case SMTP_BACK_AUTH:
		return smtp_back_went(back, out, fault_r);
	case SMTP_BACK_SHAKING:
	case SMTP_BACK_ANSWER:
	case SMTP_BACK_OVER:
		break;
	}
	return BACK_WAIT;
}

/* ---- reading */

/* Into the reply in hand; false: it is no line of it. What is no text becomes "?". */
static bool
add_line(struct smtp_back *back, struct str line, bool *is_whole_r)
{
	struct smtp_line parts;

	if (!smtp_line(line, &parts) || (back->code != 0 && parts.code != back->code))
		return false;
	if (back->code != 0)
		buf_add_text(&back->reply, "\r\n");
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		buf_add_byte(&back->reply, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
	back->code = parts.code;
	*is_whole_r = parts.is_last;
	return !back->reply.failed;
}

/* One line; WAIT with *more_r when there may be another. */
static enum back_step
next_line(struct smtp_back *back, struct buf *in, struct buf *out, bool *more_r,
    struct fault *fault_r)
{
	bool is_whole = false;
	enum back_step step;
	struct str line;

	*more_r = false;
	/* Another protocol may have no lines at all. */
	if (back->phase == SMTP_BACK_GREETING && buf_len(in) > 0 &&
	    (buf_str(in).ptr[0] < '2' || buf_str(in).ptr[0] > '5'))
		return broken(back, VERDICT_PERM, "no SMTP greeting", fault_r);
	switch (line_next(&back->lines, in, &line)) {
	case LINE_WAIT:
		return BACK_WAIT;
	case LINE_HERE:
		if (add_line(back, line, &is_whole))
			break;
		return broken(back, VERDICT_PERM, "the backend says what is no reply", fault_r);
	case LINE_TOO_LONG:
		return broken(back, VERDICT_PERM, "the backend says too much at a time", fault_r);
	}
	step = is_whole ? take_reply(back, buf_len(in) == 0, out, fault_r) : BACK_WAIT;
	if (is_whole && step != BACK_BROKEN) {
		back->code = 0;
		if (step == BACK_WAIT)
			buf_clear(&back->reply);
	}
	*more_r = step == BACK_WAIT;
	return step;
}

enum back_step
smtp_back_next(struct back *base, struct buf *in, struct buf *out, struct fault *fault_r)
{
	struct smtp_back *back = smtp_back_of(base);
	enum back_step step = BACK_WAIT;
	bool more = true;

	switch (back->phase) {
	case SMTP_BACK_SHAKING:
	case SMTP_BACK_ANSWER:
		return BACK_WAIT;
	case SMTP_BACK_OVER:
		return broken(back, VERDICT_TEMP, "the login is over", fault_r);
	case SMTP_BACK_GREETING:
	case SMTP_BACK_HELLO:
	case SMTP_BACK_STARTTLS:
	case SMTP_BACK_XCLIENT:
	case SMTP_BACK_AUTH:
		break;
	}
	while (more)
		step = next_line(back, in, out, &more, fault_r);
	if (step != BACK_WAIT && step != BACK_TLS && step != BACK_CHALLENGE)
		back->phase = SMTP_BACK_OVER;
	return step;
}

/* ---- what the driver tells */

struct back *
smtp_back_new(const struct back_task *task)
{
	struct smtp_back *back = xnew(struct smtp_back);

	back->back.task = task;
	back->back.offer = offer_new();
	back->lines.max_bytes = LINE_MOST;
	buf_init(&back->reply, REPLY_MOST);
	return &back->back;
}

void
smtp_back_free(struct back *base)
{
	struct smtp_back *back = smtp_back_of(base);

	offer_free(&back->back.offer);
	buf_wipe(&back->reply);
	free(back);
}

/* What it announced in clear could have been anybody's word: RFC 3207, section 4.2. */
void
smtp_back_tls(struct back *base, struct buf *out)
{
	struct smtp_back *back = smtp_back_of(base);

	back->is_tls = true;
	buf_clear(&back->reply);
	say_hello(back, out);
}

void
smtp_back_respond(struct back *base, struct str base64, struct buf *out)
{
	struct smtp_back *back = smtp_back_of(base);

	must(back->phase == SMTP_BACK_ANSWER);
	back->phase = SMTP_BACK_AUTH;
	buf_clear(&back->reply);
	buf_add_str(out, base64);
	buf_add_text(out, "\r\n");
}

/* Where the backend asks, or could, the next line would be taken for the answer. */
static bool
is_asked(const struct smtp_back *back)
{
	enum mechanism mechanism;

	if (back->phase != SMTP_BACK_AUTH)
		return back->phase == SMTP_BACK_ANSWER;
	mechanism = back->back.task->credentials->mechanism;
	return !back->has_started || (mechanism != MECHANISM_PLAIN && mechanism != MECHANISM_LOGIN);
}

void
smtp_back_quit(struct back *base, struct buf *out)
{
	struct smtp_back *back = smtp_back_of(base);

	if (back->phase == SMTP_BACK_SHAKING)
		return; /* in the middle of TLS there is nothing that could be said */
	if (is_asked(back))
		buf_add_text(out, "*\r\n");
	back->phase = SMTP_BACK_OVER;
	buf_add_text(out, "QUIT\r\n");
}
