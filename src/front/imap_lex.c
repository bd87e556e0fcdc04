/*
 * imap_lex.c - the words and lines of IMAP                              (pure)
 */
#include "front/imap_lex.h"

#include "base/mem.h"

/* RFC 9051: ATOM-CHAR. */
static bool
is_atom_char(char c)
{
	return c > 0x20 && c < 0x7f && memchr("(){%*\"\\]", c, 8) == NULL;
}

/* An ASTRING-CHAR, and what clients send for one. */
static bool
is_astring_char(char c)
{
	return (unsigned char)c > 0x20 && c != 0x7f && memchr("(){\"", c, 4) == NULL;
}

static bool
is_tag_char(char c)
{
	return c != '+' && (c == ']' || is_atom_char(c));
}

/* ---- lines */

struct str
imap_tag(struct str line)
{
	size_t len = 0;

	while (len < line.len && is_tag_char(line.ptr[len]))
		len++;
	return str_make(line.ptr, len);
}

bool
imap_head(struct str line, struct str *tag_r, struct str *word_r, struct str *rest_r)
{
	struct str tag = imap_tag(line), rest = str_from(line, tag.len), word;

	if (tag.len == 0 || tag.len > IMAP_TAG_MOST || !imap_space(&rest) ||
	    !imap_atom(&rest, &word) || word.len > IMAP_WORD_MOST)
		return false;
	if (rest.len > 0 && rest.ptr[0] != ' ')
		return false;
	*tag_r = tag;
	*word_r = word;
	*rest_r = rest;
	return true;
}

/* Not behind a space or parenthesis, with "~" in between for a literal8. */
static bool
is_loose(struct str line, size_t brace)
{
	if (brace > 0 && line.ptr[brace - 1] == '~')
		brace--;
	return brace == 0 || (line.ptr[brace - 1] != ' ' && line.ptr[brace - 1] != '(');
}

enum lex_promise
imap_promise(struct str line, struct lex_literal *literal_r)
{
	enum lex_promise promise = lex_promise(line, UINT64_MAX - 1, literal_r);

	if (promise == LEX_LITERAL)
		literal_r->is_loose = is_loose(line, literal_r->at);
	return promise;
}

void
imap_quotes_see(struct imap_quotes *quotes, struct str piece)
{
	size_t at = 0;

	while (at < piece.len) {
		if (!quotes->is_open) {
			at += str_find(str_from(piece, at), '"');
			quotes->is_open = at++ < piece.len;
		} else if (quotes->is_escaped) {
			quotes->is_escaped = false;
			at++;
		} else {
			quotes->is_escaped = piece.ptr[at] == '\\';
			quotes->is_open = piece.ptr[at++] != '"';
		}
	}
}

/* ---- whole commands */

void
imap_scan_init(struct imap_scan *scan, size_t line_most, size_t literals_most)
{
	*scan = (struct imap_scan){.line_most = line_most, .literals_most = literals_most};
}

void
imap_scan_over(struct imap_scan *scan)
{
	imap_scan_init(scan, scan->line_most, scan->literals_most);
}

/* Only untagged data has literals; what is tagged, and a status, ends in text for people. */
static bool
is_data(struct str line)
{
	static const char *const statuses[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
	struct str word;

	if (!str_starts(line, "* "))
		return false;
	word = str_from(line, 2);
	word.len = str_find(word, ' ');
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (str_is_nocase(word, statuses[i]))
			return false;
	}
	return true;
}

/* WHOLE: it comes, or has been asked for. */
static enum imap_scan_result
is_to_come(const struct imap_scan *scan, bool server, const struct lex_literal *literal)
{
	bool fits = literal->size <= scan->literals_most - scan->literals;

	if (!literal->waits || server)
		return fits ? IMAP_SCAN_WHOLE : IMAP_SCAN_LOST;
	if (scan->was_asked)
		return IMAP_SCAN_WHOLE;
	return fits ? IMAP_SCAN_LITERAL : IMAP_SCAN_TOO_LARGE;
}

