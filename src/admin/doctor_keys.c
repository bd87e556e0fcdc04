/*
 * doctor_keys.c - every key of the map, looked at                     (driver)
 */
#include "admin/doctor_keys.h"

#include "admin/guard.h"
#include "admin/owner.h"
#include "admin/progress.h"
#include "admin/shell.h"
#include "admin/suspects.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/record.h"
#include "map/scan.h"

#include <stdlib.h>

struct domain {
	char *name; /* with @ */
	UT_hash_handle hh;
};

struct keys {
	struct doctor *doctor;
	struct suspects suspects;
	const struct str *names;
	size_t count;
	struct domain *domains; /* with an owner key */
	struct progress progress;
	uint64_t seen;
};

/* ---- domains */

static bool
on_domain(void *ctx, const struct scan_row *row)
{
	struct keys *keys = ctx;
	struct domain *domain = NULL;

	HASH_FIND(hh, keys->domains, row->name.ptr, row->name.len, domain);
	if (domain == NULL) {
		domain = xnew(struct domain);
		domain->name = xstrndup(row->name.ptr, row->name.len);
		HASH_ADD_KEYPTR(hh, keys->domains, domain->name, row->name.len, domain);
	}
	return true;
}

static void
domains_free(struct keys *keys)
{
	struct domain *domain, *next;

	HASH_ITER (hh, keys->domains, domain, next) {
		HASH_DEL(keys->domains, domain);
		free(domain->name);
		free(domain);
	}
}

static bool
has_domain_owner(const struct keys *keys, struct str name)
{
	struct str domain = str_from(name, str_rfind(name, '@'));
	struct domain *found = NULL;

	HASH_FIND(hh, keys->domains, domain.ptr, domain.len, found);
	return found != NULL;
}

static bool
is_managed(const struct keys *keys, struct str name)
{
	struct str domain = str_from(name, str_rfind(name, '@'));

	return has_domain_owner(keys, name) ||
	       guard_is_floor(keys->doctor->admin->settings, domain);
}

/* ---- owners */

static void
check_value(struct keys *keys, const struct scan_row *row)
{
	struct doctor *doctor = keys->doctor;

	if (!row->is_string)
		doctor_say(doctor, FINDING_OWNER, row->name,
		    "its owner key holds no string, so nobody answers for it; give it an owner: "
		    "splitmx set --force%s DESTINATION",
		    shell_name(row->name));
	else if (!ruleset_has_destination(doctor->admin->rules, row->owner))
		doctor_say(doctor, FINDING_OWNER, row->name,
		    "its owner %s is no destination (%s), so its mail waits: splitmx set "
		    "--force%s DESTINATION",
		    log_quote(row->owner), owner_destinations(doctor->admin),
		    shell_name(row->name));
	if (!is_managed(keys, row->name))
		doctor_say(doctor, FINDING_UNMANAGED, row->name,
		    "its domain is not managed, so nobody honours its owner: splitmx set %s "
		    "DESTINATION, or splitmx unset --force%s",
		    shell_word(str_from(row->name, str_rfind(row->name, '@'))),
		    shell_name(row->name));
}

static bool
on_owner(void *ctx, const struct scan_row *row)
{
	struct keys *keys = ctx;

	check_value(keys, row);
	suspects_row(&keys->suspects, row);
	progress_step(&keys->progress, ++keys->seen);
	return true;
}

static bool
is_wanted(const struct keys *keys, struct str name)
{
	bool wanted = keys->count == 0;

	for (size_t i = 0; i < keys->count && !wanted; i++)
		wanted = str_eq(keys->names[i], name);
	return wanted;
}

static void
on_rest(void *ctx, const struct noted_owner *owner)
{
	struct keys *keys = ctx;

	if (is_wanted(keys, owner->name))
		suspects_without(&keys->suspects, owner->name);
}

static int
scan_wanted(struct keys *keys, struct fault *fault_r)
{
	struct client *client = keys->doctor->admin->client;
	struct buf glob = BUF_INIT;
	int rc = 0;

	if (keys->count == 0)
		return scan_owners(client, STR(""), on_owner, keys, fault_r);
	for (size_t i = 0; i < keys->count && rc == 0; i++) {
		buf_clear(&glob);
		scan_escape(&glob, keys->names[i]);
		rc = scan_owners(client, buf_str(&glob), on_owner, keys, fault_r);
	}
	buf_fini(&glob);
	return rc;
}

/* ---- holds, login names and complete keys */

struct held {
	struct doctor *doctor;
	struct str name;
};

static void
on_ttl(void *ctx, const struct resp *reply)
{
	struct held *hold = ctx;

	if (resp_type(reply) == RESP_INTEGER && resp_int(reply) == -1)
		doctor_say(hold->doctor, FINDING_HOLD, hold->name,
		    "is held without an end: remove the hold, or give it one: redis-cli EXPIRE "
		    "%s:hold:%s 3600",
		    client_prefix(hold->doctor->admin->client), log_quote(hold->name));
}

/* The walk lends its rows, and asking in it would wait inside a reply: names are copied. */
struct names {
	struct buf bytes;
	size_t *lens;
	size_t count;
};

