/*
 * fuzz_trace.c - any bytes as a trace header
 *
 * The first seed is signed by the key here. What is believed is written again
 * and must be the same but for its folding.
 */
#include "milter/trace.h"

#include "base/mem.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
means_nothing(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
squeeze(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!means_nothing(text.ptr[i]))
			buf_add_byte(out, text.ptr[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str file =
	    STR("2026b 3f1c09d2a7b48e5566778899aabbccddeeff00112233445566778899aabbccdd\n");
	struct str value = str_make((const char *)data, size);
	struct buf written = BUF_INIT, before = BUF_INIT, after = BUF_INIT;
	struct trace_keys *keys;
	struct fault fault;
	struct trace trace;

	must(trace_keys_read(&keys, file, "keys", &fault) == 0);
	if (trace_read(&trace, value, keys) == TRACE_GOOD) {
		trace_write(&trace, &written);
		squeeze(value, &before);
		squeeze(buf_str(&written), &after);
		must(str_eq(buf_str(&before), buf_str(&after)));
	}
	buf_fini(&written);
	buf_fini(&before);
	buf_fini(&after);
	trace_keys_free(&keys);
	return 0;
}
