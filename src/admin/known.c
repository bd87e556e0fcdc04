/*
 * known.c - why an address is known, or nobody's                        (pure)
 */
#include "admin/known.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/record.h"

#include <string.h>

static const char complete_kind[] = ":complete:";

/* The name in a complete key; false for other keys, and for one that is not there. */
static bool
complete_name(const struct reading_key *key, const char *prefix, struct str *name_r)
{
	struct str rest = str_from(key->key, strlen(prefix));

	*name_r = str_from(rest, strlen(complete_kind));
	return str_starts(rest, complete_kind) && key->kind != FETCH_ABSENT;
}

/* Is this the account, or the account with an extension? */
static bool
is_of(struct str name, struct str wanted, const struct account_rules *rules)
{
	struct account account;
	bool is;

	account_init(&account);
	is = account_parse(&account, name, rules) == ACCOUNT_ADDRESS &&
	     (str_eq(account.name, wanted) || str_eq(account.base, wanted));
	account_fini(&account);
	return is;
}

/* The complete key of one of the account's own names; NULL: none is there. */
static const struct reading_key *
own_key(const struct reading *reading, const char *prefix, const struct account_rules *rules)
{
	struct str account = reading_finding(reading)->account, name;

	for (size_t i = 0; i < reading->count; i++) {
		const struct reading_key *key = &reading->keys[i];

		if (complete_name(key, prefix, &name) && is_of(name, account, rules))
			return key;
	}
	return NULL;
}

static enum completeness
domain_says(const struct reading *reading, const char *prefix, struct str account)
{
	struct str domain = str_from(account, str_rfind(account, '@')), name;

	for (size_t i = 0; i < reading->count; i++) {
		if (complete_name(&reading->keys[i], prefix, &name) && str_eq(name, domain))
			return record_completeness(reading->keys[i].value);
	}
	return COMPLETE_UNSAID;
}

struct known
known_of(const struct reading *reading, const char *prefix, const struct account_rules *rules)
{
	const struct finding *finding = reading_finding(reading);
	struct known known = {.how = KNOWN_UNSAID, .account = finding->account};

	if (finding->is_unknown) {
		known.how = KNOWN_NOT;
	} else if (!str_starts(finding->matched, "owner:@")) {
		known.how = KNOWN_BY_OWNER;
	} else {
		switch (domain_says(reading, prefix, known.account)) {
		case COMPLETE_CATCH_ALL:
			known.how = KNOWN_BY_CATCH_ALL;
			break;
		case COMPLETE_YES:
			known.how = KNOWN_BY_KEY;
			known.key = own_key(reading, prefix, rules);
			break;
		case COMPLETE_UNSAID:
			break;
		}
	}
	return known;
}

bool
known_if_complete(const struct reading *reading, const char *prefix,
    const struct account_rules *rules)
{
	const struct finding *finding = reading_finding(reading);

	return !str_starts(finding->matched, "owner:@") ||
	       (!finding->is_unknown && own_key(reading, prefix, rules) != NULL);
}

void
known_describe(struct buf *out, const struct known *known)
{
	switch (known->how) {
	case KNOWN_UNSAID:
		buf_add_text(out,
		    "nobody can say: the domain is not declared complete, so none of its addresses "
		    "is refused for that");
		break;
	case KNOWN_BY_CATCH_ALL:
		buf_add_text(out, "yes, as every address of the domain: a catch-all is declared");
		break;
	case KNOWN_BY_OWNER:
		buf_add_text(out, "yes: it has an owner key");
		break;
	case KNOWN_BY_KEY:
		buf_addf(out, "yes: %s says %s", log_quote(known->key->key),
		    known->key->kind == FETCH_STRING ? log_quote(known->key->value)
						     : "so, though it is no string");
		break;
	case KNOWN_NOT:
		buf_addf(out,
		    "no: the domain is complete, and no owner or complete key has the name %s, so "
		    "its mail is refused",
		    log_quote(known->account));
		break;
	}
}

json_t *
known_json(const struct known *known)
{
	return known->how == KNOWN_UNSAID ? json_null() : json_boolean(known->how != KNOWN_NOT);
}
