/*
 * fetch.c - reading one account from the stored map, step by step     (machine)
 *
 * Each round decides from scratch from the values of one EXEC: nothing that an
 * earlier round read is used again, except to know what else to read. A login
 * key leads to one more round with the target's keys in the list.
 */
#include "map/fetch.h"

#include "base/mem.h"
#include "map/record.h"

#include <stdlib.h>

enum kind { OWNER, HOLD, LOGIN, COMPLETE, KIND_COUNT };

static const char *const kind_names[] = {
    [OWNER] = "owner",
    [HOLD] = "hold",
    [LOGIN] = "login",
    [COMPLETE] = "complete",
};
_Static_assert(ARRAY_LEN(kind_names) == KIND_COUNT, "a kind lacks its name");

enum { ROUNDS_MOST = 4 }; /* login keys that change in every round are somebody's mistake */

struct fetch {
	char *prefix, *delimiters;
	struct account_rules rules;
	fetch_floor_fn *floor_fn;
	void *floor_ctx;

	struct account asked;
	struct account target; /* where a login key led; an ADDRESS or not there yet */
	bool by_domain; /* and that was the key of a domain, not of an address or a login */
	unsigned rounds;

	struct str names[FETCH_NAMES_MOST]; /* in the accounts' memory */
	size_t name_count;
	struct key {
		enum kind kind;
		struct str name;
	} keys[FETCH_KEYS_MOST];
	struct str key_texts[FETCH_KEYS_MOST]; /* in key_memory */
	size_t key_count;
	struct buf key_memory;
	const struct fetch_value *values; /* of the keys, while they are lent to us */

	struct finding finding;
	char owner[RECORD_OWNER_MAX_BYTES];
	struct buf reason;
};

/* ---- the list of keys */

static struct str
at_domain(const struct account *account)
{
	must(account->kind == ACCOUNT_ADDRESS);
	return str_make(account->domain.ptr - 1, account->domain.len + 1);
}

static void
want_name(struct fetch *fetch, struct str name)
{
	for (size_t i = 0; i < fetch->name_count; i++) {
		if (str_eq(fetch->names[i], name))
			return;
	}
	must(fetch->name_count < FETCH_NAMES_MOST);
	fetch->names[fetch->name_count++] = name;
}

static void
want_key(struct fetch *fetch, enum kind kind, struct str name)
{
	struct buf *memory = &fetch->key_memory;
	size_t before = buf_len(memory);

	for (size_t i = 0; i < fetch->key_count; i++) {
		if (fetch->keys[i].kind == kind && str_eq(fetch->keys[i].name, name))
			return;
	}
	must(fetch->key_count < FETCH_KEYS_MOST);
	want_name(fetch, name);
	buf_add_text(memory, fetch->prefix);
	buf_add_byte(memory, ':');
	buf_add_text(memory, kind_names[kind]);
	buf_add_byte(memory, ':');
	buf_add_str(memory, name);
	fetch->keys[fetch->key_count] = (struct key){kind, name};
	fetch->key_texts[fetch->key_count++].len = buf_len(memory) - before;
}

/* The names of an account, and how many of them are its own. */
enum { NAMES_OF_ONE = 3, OWN_NAMES = 2 };

static void
want_asked(struct fetch *fetch, const struct account *asked)
{
	struct str names[NAMES_OF_ONE] = {asked->name, asked->base, at_domain(asked)};

	for (size_t i = 0; i < NAMES_OF_ONE; i++) {
		want_key(fetch, OWNER, names[i]);
		want_key(fetch, HOLD, names[i]);
		want_key(fetch, LOGIN, names[i]);
	}
	for (size_t i = 0; i < NAMES_OF_ONE; i++)
		want_key(fetch, COMPLETE, names[i]);
}

/*
 * Behind an own login key nobody is unknown. Behind that of a domain any address may
 * be: its login keys are read as they make it known, and are not followed.
 */
