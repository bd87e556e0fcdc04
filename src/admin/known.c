/*
 * known.c - why an address is known, or nobody's                        (pure)
 */
#include "admin/known.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/record.h"

#include <string.h>

static const char complete_kind[] = ":complete:", login_kind[] = ":login:";

/* The name in a key of this kind; false for other keys, and for one that is not there. */
static bool
name_in(const struct reading_key *key, const char *prefix, const char *kind, struct str *name_r)
{
	struct str rest = str_from(key->key, strlen(prefix));

	*name_r = str_from(rest, strlen(kind));
	return str_starts(rest, kind) && key->kind != FETCH_ABSENT;
}

/*
 * A key of this kind of the address, or of the one an alias domain makes of it: no
 * others of addresses were read. NULL: none is there.
 */
static const struct reading_key *
own_key(const struct reading *reading, const char *prefix, const char *kind)
{
	struct str name;

	for (size_t i = 0; i < reading->count; i++) {
		const struct reading_key *key = &reading->keys[i];

		if (name_in(key, prefix, kind, &name) && !str_starts(name, "@"))
			return key;
	}
	return NULL;
}

static enum completeness
domain_says(const struct reading *reading, const char *prefix, struct str account)
{
	struct str domain = str_from(account, str_rfind(account, '@')), name;

	for (size_t i = 0; i < reading->count; i++) {
		if (name_in(&reading->keys[i], prefix, complete_kind, &name) &&
		    str_eq(name, domain))
			return record_completeness(reading->keys[i].value);
	}
	return COMPLETE_UNSAID;
}

struct known
known_of(const struct reading *reading, const char *prefix)
{
	const struct finding *finding = reading_finding(reading);
	struct known known = {.how = KNOWN_UNSAID, .account = finding->account};

	if (finding->is_unknown) {
		known.how = KNOWN_NOT;
	} else if (!str_starts(finding->matched, "owner:@")) {
		known.how = KNOWN_BY_OWNER;
	} else if ((known.key = own_key(reading, prefix, login_kind)) != NULL) {
		known.how = KNOWN_BY_LOGIN;
	} else {
		switch (domain_says(reading, prefix, known.account)) {
		case COMPLETE_CATCH_ALL:
			known.how = KNOWN_BY_CATCH_ALL;
			break;
		case COMPLETE_YES:
			known.key = own_key(reading, prefix, complete_kind);
			known.how = known.key != NULL ? KNOWN_BY_KEY : KNOWN_AS_POSTMASTER;
			break;
		case COMPLETE_UNSAID:
			break;
		}
	}
	return known;
}

bool
known_if_complete(const struct reading *reading, const char *prefix)
{
	return !str_starts(reading_finding(reading)->matched, "owner:@") ||
	       own_key(reading, prefix, login_kind) != NULL ||
	       own_key(reading, prefix, complete_kind) != NULL ||
	       account_is_postmaster(reading_finding(reading)->account);
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
	case KNOWN_BY_LOGIN:
		buf_addf(out, "yes: %s has its name", log_quote(known->key->key));
		break;
	case KNOWN_BY_KEY:
		buf_addf(out, "yes: %s says %s", log_quote(known->key->key),
		    known->key->kind == FETCH_STRING ? log_quote(known->key->value)
						     : "so, though it is no string");
		break;
	case KNOWN_AS_POSTMASTER:
		buf_add_text(out, "yes: mail to the postmaster of a domain is never refused");
		break;
	case KNOWN_NOT:
		buf_addf(out,
		    "no: the domain is complete, and no owner, login or complete key has the name "
		    "%s, so its mail is refused",
		    log_quote(known->account));
		break;
	}
}

json_t *
known_json(const struct known *known)
{
	return known->how == KNOWN_UNSAID ? json_null() : json_boolean(known->how != KNOWN_NOT);
}
