/*
 * args.c - the words of a command line                                  (pure)
 */
#include "admin/args.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/suggest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
args_know(struct args *args, const struct option_row *rows)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		must(args->row_count < ARGS_OPTIONS_MOST);
		args->rows[args->row_count++] = rows;
	}
}

/* Place of the option with this name; row_count when there is none. */
static size_t
find(const struct args *args, struct str name)
{
	size_t i = 0;

	while (i < args->row_count && !str_is(name, args->rows[i]->name))
		i++;
	return i;
}

static int
unknown(const struct args *args, struct str name, struct fault *fault_r)
{
	char *word = xstrndup(name.ptr, name.len);
	struct suggestion near = suggestion_for(word);
	const char *dashes = name.len > 1 ? "--" : "-";

	for (size_t i = 0; i < args->row_count; i++)
		suggestion_offer(&near, args->rows[i]->name);
	if (near.best != NULL && strlen(near.best) > 1)
		fault_set(fault_r, VERDICT_PERM, "unknown option %s%s: do you mean --%s?", dashes,
		    word, near.best);
	else
		fault_set(fault_r, VERDICT_PERM, "unknown option %s%s", dashes, word);
	free(word);
	return -1;
}

/* One option at argv[i]; returns the place of the last element it took, or -1. */
static int
take_option(struct args *args, int argc, char *const argv[], int i, struct fault *fault_r)
{
	bool is_long = argv[i][1] == '-';
	struct str name = str_of(argv[i] + (is_long ? 2 : 1));
	const char *value = NULL;
	size_t equals = str_find(name, '='), n;

	if (is_long && equals < name.len) {
		value = name.ptr + equals + 1;
		name.len = equals;
	} else if (!is_long && name.len > 1) { /* "-cFILE" */
		value = name.ptr + 1;
		name.len = 1;
	}
	n = find(args, name);
	if (n == args->row_count || is_long != (name.len > 1))
		return unknown(args, name, fault_r);
	if (args->rows[n]->value == NULL) {
		if (value != NULL)
			return fault_set(fault_r, VERDICT_PERM, "option %.*s takes no value",
			    STR_FMT(name));
		args->values[n] = "";
		return i;
	}
	if (value == NULL) {
		if (i + 1 == argc)
			return fault_set(fault_r, VERDICT_PERM, "option %s needs a value: %s",
			    argv[i], args->rows[n]->value);
		value = argv[++i];
	}
	args->values[n] = value;
	return i;
}

int
args_parse(struct args *args, int argc, char *const argv[], bool first, struct fault *fault_r)
{
	bool options = true;

	for (int i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			if ((i = take_option(args, argc, argv, i, fault_r)) == -1)
				return -1;
		} else if (args->word_count == ARGS_WORDS_MOST) {
			return fault_set(fault_r, VERDICT_PERM, "too many words, from \"%s\" on",
			    argv[i]);
		} else {
			args->words[args->word_count++] = argv[i];
			if (first)
				return i + 1;
		}
	}
	return argc;
}

const char *
args_value(const struct args *args, const char *name)
{
	size_t n = find(args, str_of(name));

	must(n < args->row_count);
	return args->values[n];
}

bool
args_has(const struct args *args, const char *name)
{
	return args_value(args, name) != NULL;
}

int
args_number(const struct args *args, const char *name, long long least, long long most,
    long long otherwise, long long *number_r, struct fault *fault_r)
{
	const char *text = args_value(args, name);
	char *end;

	*number_r = otherwise;
	if (text == NULL)
		return 0;
	errno = 0;
	*number_r = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *number_r < least || *number_r > most)
		return fault_set(fault_r, VERDICT_PERM,
		    "--%s takes a number from %lld to %lld, not \"%s\"", name, least, most, text);
	return 0;
}
