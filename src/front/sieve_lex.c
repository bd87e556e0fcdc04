/*
 * sieve_lex.c - the words, strings and literals of ManageSieve          (pure)
 */
#include "front/sieve_lex.h"

#include "base/mem.h"

enum { NUMBER_DIGITS_MOST = 20, QUOTED_MOST = 1024 };

/* RFC 5804: ATOM-CHAR. */
static bool
is_atom_char(char c)
{
	return c > 0x20 && c < 0x7f && memchr("()\"\\{", c, 5) == NULL;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- lines */

enum sieve_promise
sieve_promise(struct str line, struct sieve_literal *literal_r)
{
	size_t end = line.len, digits;

	if (end == 0 || line.ptr[--end] != '}')
		return SIEVE_NO_LITERAL;
	if (end > 0 && line.ptr[end - 1] == '+')
		end--;
	for (digits = 0; digits < end && is_digit(line.ptr[end - digits - 1]); digits++)
		if (digits == NUMBER_DIGITS_MOST)
			return SIEVE_LITERAL_HUGE;
	if (digits == 0 || digits == end || line.ptr[end - digits - 1] != '{')
		return SIEVE_NO_LITERAL;
	if (!str_number(str_make(line.ptr + end - digits, digits), UINT32_MAX, &literal_r->size))
		return SIEVE_LITERAL_HUGE;
	literal_r->at = end - digits - 1;
	literal_r->is_loose = literal_r->at > 0 && line.ptr[literal_r->at - 1] != ' ' &&
			      line.ptr[literal_r->at - 1] != '(';
	return SIEVE_LITERAL;
}

static bool
take_quoted(struct str *rest, struct sieve_string *string_r)
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
	*string_r = (struct sieve_string){str_make(rest->ptr + 1, at - 1), true};
	*rest = str_from(*rest, at + 1);
	return true;
}

static bool
are_arguments(struct str rest)
{
	struct sieve_string string;
	struct str word;

	while (rest.len > 0) {
		if (!sieve_word(&rest, &word) && !take_quoted(&rest, &string))
			return false;
		if (rest.len > 0 && !sieve_space(&rest))
			return false;
	}
	return true;
}

enum sieve_form
sieve_form(struct str line, struct sieve_literal *literal_r)
{
	switch (sieve_promise(line, literal_r)) {
	case SIEVE_NO_LITERAL:
		return are_arguments(line) ? SIEVE_FORM_WHOLE : SIEVE_FORM_ODD;
	case SIEVE_LITERAL:
		if (!literal_r->is_loose && are_arguments(str_make(line.ptr, literal_r->at)))
			return SIEVE_FORM_LITERAL;
		break;
	case SIEVE_LITERAL_HUGE:
		break;
	}
	return SIEVE_FORM_LOST;
}

/* ---- whole commands */

void
sieve_scan_init(struct sieve_scan *scan, size_t line_most, size_t literals_most)
{
	*scan = (struct sieve_scan){.line_most = line_most, .literals_most = literals_most};
}

void
sieve_scan_over(struct sieve_scan *scan)
{
	sieve_scan_init(scan, scan->line_most, scan->literals_most);
}

/* One line, and the literal behind it: WHOLE with *more_r set where there is one. */
static enum sieve_scan_result
scan_line(struct sieve_scan *scan, struct str in, size_t *end_r, bool *more_r)
{
	struct str line = str_from(in, scan->seen);
	size_t len = scan->searched + str_find(str_from(line, scan->searched), '\n');
	size_t used = len + 1;
	struct sieve_literal literal;
	enum sieve_promise promise;

	*more_r = false;
	*end_r = scan->seen + used;
	scan->searched = len;
	if (scan->lines + len > scan->line_most + 1) /* one more may be a CR */
		return SIEVE_SCAN_LOST;
	if (len == line.len)
		return SIEVE_SCAN_WAIT;
	if (len > 0 && line.ptr[len - 1] == '\r')
		len--;
	promise = sieve_promise(str_make(line.ptr, len), &literal);
	if (promise == SIEVE_NO_LITERAL || (promise == SIEVE_LITERAL && literal.is_loose))
		return SIEVE_SCAN_WHOLE;
	if (promise == SIEVE_LITERAL_HUGE || literal.size > scan->literals_most - scan->literals)
		return SIEVE_SCAN_LOST;
	if (line.len - used < literal.size)
		return SIEVE_SCAN_WAIT;
	*more_r = true;
	scan->lines += used;
	scan->literals += (size_t)literal.size;
	scan->seen += used + (size_t)literal.size;
	scan->searched = 0;
	return SIEVE_SCAN_WHOLE;
}

enum sieve_scan_result
sieve_scan(struct sieve_scan *scan, struct str in, struct str *command_r, size_t *taken_r)
{
	enum sieve_scan_result result;
	size_t end;
	bool more;

	do
		result = scan_line(scan, in, &end, &more);
	while (result == SIEVE_SCAN_WHOLE && more);
	if (result != SIEVE_SCAN_WHOLE)
		return result;
	*taken_r = end--;
	if (end > 0 && in.ptr[end - 1] == '\r')
		end--;
	*command_r = str_make(in.ptr, end);
	return result;
}

/* ---- arguments */

bool
sieve_space(struct str *rest)
{
	size_t len = 0;

	while (len < rest->len && rest->ptr[len] == ' ')
		len++;
	*rest = str_from(*rest, len);
	return len > 0;
}

bool
sieve_word(struct str *rest, struct str *word_r)
{
	size_t len = 0;

	while (len < rest->len && is_atom_char(rest->ptr[len]))
		len++;
	*word_r = str_make(rest->ptr, len);
	*rest = str_from(*rest, len);
	return len > 0;
}

static bool
take_literal(struct str *rest, struct sieve_string *string_r)
{
	size_t end = str_find(*rest, '\n'), len;
	struct sieve_literal literal;

	if (end == rest->len)
		return false;
	len = end > 0 && rest->ptr[end - 1] == '\r' ? end - 1 : end;
	if (sieve_promise(str_make(rest->ptr, len), &literal) != SIEVE_LITERAL || literal.at > 0 ||
	    literal.size > rest->len - end - 1)
		return false;
	*string_r = (struct sieve_string){str_make(rest->ptr + end + 1, literal.size), false};
	*rest = str_from(*rest, end + 1 + literal.size);
	return true;
}

bool
sieve_string(struct str *rest, struct sieve_string *string_r)
{
	return take_quoted(rest, string_r) || take_literal(rest, string_r);
}

void
sieve_string_add(const struct sieve_string *string, struct buf *out)
{
	struct str raw = string->raw;

	for (size_t at = 0; at < raw.len; at++) {
		if (string->is_quoted && raw.ptr[at] == '\\')
			at++;
		buf_add_byte(out, raw.ptr[at]);
	}
}

/* ---- saying */

static bool
can_quote(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (memchr("\r\n", text.ptr[i], 3) != NULL)
			return false;
	}
	return text.len <= QUOTED_MOST;
}

void
sieve_say_string(struct buf *out, struct str text, bool to_server)
{
	if (!can_quote(text)) {
		buf_addf(out, "{%zu%s}\r\n", text.len, to_server ? "+" : "");
		buf_add_str(out, text);
		return;
	}
	buf_add_byte(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			buf_add_byte(out, '\\');
		buf_add_byte(out, text.ptr[i]);
	}
	buf_add_byte(out, '"');
}
