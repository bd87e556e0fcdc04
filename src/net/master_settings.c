/*
 * master_settings.c - a settings file, as one program needs it        (driver)
 */
#include "net/master_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "net/channel.h"
#include "net/crew.h"
#include "net/plan.h"

static void
report(const struct settings *settings, master_problem_fn *fn)
{
	for (size_t i = 0; i < settings_problem_count(settings); i++)
		fn(settings_problem_text(settings, i));
}

/* The addresses that we have made up ourselves are in no other check. */
static void
check_metrics(struct settings *settings, const struct daemon_plan *plan)
{
	char mine[BIND_NAME_BYTES], other[BIND_NAME_BYTES];

	for (size_t i = plan->bind_count - plan->metrics_count; i < plan->bind_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (bind_name(plan->binds[i].address, mine) &&
			    bind_name(plan->binds[j].address, other) && strcmp(mine, other) == 0)
				settings_problem(settings, plan->binds[i].line, mine,
				    "is where worker %zu would answer for OpenMetrics, and is on "
				    "line %d, too",
				    i + plan->metrics_count - plan->bind_count,
				    plan->binds[j].line);
		}
	}
}

/* What the frame itself cannot do: said as a problem of the file. */
static void
check_plan(const struct daemon_program *program, struct settings *settings)
{
	struct daemon_plan plan = {0};
	struct fault fault;

	plan_make(program, settings, 0, &plan);
	if (plan.bind_count >= CHANNEL_FDS_MOST)
		settings_problem(settings, 0, program->service, "more than %d listeners",
		    CHANNEL_FDS_MOST - 1);
	if (plan.workers < 1 || plan.workers > CREW_MOST)
		settings_problem(settings, 0, program->service, "workers must be 1 to %d",
		    CREW_MOST);
	for (size_t i = 0; i < plan.bind_count; i++) {
		if (bind_check(&plan.binds[i], &fault) == -1)
			settings_problem(settings, plan.binds[i].line, plan.binds[i].address, "%s",
			    fault.text);
	}
	check_metrics(settings, &plan);
	free(plan.binds);
}

struct settings *
master_settings_read(const struct daemon_program *program, const char *path, struct buf *text_r,
    master_problem_fn *fn)
{
	struct settings *settings;
	struct fault fault;

	buf_init(text_r, SETTINGS_FILE_MAX_BYTES);
	if (file_read(path, text_r) == -1) {
		fault_set_errno(&fault, VERDICT_PERM, "%s", path);
		fn(fault.text);
		buf_fini(text_r);
		return NULL;
	}
	settings = settings_load_text(buf_cstr(text_r), path);
	if (settings_problem_count(settings) == 0 && program->check != NULL)
		program->check(settings);
	if (settings_problem_count(settings) == 0)
		check_plan(program, settings);
	if (settings_problem_count(settings) == 0)
		return settings;
	report(settings, fn);
	settings_free(&settings);
	buf_fini(text_r);
	return NULL;
}
