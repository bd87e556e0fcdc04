/*
 * milter_load.h - the parts of the milter's load tool
 *
 * One engine (milter_load.c) leads many sessions of one message each through the
 * same steps; what is said at each of them is a talk (milter_talk.c): SMTP, or
 * what Postfix says to a milter.
 */
#ifndef TESTS_BENCH_MILTER_LOAD_H
#define TESTS_BENCH_MILTER_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BYTES_MOST = 4096 };

enum step {
	STEP_BEGIN, /* greeting, or negotiation */
	STEP_HELLO,
	STEP_MAIL,
	STEP_RCPT, /* for each recipient */
	STEP_DATA,
	STEP_END, /* of the message, with all of it */
	STEP_QUIT,
	STEPS
};

struct peer {
	int fd;
	enum step step;
	unsigned recipients; /* that were named */
	uint64_t begun_ns, asked_ns;
	unsigned changes; /* that a milter wanted */
	size_t got;
	char in[BYTES_MOST];
};

struct talk {
	/* What is said, at most BYTES_MOST bytes; NULL: nothing is. */
	size_t (*say[STEPS])(uint64_t account, char *out);
	bool is_answered[STEPS];
	/* Is all of the answer here? Ends the program where it is a refusal. */
	bool (*is_whole)(struct peer *peer);
};

extern const struct talk talk_smtp, talk_milter;
extern const char *const step_names[STEPS];

#endif
