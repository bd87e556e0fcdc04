/*
 * fuzz_pop3_follow.c - both sides of a POP3 session
 */
#include "front.h"
#include "front/pop3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_follow(&dialect_pop3, data, size);
	return 0;
}
