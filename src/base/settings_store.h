/*
 * settings_store.h - what a struct settings owns besides its fields     (pure)
 *
 * Strings and arrays, where in the file each value stands, and the problems.
 * For the settings engine only.
 */
#ifndef BASE_SETTINGS_STORE_H
#define BASE_SETTINGS_STORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct settings_store;

struct settings_store *store_new(void);
void store_free(struct settings_store **store);

/* Both live as long as the store. */
char *store_text(struct settings_store *store, const char *text);
void *store_array(struct settings_store *store, size_t n, size_t size); /* zeroed; NULL for none */

/* The value at "field" came from this line; 0 = of a field that was never marked. */
void store_mark(struct settings_store *store, const void *field, int line);
int store_line(const struct settings_store *store, const void *field);

/* Problems stay sorted by line. */
void store_problem(struct settings_store *store, const char *path, int line, const char *setting,
    const char *format, va_list args) __attribute__((format(printf, 5, 0)));
size_t store_problem_count(const struct settings_store *store);
const char *store_problem_text(const struct settings_store *store, size_t i);

#endif
