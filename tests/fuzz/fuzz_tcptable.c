/*
 * fuzz_tcptable.c - tcp_table requests
 */
#include "dialogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_dialogue(LISTEN_TCP_TABLE, data, size);
	return 0;
}
