/*
 * fuzz_fetch.c - any address or login, any values in any round
 *
 * Lines: the name first, then one value after the other, "S" and a string,
 * "W" wrong type, anything else absent; when they end, all the rest is absent.
 */
#include "map/fetch.h"

#include "base/mem.h"

#include <stdint.h>

static const struct account_rules rules = {true, "+"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str
next_line(struct str *rest)
{
	size_t len = str_find(*rest, '\n');
	struct str line = str_make(rest->ptr, len);

	*rest = str_from(*rest, len + (len < rest->len));
	return line;
}

static bool
is_floor(void *ctx, struct str domain)
{
	return domain.len % 2 == 0;
}

static void
read_all(struct fetch *fetch, struct str rest)
{
	struct fetch_value values[FETCH_KEYS_MOST];
	const struct finding *finding;
	const struct str *list;
	unsigned rounds = 0;
	size_t count;

	do {
		struct str name;

		must(fetch_names(fetch, &list) <= FETCH_NAMES_MOST);
		count = fetch_keys(fetch, &list);
		must(count <= FETCH_KEYS_MOST && ++rounds <= 8);
		for (size_t i = 0; i < count; i++) {
			struct str line = next_line(&rest);

			must(fetch_key_name("splitmx", list[i], &name));
			values[i].kind = str_starts(line, "S")   ? FETCH_STRING
					 : str_starts(line, "W") ? FETCH_WRONG_TYPE
								 : FETCH_ABSENT;
			values[i].text = line.len > 0 ? str_from(line, 1) : line;
		}
	} while (fetch_take(fetch, values, count) == FETCH_AGAIN);
	finding = fetch_finding(fetch);
	must((finding->verdict == VERDICT_FOUND) == (finding->owner.len > 0));
	must((finding->verdict == VERDICT_TEMP) == (finding->reason != NULL));
	must(finding->account.len > 0 && finding->verdict != VERDICT_PERM);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size);
	struct account account;
	struct fetch *fetch;

	account_init(&account);
	if (account_read(&account, next_line(&rest), &rules)) {
		fetch = fetch_new("splitmx", &account, &rules, is_floor, NULL);
		read_all(fetch, rest);
		fetch_free(&fetch);
	}
	account_fini(&account);
	return 0;
}
