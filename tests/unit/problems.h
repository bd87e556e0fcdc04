/*
 * problems.h - what is said about a file of settings, as one text
 */
#ifndef TESTS_PROBLEMS_H
#define TESTS_PROBLEMS_H

#include "base/buf.h"
#include "base/mem.h"
#include "base/settings.h"

#include <stdlib.h>

#include "unit.h"

/* The problems, one in a line; the caller's. */
static inline char *
problems_of(const struct settings *settings)
{
	struct buf text = BUF_INIT;
	char *copy;

	for (size_t i = 0; i < settings_problem_count(settings); i++)
		buf_addf(&text, "%s\n", settings_problem_text(settings, i));
	copy = xstrdup(buf_cstr(&text));
	buf_fini(&text);
	return copy;
}

static inline void
assert_problems(const struct settings *settings, const char *expected)
{
	char *found = problems_of(settings);

	assert_string_equal(found, expected);
	free(found);
}

/* What a file holds, and what is said about it. */
struct mistake {
	const char *title, *text, *problems;
};

static inline void
assert_mistakes(const struct mistake *mistakes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct settings *s = settings_load_text(mistakes[i].text, "f");
		char *found = problems_of(s);

		if (strcmp(found, mistakes[i].problems) != 0)
			fail_msg("%s:\n%sinstead of:\n%s", mistakes[i].title, found,
			    mistakes[i].problems);
		free(found);
		settings_free(&s);
	}
}

#endif
