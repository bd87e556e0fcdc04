/*
 * counter_counts.h - what has arrived, in numbers of this process      (pure)
 */
#ifndef POLICY_COUNTER_COUNTS_H
#define POLICY_COUNTER_COUNTS_H

#include "base/openmetrics.h"

#include <jansson.h>
#include <stdint.h>

struct counter_counts {
	uint64_t kept, refused; /* reports */
	uint64_t lost; /* messages that were not reported */
	uint64_t messages, strays, late, repeated; /* as they were counted */
	uint64_t batches;
};

json_t *counter_counts_json(const struct counter_counts *counts, uint64_t waiting_bytes);
void counter_counts_numbers(const struct counter_counts *counts, uint64_t waiting_bytes,
    struct openmetrics *text);

#endif
