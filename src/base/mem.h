/*
 * mem.h - small allocations that do not fail, and what must hold        (pure)
 *
 * A daemon that cannot get a hundred bytes cannot answer anybody: it ends with
 * a clear word, and its master starts another. Whatever a peer can size has a
 * ceiling that is checked before it comes here.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A zeroed object, or an array of n of them; the caller's, released with free(). */
#define xnew(type) ((type *)xcalloc(1, sizeof(type)))
#define xnew_array(type, n) ((type *)xcalloc((n), sizeof(type)))

void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *ptr, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));

/* A zero-terminated copy of len bytes; text may hold any bytes. */
char *xstrndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));

/* printf into a new string; the caller's. */
char *xasprintf(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* What malloc really takes for so many bytes (glibc): for whoever counts what he holds. */
static inline size_t
mem_chunk_bytes(size_t bytes)
{
	size_t chunk = (bytes + sizeof(size_t) + 15) & ~(size_t)15;

	return chunk < 32 ? 32 : chunk;
}

/*
 * What is true unless the program is wrong. It stays on in production and must
 * never depend on bytes that a peer sent.
 */
#define must(expr) ((expr) ? (void)0 : must_failed(#expr, __FILE__, __LINE__))
void must_failed(const char *expr, const char *file, int line) __attribute__((noreturn));

#endif
