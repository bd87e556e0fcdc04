/*
 * fuzz_sieve_follow.c - both sides of a ManageSieve session
 */
#include "front.h"
#include "front/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_sides sides = {.dialect = &dialect_sieve};

	fuzz_follow(&sides, data, size);
	return 0;
}
