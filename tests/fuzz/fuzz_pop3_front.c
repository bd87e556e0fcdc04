/*
 * fuzz_pop3_front.c - what a POP3 client says before its login
 */
#include "front.h"
#include "front/pop3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_front(&dialect_pop3, data, size);
	return 0;
}
