/*
 * smtp_content.h - where the content of a message ends                  (pure)
 *
 * RFC 5321, section 4.1.1.4: CR LF "." CR LF. Servers have taken other things for
 * it, line feeds or carriage returns alone, and what one of them takes for the end
 * another takes for content: then what follows are commands that nobody has seen.
 * So whatever could be taken for the end is found, and it is said how sure it is.
 */
#ifndef FRONT_SMTP_CONTENT_H
#define FRONT_SMTP_CONTENT_H

#include "base/str.h"

#include <stddef.h>

/* What stood before the bytes in hand. */
enum smtp_before {
	SMTP_BEFORE_LINE, /* CR LF, or nothing yet: a line begins */
	SMTP_BEFORE_CR,
	SMTP_BEFORE_LF, /* without a CR */
	SMTP_BEFORE_OTHER,
};

enum smtp_end {
	SMTP_END_NONE, /* not in the first *len_r bytes; what is behind cannot be told yet */
	SMTP_END_SURE, /* behind *len_r bytes */
	SMTP_END_DOUBTFUL, /* the same, for servers that are not strict */
};

enum { SMTP_HELD_MOST = 16 }; /* bytes that cannot be told yet */

enum smtp_end smtp_find_end(struct str bytes, enum smtp_before before, size_t *len_r);

/* What stands before what follows these bytes. */
enum smtp_before smtp_behind(struct str bytes, enum smtp_before before);

#endif
