/*
 * mem.c - small allocations that do not fail                            (pure)
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(size_t size) __attribute__((noreturn));

/* The log may need memory itself, so the last words go to stderr directly. */
static void
out_of_memory(size_t size)
{
	fprintf(stderr, "fatal: out of memory while asking for %zu bytes\n", size);
	abort();
}

void *
xcalloc(size_t n, size_t size)
{
	void *ptr = calloc(n ? n : 1, size ? size : 1);

	if (ptr == NULL)
		out_of_memory(size != 0 && n > SIZE_MAX / size ? SIZE_MAX : n * size);
	return ptr;
}

void *
xrealloc(void *ptr, size_t size)
{
	ptr = realloc(ptr, size ? size : 1);
	if (ptr == NULL)
		out_of_memory(size);
	return ptr;
}

char *
xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *
xstrndup(const char *text, size_t len)
{
	char *copy = xcalloc(len + 1, 1);

	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

char *
xasprintf(const char *format, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len == -1)
		out_of_memory(0);
	return text;
}

void
must_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "fatal: this must hold but does not: %s (%s:%d)\n", expr, file, line);
	abort();
}
