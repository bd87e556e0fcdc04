/*
 * fuzz_pop3_back.c - what a POP3 backend says before the login stands
 */
#include "front.h"
#include "front/pop3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_backend backend = {
	    .dialect = &dialect_pop3, .way = CALLER_XCLIENT};

	fuzz_back(&backend, data, size);
	return 0;
}