static bool
on_hold(void *ctx, const struct scan_row *row)
{
	struct names *names = ctx;

	buf_add_str(&names->bytes, row->name);
	names->lens = xrealloc(names->lens, (names->count + 1) * sizeof(names->lens[0]));
	names->lens[names->count++] = row->name.len;
	return true;
}

static int
check_holds(struct doctor *doctor, struct fault *fault_r)
{
	struct client *client = doctor->admin->client;
	struct names names = {.count = 0};
	struct buf key = BUF_INIT;
	int rc = scan_keys(client, "hold", STR(""), on_hold, &names, fault_r);

	for (size_t i = 0, at = 0; i < names.count && rc == 0; at += names.lens[i++]) {
		struct held hold = {
		    doctor, str_make(buf_str(&names.bytes).ptr + at, names.lens[i])};
		struct str argv[2] = {STR("PTTL")};

		buf_clear(&key);
		buf_addf(&key, "%s:hold:", client_prefix(client));
		buf_add_str(&key, hold.name);
		argv[1] = buf_str(&key);
		client_command(client, on_ttl, &hold, argv, 2);
		rc = client_wait(client, 0, fault_r);
	}
	buf_fini(&key);
	buf_fini(&names.bytes);
	free(names.lens);
	return rc;
}

/* As fetch.c reads it: a domain leads to "@other", everything else to an address. */
static bool
is_target(const struct admin *admin, struct str name, struct str target)
{
	struct account_rules rules = admin_account_rules(admin);
	struct subject subject;
	struct fault unimportant;
	bool is;

	subject_init(&subject);
	is = subject_read(&subject, target, &rules, &unimportant) == 0 &&
	     subject.is_domain == str_starts(name, "@");
	subject_fini(&subject);
	return is;
}

static bool
on_login(void *ctx, const struct scan_row *row)
{
	struct keys *keys = ctx;
	struct doctor *doctor = keys->doctor;
	const char *prefix = client_prefix(doctor->admin->client);

	if (!row->is_string || !is_target(doctor->admin, row->name, row->owner))
		doctor_say(doctor, FINDING_LOGIN, row->name,
		    "its login key %s %s: mend or remove %s:login:%s with redis-cli",
		    row->is_string ? "leads to" : "holds",
		    row->is_string ? log_quote(row->owner) : "no string", prefix,
		    log_quote(row->name));
	else if (!is_managed(keys, row->owner))
		doctor_say(doctor, FINDING_LOGIN, row->name,
		    "its login key leads to %s, whose domain is not managed: mend or remove "
		    "%s:login:%s with redis-cli",
		    log_quote(row->owner), prefix, log_quote(row->name));
	return true;
}

static bool
is_canonical(const struct admin *admin, struct str name)
{
	struct account_rules rules = admin_account_rules(admin);
	struct subject subject;
	struct fault unimportant;
	bool is;

	subject_init(&subject);
	is = subject_read(&subject, name, &rules, &unimportant) == 0 && !subject.differs;
	subject_fini(&subject);
	return is;
}

/* What is wrong with a complete key; NULL: nothing. */
static const char *
complete_trouble(const struct keys *keys, const struct scan_row *row)
{
	bool is_domain = str_starts(row->name, "@");

	if (!is_canonical(keys->doctor->admin, row->name))
		return "is not in canonical form, so nobody finds it";
	if (!row->is_string)
		return is_domain ? "holds no string, so addresses without a key of their own get a "
				   "temporary error"
				 : "holds no string";
	if (is_domain && record_completeness(row->owner) == COMPLETE_UNSAID)
		return "says neither yes nor catch-all, so it says nothing";
	if (!has_domain_owner(keys, row->name))
		return "stands beside no owner key of its domain, so nobody reads it";
	return NULL;
}

static bool
on_complete(void *ctx, const struct scan_row *row)
{
	struct keys *keys = ctx;
	const char *trouble = complete_trouble(keys, row);

	if (trouble != NULL)
		doctor_say(keys->doctor, FINDING_COMPLETE, row->name,
		    "its complete key %s: mend or remove %s:complete:%s with redis-cli", trouble,
		    client_prefix(keys->doctor->admin->client), log_quote(row->name));
	return true;
}

int
doctor_keys(struct doctor *doctor, struct noted *noted, struct history_place *place,
    const struct str *names, size_t count, struct fault *fault_r)
{
	struct client *client = doctor->admin->client;
	struct keys keys = {.doctor = doctor, .names = names, .count = count};
	int rc;

	suspects_init(&keys.suspects, doctor, noted, place);
	progress_start(&keys.progress, "looking at owners", "keys", 0, doctor->admin->json);
	rc = scan_owners(client, STR("@*"), on_domain, &keys, fault_r);
	if (rc == 0)
		rc = scan_wanted(&keys, fault_r);
	progress_end(&keys.progress);
	if (rc == 0) {
		noted_rest(noted, on_rest, &keys);
		rc = suspects_look(&keys.suspects, fault_r);
	}
	if (rc == 0 && count == 0)
		rc = check_holds(doctor, fault_r);
	if (rc == 0 && count == 0)
		rc = scan_keys(client, "login", STR(""), on_login, &keys, fault_r);
	if (rc == 0 && count == 0)
		rc = scan_keys(client, "complete", STR(""), on_complete, &keys, fault_r);
	suspects_fini(&keys.suspects);
	domains_free(&keys);
	return rc;
}
