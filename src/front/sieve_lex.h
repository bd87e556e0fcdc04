/*
 * sieve_lex.h - the words and lines of ManageSieve                      (pure)
 *
 * RFC 5804, section 4. No literal waits for leave: a client's is "{n+}", a server's "{n}",
 * and what was promised follows at once. Both forms are read from either side. Two uses:
 * whole commands and answers before login, put together within limits and then taken
 * apart; and, behind the login, what has to be known about a line that passes.
 */
#ifndef FRONT_SIEVE_LEX_H
#define FRONT_SIEVE_LEX_H

#include "base/str.h"
#include "front/lex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SIEVE_LINE_MOST = 1024, /* of a command before login that has no credentials */
	SIEVE_PROMISE_MOST = 32, /* " {00000000004294967295+}" and the line's end fit */
};

/* ---- lines */

/*
 * What a line, or its last SIEVE_PROMISE_MOST bytes, without CR LF, promises at its end; a
 * size has 32 bits.
 */
enum lex_promise sieve_promise(struct str line, struct lex_literal *literal_r);

/* A line of a client, or what follows a literal in it. */
enum sieve_form {
	SIEVE_FORM_WHOLE, /* words and strings: the command ends with this line */
	SIEVE_FORM_LITERAL, /* likewise, and a literal follows */
	SIEVE_FORM_ODD, /* something else */
	SIEVE_FORM_LOST, /* that, and who knows whether a literal follows */
};

enum sieve_form sieve_form(struct str line, struct lex_literal *literal_r);

/* ---- whole commands and answers, with their literals */

struct sieve_scan {
	size_t line_most, literals_most; /* set once */
	size_t seen; /* bytes of whole lines and literals */
	size_t lines, literals; /* how they divide */
	size_t searched; /* bytes behind them in which there is no LF, or up to it */
};

void sieve_scan_init(struct sieve_scan *scan, size_t line_most, size_t literals_most);

enum sieve_scan_result {
	SIEVE_SCAN_WAIT,
	SIEVE_SCAN_WHOLE,
	SIEVE_SCAN_LOST, /* too long, or a literal too large: no way on */
};

/*
 * Look at what begins with a command, however much of it is there; bytes in which
 * there was no line end are not looked at again. *command_r is the command without its
 * last line end, literals within; *taken_r is what is to be taken out of "in" when it is
 * done with: then call sieve_scan_over().
 */
enum sieve_scan_result sieve_scan(struct sieve_scan *scan, struct str in, struct str *command_r,
    size_t *taken_r);
void sieve_scan_over(struct sieve_scan *scan);

/* ---- arguments; each takes what it finds off "rest", or says false */

bool sieve_space(struct str *rest); /* one, or several */
bool sieve_word(struct str *rest, struct str *word_r);

/* ---- saying */

/* In quotes where it can be; to_server: literals have their "+". */
void sieve_say_string(struct buf *out, struct str text, bool to_server);

#endif