static void
want_target(struct fetch *fetch, const struct account *target)
{
	struct str names[NAMES_OF_ONE] = {target->name, target->base, at_domain(target)};

	for (size_t i = 0; i < NAMES_OF_ONE; i++) {
		want_key(fetch, OWNER, names[i]);
		want_key(fetch, HOLD, names[i]);
	}
	for (size_t i = 0; i < NAMES_OF_ONE && fetch->by_domain; i++) {
		if (i < OWN_NAMES)
			want_key(fetch, LOGIN, names[i]);
		want_key(fetch, COMPLETE, names[i]);
	}
}

static void
list_keys(struct fetch *fetch)
{
	const char *text;

	buf_clear(&fetch->key_memory);
	fetch->name_count = fetch->key_count = 0;
	if (fetch->asked.kind == ACCOUNT_LOGIN)
		want_key(fetch, LOGIN, fetch->asked.name);
	else
		want_asked(fetch, &fetch->asked);
	if (fetch->target.kind == ACCOUNT_ADDRESS)
		want_target(fetch, &fetch->target);
	text = buf_str(&fetch->key_memory).ptr; /* the memory has stopped moving */
	for (size_t i = 0; i < fetch->key_count; i++) {
		fetch->key_texts[i].ptr = text;
		text += fetch->key_texts[i].len;
	}
}

/* ---- the values */

static size_t
key_at(const struct fetch *fetch, enum kind kind, struct str name)
{
	size_t i = 0;

	while (i < fetch->key_count &&
	       !(fetch->keys[i].kind == kind && str_eq(fetch->keys[i].name, name)))
		i++;
	must(i < fetch->key_count);
	return i;
}

static bool
is_there(const struct fetch *fetch, size_t key)
{
	return fetch->values[key].kind != FETCH_ABSENT;
}

/* The key of this kind for the account's name, else for its base; false where neither is there. */
static bool
own_key(const struct fetch *fetch, const struct account *account, enum kind kind, size_t *key_r)
{
	*key_r = key_at(fetch, kind, account->name);
	if (!is_there(fetch, *key_r))
		*key_r = key_at(fetch, kind, account->base);
	return is_there(fetch, *key_r);
}

static bool
domain_key(const struct fetch *fetch, const struct account *account, enum kind kind, size_t *key_r)
{
	*key_r = key_at(fetch, kind, at_domain(account));
	return is_there(fetch, *key_r);
}

static bool
is_managed(const struct fetch *fetch, const struct account *account)
{
	size_t key;

	return domain_key(fetch, account, OWNER, &key) ||
	       (fetch->floor_fn != NULL && fetch->floor_fn(fetch->floor_ctx, account->domain));
}

/* ---- the decision */

static enum fetch_step
decided(struct fetch *fetch, enum verdict verdict, const struct account *account)
{
	fetch->finding.verdict = verdict;
	fetch->finding.account = account->base;
	return FETCH_DONE;
}

static enum fetch_step
trouble(struct fetch *fetch, size_t key, const char *what)
{
	struct str text = str_from(fetch->key_texts[key], strlen(fetch->prefix) + 1);

	fetch->finding = (struct finding){.source = SOURCE_REDIS, .matched = text};
	buf_clear(&fetch->reason);
	buf_add_str(&fetch->reason, fetch->key_texts[key]);
	buf_add_text(&fetch->reason, " ");
	buf_add_text(&fetch->reason,
	    fetch->values[key].kind == FETCH_WRONG_TYPE ? "is not a string" : what);
	fetch->finding.reason = buf_cstr(&fetch->reason);
	return decided(fetch, VERDICT_TEMP, &fetch->asked);
}

/* An account's own hold wins; a domain's holds whoever has no owner key of its own. */
static enum fetch_step
decide_hold(struct fetch *fetch, const struct account *account, bool has_owner)
{
	struct str operation;
	size_t key;

	if (!own_key(fetch, account, HOLD, &key) &&
	    (has_owner || !domain_key(fetch, account, HOLD, &key)))
		return FETCH_DONE;
	if (fetch->values[key].kind == FETCH_WRONG_TYPE)
		return trouble(fetch, key, "");
	fetch->finding.hold = record_hold(fetch->values[key].text, &operation);
	return FETCH_DONE;
}

/* Does it have a login key of its own, or was it named as known? */
static bool
is_named(const struct fetch *fetch, const struct account *account)
{
	size_t key;

	return own_key(fetch, account, COMPLETE, &key) || own_key(fetch, account, LOGIN, &key);
}

