/*
 * fuzz_postfix.c - any bytes as the output of postconf
 */
#include "admin/postfix.h"

#include "base/mem.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct postfix *postfix = postfix_new();

	postfix_take_services(postfix,
	    STR("smtp inet n - y - - smtpd\n"
		"rewrite unix - - y - - trivial-rewrite\n"
		"proxymap unix - - n - - proxymap\n"),
	    true);
	postfix_take_services(postfix, text, false);
	postfix_take_parameters(postfix, text);
	for (size_t i = 0; i < postfix_count(postfix); i++)
		must(postfix_at(postfix, i)->malformed || postfix_at(postfix, i)->map[0] != '\0');
	postfix_free(&postfix);
	return 0;
}
