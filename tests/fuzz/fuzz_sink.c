/*
 * fuzz_sink.c - what an SMTP or LMTP client says to the sink
 */
#include "dialogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_dialogue(LISTEN_SINK, data, size);
	return 0;
}
