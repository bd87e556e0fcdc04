/*
 * fuzz_sieve_back.c - what a ManageSieve backend says before the login stands
 */
#include "front.h"
#include "front/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_back(&dialect_sieve, data, size);
	return 0;
}
