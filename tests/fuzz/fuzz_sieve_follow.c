/*
 * fuzz_sieve_follow.c - both sides of a ManageSieve session
 */
#include "front.h"
#include "front/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_follow(&dialect_sieve, data, size);
	return 0;
}
