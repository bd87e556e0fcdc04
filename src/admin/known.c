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

static bool
is_in(struct str name, struct str domain_with_at)
{
	return str_eq(str_from(name, str_rfind(name, '@')), domain_with_at);
}

/* The domain is not refusing this address, although it has no owner key: why? */
static struct known
without_owner(const struct reading *reading, const char *prefix, struct str account)
{
	struct known known = {.how = KNOWN_UNSAID, .account = account};
	struct str domain = str_from(account, str_rfind(account, '@'));
	struct str name;

	for (size_t i = 0; i < reading->count; i++) {
		const struct reading_key *key = &reading->keys[i];

		if (!complete_name(key, prefix, &name) || !is_in(name, domain))
			continue;
		if (!str_starts(name, "@"))
			known.key = key;
		else if (record_completeness(key->value) == COMPLETE_CATCH_ALL)
			return (struct known){.how = KNOWN_BY_CATCH_ALL, .account = account};
		else if (record_completeness(key->value) == COMPLETE_YES)
			known.how = KNOWN_BY_KEY;
	}
	if (known.how != KNOWN_BY_KEY)
		known.key = NULL;
	return known;
}

struct known
known_of(const struct reading *reading, const char *prefix)
{
	const struct finding *finding = reading_finding(reading);
	struct str account = finding->account;

	if (finding->is_unknown)
		return (struct known){.how = KNOWN_NOT, .account = account};
	if (!str_starts(finding->matched, "owner:@"))
		return (struct known){.how = KNOWN_BY_OWNER, .account = account};
	return without_owner(reading, prefix, account);
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
