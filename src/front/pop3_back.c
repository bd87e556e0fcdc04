/*
 * pop3_back.c - POP3 with a backend, until the login stands          (machine)
 */
#include "front/pop3_back.h"

#include "base/mem.h"
#include "front/back.h"
#include "front/back_sasl.h"
#include "front/pop3_back_inside.h"
#include "front/sasl.h"

#include <stdlib.h>

static struct pop3_back *
pop3_back_of(struct back *back)
{
	return (struct pop3_back *)back;
}

/* ---- what it can do */

static enum back_step
ask_capa(struct pop3_back *back, struct buf *out)
{
	back->phase = POP3_BACK_CAPA;
	buf_add_text(out, "CAPA\r\n");
	return BACK_WAIT;
}

/* Servers older than RFC 2449 have no CAPA, but USER and PASS. */
static enum back_step
take_capa(struct pop3_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	if (pop3_is_err(line))
		return pop3_back_log_in(back, out, fault_r);
	if (!pop3_is_ok(line))
		return back_broken(fault_r, VERDICT_PERM, "the backend does not tell what it can",
		    line);
	back->has_capa = true;
	back->phase = POP3_BACK_LIST;
	return BACK_WAIT;
}

static enum back_step
take_capability(struct pop3_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	struct str word, value;

	if (str_is(line, "."))
		return pop3_back_log_in(back, out, fault_r);
	if (str_starts(line, "."))
		line = str_from(line, 1); /* RFC 1939, section 3 */
	word = str_make(line.ptr, str_find(line, ' '));
	value = word.len < line.len ? str_from(line, word.len + 1) : STR("");
	if (++back->words > OFFER_WORDS_MOST ||
	    (word.len > 0 && !offer_add(back->back.offer, word, value)))
		return back_unable(fault_r, "the backend announces too much");
	back->takes_xclient |= str_is_nocase(word, "XCLIENT");
	return BACK_WAIT;
}

/* ---- the beginning */

/* Without CAPA before: whoever has no STLS refuses it. */
static enum back_step
take_greeting(struct pop3_back *back, struct str line, struct buf *out, struct fault *fault_r)
{
	if (pop3_is_err(line))
		return back_broken(fault_r, VERDICT_TEMP, "the backend does not want to talk",
		    line);
	if (!pop3_is_ok(line))
		return back_broken(fault_r, VERDICT_PERM, "no POP3 greeting", line);
	back->takes_xclient = str_starts(line, "+OK [XCLIENT]");
	if (!back->back.task->start_tls)
		return ask_capa(back, out);
	back->phase = POP3_BACK_STLS;
	buf_add_text(out, "STLS\r\n");
	return BACK_WAIT;
}

static enum back_step
take_stls(struct pop3_back *back, struct str line, bool is_last, struct fault *fault_r)
{
	if (!pop3_is_ok(line))
		return back_broken(fault_r, VERDICT_PERM, "the backend refuses STLS", line);
	if (!is_last)
		return back_unable(fault_r,
		    "unsafe: the backend goes on in clear behind its +OK to STLS");
	back->phase = POP3_BACK_SHAKING;
	return BACK_TLS;
}

/* ---- reading */

static enum back_step
take_line(struct pop3_back *back, struct str line, bool is_last, struct buf *out,
    struct fault *fault_r)
{
	switch (back->phase) {
	case POP3_BACK_GREETING:
		return take_greeting(back, line, out, fault_r);
	case POP3_BACK_STLS:
		return take_stls(back, line, is_last, fault_r);
	case POP3_BACK_CAPA:
		return take_capa(back, line, out, fault_r);
	case POP3_BACK_LIST:
		return take_capability(back, line, out, fault_r);
	case POP3_BACK_XCLIENT:
	case POP3_BACK_USER:
	case POP3_BACK_PASS:
	case POP3_BACK_SASL:
		return pop3_back_login_line(back, line, out, fault_r);
	case POP3_BACK_SHAKING:
	case POP3_BACK_ANSWER:
	case POP3_BACK_OVER:
		break;
	}
	return BACK_WAIT; /* not called in these */
}

