/*
 * fuzz_settings.c - any text as a settings file: problems are single, printable lines
 */
#include "base/settings.h"

#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets a string where it gives up in the middle of an expression. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static void
ignore(void *ctx, const char *setting)
{
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct settings *settings = settings_load_text(text, "f"), *again;

	for (size_t i = 0; i < settings_problem_count(settings); i++) {
		const char *problem = settings_problem_text(settings, i);

		must(str_starts(str_of(problem), "f:"));
		for (const char *p = problem; *p; p++)
			must((unsigned char)*p >= ' ' && *p != 0x7f);
	}
	again = settings_load_text(text, "f");
	must(settings_problem_count(again) == settings_problem_count(settings));
	must(settings_unreloadable(settings, again, ignore, NULL) == 0);
	settings_free(&settings);
	settings_free(&again);
	free(text);
	return 0;
}
