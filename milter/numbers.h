/*
 * numbers.h - what the milter has done, counted from any thread      (machine)
 *
 * And a promise to the log: the first trouble of a kind is a line at once, the
 * next ones within NUMBERS_QUIET_MS are only a number.
 */
#ifndef MILTER_NUMBERS_H
#define MILTER_NUMBERS_H

#include "base/openmetrics.h"
#include "milter/policyd.h"
#include "milter/session.h"
#include "milter/trace.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { NUMBERS_QUIET_MS = 10000, NUMBERS_WHYS = 7 };

/* Kinds of trouble that a log is full of soon. */
enum numbers_trouble {
	TROUBLE_QUESTION, /* policyd */
	TROUBLE_REPORT, /* of arrivals */
	TROUBLE_CHANGE, /* of a message; refused by libmilter */
	TROUBLE_CLIENT, /* that is refused */
	TROUBLE_COUNT
};

struct numbers {
	atomic_uint sessions; /* now */
	atomic_uint_fast64_t accepted, refused; /* sessions, ever */
	atomic_uint_fast64_t messages, recipients; /* that came to their end; that were asked for */
	atomic_uint_fast64_t whys[NUMBERS_WHYS]; /* of replies that refuse */
	atomic_uint_fast64_t traces[TRACE_KINDS]; /* headers with the name of ours */
	struct {
		atomic_uint_fast64_t quiet_until_ms, unsaid;
	} troubles[TROUBLE_COUNT];
};

/* By its "why"; what goes on is not counted. */
void numbers_reply(struct numbers *numbers, const struct session_reply *reply);

/* There is trouble: true where it is to be said, with *more_r that were not. */
bool numbers_say(struct numbers *numbers, enum numbers_trouble trouble, uint64_t now_ms,
    uint64_t *more_r);

/* New object, the caller's. */
json_t *numbers_json(const struct numbers *numbers, const struct policyd_numbers *policyd);
void numbers_write(const struct numbers *numbers, const struct policyd_numbers *policyd,
    struct openmetrics *text);

#endif
