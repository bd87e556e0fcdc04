/*
 * fuzz_sieve_front.c - what a ManageSieve client says before its login
 */
#include "front.h"
#include "front/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_front(&dialect_sieve, data, size);
	return 0;
}
