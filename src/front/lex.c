/*
 * lex.c - strings and literals, as IMAP and ManageSieve write them      (pure)
 */
#include "front/lex.h"

#include <string.h>

enum { NUMBER_DIGITS_MOST = 20 };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

enum lex_promise
lex_promise(struct str line, uint64_t size_most, struct lex_literal *literal_r)
{
	size_t end = line.len, digits;

	if (end == 0 || line.ptr[--end] != '}')
		return LEX_NO_LITERAL;
	literal_r->waits = end == 0 || line.ptr[end - 1] != '+';
	if (!literal_r->waits)
		end--;
	for (digits = 0; digits < end && is_digit(line.ptr[end - digits - 1]); digits++)
		if (digits == NUMBER_DIGITS_MOST)
			return LEX_LITERAL_HUGE;
	if (digits == 0 || digits == end || line.ptr[end - digits - 1] != '{')
		return LEX_NO_LITERAL;
	if (!str_number(str_make(line.ptr + end - digits, digits), size_most, &literal_r->size))
		return LEX_LITERAL_HUGE;
	literal_r->at = end - digits - 1;
	return LEX_LITERAL;
}

bool
lex_quoted(struct str *rest, struct lex_string *string_r)
{
	size_t at = 1;

	if (rest->len == 0 || rest->ptr[0] != '"')
		return false;
	for (; at < rest->len && rest->ptr[at] != '"'; at++) {
		if (rest->ptr[at] == '\\')
			at++;
		if (at == rest->len || memchr("\r\n", rest->ptr[at], 3) != NULL)
			return false;
	}
	if (at >= rest->len)
		return false;
	*string_r = (struct lex_string){str_make(rest->ptr + 1, at - 1), true};
	*rest = str_from(*rest, at + 1);
	return true;
}

/* A line that is nothing but its promise, and what was promised. */
static bool
take_literal(struct str *rest, struct lex_string *string_r)
{
	size_t end = str_find(*rest, '\n'), len;
	struct lex_literal literal;

	if (end == rest->len)
		return false;
	len = end > 0 && rest->ptr[end - 1] == '\r' ? end - 1 : end;
	if (lex_promise(str_make(rest->ptr, len), SIZE_MAX, &literal) != LEX_LITERAL ||
	    literal.at > 0 || literal.size > rest->len - end - 1)
		return false;
	*string_r = (struct lex_string){str_make(rest->ptr + end + 1, literal.size), false};
	*rest = str_from(*rest, end + 1 + literal.size);
	return true;
}

bool
lex_string(struct str *rest, struct lex_string *string_r)
{
	return lex_quoted(rest, string_r) || take_literal(rest, string_r);
}

size_t
lex_string_copy(const struct lex_string *string, char *room)
{
	struct str raw = string->raw;
	size_t len = 0;

	for (size_t at = 0; at < raw.len; at++) {
		if (string->is_quoted && raw.ptr[at] == '\\')
			at++;
		room[len++] = raw.ptr[at];
	}
	return len;
}

void
lex_string_add(const struct lex_string *string, struct buf *out)
{
	char *room = buf_room(out, string->raw.len);

	if (room != NULL)
		buf_added(out, lex_string_copy(string, room));
}

void
lex_say_quoted(struct buf *out, struct str text)
{
	buf_add_byte(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			buf_add_byte(out, '\\');
		buf_add_byte(out, text.ptr[i]);
	}
	buf_add_byte(out, '"');
}
