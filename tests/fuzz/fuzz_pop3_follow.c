/*
 * fuzz_pop3_follow.c - both sides of a POP3 session
 */
#include "front.h"
#include "front/pop3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_sides sides = {.dialect = &dialect_pop3};

	fuzz_follow(&sides, data, size);
	return 0;
}
