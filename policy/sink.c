/*
 * sink.c - a mail server that never takes a message                  (machine)
 */
#include "policy/sink.h"

#include "base/mem.h"

/* RFC 6761, section 6.4: nobody's name. */
#define NAME "splitmx-sink.invalid"

struct command {
	const char *verb;
	const char *reply; /* without its end; NULL: the settable one */
	enum step step;
};

static const char ehlo[] = "250-" NAME "\r\n"
			   "250-PIPELINING\r\n"
			   "250-8BITMIME\r\n"
			   "250-SMTPUTF8\r\n"
			   "250-DSN\r\n"
			   "250 ENHANCEDSTATUSCODES";

static const struct command commands[] = {
    {"EHLO", ehlo, STEP_SAID},
    {"LHLO", ehlo, STEP_SAID},
    {"HELO", "250 " NAME, STEP_SAID},
    {"MAIL", "250 2.1.0 Sender noted", STEP_SAID},
    {"RCPT", NULL, STEP_SAID},
    /* RFC 5321 would say 503 or 554 without recipients; nothing here is for ever. */
    {"DATA", "451 4.5.1 No valid recipients now", STEP_SAID},
    {"BDAT", "451 4.5.1 No valid recipients now", STEP_SAID},
    {"RSET", "250 2.0.0 Forgotten", STEP_SAID},
    {"NOOP", "250 2.0.0 Here", STEP_SAID},
    {"VRFY", "252 2.5.2 Cannot say", STEP_SAID},
    {"HELP", "214 2.0.0 Every recipient is asked to come again later", STEP_SAID},
    {"STARTTLS", "454 4.7.0 TLS not available", STEP_SAID},
    {"AUTH", "454 4.7.0 Authentication not available", STEP_SAID},
    {"QUIT", "221 2.0.0 Until later", STEP_END},
};

void
sink_init(struct sink *sink)
{
	*sink = (struct sink){.lines = {.max_bytes = SINK_LINE_MOST}};
}

static enum step
say(struct buf *out, const char *reply, enum step step)
{
	buf_add_text(out, reply);
	buf_add_text(out, "\r\n");
	return step;
}

void
sink_greet(struct buf *out)
{
	say(out, "220 " NAME " ESMTP and LMTP", STEP_SAID);
}

static enum step
say_later(struct str reply, struct buf *out)
{
	buf_add_str(out, reply);
	buf_add_text(out, "\r\n");
	/* RFC 5321, section 3.8: 421 announces that we close. */
	return str_starts(reply, "421") ? STEP_END : STEP_SAID;
}

static enum step
mistake(struct sink *sink, struct buf *out, const char *reply)
{
	if (++sink->mistakes > SINK_MISTAKES_MOST)
		return say(out, "421 4.7.0 Too many mistakes", STEP_END);
	return say(out, reply, STEP_SAID);
}

static enum step
run(struct sink *sink, struct str reply, struct str line, struct buf *out)
{
	struct str verb = str_make(line.ptr, str_find(line, ' '));

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *command = &commands[i];

		if (!str_is_nocase(verb, command->verb))
			continue;
		if (command->reply == NULL)
			return say_later(reply, out);
		return say(out, command->reply, command->step);
	}
	return mistake(sink, out, "500 5.5.2 Unknown command");
}

/*
 * A line that is too long may belong to an envelope: 4xx, not 500. It is
 * dropped as it comes, up to its end.
 */
static enum step
skip(struct sink *sink, struct buf *in, struct buf *out)
{
	struct str all = buf_str(in);
	size_t len = str_find(all, '\n');

	sink->lines.seen = 0;
	sink->is_skipping = len == all.len;
	buf_consume(in, sink->is_skipping ? len : len + 1);
	return sink->is_skipping ? STEP_WAIT : mistake(sink, out, "451 4.5.2 Line too long");
}

enum step
sink_next(struct sink *sink, struct str reply, struct buf *in, struct buf *out)
{
	struct str line;

	if (sink->is_skipping)
		return skip(sink, in, out);
	switch (line_next(&sink->lines, in, &line)) {
	case LINE_WAIT:
		break;
	case LINE_HERE:
		return run(sink, reply, line, out);
	case LINE_TOO_LONG:
		return skip(sink, in, out);
	}
	return STEP_WAIT;
}
