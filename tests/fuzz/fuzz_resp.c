/*
 * fuzz_resp.c - what answers on Redis's port
 *
 * The same bytes whole and cut in two at a place that they choose themselves:
 * the replies must be the same, walked to the last byte, and within the bounds.
 */
#include "base/mem.h"
#include "map/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
walk(const struct resp *resp, int depth)
{
	struct str text = resp_str(resp);
	uint64_t sum = (uint64_t)resp_type(resp) * 31 + (uint64_t)resp_int(resp);

	must(depth <= RESP_DEPTH_MOST + 1);
	must(text.len <= RESP_STRING_MAX_BYTES && text.ptr[text.len] == '\0');
	for (size_t i = 0; i < text.len; i++)
		sum = sum * 131 + (unsigned char)text.ptr[i];
	for (size_t i = 0; i < resp_count(resp); i++)
		sum = sum * 31 + walk(resp_at(resp, i), depth + 1);
	return sum;
}

static void
read_all(struct resp_reader *reader, const uint8_t *bytes, size_t len, uint64_t *sum, int *rc_r)
{
	struct resp *resp;
	struct fault fault;

	resp_feed(reader, str_make((const char *)bytes, len));
	while ((*rc_r = resp_next(reader, &resp, &fault)) == 1) {
		*sum = *sum * 31 + walk(resp, 1) + 1;
		resp_free(&resp);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resp_reader *whole = resp_reader_new(), *cut = resp_reader_new();
	size_t at = size ? data[size / 2] % size : 0;
	uint64_t sum_whole = 0, sum_cut = 0;
	int rc_whole, rc_cut;

	read_all(whole, data, size, &sum_whole, &rc_whole);
	read_all(cut, data, at, &sum_cut, &rc_cut);
	if (rc_cut == 0)
		read_all(cut, data + at, size - at, &sum_cut, &rc_cut);
	must(rc_whole == rc_cut);
	must(sum_whole == sum_cut);
	resp_reader_free(&whole);
	resp_reader_free(&cut);
	return 0;
}
