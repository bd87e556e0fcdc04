/*
 * fuzz_smtp_front.c - what a submission client says before its login
 */
#include "front.h"
#include "front/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_front(&dialect_submission, data, size);
	return 0;
}
