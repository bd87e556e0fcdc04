/*
 * line.c - one line after the other, however the bytes arrive           (pure)
 */
#include "base/line.h"

enum line_result
line_next(struct line_reader *reader, struct buf *in, struct str *line_r)
{
	struct str all = buf_str(in);
	size_t len = reader->seen + str_find(str_from(all, reader->seen), '\n');
	size_t taken = len + 1;

	if (len == all.len) {
		reader->seen = len;
		/* One more than the limit may still be the CR of a line that just fits. */
		return len > reader->max_bytes + 1 ? LINE_TOO_LONG : LINE_WAIT;
	}
	reader->seen = 0;
	if (len > 0 && all.ptr[len - 1] == '\r')
		len--;
	if (len > reader->max_bytes)
		return LINE_TOO_LONG;
	*line_r = str_make(all.ptr, len);
	buf_consume(in, taken);
	return LINE_HERE;
}
