/*
 * fuzz_netstring.c - the same bytes whole and in pieces mean the same
 *
 * The first byte says how long the pieces are.
 */
#include "net/netstring.h"

#include "base/mem.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was understood, as netstrings again; returns the last result. */
static int
understand(struct str bytes, size_t piece_bytes, struct buf *out)
{
	struct buf in = BUF_INIT;
	struct str payload;
	struct fault fault;
	int rc = 0;

	while (bytes.len > 0 && rc != -1) {
		struct str piece =
		    str_make(bytes.ptr, bytes.len < piece_bytes ? bytes.len : piece_bytes);

		buf_add_str(&in, piece);
		bytes = str_from(bytes, piece.len);
		while ((rc = netstring_next(&in, 100, &payload, &fault)) > 0) {
			must(payload.len <= NETSTRING_CEILING_BYTES);
			must((rc == 1) == (payload.len <= 100));
			netstring_add(out, payload);
		}
		must(rc != 0 || buf_len(&in) < NETSTRING_IN_BYTES);
	}
	buf_fini(&in);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, pieces = BUF_INIT;
	struct str bytes;

	if (size < 2)
		return 0;
	bytes = str_make((const char *)data + 1, size - 1);
	must(understand(bytes, bytes.len, &whole) ==
	     understand(bytes, (size_t)data[0] + 1, &pieces));
	must(str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
