/*
 * lex.h - strings and literals, as IMAP and ManageSieve write them      (pure)
 *
 * RFC 5804 has them from IMAP: "text" in quotes, or {n} and n bytes behind the line. What
 * the two do not share - what an atom is, which literals wait, where one may stand - is
 * in imap_lex.h and sieve_lex.h.
 */
#ifndef FRONT_LEX_H
#define FRONT_LEX_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEX_QUOTED_MOST = 1024 }; /* in quotes; RFC 5804, section 4 */

/* ---- what a line promises */

struct lex_literal {
	uint64_t size;
	size_t at; /* where "{" is in the line */
	bool waits; /* without "+": in IMAP the client asks for leave */
	bool is_loose; /* not behind a space or parenthesis: others may see no literal */
};

enum lex_promise {
	LEX_NO_LITERAL,
	LEX_LITERAL,
	LEX_LITERAL_HUGE, /* a number that is none, or above size_most */
};

/* What the line, without CR LF, promises at its end; is_loose is left to the protocol. */
enum lex_promise lex_promise(struct str line, uint64_t size_most, struct lex_literal *literal_r);

/* ---- strings; what is found is taken off "rest", or it is said false */

struct lex_string {
	struct str raw;
	bool is_quoted; /* raw has its escapes still */
};

bool lex_quoted(struct str *rest, struct lex_string *string_r);
bool lex_string(struct str *rest, struct lex_string *string_r); /* quoted or literal */

/* The bytes themselves: into a room of raw.len, and how many; or appended. */
size_t lex_string_copy(const struct lex_string *string, char *room);
void lex_string_add(const struct lex_string *string, struct buf *out);

/* Text without line ends or NUL, its quotes and backslashes escaped. */
void lex_say_quoted(struct buf *out, struct str text);

#endif
