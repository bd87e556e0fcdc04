/*
 * fuzz_imap_follow.c - both sides of an IMAP session
 */
#include "front.h"
#include "front/imap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_sides sides = {.dialect = &dialect_imap};

	fuzz_follow(&sides, data, size);
	return 0;
}
