/*
 * fuzz_account.c - any bytes as an address or login: what is taken is its own canonical form
 *
 * The first byte chooses the rules.
 */
#include "map/account.h"

#include "base/mem.h"

#include <stdint.h>

static const struct account_rules kinds[] = {{true, "+"}, {false, "+"}, {true, "+-"}, {false, ""}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct account_rules *rules;
	struct account account, again;
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct str text;

	if (size == 0)
		return 0;
	rules = &kinds[data[0] % ARRAY_LEN(kinds)];
	text = str_make((const char *)data + 1, size - 1);
	account_init(&account);
	account_init(&again);
	if (account_parse(&account, text, rules) == ACCOUNT_ADDRESS) {
		must(account_parse(&again, account.name, rules) == ACCOUNT_ADDRESS);
		must(str_eq(again.name, account.name) && str_eq(again.base, account.base));
		must(account_parse(&again, account.base, rules) == ACCOUNT_ADDRESS);
		must(str_eq(again.name, account.base) && str_eq(again.base, account.base));
	}
	must((account.kind == ACCOUNT_BAD) == (account.why != NULL));
	if (account_login(&account, text, rules) == ACCOUNT_LOGIN) {
		must(account_login(&again, account.name, rules) == ACCOUNT_LOGIN);
		must(str_eq(again.name, account.name) && str_eq(account.base, account.name));
		must(account_parse(&again, account.name, rules) == ACCOUNT_OTHER);
		must(account.name.len > 0 && account.name.len <= ACCOUNT_MAX_BYTES);
	}
	must(account_read(&again, text, rules) ==
	     (again.kind == ACCOUNT_ADDRESS || again.kind == ACCOUNT_LOGIN));
	if (account_domain(text, &once)) {
		must(account_domain(buf_str(&once), &twice));
		must(str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
	account_fini(&account);
	account_fini(&again);
	return 0;
}
