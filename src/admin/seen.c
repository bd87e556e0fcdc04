/*
 * seen.c - from which address did a server see somebody?                (pure)
 */
#include "admin/seen.h"

#include <ctype.h>

/* The next line of text, taken off it. */
static struct str
next_line(struct str *text)
{
	size_t end = str_find(*text, '\n');
	struct str line = str_make(text->ptr, end);

	*text = str_from(*text, end < text->len ? end + 1 : end);
	return line;
}

static bool
has_line(struct str text, struct str line)
{
	while (text.len > 0)
		if (str_eq(next_line(&text), line))
			return true;
	return false;
}

/* Could this byte belong to a longer address? A port behind IPv4 does not, nor a final dot. */
static bool
goes_on(struct str line, size_t at, bool is_v6)
{
	unsigned char c, next;

	if (at >= line.len)
		return false;
	c = (unsigned char)line.ptr[at];
	next = at + 1 < line.len ? (unsigned char)line.ptr[at + 1] : ' ';
	if (is_v6)
		return isxdigit(c) || (c == ':' && (isxdigit(next) || next == ':'));
	return isdigit(c) || (c == '.' && isdigit(next));
}

static bool
begins_inside(struct str line, size_t at, bool is_v6)
{
	unsigned char c = at > 0 ? (unsigned char)line.ptr[at - 1] : ' ';

	return is_v6 ? isxdigit(c) || c == ':' : isdigit(c) || c == '.';
}

static bool
names(struct str line, const char *address)
{
	size_t len = strlen(address);
	bool is_v6 = strchr(address, ':') != NULL;

	for (size_t at = 0; len > 0 && at + len <= line.len; at++)
		if (str_is_nocase(str_make(line.ptr + at, len), address) &&
		    !begins_inside(line, at, is_v6) && !goes_on(line, at + len, is_v6))
			return true;
	return false;
}

enum seen
seen_in(struct str before, struct str after, const char *own, const char *front)
{
	enum seen seen = SEEN_NOTHING;

	while (after.len > 0) {
		struct str line = next_line(&after);

		if (has_line(before, line))
			continue;
		if (names(line, own))
			return SEEN_OWN;
		if (front != NULL && names(line, front))
			seen = SEEN_FRONT;
	}
	return seen;
}