/* The literal at the end of a line, "used" bytes with its end, that is the rest of "line". */
static enum imap_scan_result
scan_literal(struct imap_scan *scan, struct str line, size_t used, bool server,
    const struct lex_literal *literal)
{
	enum imap_scan_result result = is_to_come(scan, server, literal);

	if (result != IMAP_SCAN_WHOLE)
		return result;
	if (line.len - used < literal->size)
		return IMAP_SCAN_WAIT;
	scan->lines += used;
	scan->literals += (size_t)literal->size;
	scan->seen += used + (size_t)literal->size;
	scan->searched = 0;
	scan->was_asked = false;
	return IMAP_SCAN_WHOLE;
}

/* One line, and the literal behind it: WHOLE with *more_r set where there is one. */
static enum imap_scan_result
scan_line(struct imap_scan *scan, struct str in, bool server, size_t *end_r, bool *more_r)
{
	struct str line = str_from(in, scan->seen);
	struct lex_literal literal = {0};
	enum lex_promise promise;
	size_t len = scan->searched + str_find(str_from(line, scan->searched), '\n');
	size_t used = len + 1;

	*more_r = false;
	*end_r = scan->seen + (len < line.len ? used : len);
	scan->searched = len;
	if (scan->lines + len > scan->line_most + 1) /* one more may be a CR */
		return IMAP_SCAN_LOST;
	if (len == line.len)
		return IMAP_SCAN_WAIT;
	if (len > 0 && line.ptr[len - 1] == '\r')
		len--;
	promise = server && !is_data(in) ? LEX_NO_LITERAL
					 : imap_promise(str_make(line.ptr, len), &literal);
	if (promise == LEX_NO_LITERAL)
		return IMAP_SCAN_WHOLE;
	if (promise == LEX_LITERAL_HUGE)
		literal.size = UINT64_MAX;
	*more_r = true;
	return scan_literal(scan, line, used, server, &literal);
}

static enum imap_scan_result
scan_on(struct imap_scan *scan, struct str in, bool server, struct str *command_r, size_t *taken_r)
{
	enum imap_scan_result result;
	size_t end;
	bool more;

	do
		result = scan_line(scan, in, server, &end, &more);
	while (result == IMAP_SCAN_WHOLE && more);
	*taken_r = end;
	if (end > 0 && in.ptr[end - 1] == '\n')
		end--;
	if (end > 0 && in.ptr[end - 1] == '\r')
		end--;
	*command_r = str_make(in.ptr, end);
	return result;
}

enum imap_scan_result
imap_scan(struct imap_scan *scan, struct str in, struct str *command_r, size_t *taken_r)
{
	return scan_on(scan, in, false, command_r, taken_r);
}

enum imap_scan_result
imap_scan_server(struct imap_scan *scan, struct str in, struct str *line_r, size_t *taken_r)
{
	return scan_on(scan, in, true, line_r, taken_r);
}

/* ---- arguments */

bool
imap_space(struct str *rest)
{
	if (rest->len == 0 || rest->ptr[0] != ' ')
		return false;
	*rest = str_from(*rest, 1);
	return true;
}

bool
imap_atom(struct str *rest, struct str *atom_r)
{
	size_t len = 0;

	while (len < rest->len && is_atom_char(rest->ptr[len]))
		len++;
	*atom_r = str_make(rest->ptr, len);
	*rest = str_from(*rest, len);
	return len > 0;
}

bool
imap_astring(struct str *rest, struct lex_string *string_r)
{
	size_t len = 0;

	while (len < rest->len && is_astring_char(rest->ptr[len]))
		len++;
	if (len == 0)
		return lex_string(rest, string_r);
	*string_r = (struct lex_string){str_make(rest->ptr, len), false};
	*rest = str_from(*rest, len);
	return true;
}

/* ---- saying */

bool
imap_can_quote(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] < 0x20 || (unsigned char)text.ptr[i] >= 0x7f)
			return false;
	}
	return text.len <= LEX_QUOTED_MOST;
}
