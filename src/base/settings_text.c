/*
 * settings_text.c - a settings file before libconfig sees it            (pure)
 *
 * Knows libconfig's tokens (comments, strings, names, numbers, brackets) and
 * nothing of its grammar.
 */
#include "base/settings_text.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <strings.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

enum { DEEPEST = 16 };

struct seen_name { /* a name in a group, the group's number before it */
	UT_hash_handle hh;
	int line;
	size_t times;
	char key[];
};

struct scan {
	struct settings *settings;
	struct buf *out;
	const char *at, *end; /* what is left of the text */
	int line;
	char before; /* the token before this one: its character, or 'a' for a word or number */
	bool broken; /* libconfig cannot read it */
	size_t depth;
	struct {
		char bracket;
		int line;
		unsigned number; /* of the group */
	} open[DEEPEST];
	unsigned group_count;
	struct seen_name *names;
};

static char
peek(const struct scan *scan, size_t ahead)
{
	return (size_t)(scan->end - scan->at) > ahead ? scan->at[ahead] : '\0';
}

/* Copy len bytes as they are. */
static void
copy(struct scan *scan, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (scan->at[i] == '\n')
			scan->line++;
	buf_add(scan->out, scan->at, len);
	scan->at += len;
}

/* The token from here on: its first character, and all that follow of these. */
static struct str
token_of(const struct scan *scan, const char *chars)
{
	size_t len = 1;

	while (peek(scan, len) != '\0' && strchr(chars, peek(scan, len)))
		len++;
	return str_make(scan->at, len);
}

static void
scan_line_comment(struct scan *scan)
{
	while (scan->at < scan->end && *scan->at != '\n')
		copy(scan, 1);
}

static void
scan_block_comment(struct scan *scan)
{
	int line = scan->line;

	copy(scan, 2);
	while (scan->at < scan->end) {
		if (peek(scan, 0) == '*' && peek(scan, 1) == '/') {
			copy(scan, 2);
			return;
		}
		copy(scan, 1);
	}
	settings_problem(scan->settings, line, "", "the comment that begins here does not end");
	scan->broken = true;
}

static void
scan_string(struct scan *scan)
{
	int line = scan->line;

	copy(scan, 1);
	while (scan->at < scan->end && *scan->at != '"') {
		if (*scan->at == '\\' && peek(scan, 1) == 'x' && peek(scan, 2) == '0' &&
		    peek(scan, 3) == '0')
			settings_problem(scan->settings, scan->line, "",
			    "a text must not hold the character \\x00");
		copy(scan, *scan->at == '\\' && scan->end - scan->at > 1 ? 2 : 1);
	}
	if (scan->at == scan->end) {
		settings_problem(scan->settings, line, "",
		    "the quote that is opened here is not closed");
		scan->broken = true;
		return;
	}
	copy(scan, 1);
	scan->before = '"';
}

/* A line with @include would make libconfig open another file. */
static void
scan_include(struct scan *scan)
{
	settings_problem(scan->settings, scan->line, "",
	    "@include is not supported: all settings stand in one file");
	while (scan->at < scan->end && *scan->at != '\n')
		scan->at++;
}

static void
open_bracket(struct scan *scan)
{
	if (scan->depth == DEEPEST) {
		settings_problem(scan->settings, scan->line, "",
		    "more than %d brackets are open here", DEEPEST);
		scan->broken = true;
		scan->at = scan->end;
		return;
	}
	scan->open[scan->depth].bracket = *scan->at;
	scan->open[scan->depth].line = scan->line;
	scan->open[scan->depth].number = ++scan->group_count;
	scan->depth++;
	scan->before = *scan->at;
	copy(scan, 1);
}

static void
close_bracket(struct scan *scan)
{
	char bracket = *scan->at, opened;

	if (scan->depth == 0) {
		settings_problem(scan->settings, scan->line, "", "'%c' closes nothing", bracket);
		scan->broken = true;
		copy(scan, 1);
		return;
	}
	opened = scan->open[--scan->depth].bracket;
	if (bracket != (opened == '{' ? '}' : opened == '(' ? ')' : ']')) {
		settings_problem(scan->settings, scan->line, "",
		    "'%c' cannot close the '%c' of line %d", bracket, opened,
		    scan->open[scan->depth].line);
		scan->broken = true;
	} else if (scan->before == ',' && bracket != '}') {
		settings_problem(scan->settings, scan->line, "",
		    "nothing stands between ',' and '%c'", bracket);
		scan->broken = true;
	}
	scan->before = bracket;
	copy(scan, 1);
}

/* Does a value stand here, rather than the name of a setting? */
static bool
is_value_place(const struct scan *scan)
{
	char in = scan->depth ? scan->open[scan->depth - 1].bracket : '{';

	return strchr("=:([", scan->before) || (scan->before == ',' && in != '{');
}

