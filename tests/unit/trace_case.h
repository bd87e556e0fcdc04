/*
 * trace_case.h - keys, and headers signed by them
 */
#ifndef TESTS_TRACE_CASE_H
#define TESTS_TRACE_CASE_H

#include "milter/trace.h"

#include "unit.h"

/* Two keys; the file with only the second, and one with a stranger's under the first id. */
#define SECRET_B "3f1c09d2a7b48e5566778899aabbccddeeff00112233445566778899aabbccdd"
#define SECRET_A "88d0aa01020304050607080910111213141516171819202122232425262728ff"
#define SECRET_C "00d0aa01020304050607080910111213141516171819202122232425262728ee"
#define FILE_BOTH "# keys\n2026b " SECRET_B "\n2026a " SECRET_A "\n"
#define FILE_FORMER "2026a " SECRET_A "\n"
#define FILE_STRANGER "2026b " SECRET_C "\n"

static inline struct trace_keys *
case_keys(const char *file)
{
	struct trace_keys *keys;
	struct fault fault;

	if (trace_keys_read(&keys, str_of(file), "keys", &fault) == -1)
		fail_msg("%s", fault.text);
	return keys;
}

/* A trace of this place and time for some addresses, NULL at their end; the nonce is one byte. */
static inline void
case_trace(struct trace *trace, const struct trace_key *key, const char *instance, uint64_t time_s,
    unsigned char nonce, const char *const *addresses)
{
	unsigned char bytes[TRACE_NONCE_BYTES];

	memset(bytes, nonce, sizeof(bytes));
	assert_true(trace_begin(trace, str_of(instance), key, 4711, time_s, bytes));
	for (; *addresses != NULL; addresses++)
		trace_add(trace, str_of(*addresses));
}

#endif
