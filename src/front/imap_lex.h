/*
 * imap_lex.h - the words and lines of IMAP                              (pure)
 *
 * RFC 9051 and 3501, section 4 and "Formal Syntax". Two uses: whole commands
 * before login, put together within limits and then taken apart; and, behind the
 * login, the few questions that have to be answered about a line that passes.
 *
 * Names and passwords are read generously, as servers do: "corp\ann" and
 * "ann*master" are no atoms, but clients send them without quotes.
 */
#ifndef FRONT_IMAP_LEX_H
#define FRONT_IMAP_LEX_H

#include "base/str.h"
#include "front/lex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IMAP_TAG_MOST = 100,
	IMAP_WORD_MOST = 64, /* of a command's name */
	IMAP_LINE_MOST = 8192, /* RFC 7162, section 4; literals not counted */
	IMAP_LITERALS_MOST = 4096, /* of one command before login; RFC 7888, section 5 */
	IMAP_PROMISE_MOST = 32, /* " ~{18446744073709551615+}" and the line's end fit */
};

/* ---- lines */

/* "tag word" and a space or the end: *rest_r begins behind the word. False: this is none. */
bool imap_head(struct str line, struct str *tag_r, struct str *word_r, struct str *rest_r);

/* A tag, as far as it is one; for who answers what imap_head() did not like. */
struct str imap_tag(struct str line);

/*
 * What a line, or its last IMAP_PROMISE_MOST bytes, without CR LF, promises at its end; a
 * size has 64 bits.
 */
enum lex_promise imap_promise(struct str line, struct lex_literal *literal_r);

/* Whether a quoted string is open behind the pieces of a line that were seen. */
struct imap_quotes {
	bool is_open, is_escaped;
};
void imap_quotes_see(struct imap_quotes *quotes, struct str piece);

/* ---- whole commands, and answers that may hold literals */

struct imap_scan {
	size_t line_most, literals_most; /* set once */
	size_t seen; /* bytes of whole lines and literals */
	size_t lines, literals; /* how they divide */
	size_t searched; /* bytes behind them in which there is no LF, or up to it */
	bool was_asked; /* the caller has agreed to the literal that is promised */
};

void imap_scan_init(struct imap_scan *scan, size_t line_most, size_t literals_most);

enum imap_scan_result {
	IMAP_SCAN_WAIT,
	IMAP_SCAN_WHOLE,
	IMAP_SCAN_LITERAL, /* a literal waits: ask for it and set was_asked, or give the command up
			    */
	IMAP_SCAN_TOO_LARGE, /* one waits that is above the limit: the command is to be given up */
	IMAP_SCAN_LOST, /* too long, or a literal too large that comes unasked: no way on */
};

/*
 * Look at what begins with a command, however much of it is there; bytes in which
 * there was no line end are not looked at again. *command_r is the command so far,
 * without its last line end, literals within; *taken_r is what is to be taken out
 * of "in" when it is done with, or given up: then call imap_scan_over().
 */
enum imap_scan_result imap_scan(struct imap_scan *scan, struct str in, struct str *command_r,
    size_t *taken_r);

/* The same for a server's lines: their literals are not asked for, their texts have none. */
enum imap_scan_result imap_scan_server(struct imap_scan *scan, struct str in, struct str *line_r,
    size_t *taken_r);

void imap_scan_over(struct imap_scan *scan);

/* ---- arguments; each takes what it finds off "rest", or says false */

bool imap_space(struct str *rest);
bool imap_atom(struct str *rest, struct str *atom_r); /* RFC 9051: atom; strictly */
bool imap_astring(struct str *rest, struct lex_string *string_r);

/* ---- saying */

/* 7 bits, no control characters, not too long: "text" in quotes will do. */
bool imap_can_quote(struct str text);

#endif
