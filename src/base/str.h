/*
 * str.h - a piece of somebody else's bytes                              (pure)
 *
 * A str never owns: whoever hands it out says how long it stays good. It may
 * hold any byte, NUL included, and has no terminator.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};

/* STR("literal"), and the arguments that printf's "%.*s" wants. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_FMT(s) ((int)(s).len), ((s).len ? (s).ptr : "")

static inline struct str
str_of(const char *text)
{
	return (struct str){text, strlen(text)};
}

static inline struct str
str_make(const char *ptr, size_t len)
{
	return (struct str){ptr, len};
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
str_is(struct str a, const char *text)
{
	return str_eq(a, str_of(text));
}

/* Equal but for the case of ASCII letters; bytes above 0x7f must be equal. */
bool str_is_nocase(struct str a, const char *text);

static inline bool
str_starts(struct str a, const char *text)
{
	size_t len = strlen(text);

	return a.len >= len && memcmp(a.ptr, text, len) == 0;
}

/* What follows the first n bytes; n is at most a.len. */
static inline struct str
str_from(struct str a, size_t n)
{
	return (struct str){a.ptr + n, a.len - n};
}

/* Position of the first, or last, such byte; a.len when there is none. */
size_t str_find(struct str a, char c);
size_t str_rfind(struct str a, char c);

/* Decimal digits and nothing else, a number of at most "most"; else false, and *number_r stays. */
bool str_number(struct str text, uint64_t most, uint64_t *number_r);

#endif
