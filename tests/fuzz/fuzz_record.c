/*
 * fuzz_record.c - any bytes as each of the stored values
 */
#include "map/record.h"

#include "base/mem.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct account_rules rules = {true, "+"};
	struct str value = str_make((const char *)data, size), operation;
	struct account asked, target;

	account_init(&asked);
	account_init(&target);
	must(account_parse(&asked, STR("\"a b\"+x@example.org"), &rules) == ACCOUNT_ADDRESS);
	if (record_owner_is_valid(value))
		must(size > 0 && size <= RECORD_OWNER_MAX_BYTES);
	must(record_hold(value, &operation) != HOLD_NONE && operation.len <= size);
	if (record_login(value, &rules, &target))
		must(target.kind == ACCOUNT_ADDRESS);
	if (record_login_domain(value, &asked, &rules, &target))
		must(str_eq(target.local, asked.local));
	if (record_completeness(value) != COMPLETE_UNSAID)
		must(size == (record_completeness(value) == COMPLETE_YES ? 3 : 9));
	account_fini(&asked);
	account_fini(&target);
	return 0;
}
