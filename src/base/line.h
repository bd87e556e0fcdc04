/*
 * line.h - one line after the other, however the bytes arrive           (pure)
 *
 * For protocols whose lines end with a line feed. Looks at every byte once, so
 * a peer that sends a long line byte by byte costs no more than one that does
 * not.
 */
#ifndef BASE_LINE_H
#define BASE_LINE_H

#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>

struct line_reader {
	size_t max_bytes; /* longest line, without its end */
	size_t seen; /* bytes of the waiting line in which there is no line feed */
};

enum line_result {
	LINE_WAIT, /* no whole line yet */
	LINE_HERE, /* *line_r is set */
	LINE_TOO_LONG /* longer than max_bytes, whole or not: the stream cannot go on */
};

/*
 * Take the next line out of "in", without its LF and without one CR before it.
 * *line_r is lent until something is added to "in". Bytes are taken out of "in"
 * by nobody else between two calls.
 */
enum line_result line_next(struct line_reader *reader, struct buf *in, struct str *line_r);

#endif
