/*
 * imap_back.c - IMAP with a backend, until the login stands          (machine)
 */
#include "front/imap_back.h"

#include "base/mem.h"
#include "front/back.h"
#include "front/imap_back_inside.h"
#include "front/imap_caps.h"

#include <stdlib.h>

enum { UNTAGGED_MOST = 8192 };

static struct imap_back *
imap_back_of(struct back *back)
{
	return (struct imap_back *)back;
}

/* "OK", "OK text": whether a word stands at the beginning. */
static bool
is_word(struct str text, const char *word)
{
	return str_is_nocase(str_make(text.ptr, str_find(text, ' ')), word);
}

/* ---- what it can do */

static enum back_step
note_capabilities(struct imap_back *back, struct str text, struct fault *fault_r)
{
	struct str list, word;

	if (!imap_caps_find(text, &list))
		return BACK_WAIT;
	back_forget_offer(&back->back);
	back->has_offer = true;
	while (imap_caps_next(&list, &word)) {
		if (!offer_add(back->back.offer, word, STR("")))
			return back_unable(fault_r, "the backend announces too much");
	}
	return BACK_WAIT;
}

static enum back_step
ask_capabilities(struct imap_back *back, struct buf *out)
{
	back->phase = IMAP_BACK_CAPABILITY;
	buf_add_text(out, TAG_CAPABILITY " CAPABILITY\r\n");
	return BACK_WAIT;
}

/* ---- the greeting */

static enum back_step
ask_tls(struct imap_back *back, struct buf *out, struct fault *fault_r)
{
	if (back->has_offer && !offer_has(back->back.offer, "STARTTLS"))
		return back_unable(fault_r, "the backend does not offer STARTTLS");
	back->phase = IMAP_BACK_STARTTLS;
	buf_add_text(out, TAG_STARTTLS " STARTTLS\r\n");
	return BACK_WAIT;
}

static enum back_step
take_greeting(struct imap_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	struct str text = str_starts(line, "* ") ? str_from(line, 2) : STR("");

	if (is_word(text, "PREAUTH"))
		return back_broken(fault_r, VERDICT_PERM,
		    "the backend takes us for somebody who is logged in", line);
	if (is_word(text, "BYE"))
		return back_broken(fault_r, VERDICT_TEMP, "the backend does not want to talk",
		    line);
	if (!is_word(text, "OK"))
		return back_broken(fault_r, VERDICT_PERM, "no IMAP greeting", line);
	if (note_capabilities(back, text, fault_r) == BACK_BROKEN)
		return BACK_BROKEN;
	if (back->back.task->start_tls)
		return ask_tls(back, out, fault_r);
	return back->has_offer ? imap_back_log_in(back, out, fault_r) : ask_capabilities(back, out);
}

/* ---- lines that answer nothing */

static enum back_step
take_untagged(struct imap_back *back, struct str line, struct fault *fault_r)
{
	struct str text = str_from(line, 2);

	if (is_word(text, "BYE"))
		return back_broken(fault_r, VERDICT_TEMP, "the backend ended the conversation",
		    back->phase < IMAP_BACK_LOGIN ? line : STR(""));
	if (back->phase != IMAP_BACK_LOGIN)
		return note_capabilities(back, text, fault_r);
	if (is_word(text, "ID"))
		return BACK_WAIT; /* answers ours: the client has had its own */
	buf_add_str(&back->untagged, line);
	buf_add_text(&back->untagged, "\r\n");
	if (back->untagged.failed)
		return back_broken(fault_r, VERDICT_TEMP,
		    "the backend says too much during the login", STR(""));
	return BACK_WAIT;
}

/* ---- answers */

static enum back_step
take_tls(struct imap_back *back, struct str text, bool is_last, struct fault *fault_r)
{
	if (!is_word(text, "OK"))
		return back_broken(fault_r, VERDICT_PERM, "the backend refuses STARTTLS", text);
	if (!is_last)
		return back_unable(fault_r,
		    "unsafe: the backend goes on in clear behind its OK to STARTTLS");
	back->phase = IMAP_BACK_SHAKING;
	return BACK_TLS;
}

static enum back_step
accepted(struct imap_back *back)
{
	back->back.untagged = buf_str(&back->untagged);
	back->back.text = buf_str(&back->text);
	back->phase = IMAP_BACK_OVER;
	return BACK_ACCEPTED;
}

/* All that was asked before the session must have been answered: then nothing is left in it. */
static enum back_step
take_login(struct imap_back *back, struct str text)
{
	if (!is_word(text, "OK"))
		return imap_back_refuse(back, text);
	buf_clear(&back->text);
	buf_add_str(&back->text, text);
	back->has_logged_in = true;
	return back->awaits_id ? BACK_WAIT : accepted(back);
}

static enum back_step
take_id(struct imap_back *back, struct str text, struct fault *fault_r)
{
	back->awaits_id = false;
	if (!is_word(text, "OK") && back->back.task->way == CALLER_ID)
		return back_unable(fault_r,
		    "the backend does not take ID, by which it is to learn who calls");
	return back->has_logged_in ? accepted(back) : BACK_WAIT;
}

static enum back_step
take_answer(struct imap_back *back, struct str line, bool is_last, struct buf *out,
    struct fault *fault_r)
{
	struct str tag = str_make(line.ptr, str_find(line, ' '));
	struct str text = tag.len < line.len ? str_from(line, tag.len + 1) : STR("");

