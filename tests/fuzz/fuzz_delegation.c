/*
 * fuzz_delegation.c - policy delegation requests
 */
#include "dialogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_dialogue(LISTEN_POLICY, data, size);
	return 0;
}