/* Known without an owner key, whatever its domain says. */
static bool
is_known(const struct fetch *fetch, const struct account *account)
{
	const struct account *asked = &fetch->asked;

	return asked->kind == ACCOUNT_LOGIN || account_is_postmaster(account->base) ||
	       is_named(fetch, asked) || (account != asked && is_named(fetch, account));
}

/* Nobody's address, in a complete domain? False: *key_r, which says it, cannot be read. */
static bool
decide_unknown(const struct fetch *fetch, const struct account *account, bool *is_unknown_r,
    size_t *key_r)
{
	size_t key;

	*is_unknown_r = false;
	if (is_known(fetch, account) || !domain_key(fetch, account, COMPLETE, &key))
		return true;
	*key_r = key;
	if (fetch->values[key].kind == FETCH_WRONG_TYPE)
		return false;
	*is_unknown_r = record_completeness(fetch->values[key].text) == COMPLETE_YES;
	return true;
}

static enum fetch_step
decide_owner(struct fetch *fetch, const struct account *account)
{
	bool has_owner;
	struct str owner;
	size_t key;

	has_owner = own_key(fetch, account, OWNER, &key);
	if (!has_owner && !domain_key(fetch, account, OWNER, &key))
		return trouble(fetch, key, "is not there, but the settings manage this domain");
	owner = fetch->values[key].text;
	if (fetch->values[key].kind == FETCH_WRONG_TYPE || !record_owner_is_valid(owner))
		return trouble(fetch, key, "does not hold a destination name");
	memcpy(fetch->owner, owner.ptr, owner.len);
	fetch->finding.owner = str_make(fetch->owner, owner.len);
	fetch->finding.matched = str_from(fetch->key_texts[key], strlen(fetch->prefix) + 1);
	if (!has_owner && !decide_unknown(fetch, account, &fetch->finding.is_unknown, &key))
		return trouble(fetch, key, "");
	decided(fetch, VERDICT_FOUND, account);
	if (has_owner && str_eq(fetch->keys[key].name, account->name))
		fetch->finding.account = account->name; /* an extension that is an account */
	return decide_hold(fetch, account, has_owner);
}

/* The login key sends us to a target: decide there if its keys are in the list, else read again. */
static enum fetch_step
follow(struct fetch *fetch, size_t key, bool is_domain)
{
	const struct fetch_value *value = &fetch->values[key];
	struct account target;
	enum fetch_step step;
	bool readable;

	if (value->kind == FETCH_WRONG_TYPE)
		return trouble(fetch, key, "");
	account_init(&target);
	readable = is_domain
		       ? record_login_domain(value->text, &fetch->asked, &fetch->rules, &target)
		       : record_login(value->text, &fetch->rules, &target);
	if (!readable) {
		step = trouble(fetch, key,
		    is_domain ? "does not hold @domain" : "does not hold an address");
	} else if (fetch->target.kind == ACCOUNT_ADDRESS && fetch->by_domain == is_domain &&
		   str_eq(fetch->target.name, target.name)) {
		step = is_managed(fetch, &fetch->target)
			   ? decide_owner(fetch, &fetch->target)
			   : trouble(fetch, key, "leads to a domain that is not managed");
	} else if (++fetch->rounds == ROUNDS_MOST) {
		step = trouble(fetch, key, "changed each time it was read");
	} else {
		account_parse(&fetch->target, target.name, &fetch->rules);
		fetch->by_domain = is_domain;
		step = FETCH_AGAIN;
	}
	account_fini(&target);
	return step;
}

static enum fetch_step
decide_login(struct fetch *fetch)
{
	size_t key = key_at(fetch, LOGIN, fetch->asked.name);

	if (!is_there(fetch, key))
		return decided(fetch, VERDICT_ABSENT, &fetch->asked);
	return follow(fetch, key, false);
}

