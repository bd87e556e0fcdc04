/*
 * fuzz_smtp_follow.c - both sides of a submission
 */
#include "front.h"
#include "front/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_sides sides = {.dialect = &dialect_submission,
	    .odd_word = "CHUNKING",
	    .is_exact = true,
	    .is_read = true};

	fuzz_follow(&sides, data, size);
	return 0;
}
