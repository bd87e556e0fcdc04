/*
 * sieve_lex.c - the words and lines of ManageSieve                      (pure)
 */
#include "front/sieve_lex.h"

#include "base/mem.h"

/* RFC 5804: ATOM-CHAR. */
static bool
is_atom_char(char c)
{
	return c > 0x20 && c < 0x7f && memchr("()\"\\{", c, 5) == NULL;
}

/* ---- lines */

enum lex_promise
sieve_promise(struct str line, struct lex_literal *literal_r)
{
	enum lex_promise promise = lex_promise(line, UINT32_MAX, literal_r);
	char before;

	if (promise != LEX_LITERAL)
		return promise;
	before = literal_r->at > 0 ? line.ptr[literal_r->at - 1] : ' ';
	literal_r->is_loose = before != ' ' && before != '(';
	return promise;
}

static bool
are_arguments(struct str rest)
{
	struct lex_string string;
	struct str word;

	while (rest.len > 0) {
		if (!sieve_word(&rest, &word) && !lex_quoted(&rest, &string))
			return false;
		if (rest.len > 0 && !sieve_space(&rest))
			return false;
	}
	return true;
}

enum sieve_form
sieve_form(struct str line, struct lex_literal *literal_r)
{
	switch (sieve_promise(line, literal_r)) {
	case LEX_NO_LITERAL:
		return are_arguments(line) ? SIEVE_FORM_WHOLE : SIEVE_FORM_ODD;
	case LEX_LITERAL:
		if (!literal_r->is_loose && are_arguments(str_make(line.ptr, literal_r->at)))
			return SIEVE_FORM_LITERAL;
		break;
	case LEX_LITERAL_HUGE:
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
	struct lex_literal literal;
	enum lex_promise promise;

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
	if (promise == LEX_NO_LITERAL || (promise == LEX_LITERAL && literal.is_loose))
		return SIEVE_SCAN_WHOLE;
	if (promise == LEX_LITERAL_HUGE || literal.size > scan->literals_most - scan->literals)
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

/* ---- saying */

static bool
can_quote(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (memchr("\r\n", text.ptr[i], 3) != NULL)
			return false;
	}
	return text.len <= LEX_QUOTED_MOST;
}

void
sieve_say_string(struct buf *out, struct str text, bool to_server)
{
	if (!can_quote(text)) {
		buf_addf(out, "{%zu%s}\r\n", text.len, to_server ? "+" : "");
		buf_add_str(out, text);
		return;
	}
	lex_say_quoted(out, text);
}
