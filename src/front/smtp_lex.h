/*
 * smtp_lex.h - lines of SMTP, taken apart and put together               (pure)
 *
 * RFC 5321, section 4. Lines come without their ends.
 */
#ifndef FRONT_SMTP_LEX_H
#define FRONT_SMTP_LEX_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SMTP_COMMAND_MOST = 2048, /* RFC 5321 says 512, and each extension some more */
	SMTP_HELLO_MOST = 255, /* a domain: RFC 5321, section 4.5.3.1.2 */
	SMTP_CHUNK_MOST = INT32_MAX, /* what every server can hold in a number */
};

/* One line of a reply; false: it is none. text is what stands behind "250-". */
struct smtp_line {
	unsigned code;
	bool is_last;
	struct str text;
};

bool smtp_line(struct str line, struct smtp_line *line_r);

/* The first word of a line; what stands behind it and its space. */
struct str smtp_word(struct str line, struct str *rest_r);

/*
 * What may be announced to clients. Any word that is not known here could be an
 * extension that hides where commands end, or one that is only meant for us.
 */
bool smtp_may_announce(struct str word);

/* The reply to EHLO, from lines that end with LF, the first being our name. */
void smtp_say_lines(unsigned code, struct str lines, struct buf *out);

/* BDAT's arguments: false where two servers could read them differently. RFC 3030. */
bool smtp_chunk(struct str args, uint64_t *size_r, bool *is_last_r);

/* A name of a kind that no server stumbles over; not necessarily a valid one. */
bool smtp_is_plain_name(struct str name);

/* RFC 3461, section 4. */
void smtp_add_xtext(struct str text, struct buf *out);

#endif
