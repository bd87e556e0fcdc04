/*
 * dialogue.h - any bytes to one of policyd's protocols
 *
 * The bytes are fed whole and, a second time, one by one: what comes out must be
 * the same. Answers depend on the key only; some are as odd as a map could make
 * them.
 */
#ifndef TESTS_DIALOGUE_H
#define TESTS_DIALOGUE_H

#include "base/mem.h"
#include "policy/protocol.h"

#include <stdint.h>
#include <stdlib.h>

static inline struct answer
fuzz_answer(const struct query *query)
{
	static char text[99000];
	unsigned sum = (unsigned)query->map.len;
	struct answer answer = {.verdict = VERDICT_ABSENT, .reason = "odd \n \xff bytes"};

	if (text[0] == '\0')
		memset(text, '%', sizeof(text));
	for (size_t i = 0; i < query->key.len; i++)
		sum += (unsigned char)query->key.ptr[i];
	answer.verdict = (enum verdict)(sum % VERDICT_COUNT);
	if (answer.verdict == VERDICT_FOUND)
		answer.text = str_make(text, sum % 16 == 0 ? sizeof(text) : 1 + sum % 1400);
	return answer;
}

static inline void
fuzz_feed(const struct protocol *protocol, const uint8_t *data, size_t size, size_t piece,
    struct buf *out)
{
	static const struct words words = {{"m", 1}, {"450 4.2.1 Later", 15}};
	struct buf in = BUF_INIT;
	enum step step = STEP_WAIT;
	union machine machine;
	struct query query;
	struct answer answer;

	protocol->init(&machine);
	if (protocol->greet)
		protocol->greet(out);
	for (size_t at = 0; at < size && step != STEP_END; at += piece) {
		buf_add(&in, data + at, size - at < piece ? size - at : piece);
		while ((step = protocol->next(&machine, &words, &in, out, &query)) != STEP_WAIT &&
		       step != STEP_END) {
			if (step != STEP_ASK)
				continue;
			answer = fuzz_answer(&query);
			protocol->say(&machine, &answer, out);
		}
		/* As a connection would: whatever still waits fits into its buffer. */
		must(step != STEP_WAIT || piece > 1 || buf_len(&in) <= protocol->in_max_bytes);
	}
	protocol->fini(&machine);
	buf_fini(&in);
}

static inline void
fuzz_dialogue(enum listen_protocol protocol, const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, single = BUF_INIT;

	fuzz_feed(&protocols[protocol], data, size, size ? size : 1, &whole);
	fuzz_feed(&protocols[protocol], data, size, 1, &single);
	must(str_eq(buf_str(&whole), buf_str(&single)));
	buf_fini(&whole);
	buf_fini(&single);
}

#endif
