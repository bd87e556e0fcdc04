/*
 * fuzz_sieve_back.c - what a ManageSieve backend says before the login stands
 */
#include "front.h"
#include "front/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_backend backend = {
	    .dialect = &dialect_sieve, .way = CALLER_XCLIENT};

	fuzz_back(&backend, data, size);
	return 0;
}
