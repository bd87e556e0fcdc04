/*
 * tally.h - what a front worker has done, in numbers                    (pure)
 */
#ifndef FRONT_TALLY_H
#define FRONT_TALLY_H

#include "front/words.h"

#include <jansson.h>
#include <stdint.h>

/* Before a login was spoken of: which limit was reached. */
enum turned_away { TURNED_MAX_LOGINS, TURNED_MAX_PER_ADDRESS, TURNED_COUNT };

enum { TALLY_STEPS = 14 }; /* of milliseconds, doubling from 1; the last has no end */

struct tally {
	struct tally_dialect {
		uint64_t accepted, sessions, bytes_in, bytes_out;
		uint64_t refused[REFUSAL_COUNT];
		uint64_t turned_away[TURNED_COUNT];
		uint64_t login_ms[TALLY_STEPS]; /* from the credentials to the session */
		uint64_t login_ms_sum;
	} dialects[DIALECT_COUNT];
};

extern const char *const refusal_names[REFUSAL_COUNT]; /* "later", "wrong" */
extern const char *const turned_names[TURNED_COUNT]; /* as the settings call them: "max_logins" */

void tally_accepted(struct tally *tally, enum dialect_kind dialect, uint64_t ms);
void tally_refused(struct tally *tally, enum dialect_kind dialect, enum refusal refusal);
void tally_turned_away(struct tally *tally, enum dialect_kind dialect, enum turned_away limit);
void tally_session(struct tally *tally, enum dialect_kind dialect, uint64_t in, uint64_t out);

json_t *tally_json(const struct tally *tally); /* the caller's */

#endif
