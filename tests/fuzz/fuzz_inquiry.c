/*
 * fuzz_inquiry.c - any bytes as policyd's reply
 */
#include "milter/inquiry.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str reply = str_make((const char *)data, size);
	struct inquiry inquiry;

	inquiry_init(&inquiry);
	inquiry_read(&inquiry, reply);
	if (inquiry.verdict == VERDICT_FOUND)
		must(inquiry.account.len > 0 && inquiry.owner.len > 0);
	else
		must(inquiry.account.len == 0 && inquiry.owner.len == 0 && !inquiry.is_unknown);
	must(inquiry.reason.len <= INQUIRY_REASON_MOST);
	inquiry_kept(reply, 1);
	inquiry_fini(&inquiry);
	return 0;
}
