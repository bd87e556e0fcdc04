/*
 * str.c - a piece of somebody else's bytes                              (pure)
 */
#include "base/str.h"

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
str_is_nocase(struct str a, const char *text)
{
	for (size_t i = 0; i < a.len; i++) {
		if (text[i] == '\0' || lower(a.ptr[i]) != lower(text[i]))
			return false;
	}
	return text[a.len] == '\0';
}

size_t
str_find(struct str a, char c)
{
	const char *hit = a.len ? memchr(a.ptr, c, a.len) : NULL;

	return hit ? (size_t)(hit - a.ptr) : a.len;
}

size_t
str_rfind(struct str a, char c)
{
	const char *hit = a.len ? memrchr(a.ptr, c, a.len) : NULL;

	return hit ? (size_t)(hit - a.ptr) : a.len;
}

bool
str_number(struct str text, uint64_t most, uint64_t *number_r)
{
	uint64_t number = 0;

	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint64_t digit = (uint64_t)(text.ptr[i] - '0');

		if (text.ptr[i] < '0' || text.ptr[i] > '9' || digit > most ||
		    number > (most - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*number_r = number;
	return true;
}
