/*
 * fuzz_trace_keys.c - any bytes as the file of the trace header's keys
 */
#include "milter/trace_keys.h"

#include "base/mem.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_keys *keys;
	struct fault fault;

	if (trace_keys_read(&keys, str_make((const char *)data, size), "keys", &fault) == 0) {
		const struct trace_key *key = trace_keys_first(keys);

		must(key->id[0] != '\0' && strlen(key->id) <= TRACE_KEY_ID_MOST);
		must(trace_keys_find(keys, str_of(key->id)) == key);
	} else {
		must(keys == NULL && fault.verdict == VERDICT_PERM);
	}
	trace_keys_free(&keys);
	must(keys == NULL);
	return 0;
}
