/*
 * fuzz_socketmap.c - Postfix's socketmap requests
 */
#include "dialogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_dialogue(LISTEN_SOCKETMAP, data, size);
	return 0;
}
