/*
 * fuzz_imap_back.c - what an IMAP backend says before the login stands
 */
#include "front.h"
#include "front/imap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_backend backend = {.dialect = &dialect_imap, .way = CALLER_ID};

	fuzz_back(&backend, data, size);
	return 0;
}
