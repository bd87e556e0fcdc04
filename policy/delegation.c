/*
 * delegation.c - Postfix's policy delegation protocol                (machine)
 */
#include "policy/delegation.h"

enum { RECIPIENT_KEPT_BYTES = 1024 };

/*
 * Trouble is ours, and its reason nothing for strangers to read: a client that
 * would be let in otherwise is told to come again.
 */
static const char say_later[] = "action=DEFER_IF_PERMIT 4.3.0 Temporary lookup failure\n\n";
static const char say_nothing[] = "action=DUNNO\n\n";

void
delegation_init(struct delegation *delegation)
{
	*delegation = (struct delegation){.lines = {.max_bytes = DELEGATION_LINE_MOST}};
}

void
delegation_fini(struct delegation *delegation)
{
	buf_fini(&delegation->recipient);
}

/* Ready for the next request. */
static void
forget(struct delegation *delegation)
{
	delegation->count = 0;
	delegation->is_access = false;
	delegation->has_mistake = false;
	buf_clear(&delegation->recipient);
	if (delegation->recipient.size > RECIPIENT_KEPT_BYTES)
		buf_fini(&delegation->recipient);
}

static void
take_line(struct delegation *delegation, struct str line)
{
	size_t at = str_find(line, '=');
	struct str name = str_make(line.ptr, at), value;

	if (at == line.len) {
		delegation->has_mistake = true;
		return;
	}
	value = str_from(line, at + 1);
	if (str_is(name, "request")) {
		delegation->is_access = str_is(value, "smtpd_access_policy");
	} else if (str_is(name, "recipient")) {
		if (buf_len(&delegation->recipient) > 0)
			delegation->has_mistake = true;
		else
			buf_add_str(&delegation->recipient, value);
	}
}

/* The empty line: now it is a request. */
static enum step
take_request(struct delegation *delegation, struct buf *out, struct query *query_r)
{
	bool is_good = delegation->is_access && !delegation->has_mistake;

	if (is_good && buf_len(&delegation->recipient) > 0) {
		query_r->key = buf_str(&delegation->recipient);
		return STEP_ASK;
	}
	buf_add_text(out, is_good ? say_nothing : say_later);
	forget(delegation);
	return STEP_SAID;
}

enum step
delegation_next(struct delegation *delegation, struct buf *in, struct buf *out,
    struct query *query_r)
{
	enum line_result result;
	struct str line;

	while ((result = line_next(&delegation->lines, in, &line)) == LINE_HERE) {
		if (line.len == 0)
			return take_request(delegation, out, query_r);
		if (++delegation->count > DELEGATION_LINES_MOST)
			break;
		take_line(delegation, line);
	}
	if (result == LINE_WAIT)
		return STEP_WAIT;
	buf_add_text(out, say_later);
	return STEP_END;
}

void
delegation_say(struct delegation *delegation, const struct answer *answer, struct buf *out)
{
	switch (answer->verdict) {
	case VERDICT_FOUND:
		buf_add_text(out, "action=");
		buf_add_str(out, answer->text);
		buf_add_text(out, "\n\n");
		break;
	case VERDICT_ABSENT:
		buf_add_text(out, say_nothing);
		break;
	default:
		buf_add_text(out, say_later);
		break;
	}
	forget(delegation);
}
