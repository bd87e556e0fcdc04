/*
 * worker_numbers.h - what every worker can say of itself, in numbers    (pure)
 */
#ifndef NET_WORKER_NUMBERS_H
#define NET_WORKER_NUMBERS_H

#include "base/openmetrics.h"

#include <stdbool.h>
#include <stdint.h>

struct worker_numbers {
	const char *program; /* "splitmx-policyd" */
	size_t workers; /* of this daemon */
	unsigned restarts, reloads;
	uint64_t uptime_ms;
	bool is_ready, is_draining;
};

void worker_numbers_write(const struct worker_numbers *numbers, struct openmetrics *text);

#endif
