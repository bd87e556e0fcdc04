/*
 * record.c - what the stored values mean                                (pure)
 */
#include "map/record.h"

#include <string.h>

bool
record_owner_is_valid(struct str value)
{
	if (value.len == 0 || value.len > RECORD_OWNER_MAX_BYTES)
		return false;
	return memchr(value.ptr, '\0', value.len) == NULL &&
	       memchr(value.ptr, '\r', value.len) == NULL &&
	       memchr(value.ptr, '\n', value.len) == NULL;
}

enum hold
record_hold(struct str value, struct str *operation_r)
{
	size_t colon = str_find(value, ':');

	*operation_r = colon < value.len ? str_from(value, colon + 1) : STR("");
	return str_starts(value, "mail:") ? HOLD_MAIL : HOLD_ALL;
}

bool
record_login(struct str value, const struct account_rules *rules, struct account *target)
{
	return account_parse(target, value, rules) == ACCOUNT_ADDRESS;
}

bool
record_login_domain(struct str value, const struct account *asked,
    const struct account_rules *rules, struct account *target)
{
	struct buf text = BUF_INIT;
	bool is_address = false;

	if (!str_starts(value, "@") || str_rfind(value, '@') != 0)
		return false;
	/* asked.name up to its @, which stands before the domain */
	buf_add(&text, asked->name.ptr, asked->name.len - asked->domain.len - 1);
	if (value.len <= ACCOUNT_MAX_BYTES) {
		buf_add_str(&text, value);
		is_address = account_parse(target, buf_str(&text), rules) == ACCOUNT_ADDRESS;
	}
	buf_fini(&text);
	return is_address;
}

enum completeness
record_completeness(struct str value)
{
	if (str_is_nocase(value, "yes"))
		return COMPLETE_YES;
	return str_is_nocase(value, "catch-all") ? COMPLETE_CATCH_ALL : COMPLETE_UNSAID;
}