/* One line; WAIT with *more_r when there may be another. */
static enum back_step
next_line(struct pop3_back *back, struct buf *in, struct buf *out, bool *more_r,
    struct fault *fault_r)
{
	struct str all = buf_str(in), line;
	enum back_step step;

	*more_r = false;
	/* Another protocol may have no lines at all. */
	if (back->phase == POP3_BACK_GREETING && all.len > 0 && all.ptr[0] != '+' &&
	    all.ptr[0] != '-')
		return back_broken(fault_r, VERDICT_PERM, "no POP3 greeting",
		    str_make(all.ptr, str_find(all, '\n')));
	switch (line_next(&back->lines, in, &line)) {
	case LINE_WAIT:
		return BACK_WAIT;
	case LINE_TOO_LONG:
		return back_unable(fault_r,
		    "the backend says too much at a time before the login stands");
	case LINE_HERE:
		break;
	}
	step = take_line(back, line, buf_len(in) == 0, out, fault_r);
	*more_r = step == BACK_WAIT;
	return step;
}

enum back_step
pop3_back_next(struct back *base, struct buf *in, struct buf *out, struct fault *fault_r)
{
	struct pop3_back *back = pop3_back_of(base);
	enum back_step step = BACK_WAIT;
	bool more = true;

	if (back->phase == POP3_BACK_SHAKING || back->phase == POP3_BACK_ANSWER)
		return BACK_WAIT;
	if (back->phase == POP3_BACK_OVER)
		return back_broken(fault_r, VERDICT_TEMP, "the login is over", STR(""));
	while (more)
		step = next_line(back, in, out, &more, fault_r);
	if (step == BACK_BROKEN)
		back->phase = POP3_BACK_OVER;
	return step;
}

/* ---- what the driver tells */

struct back *
pop3_back_new(const struct back_task *task)
{
	struct pop3_back *back = xnew(struct pop3_back);

	back->back.task = task;
	back->back.untagged = back->back.text = STR("");
	back->back.offer = offer_new();
	back->lines.max_bytes = SASL_LINE_MOST;
	return &back->back;
}

void
pop3_back_free(struct back *base)
{
	struct pop3_back *back = pop3_back_of(base);

	offer_free(&back->back.offer);
	buf_wipe(&back->text);
	free(back);
}

void
pop3_back_tls(struct back *base, struct buf *out)
{
	struct pop3_back *back = pop3_back_of(base);

	back->is_tls = true;
	ask_capa(back, out);
}

void
pop3_back_respond(struct back *base, struct str base64, struct buf *out)
{
	struct pop3_back *back = pop3_back_of(base);

	must(back->phase == POP3_BACK_ANSWER);
	back->phase = POP3_BACK_SASL;
	buf_add_str(out, base64);
	buf_add_text(out, "\r\n");
}

/*
 * Whether the next line could be taken for a part of the login. Where it is not, "*" is
 * a command that nobody knows.
 */
static bool
may_be_asked(const struct pop3_back *back)
{
	if (back->phase == POP3_BACK_ANSWER)
		return true;
	return back->by_sasl && back->has_said_login &&
	       (back->phase == POP3_BACK_SASL || back->phase == POP3_BACK_XCLIENT) &&
	       (!back->has_started ||
		   !back_sasl_is_password(back->back.task->credentials->mechanism));
}

/* In the middle of TLS there is nothing that could be said. */
void
pop3_back_quit(struct back *base, struct buf *out)
{
	struct pop3_back *back = pop3_back_of(base);

	if (back->phase == POP3_BACK_SHAKING)
		return;
	if (may_be_asked(back))
		buf_add_text(out, "*\r\n");
	back->phase = POP3_BACK_OVER;
	buf_add_text(out, "QUIT\r\n");
}
