/*
 * master_settings.c - a settings file, as one program needs it        (driver)
 */
#include "net/master_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/channel.h"
#include "net/crew.h"

static void
report(const struct settings *settings, master_problem_fn *fn)
{
	for (size_t i = 0; i < settings_problem_count(settings); i++)
		fn(settings_problem_text(settings, i));
}

/* What the frame itself cannot do: said as a problem of the file. */
static void
check_plan(const struct daemon_program *program, struct settings *settings)
{
	struct daemon_plan plan = {0};
	struct fault fault;

	program->plan(settings, &plan);
	if (plan.bind_count >= CHANNEL_FDS_MOST)
		settings_problem(
		    settings, 0, program->service, "more than %d listeners", CHANNEL_FDS_MOST - 1);
	if (plan.workers < 1 || plan.workers > CREW_MOST)
		settings_problem(
		    settings, 0, program->service, "workers must be 1 to %d", CREW_MOST);
	for (size_t i = 0; i < plan.bind_count; i++) {
		if (bind_check(&plan.binds[i], &fault) == -1)
			settings_problem(
			    settings, plan.binds[i].line, plan.binds[i].address, "%s", fault.text);
	}
	free(plan.binds);
}

static int
read_text(const char *path, struct buf *text, struct fault *fault_r)
{
	enum { TEXT_MOST = 64 * 1024 * 1024, PIECE = 64 * 1024 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	char *room;

	if (fd == -1)
		return fault_set_errno(fault_r, VERDICT_PERM, "%s", path);
	buf_init(text, TEXT_MOST);
	do {
		room = buf_room(text, PIECE);
		got = room != NULL ? read(fd, room, PIECE) : 0;
		if (got > 0)
			buf_added(text, (size_t)got);
	} while (got > 0 || (got == -1 && errno == EINTR));
	if (got == -1)
		fault_set_errno(fault_r, VERDICT_PERM, "%s", path);
	else if (text->failed)
		fault_set(fault_r, VERDICT_PERM, "%s: larger than 64 MiB", path);
	close(fd);
	return got == -1 || text->failed ? -1 : 0;
}

struct settings *
master_settings_read(const struct daemon_program *program, const char *path, struct buf *text_r,
    master_problem_fn *fn)
{
	struct settings *settings;
	struct fault fault;

	memset(text_r, 0, sizeof(*text_r));
	if (read_text(path, text_r, &fault) == -1) {
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
