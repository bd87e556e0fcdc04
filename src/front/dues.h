/*
 * dues.h - what is not to be done again before its time               (machine)
 *
 * Names with a time each, as keyed hashes: no name is kept. Bounded: where there
 * are too many, those that were noted first are forgotten, and are due.
 */
#ifndef FRONT_DUES_H
#define FRONT_DUES_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dues;

struct dues *dues_new(size_t most);
void dues_free(struct dues **dues);

/* Nothing was noted of these two words together, or its time has come. */
bool dues_are(const struct dues *dues, struct str one, struct str other, uint64_t now_ms);

/* Not before until_ms; takes the place of what was noted. */
void dues_note(struct dues *dues, struct str one, struct str other, uint64_t until_ms);

#endif
