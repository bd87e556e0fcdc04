/*
 * progress.c - how far a long work is                                 (driver)
 */
#include "admin/progress.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, TERMINAL_EVERY_MS = 100, LINE_EVERY_MS = 5000 };

void
progress_start(struct progress *progress, const char *doing, const char *unit, uint64_t total,
    bool quiet)
{
	uint64_t now = clock_ms();

	*progress = (struct progress){.doing = doing,
	    .unit = unit,
	    .total = total,
	    .start_ms = now,
	    .said_ms = now,
	    .terminal = isatty(STDERR_FILENO) == 1,
	    .quiet = quiet};
}

static void
say(struct progress *progress, uint64_t now)
{
	uint64_t passed = now - progress->start_ms, done = progress->done;
	uint64_t rate = passed > 0 ? done * 1000 / passed : 0;
	char bar[BAR_WIDTH + 1];
	size_t filled = 0;

	if (progress->total > 0)
		filled = (size_t)(done >= progress->total ? BAR_WIDTH
							  : done * BAR_WIDTH / progress->total);
	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', filled);
	bar[BAR_WIDTH] = '\0';
	fputs(progress->terminal ? "\r\033[K" : "splitmx: ", stderr);
	fprintf(stderr, "%s", progress->doing);
	if (progress->total > 0)
		fprintf(stderr, " [%s] %" PRIu64 "%%", bar, done * 100 / progress->total);
	fprintf(stderr, " %" PRIu64, done);
	if (progress->total > 0)
		fprintf(stderr, "/%" PRIu64, progress->total);
	fprintf(stderr, " %s", progress->unit);
	if (passed > 1000 && strcmp(progress->unit, "s") != 0) {
		fprintf(stderr, ", %" PRIu64 "/s", rate);
		if (rate > 0 && progress->total > done)
			fprintf(stderr, ", %" PRIu64 " s left", (progress->total - done) / rate);
	}
	if (!progress->terminal)
		fputc('\n', stderr);
	fflush(stderr);
	progress->said_ms = now;
	progress->said = true;
}

void
progress_step(struct progress *progress, uint64_t done)
{
	uint64_t now;

	progress->done = done;
	if (progress->quiet)
		return;
	now = clock_ms();
	if (now - progress->said_ms >= (progress->terminal ? TERMINAL_EVERY_MS : LINE_EVERY_MS))
		say(progress, now);
}

void
progress_end(struct progress *progress)
{
	if (progress->quiet || !progress->said)
		return;
	say(progress, clock_ms());
	if (progress->terminal)
		fputc('\n', stderr);
}
