/*
 * netstring.c - "5:hello,"                                              (pure)
 */
#include "net/netstring.h"

int
netstring_next(struct buf *in, size_t max_bytes, struct str *payload_r, struct fault *fault_r)
{
	struct str bytes = buf_str(in);
	size_t len = 0, i;

	for (i = 0; i < bytes.len && bytes.ptr[i] != ':'; i++) {
		if (bytes.ptr[i] < '0' || bytes.ptr[i] > '9')
			return fault_set(fault_r, VERDICT_PERM,
			    "netstring: its length is not a number");
		if (i == NETSTRING_DIGITS_MOST)
			return fault_set(fault_r, VERDICT_PERM,
			    "netstring: its length has more than %d digits", NETSTRING_DIGITS_MOST);
		len = len * 10 + (size_t)(bytes.ptr[i] - '0');
		if (len > NETSTRING_CEILING_BYTES)
			return fault_set(fault_r, VERDICT_PERM, "netstring: longer than %d bytes",
			    NETSTRING_CEILING_BYTES);
	}
	if (i == bytes.len)
		return 0;
	if (i == 0)
		return fault_set(fault_r, VERDICT_PERM, "netstring: it has no length");
	bytes = str_from(bytes, i + 1);
	if (bytes.len <= len)
		return 0;
	if (bytes.ptr[len] != ',')
		return fault_set(fault_r, VERDICT_PERM, "netstring: no comma at its end");
	*payload_r = str_make(bytes.ptr, len);
	buf_consume(in, i + 1 + len + 1);
	return len <= max_bytes ? 1 : 2;
}

void
netstring_add(struct buf *out, struct str payload)
{
	buf_add_u64(out, payload.len);
	buf_add_byte(out, ':');
	buf_add_str(out, payload);
	buf_add_byte(out, ',');
}
