/*
 * fuzz_sentinel.c - what a sentinel says of a master
 *
 * The bytes as an announcement, and as Redis's protocol with answers in it: what is
 * understood can be dialled.
 */
#include "base/mem.h"
#include "map/sentinel_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct endpoint *address)
{
	struct endpoint again;
	struct fault fault;

	must(address->kind == ENDPOINT_INET && address->host[0] != '\0');
	must(endpoint_parse(endpoint_name(address), &again, &fault) == 0);
	must(strcmp(again.host, address->host) == 0 && strcmp(again.port, address->port) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make((const char *)data, size);
	struct resp_reader *reader = resp_reader_new();
	struct endpoint address;
	struct resp *reply;
	struct fault fault;

	if (sentinel_read_switch(bytes, "splitmx", &address))
		check(&address);
	resp_feed(reader, bytes);
	while (resp_next(reader, &reply, &fault) == 1) {
		if (sentinel_read_answer(reply, &address, &fault) == 0)
			check(&address);
		resp_free(&reply);
	}
	resp_reader_free(&reader);
	return 0;
}
