/*
 * args.h - the words of a command line                                  (pure)
 *
 * A command names its options in rows; what is not in a row is an error that
 * names what was perhaps meant. Options may stand before, between and after the
 * words; "--" ends them. "--name value" and "--name=value" are the same.
 */
#ifndef ADMIN_ARGS_H
#define ADMIN_ARGS_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

struct option_row {
	const char *name; /* without dashes; of one letter: "-c" */
	const char *value; /* what it takes, "FILE"; NULL: a switch */
	const char *sentence; /* for --help */
};

enum { ARGS_OPTIONS_MOST = 24, ARGS_WORDS_MOST = 16 };

struct args {
	const struct option_row *rows[ARGS_OPTIONS_MOST];
	const char *values[ARGS_OPTIONS_MOST]; /* NULL: not given; a switch: "" */
	size_t row_count;
	const char *words[ARGS_WORDS_MOST];
	size_t word_count;
};

/* Rows end with one without a name. May be called for several tables before parsing. */
void args_know(struct args *args, const struct option_row *rows);

/*
 * Read argv. With "first" it stops after the first word and returns how many
 * elements were read; else everything is read. -1 and *fault_r (VERDICT_PERM).
 * Values and words are argv's own.
 */
int args_parse(struct args *args, int argc, char *const argv[], bool first, struct fault *fault_r);

/* The value, "" for a switch, NULL when it was not given. The name must stand in a row. */
const char *args_value(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);

/* A value as a number within bounds, or "otherwise" where none was given; -1: *fault_r. */
int args_number(const struct args *args, const char *name, long long least, long long most,
    long long otherwise, long long *number_r, struct fault *fault_r);

#endif
