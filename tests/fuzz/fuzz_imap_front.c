/*
 * fuzz_imap_front.c - what an IMAP client says before its login
 */
#include "front.h"
#include "front/imap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_front(&dialect_imap, data, size);
	return 0;
}
