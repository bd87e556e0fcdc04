/*
 * fuzz_smtp_back.c - what a submission backend says before the login stands
 */
#include "front.h"
#include "front/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing that is passed on to a client can be more than the lines of a reply. */
static void
check_text(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '\r')
			must(i + 1 < text.len && text.ptr[i + 1] == '\n');
		else
			must((c == '\n' && i > 0 && text.ptr[i - 1] == '\r') || c >= ' ');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_backend backend = {.dialect = &dialect_submission,
	    .way = CALLER_XCLIENT,
	    .hello = {"pc.test", 7},
	    .check_fn = check_text};

	fuzz_back(&backend, data, size);
	return 0;
}
