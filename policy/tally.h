/*
 * tally.h - how many answers, how late, and how much of it to say    (machine)
 *
 * Counts for "status". And a promise to the log: the first answer of trouble is
 * a line at once, the next ones within TALLY_QUIET_MS are only a number.
 */
#ifndef POLICY_TALLY_H
#define POLICY_TALLY_H

#include "base/fault.h"
#include "base/openmetrics.h"
#include "policy/protocol.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { TALLY_QUIET_MS = 10000, TALLY_STEPS = 6 };

struct tally_trouble {
	uint64_t said_ms; /* 0: never */
	uint64_t unsaid;
};

struct tally {
	uint64_t accepted[PROTOCOL_COUNT]; /* connections */
	uint64_t answers[PROTOCOL_COUNT][VERDICT_COUNT];
	uint64_t later[TALLY_STEPS]; /* answers that had to wait, by how long */
	uint64_t later_us; /* all of them together */
	struct tally_trouble trouble[VERDICT_COUNT];
};

static inline void
tally_answer(struct tally *tally, enum listen_protocol protocol, enum verdict verdict)
{
	tally->answers[protocol][verdict]++;
}

void tally_wait(struct tally *tally, uint64_t waited_us);

/*
 * There is trouble now: true where it is to be logged, with *unsaid_r earlier
 * ones that were not.
 */
bool tally_says(struct tally *tally, enum verdict verdict, uint64_t now_ms, uint64_t *unsaid_r);

void tally_numbers(const struct tally *tally, struct openmetrics *text);

/* New objects, the caller's. */
json_t *tally_answers_json(const struct tally *tally);
json_t *tally_later_json(const struct tally *tally);

#endif
