/*
 * smtp_lex.c - lines of SMTP, taken apart and put together               (pure)
 */
#include "front/smtp_lex.h"

#include "base/mem.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
smtp_line(struct str line, struct smtp_line *line_r)
{
	unsigned code = 0;

	if (line.len < 3 || line.ptr[0] < '2' || line.ptr[0] > '5')
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (!is_digit(line.ptr[i]))
			return false;
		code = code * 10 + (unsigned)(line.ptr[i] - '0');
	}
	if (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')
		return false;
	line_r->code = code;
	line_r->is_last = line.len == 3 || line.ptr[3] == ' ';
	line_r->text = str_from(line, line.len == 3 ? 3 : 4);
	return true;
}

struct str
smtp_word(struct str line, struct str *rest_r)
{
	struct str word = str_make(line.ptr, str_find(line, ' '));

	*rest_r = str_from(line, word.len < line.len ? word.len + 1 : word.len);
	return word;
}

bool
smtp_may_announce(struct str word)
{
	static const char *const words[] = {
	    "PIPELINING", /* RFC 2920 */
	    "SIZE", /* RFC 1870 */
	    "8BITMIME", /* RFC 6152 */
	    "SMTPUTF8", /* RFC 6531 */
	    "DSN", /* RFC 3461 */
	    "CHUNKING", /* RFC 3030 */
	    "BINARYMIME", /* the same */
	    "ENHANCEDSTATUSCODES", /* RFC 2034 */
	    "DELIVERBY", /* RFC 2852 */
	    "FUTURERELEASE", /* RFC 4865 */
	    "MT-PRIORITY", /* RFC 6710 */
	    "LIMITS", /* RFC 9422 */
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_is_nocase(word, words[i]))
			return true;
	}
	return false;
}

void
smtp_say_lines(unsigned code, struct str lines, struct buf *out)
{
	while (lines.len > 0) {
		size_t len = str_find(lines, '\n');
		bool is_last = len + 1 >= lines.len;

		buf_addf(out, "%03u%c", code, is_last ? ' ' : '-');
		buf_add_str(out, str_make(lines.ptr, len));
		buf_add_text(out, "\r\n");
		lines = str_from(lines, len < lines.len ? len + 1 : len);
	}
}

bool
smtp_chunk(struct str args, uint64_t *size_r, bool *is_last_r)
{
	struct str last, size = smtp_word(args, &last);

	/* A zero in front makes a number octal for some. */
	if (size.len > 1 && size.ptr[0] == '0')
		return false;
	*is_last_r = size.len < args.len;
	if (*is_last_r && !str_is_nocase(last, "LAST"))
		return false;
	return str_number(size, SMTP_CHUNK_MOST, size_r);
}

bool
smtp_is_plain_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    (c == '\0' || strchr(".-_:[]", c) == NULL))
			return false;
	}
	return name.len > 0 && name.len <= SMTP_HELLO_MOST;
}

void
smtp_add_xtext(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < '!' || c > '~' || c == '+' || c == '=')
			buf_addf(out, "+%02X", c);
		else
			buf_add_byte(out, (char)c);
	}
}
