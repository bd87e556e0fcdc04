/*
 * smtp_content.c - where the content of a message ends                  (pure)
 *
 * Looks for dots, not for lines: what is large is base64, which has none.
 */
#include "front/smtp_content.h"

static enum smtp_before
behind_byte(char c, enum smtp_before before)
{
	if (c == '\r')
		return SMTP_BEFORE_CR;
	if (c == '\n')
		return before == SMTP_BEFORE_CR ? SMTP_BEFORE_LINE : SMTP_BEFORE_LF;
	return SMTP_BEFORE_OTHER;
}

enum smtp_before
smtp_behind(struct str bytes, enum smtp_before before)
{
	if (bytes.len >= 2)
		before = behind_byte(bytes.ptr[bytes.len - 2], SMTP_BEFORE_OTHER);
	return bytes.len > 0 ? behind_byte(bytes.ptr[bytes.len - 1], before) : before;
}

/*
 * The line ends behind a dot that begins a line, to somebody at least: any number
 * of CR and an LF, or no LF. *len_r is their length; NONE: the dot is no end, or, if
 * *len_r reaches the end of rest, it cannot be told yet.
 */
static enum smtp_end
look_behind(struct str rest, enum smtp_before before, size_t *len_r)
{
	size_t crs = 0;

	while (crs < rest.len && rest.ptr[crs] == '\r' && crs < SMTP_HELD_MOST - 2)
		crs++;
	*len_r = crs;
	if (crs == rest.len)
		return SMTP_END_NONE;
	if (rest.ptr[crs] == '\n') {
		*len_r = crs + 1;
		return crs == 1 && before == SMTP_BEFORE_LINE ? SMTP_END_SURE : SMTP_END_DOUBTFUL;
	}
	return crs > 0 ? SMTP_END_DOUBTFUL : SMTP_END_NONE;
}

enum smtp_end
smtp_find_end(struct str bytes, enum smtp_before before, size_t *len_r)
{
	size_t dot = str_find(bytes, '.'), ends;

	for (; dot < bytes.len; dot += 1 + str_find(str_from(bytes, dot + 1), '.')) {
		enum smtp_before here = smtp_behind(str_make(bytes.ptr, dot), before);
		enum smtp_end end;

		if (here == SMTP_BEFORE_OTHER)
			continue;
		end = look_behind(str_from(bytes, dot + 1), here, &ends);
		if (end != SMTP_END_NONE) {
			*len_r = dot + 1 + ends;
			return end;
		}
		if (dot + 1 + ends == bytes.len) {
			*len_r = dot;
			return SMTP_END_NONE;
		}
	}
	*len_r = bytes.len;
	return SMTP_END_NONE;
}
