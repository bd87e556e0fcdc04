/*
 * step.c - what a protocol's machine wants next                      (machine)
 */
#include "policy/step.h"

#include <string.h>

size_t
reason_len(const char *reason)
{
	return strnlen(reason, REASON_MOST);
}

void
reason_add(struct buf *out, const char *reason)
{
	size_t len = reason_len(reason);

	for (size_t i = 0; i < len; i++)
		buf_add_byte(out, reason[i] >= 0x20 && reason[i] < 0x7f ? reason[i] : '?');
}
