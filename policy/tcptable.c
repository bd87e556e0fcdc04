/*
 * tcptable.c - Postfix's tcp_table(5), the server's side             (machine)
 */
#include "policy/tcptable.h"

enum { KEY_KEPT_BYTES = 4096 };

void
tcptable_init(struct tcptable *table)
{
	*table = (struct tcptable){.lines = {.max_bytes = TCPTABLE_LINE_MOST}};
}

void
tcptable_fini(struct tcptable *table)
{
	buf_fini(&table->key);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* False where a '%' is not followed by two hexadecimal digits. */
static bool
decode(struct str in, struct buf *out)
{
	int high, low;

	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] != '%') {
			buf_add_byte(out, in.ptr[i]);
			continue;
		}
		if (in.len - i < 3 || (high = hex_value(in.ptr[i + 1])) == -1 ||
		    (low = hex_value(in.ptr[i + 2])) == -1)
			return false;
		buf_add_byte(out, (char)(high * 16 + low));
		i += 2;
	}
	return true;
}

static void
encode(struct str in, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.ptr[i];

		if (c > ' ' && c < 0x7f && c != '%') {
			buf_add_byte(out, (char)c);
		} else {
			buf_add_byte(out, '%');
			buf_add_byte(out, digits[c >> 4]);
			buf_add_byte(out, digits[c & 15]);
		}
	}
}

static enum step
reply(struct buf *out, const char *code, const char *text)
{
	buf_add_text(out, code);
	encode(str_make(text, reason_len(text)), out);
	buf_add_byte(out, '\n');
	return STEP_SAID;
}

static enum step
get(struct tcptable *table, struct str encoded, struct buf *out, struct query *query_r)
{
	buf_clear(&table->key);
	if (!decode(encoded, &table->key))
		return reply(out, "400 ", "a percent sign without two hexadecimal digits");
	query_r->key = buf_str(&table->key);
	return STEP_ASK;
}

enum step
tcptable_next(struct tcptable *table, struct buf *in, struct buf *out, struct query *query_r)
{
	struct str line;

	switch (line_next(&table->lines, in, &line)) {
	case LINE_WAIT:
		return STEP_WAIT;
	case LINE_TOO_LONG:
		reply(out, "400 ", "the line is too long");
		return STEP_END;
	case LINE_HERE:
		break;
	}
	if (str_starts(line, "get "))
		return get(table, str_from(line, 4), out, query_r);
	if (str_starts(line, "put "))
		return reply(out, "500 ", "this table cannot be written");
	return reply(out, "400 ", "this is no request: get SPACE key");
}

static void
say_found(struct str text, struct buf *out)
{
	size_t before = buf_len(out);

	buf_add_text(out, "200 ");
	encode(text, out);
	buf_add_byte(out, '\n');
	if (buf_len(out) - before > TCPTABLE_REPLY_MOST) {
		buf_truncate(out, before);
		reply(out, "400 ", "the value is too long for this protocol");
	}
}

void
tcptable_say(struct tcptable *table, const struct answer *answer, struct buf *out)
{
	switch (answer->verdict) {
	case VERDICT_FOUND:
		say_found(answer->text, out);
		break;
	case VERDICT_ABSENT:
		reply(out, "500 ", "not found");
		break;
	default:
		reply(out, "400 ", answer->reason);
		break;
	}
	if (table->key.size > KEY_KEPT_BYTES)
		buf_fini(&table->key);
}
