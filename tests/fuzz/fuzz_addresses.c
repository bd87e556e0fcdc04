/*
 * fuzz_addresses.c - any bytes as a file of addresses, a map's text, an answer to RCPT
 */
#include "admin/address_line.h"
#include "admin/nexthop.h"
#include "admin/rcpt.h"
#include "base/mem.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a word means is said by the same word again. */
static void
read_line(struct str line)
{
	struct str address, word, value, again;
	struct fault fault;

	if (address_line_read(line, &address, &word, &fault) != 1)
		return;
	must(str_find(address, '@') < address.len);
	for (int is_domain = 0; is_domain <= 1; is_domain++) {
		if (address_line_value(is_domain, word, &value, &fault) == -1)
			continue;
		again = address_line_word(is_domain, value);
		must(value.len > 0 && (word.len == 0 || str_eq(again, word)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size);
	struct nexthop hop;
	struct fault fault;
	bool more;
	int code;

	while (rest.len > 0) {
		struct str line = str_make(rest.ptr, str_find(rest, '\n'));

		read_line(line);
		if (nexthop_parse(line, "/queue", &hop, &fault) == 0)
			must(hop.endpoint.kind == ENDPOINT_UNIX
				 ? strlen(hop.endpoint.path) > 0
				 : hop.endpoint.host[0] != '\0' && hop.endpoint.port[0] != '\0');
		if (rcpt_line(line, &code, &more))
			must(code >= 200 && code < 600);
		rest = str_from(rest, line.len < rest.len ? line.len + 1 : line.len);
	}
	return 0;
}
