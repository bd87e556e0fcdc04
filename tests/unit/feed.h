/*
 * feed.h - a protocol's machine, fed in pieces, with an oracle that answers
 *
 * The oracle says FOUND "<map>=<key>" to every key but a few that begin with
 * "absent", "temp", "perm" or "long" (5,000 bytes of text).
 */
#ifndef TESTS_FEED_H
#define TESTS_FEED_H

#include "base/mem.h"
#include "policy/step.h"
#include "rules/ruleset.h"

#include <stdlib.h>

#include "unit.h"

typedef enum step feed_next_fn(void *machine, struct buf *in, struct buf *out,
    struct query *query_r);
typedef void feed_say_fn(void *machine, const struct answer *answer, struct buf *out);

static inline struct answer
feed_answer(const struct query *query, struct buf *text)
{
	struct answer answer = {.verdict = VERDICT_FOUND};

	buf_clear(text);
	if (str_starts(query->key, "absent")) {
		answer.verdict = VERDICT_ABSENT;
	} else if (str_starts(query->key, "temp")) {
		answer = (struct answer){.verdict = VERDICT_TEMP,
		    .reason = "Redis\nis \xc3\xbc"
			      "ber"};
	} else if (str_starts(query->key, "perm")) {
		answer = (struct answer){.verdict = VERDICT_PERM,
		    .reason =
			"123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
			"123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
			"123456789 123456789 123456789 123456789 123456789 123456789 and more"};
	} else if (str_starts(query->key, "long")) {
		for (int i = 0; i < 5000; i++)
			buf_add_byte(text, 'x');
	} else {
		buf_add_str(text, query->map);
		buf_add_byte(text, '=');
		buf_add_str(text, query->key);
	}
	answer.text = buf_str(text);
	return answer;
}

/* All of bytes in pieces of at most "piece"; returns the last step. */
static inline enum step
feed(void *machine, feed_next_fn *next, feed_say_fn *say, struct str bytes, size_t piece,
    struct buf *out)
{
	struct buf in = BUF_INIT, text = BUF_INIT;
	enum step step = STEP_WAIT;
	struct query query;
	struct answer answer;

	for (size_t at = 0; at < bytes.len && step != STEP_END; at += piece) {
		buf_add(&in, bytes.ptr + at, bytes.len - at < piece ? bytes.len - at : piece);
		while ((step = next(machine, &in, out, &query)) != STEP_WAIT && step != STEP_END) {
			if (step == STEP_ASK) {
				answer = feed_answer(&query, &text);
				say(machine, &answer, out);
			}
		}
	}
	buf_fini(&in);
	buf_fini(&text);
	return step;
}

#endif