/* How often did this group have this name before? */
static size_t
count_name(struct scan *scan, struct str name)
{
	char *key = xasprintf("%u %.*s", scan->depth ? scan->open[scan->depth - 1].number : 0,
	    STR_FMT(name));
	size_t len = strlen(key);
	struct seen_name *seen;

	HASH_FIND(hh, scan->names, key, len, seen);
	if (seen) {
		settings_problem(scan->settings, scan->line, key + strcspn(key, " ") + 1,
		    "is given twice, here and on line %d", seen->line);
		seen->times++;
	} else {
		seen = xcalloc(1, sizeof(*seen) + len + 1);
		memcpy(seen->key, key, len + 1);
		seen->line = scan->line;
		HASH_ADD_KEYPTR(hh, scan->names, seen->key, len, seen);
	}
	free(key);
	return seen->times;
}

static void
scan_name(struct scan *scan, struct str name)
{
	size_t times;

	if (str_find(name, '*') < name.len) {
		settings_problem(scan->settings, scan->line, "", "%s: a name must not hold '*'",
		    log_quote(name));
		copy(scan, name.len);
		return;
	}
	times = count_name(scan, name);
	copy(scan, name.len);
	if (times > 0) {
		buf_add_byte(scan->out, '*');
		buf_add_u64(scan->out, times);
	}
}

/* A word where a value stands is true, false, or a text without its quotes. */
static void
scan_word_value(struct scan *scan, struct str word)
{
	if (str_is_nocase(word, "true") || str_is_nocase(word, "false")) {
		copy(scan, word.len);
		return;
	}
	if (!str_is_nocase(word, "yes") && !str_is_nocase(word, "no") &&
	    !str_is_nocase(word, "on") && !str_is_nocase(word, "off"))
		settings_problem(scan->settings, scan->line, "",
		    "%.*s must stand in quotes: \"%.*s\"", STR_FMT(word), STR_FMT(word));
	buf_add_byte(scan->out, '"');
	copy(scan, word.len);
	buf_add_byte(scan->out, '"');
}

static void
scan_word(struct scan *scan)
{
	struct str word = token_of(scan, LETTERS DIGITS "-_*");

	if (is_value_place(scan))
		scan_word_value(scan, word);
	else
		scan_name(scan, word);
	scan->before = 'a';
}

/* libconfig wants an L behind what does not fit into 32 bits, and wraps beyond 64. */
static void
scan_number(struct scan *scan)
{
	struct str number = token_of(scan, LETTERS DIGITS ".");
	char *text = xstrndup(number.ptr, number.len), *rest;
	long long n = strtoll(text, &rest, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);

	if ((*rest == '\0' || *rest == 'L') && (n < INT_MIN || n > INT_MAX)) {
		buf_addf(scan->out, "%lldL", n);
		scan->at += number.len;
	} else
		copy(scan, number.len);
	free(text);
	scan->before = 'a';
}

static void
scan_token(struct scan *scan)
{
	char c = *scan->at;

	if (c == '#' || (c == '/' && peek(scan, 1) == '/'))
		scan_line_comment(scan);
	else if (c == '/' && peek(scan, 1) == '*')
		scan_block_comment(scan);
	else if (c == '"')
		scan_string(scan);
	else if (c == '@')
		scan_include(scan);
	else if (strchr("{([", c))
		open_bracket(scan);
	else if (strchr("})]", c))
		close_bracket(scan);
	else if (strchr(LETTERS "*", c))
		scan_word(scan);
	else if (strchr(DIGITS "-+", c))
		scan_number(scan);
	else {
		if (!strchr(" \t\r\n\v\f", c))
			scan->before = c;
		copy(scan, 1);
	}
}

static void
report_open_brackets(struct scan *scan)
{
	for (size_t i = 0; i < scan->depth; i++)
		settings_problem(scan->settings, scan->open[i].line, "",
		    "the '%c' that is opened here is not closed", scan->open[i].bracket);
	scan->broken = scan->depth > 0;
}

static void
forget_names(struct scan *scan)
{
	struct seen_name *seen, *next;

	HASH_ITER (hh, scan->names, seen, next) {
		HASH_DEL(scan->names, seen);
		free(seen);
	}
}

bool
settings_text_mend(struct settings *settings, struct str text, struct buf *out)
{
	size_t len = str_find(text, '\0');
	struct scan scan = {settings, out, text.ptr, text.ptr + len, .line = 1, .before = ';'};

	if (str_starts(text, "\xef\xbb\xbf")) /* a byte order mark */
		scan.at += 3;
	while (scan.at < scan.end)
		scan_token(&scan);
	if (len < text.len) {
		settings_problem(settings, scan.line, "",
		    "a NUL byte stands here: this is no text");
		scan.broken = true;
	}
	if (!scan.broken)
		report_open_brackets(&scan);
	forget_names(&scan);
	return !scan.broken;
}