	if (!is_word(text, "OK") && !is_word(text, "NO") && !is_word(text, "BAD"))
		goto odd;
	if (back->phase == IMAP_BACK_STARTTLS && str_is(tag, TAG_STARTTLS))
		return take_tls(back, text, is_last, fault_r);
	if (back->phase == IMAP_BACK_CAPABILITY && str_is(tag, TAG_CAPABILITY)) {
		if (is_word(text, "OK") && back->has_offer)
			return imap_back_log_in(back, out, fault_r);
		return back_broken(fault_r, VERDICT_PERM, "the backend does not tell what it can",
		    text);
	}
	if (back->phase == IMAP_BACK_LOGIN && back->awaits_id && str_is(tag, TAG_ID))
		return take_id(back, text, fault_r);
	if (back->phase == IMAP_BACK_LOGIN && !back->has_logged_in && str_is(tag, TAG_LOGIN))
		return take_login(back, text);
odd:
	return back_broken(fault_r, VERDICT_PERM, "the backend answers what was not asked",
	    back->phase < IMAP_BACK_LOGIN ? line : STR(""));
}

static enum back_step
take_line(struct imap_back *back, struct str line, bool is_last, struct buf *out,
    struct fault *fault_r)
{
	if (back->phase == IMAP_BACK_GREETING)
		return take_greeting(back, line, out, fault_r);
	if (str_starts(line, "* "))
		return take_untagged(back, line, fault_r);
	if (str_starts(line, "+"))
		return imap_back_go_on(back, str_from(line, str_starts(line, "+ ") ? 2 : 1), out,
		    fault_r);
	return take_answer(back, line, is_last, out, fault_r);
}

/* ---- reading */

/* One line; WAIT with *more_r when there may be another. */
static enum back_step
next_line(struct imap_back *back, struct buf *in, struct buf *out, bool *more_r,
    struct fault *fault_r)
{
	struct str all = buf_str(in), line;
	enum back_step step;
	size_t taken;

	*more_r = false;
	/* Another protocol may have no lines at all. */
	if (back->phase == IMAP_BACK_GREETING && all.len > 0 && all.ptr[0] != '*')
		return back_broken(fault_r, VERDICT_PERM, "no IMAP greeting",
		    str_make(all.ptr, str_find(all, '\n')));
	switch (imap_scan_server(&back->scan, all, &line, &taken)) {
	case IMAP_SCAN_WAIT:
		return BACK_WAIT;
	case IMAP_SCAN_WHOLE:
		break;
	case IMAP_SCAN_LITERAL:
	case IMAP_SCAN_TOO_LARGE:
	case IMAP_SCAN_LOST:
		return back_unable(fault_r,
		    "the backend says too much at a time before the login stands");
	}
	imap_scan_over(&back->scan);
	step = take_line(back, line, taken == all.len, out, fault_r);
	buf_consume(in, taken);
	*more_r = step == BACK_WAIT;
	return step;
}

enum back_step
imap_back_next(struct back *base, struct buf *in, struct buf *out, struct fault *fault_r)
{
	struct imap_back *back = imap_back_of(base);
	enum back_step step = BACK_WAIT;
	bool more = true;

	switch (back->phase) {
	case IMAP_BACK_SHAKING:
	case IMAP_BACK_ANSWER:
		return BACK_WAIT;
	case IMAP_BACK_OVER:
		return back_broken(fault_r, VERDICT_TEMP, "the login is over", STR(""));
	case IMAP_BACK_GREETING:
	case IMAP_BACK_STARTTLS:
	case IMAP_BACK_CAPABILITY:
	case IMAP_BACK_LOGIN:
		break;
	}
	while (more)
		step = next_line(back, in, out, &more, fault_r);
	if (step == BACK_BROKEN)
		back->phase = IMAP_BACK_OVER;
	return step;
}

/* ---- what the driver tells */

struct back *
imap_back_new(const struct back_task *task)
{
	struct imap_back *back = xnew(struct imap_back);

	back->back.task = task;
	back->back.offer = offer_new();
	buf_init(&back->untagged, UNTAGGED_MOST);
	imap_scan_init(&back->scan, IMAP_LINE_MOST, IMAP_LITERALS_MOST);
	return &back->back;
}

void
imap_back_free(struct back *base)
{
	struct imap_back *back = imap_back_of(base);

	offer_free(&back->back.offer);
	buf_wipe(&back->untagged);
	buf_wipe(&back->text);
	free(back);
}

/* What it announced in clear could have been anybody's word. */
void
imap_back_tls(struct back *base, struct buf *out)
{
	struct imap_back *back = imap_back_of(base);

	back_forget_offer(&back->back);
	back->has_offer = false;
	back->is_tls = true;
	ask_capabilities(back, out);
}

void
imap_back_respond(struct back *base, struct str base64, struct buf *out)
{
	struct imap_back *back = imap_back_of(base);

	must(back->phase == IMAP_BACK_ANSWER);
	back->phase = IMAP_BACK_LOGIN;
	buf_add_str(out, base64);
	buf_add_text(out, "\r\n");
}

/* The next line would be taken for a part of the login. */
static bool
is_asked(const struct imap_back *back)
{
	if (back->phase == IMAP_BACK_ANSWER)
		return true;
	return back->phase == IMAP_BACK_LOGIN && !back->has_logged_in &&
	       ((back->way == IMAP_WAY_SASL && !back->has_started) ||
		   (back->way == IMAP_WAY_SASL_LOGIN && back->rounds < 2));
}

/* In the middle of TLS, or of a promised literal, there is nothing that could be said. */
void
imap_back_quit(struct back *base, struct buf *out)
{
	struct imap_back *back = imap_back_of(base);

	if (back->phase == IMAP_BACK_SHAKING || back->has_promised)
		return;
	if (is_asked(back))
		buf_add_text(out, "*\r\n");
	back->phase = IMAP_BACK_OVER;
	buf_add_text(out, TAG_LOGOUT " LOGOUT\r\n");
}
