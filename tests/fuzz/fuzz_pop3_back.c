/*
 * fuzz_pop3_back.c - what a POP3 backend says before the login stands
 */
#include "front.h"
#include "front/pop3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_back(&dialect_pop3, data, size);
	return 0;
}