static enum fetch_step
decide(struct fetch *fetch)
{
	const struct account *asked = &fetch->asked;
	size_t key;

	fetch->finding = (struct finding){.source = SOURCE_REDIS};
	if (asked->kind == ACCOUNT_LOGIN)
		return decide_login(fetch);
	if (!is_managed(fetch, asked))
		return decided(fetch, VERDICT_ABSENT, asked);
	if (own_key(fetch, asked, OWNER, &key))
		return decide_owner(fetch, asked);
	if (own_key(fetch, asked, LOGIN, &key))
		return follow(fetch, key, false);
	if (domain_key(fetch, asked, LOGIN, &key))
		return follow(fetch, key, true);
	return decide_owner(fetch, asked);
}

/* ---- from outside */

struct fetch *
fetch_new(const char *prefix, const struct account *account, const struct account_rules *rules,
    fetch_floor_fn *floor_fn, void *floor_ctx)
{
	struct fetch *fetch = xnew(struct fetch);

	fetch->prefix = xstrdup(prefix);
	fetch->delimiters = xstrdup(rules->delimiters);
	fetch->rules = (struct account_rules){rules->fold_local, fetch->delimiters};
	fetch->floor_fn = floor_fn;
	fetch->floor_ctx = floor_ctx;
	account_init(&fetch->asked);
	account_init(&fetch->target);
	must(account_read(&fetch->asked, account->name, rules));
	must(fetch->asked.kind == account->kind);
	list_keys(fetch);
	return fetch;
}

void
fetch_free(struct fetch **fetchp)
{
	struct fetch *fetch = *fetchp;

	*fetchp = NULL;
	if (fetch == NULL)
		return;
	account_fini(&fetch->asked);
	account_fini(&fetch->target);
	buf_fini(&fetch->key_memory);
	buf_fini(&fetch->reason);
	free(fetch->delimiters);
	free(fetch->prefix);
	free(fetch);
}

size_t
fetch_keys(const struct fetch *fetch, const struct str **keys_r)
{
	*keys_r = fetch->key_texts;
	return fetch->key_count;
}

size_t
fetch_names(const struct fetch *fetch, const struct str **names_r)
{
	*names_r = fetch->names;
	return fetch->name_count;
}

enum fetch_step
fetch_take(struct fetch *fetch, const struct fetch_value *values, size_t count)
{
	enum fetch_step step;

	must(count == fetch->key_count);
	fetch->values = values;
	step = decide(fetch);
	fetch->values = NULL;
	if (step == FETCH_AGAIN)
		list_keys(fetch);
	return step;
}

const struct finding *
fetch_finding(const struct fetch *fetch)
{
	return &fetch->finding;
}

/* Appended to count names, each of them once; how many there are then. */
static size_t
names_add(const struct account *account, struct str *names, size_t count)
{
	bool is_login = account->kind == ACCOUNT_LOGIN;
	struct str own[NAMES_OF_ONE] = {
	    account->name, account->base, is_login ? account->name : at_domain(account)};
	size_t i;

	for (size_t n = 0; n < NAMES_OF_ONE; n++) {
		for (i = 0; i < count && !str_eq(names[i], own[n]); i++)
			;
		if (i == count)
			names[count++] = own[n];
	}
	return count;
}

size_t
fetch_finding_names(const struct account *asked, const struct account *account,
    struct str names_r[static FETCH_NAMES_MOST])
{
	_Static_assert(2 * NAMES_OF_ONE <= FETCH_NAMES_MOST, "more names than there is room for");
	return names_add(account, names_r, names_add(asked, names_r, 0));
}

bool
fetch_key_name(const char *prefix, struct str key, struct str *name_r)
{
	size_t prefix_len = strlen(prefix);

	if (!str_starts(key, prefix) || key.len == prefix_len || key.ptr[prefix_len] != ':')
		return false;
	return fetch_own_key_name(str_from(key, prefix_len + 1), name_r);
}

bool
fetch_own_key_name(struct str key, struct str *name_r)
{
	size_t colon = str_find(key, ':');

	if (colon + 1 >= key.len)
		return false;
	*name_r = str_from(key, colon + 1);
	return true;
}

void
fetch_name_key(struct str name, size_t kind, struct buf *key)
{
	_Static_assert((int)KIND_COUNT == (int)FETCH_KINDS, "a kind is not counted");
	must(kind < FETCH_KINDS);
	buf_clear(key);
	buf_add_text(key, kind_names[kind]);
	buf_add_byte(key, ':');
	buf_add_str(key, name);
}
