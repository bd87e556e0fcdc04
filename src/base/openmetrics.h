/*
 * openmetrics.h - numbers, in the words of OpenMetrics 1.0              (pure)
 *
 * A text is begun, gets its families one after the other, and is ended. A family
 * is named once, and its samples follow it: the format does not let them stand
 * anywhere else. Numbers are whole, or millionths (of a second, mostly), so no
 * floating point takes part and a bound reads the same everywhere.
 *
 * Names, units and label names are ours and are checked with must(); label values
 * may be any bytes, and what is no UTF-8 in them becomes '?'. A label that can have
 * many values (an account, an address) has no place here: every value is a series
 * that somebody keeps for months.
 */
#ifndef BASE_OPENMETRICS_H
#define BASE_OPENMETRICS_H

#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum openmetrics_kind {
	OPENMETRICS_COUNTER, /* only grows while the process lives */
	OPENMETRICS_GAUGE,
	OPENMETRICS_HISTOGRAM,
	OPENMETRICS_INFO, /* what does not change, in labels */
};

struct openmetrics_label {
	const char *name; /* NULL ends a list */
	const char *value;
};

/* Labels for one call: OPENMETRICS_LABELS({"protocol", "imap"}, {"result", "wrong"}) */
#define OPENMETRICS_LABELS(...) ((const struct openmetrics_label[]){__VA_ARGS__, {NULL, NULL}})

struct openmetrics {
	struct buf *out;
	const struct openmetrics_label *common; /* first in every sample */
	const char *family;
	enum openmetrics_kind kind;
};

/* out and common (NULL: none) are lent until the end. Whether all fitted, out knows. */
void openmetrics_begin(struct openmetrics *text, struct buf *out,
    const struct openmetrics_label *common);
void openmetrics_end(struct openmetrics *text);

/*
 * The name without what its kind adds to samples ("_total"); it ends with "_" and
 * the unit where there is one: "seconds", "bytes", or NULL. Lent until the next.
 */
void openmetrics_family(struct openmetrics *text, enum openmetrics_kind kind, const char *name,
    const char *unit, const char *help);

/* One sample of the family: a counter, a gauge, or 1 for what an info says. NULL: no labels. */
void openmetrics_sample(struct openmetrics *text, const struct openmetrics_label *labels,
    uint64_t value);
void openmetrics_sample_us(struct openmetrics *text, const struct openmetrics_label *labels,
    uint64_t millionths);

/*
 * counts[i] are those above the bound before and not above bounds_us[i], which
 * grow; counts[bound_count] are those above all. Millionths, too.
 */
void openmetrics_histogram(struct openmetrics *text, const struct openmetrics_label *labels,
    const uint64_t *bounds_us, size_t bound_count, const uint64_t *counts, uint64_t sum_us);

#endif
