/*
 * progress.h - how far a long work is                                 (driver)
 *
 * On a terminal a bar that moves, ten times a second at most; elsewhere a line
 * every few seconds, so that a log shows that somebody is alive. To stderr.
 */
#ifndef ADMIN_PROGRESS_H
#define ADMIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *doing, *unit;
	uint64_t total; /* 0: not known */
	uint64_t done, start_ms, said_ms;
	bool terminal, quiet, said;
};

/* The texts are lent until progress_end(). quiet: say nothing at all. */
void progress_start(struct progress *progress, const char *doing, const char *unit, uint64_t total,
    bool quiet);
void progress_step(struct progress *progress, uint64_t done); /* cheap */
void progress_end(struct progress *progress);

#endif
