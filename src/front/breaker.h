/*
 * breaker.h - do not run against a closed door                       (machine)
 *
 * One for each destination and protocol. After some failures in a row nobody is
 * sent there for a while, which doubles with each trial that fails; then one
 * login is let through as a trial. A spread of a quarter keeps many workers from
 * coming back in the same moment. Knows no clock: the caller says when it is.
 */
#ifndef FRONT_BREAKER_H
#define FRONT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BREAKER_FAILURES = 5, /* in a row, until the door counts as closed */
	BREAKER_LEAST_MS = 250,
	BREAKER_MOST_MS = 15000,
};

struct breaker {
	unsigned failures; /* in a row */
	uint64_t pause_ms; /* the present pause; 0 = the door is open */
	uint64_t until_ms; /* its end */
	bool is_tried; /* the trial is under way */
};

/* May a login go there now? Where a trial was due, it is that one: *is_trial_r. */
bool breaker_allows(struct breaker *breaker, uint64_t now_ms, bool *is_trial_r);

/* The trial has ended before anything was found out. */
void breaker_left(struct breaker *breaker);

/*
 * What became of one that was let through. One that began before the door was
 * closed, and so is no trial, changes nothing when it fails. spread is any number,
 * drawn at random.
 */
void breaker_worked(struct breaker *breaker);
void breaker_failed(struct breaker *breaker, bool is_trial, uint64_t now_ms, uint32_t spread);

#endif
