/*
 * change.c - writing the ownership map, guarded                       (driver)
 */
#include "map/change.h"

#include "base/mem.h"
#include "map/arrivals.h"
#include "map/change_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Owner and hold of a name, the same two of its domain where the one before has
 * another, and what is said of its being complete.
 */
enum { KEYS_MOST = CHANGE_BATCH_MOST * 5 };

enum { NOWHERE = KEYS_MOST };

/* For a Redis that went away in the middle of a change: as long as for one that is silent. */
enum { PATIENCE_MS = CLIENT_TIMEOUT_MS };

/*
 * One attempt. Values are copied into "values"; as the buffer moves while it
 * grows, places are noted first and turned into strs when all are there.
 */
struct attempt {
	struct client *client;
	struct change *changes;
	size_t count;
	size_t key_count;
	size_t own_at[CHANGE_BATCH_MOST], domain_at[CHANGE_BATCH_MOST]; /* in places */
	size_t complete_at[CHANGE_BATCH_MOST]; /* NOWHERE: not looked at */
	struct buf values;
	struct place {
		bool there;
		size_t at, len;
	} places[KEYS_MOST];
	bool disturbed;
	struct seal *seal;
	struct fault fault;
	bool failed;
};

/* seen is lent until the next run; a command has one client, so one is enough. */
static struct attempt attempt_now;

static struct str
domain_of(struct str name)
{
	return str_from(name, str_rfind(name, '@'));
}

struct change_value
change_owner_before(const struct change *change)
{
	return change->seen.owner.there ? change->seen.owner : change->seen.domain_owner;
}

struct change_value
change_hold_before(const struct change *change)
{
	if (change->seen.hold.there || change->seen.owner.there)
		return change->seen.hold;
	return change->seen.domain_hold;
}

static void
attempt_failed(struct attempt *attempt, const char *doing, const struct resp *reply)
{
	if (attempt->failed)
		return;
	attempt->failed = true;
	fault_set(&attempt->fault, VERDICT_TEMP, "Redis at %s refused %s: %.*s",
	    client_target(attempt->client), doing, STR_FMT(resp_str(reply)));
}

/* ---- reading under WATCH */

static void
on_values(void *ctx, const struct resp *reply)
{
	struct attempt *attempt = ctx;

	if (resp_type(reply) != RESP_ARRAY || resp_count(reply) != attempt->key_count) {
		attempt_failed(attempt, "to read the records", reply);
		return;
	}
	for (size_t i = 0; i < resp_count(reply); i++) {
		const struct resp *value = resp_at(reply, i);
		struct str text = resp_str(value);

		attempt->places[i] = (struct place){.there = resp_type(value) == RESP_STRING,
		    .at = buf_len(&attempt->values),
		    .len = text.len};
		buf_add_str(&attempt->values, text);
	}
}

static struct change_value
value_at(const struct attempt *attempt, size_t i)
{
	struct place place;

	if (i == NOWHERE)
		return (struct change_value){false, STR("")};
	place = attempt->places[i];
	return (struct change_value){place.there,
	    place.there ? str_make(buf_str(&attempt->values).ptr + place.at, place.len) : STR("")};
}

static void
show_values(struct attempt *attempt)
{
	for (size_t i = 0; i < attempt->count; i++)
		attempt->changes[i].seen = (struct change_seen){
		    value_at(attempt, attempt->own_at[i]),
		    value_at(attempt, attempt->own_at[i] + 1),
		    value_at(attempt, attempt->domain_at[i]),
		    value_at(attempt, attempt->domain_at[i] + 1),
		    value_at(attempt, attempt->complete_at[i]),
		};
}

/* Appends a key; its length goes to words. Returns its place. */
static size_t
name_one(struct attempt *attempt, struct buf *out, const char *kind, struct str name,
    struct str *words)
{
	size_t from = buf_len(out);

	buf_add_text(out, client_prefix(attempt->client));
	buf_add_text(out, kind);
	buf_add_str(out, name);
	words[attempt->key_count] = str_make(NULL, buf_len(out) - from);
	return attempt->key_count++;
}

/* The owner and the hold key of a name. */
static size_t
name_two(struct attempt *attempt, struct buf *out, struct str name, struct str *words)
{
	size_t place = name_one(attempt, out, ":owner:", name, words);

	name_one(attempt, out, ":hold:", name, words);
	return place;
}

static void
name_complete(struct attempt *attempt, struct buf *out, struct str *words)
{
	for (size_t i = 0; i < attempt->count; i++) {
		const struct change *change = &attempt->changes[i];

		attempt->complete_at[i] =
		    change->writes & CHANGE_COMPLETE
			? name_one(attempt, out, ":complete:", change->name, words)
			: NOWHERE;
	}
}

/* The keys to read, whole, one after another in out. Accounts of one domain share its two. */
static void
name_keys(struct attempt *attempt, struct buf *out, struct str *words)
{
	struct str last = STR("");
	size_t last_at = 0, at = 0;

	attempt->key_count = 0;
	for (size_t i = 0; i < attempt->count; i++) {
		struct str name = attempt->changes[i].name, domain = domain_of(name);

		attempt->own_at[i] = name_two(attempt, out, name, words);
		if (name.len == domain.len)
			last_at = attempt->own_at[i];
		else if (!str_eq(domain, last))
			last_at = name_two(attempt, out, domain, words);
		attempt->domain_at[i] = last_at;
		last = domain;
	}
	name_complete(attempt, out, words);
	for (size_t i = 0; i < attempt->key_count; i++) {
		words[i].ptr = buf_str(out).ptr + at;
		at += words[i].len;
	}
}

/* Owners of accounts and domains, complete keys that are written; holds only where they matter. */
static void
watch_keys(const struct attempt *attempt, const struct str *keys)
{
	struct str words[1 + KEYS_MOST];
	size_t argc = 0, last = SIZE_MAX;

	words[argc++] = STR("WATCH");
	for (size_t i = 0; i < attempt->count; i++) {
		size_t own = attempt->own_at[i], domain = attempt->domain_at[i];

		words[argc++] = keys[own];
		if (attempt->changes[i].hold_matters) {
			words[argc++] = keys[own + 1];
			words[argc++] = keys[domain + 1];
		}
		if (domain != last && domain != own)
			words[argc++] = keys[domain];
		if (attempt->complete_at[i] != NOWHERE)
			words[argc++] = keys[attempt->complete_at[i]];
		last = domain;
	}
	client_command(attempt->client, NULL, NULL, words, argc);
}

static void
on_audit(void *ctx, const struct resp *reply)
{
	struct attempt *attempt = ctx;

	if (resp_type(reply) == RESP_ERROR)
		attempt_failed(attempt, "to look at the audit stream", reply);
	else if (!str_is(resp_str(reply), "stream") && !str_is(resp_str(reply), "none") &&
		 !attempt->failed) {
		attempt->failed = true;
		fault_set(&attempt->fault, VERDICT_TEMP,
		    "%s.audit in Redis at %s holds no stream, so no change can be noted: remove or "
		    "rename it; nothing was written",
		    client_prefix(attempt->client), client_target(attempt->client));
	}
}

/* EXEC does not undo the owner when XADD fails. */
static void
ask_audit(struct attempt *attempt)
{
	char *key = xasprintf("%s.audit", client_prefix(attempt->client));

	client_words(attempt->client, on_audit, attempt, "TYPE", key, NULL);
	free(key);
}

static int
read_records(struct attempt *attempt, bool watch, struct fault *fault_r)
{
	struct str words[1 + KEYS_MOST];
	struct buf keys = BUF_INIT;
	int rc;

	name_keys(attempt, &keys, words + 1);
	buf_clear(&attempt->values);
	if (watch) {
		watch_keys(attempt, words + 1);
		ask_audit(attempt);
	}
	words[0] = STR("MGET");
	client_command(attempt->client, on_values, attempt, words, 1 + attempt->key_count);
	rc = client_wait(attempt->client, 0, fault_r);
	buf_fini(&keys);
	if (rc == -1)
		return -1;
	if (attempt->failed) {
		*fault_r = attempt->fault;
		return -1;
	}
	show_values(attempt);
	return 0;
}

/* ---- writing */

/* Does the account leave its owner? What arrived is counted since then. */
static bool
is_flip(const struct change *change)
{
	struct change_value before = change_owner_before(change),
			    then = {change->owner.len > 0, change->owner};

	if ((change->writes & CHANGE_OWNER) == 0 || str_starts(change->name, "@") || !before.there)
		return false;
	if (!then.there)
		then = change->seen.domain_owner;
	return !then.there || !str_eq(before.text, then.text);
}

static void
forget_arrivals(struct client *client, const struct change *change)
{
	struct buf key = BUF_INIT;
	struct str argv[] = {STR("DEL"), STR("")};

	arrivals_key(&key, client_prefix(client), change->name);
	argv[1] = buf_str(&key);
	client_command(client, NULL, NULL, argv, ARRAY_LEN(argv));
	buf_fini(&key);
}

/* The key gets this value, or goes where that is empty. */
static void
write_value(struct client *client, const char *kind, struct str name, struct str value)
{
	struct buf key = BUF_INIT;
	struct str argv[3] = {value.len > 0 ? STR("SET") : STR("DEL"), {0}, value};

	buf_addf(&key, "%s:%s:", client_prefix(client), kind);
	buf_add_str(&key, name);
	argv[1] = buf_str(&key);
	client_command(client, NULL, NULL, argv, value.len > 0 ? 3 : 2);
	buf_fini(&key);
}

static void
write_one(struct client *client, const struct change *change)
{
	struct buf key = BUF_INIT;
	struct str argv[5];
	char ms[24];

	if (change->writes & CHANGE_OWNER)
		write_value(client, "owner", change->name, change->owner);
	if (change->writes & CHANGE_COMPLETE)
		write_value(client, "complete", change->name, change->complete);
	if (is_flip(change))
		forget_arrivals(client, change);
	if (change->writes & (CHANGE_HOLD | CHANGE_RELEASE)) {
		buf_addf(&key, "%s:hold:", client_prefix(client));
		buf_add_str(&key, change->name);
		argv[1] = buf_str(&key);
		argv[0] = STR("DEL");
		if (change->writes & CHANGE_HOLD) {
			snprintf(ms, sizeof(ms), "%" PRIu64, change->hold_ms);
			argv[0] = STR("SET");
			argv[2] = change->hold;
			argv[3] = STR("PX");
			argv[4] = str_of(ms);
		}
		client_command(client, NULL, NULL, argv, change->writes & CHANGE_HOLD ? 5 : 2);
	}
	buf_fini(&key);
}

static void
on_exec(void *ctx, const struct resp *reply)
{
	struct attempt *attempt = ctx;

	if (resp_type(reply) == RESP_NIL) {
		attempt->disturbed = true;
		return;
	}
	if (resp_type(reply) != RESP_ARRAY) {
		attempt_failed(attempt, "the change, and nothing was written", reply);
		return;
	}
	for (size_t i = 0; i < resp_count(reply); i++) {
		if (resp_type(resp_at(reply, i)) == RESP_ERROR)
			attempt_failed(attempt, "a part of the change", resp_at(reply, i));
	}
	if (!seal_take(attempt->client, attempt->seal, reply))
		attempt_failed(attempt, "a part of the change", reply);
}

static void
on_queued(void *ctx, const struct resp *reply)
{
	/* An error here makes EXEC fail too, but this is the one that says why. */
	if (resp_type(reply) == RESP_ERROR)
		attempt_failed(ctx, "the change, and nothing was written", reply);
}

/* The connection was lost, and EXEC was sent. */
static int
look_back(struct attempt *attempt, struct fault *fault_r)
{
	struct client *client = attempt->client;
	struct fault why;

	switch (seal_find(client, attempt->seal, PATIENCE_MS, &why)) {
	case SEAL_IS_THERE:
		return 0;
	case SEAL_IS_NOT:
		attempt->disturbed = true;
		return 0;
	case SEAL_UNKNOWN:
		break;
	}
	return fault_set(fault_r, VERDICT_TEMP,
	    "the connection to Redis at %s was lost while the change was under way, and nobody can "
	    "say whether it was written (%s); look with \"splitmx explain\" and repeat it",
	    client_target(client), why.text);
}

static int
write_all(struct attempt *attempt, const struct change_note *note, struct fault *fault_r)
{
	struct client *client = attempt->client;
	int rc;

	client_words(client, on_queued, attempt, "MULTI", NULL);
	for (size_t i = 0; i < attempt->count; i++) {
		if (attempt->changes[i].result == CHANGE_DONE)
			write_one(client, &attempt->changes[i]);
	}
	change_seal(client, attempt->changes, attempt->count, attempt->seal, note);
	client_words(client, on_exec, attempt, "EXEC", NULL);
	rc = client_wait(client, 0, fault_r);
	if (rc == -1 && client_is_lost(client))
		return look_back(attempt, fault_r);
	if (attempt->failed)
		*fault_r = attempt->fault;
	return rc == -1 || attempt->failed ? -1 : 0;
}

/* ---- both halves */

static size_t
ask_guard(struct attempt *attempt, change_guard_fn *guard, void *ctx)
{
	size_t wanted = 0;

	for (size_t i = 0; i < attempt->count; i++) {
		struct change *change = &attempt->changes[i];

		change->result = CHANGE_DONE;
		change->why = NULL;
		guard(ctx, change);
		wanted += change->result == CHANGE_DONE;
	}
	return wanted;
}

static struct attempt *
attempt_start(struct client *client, struct change *changes, size_t count)
{
	struct attempt *attempt = &attempt_now;

	must(count > 0 && count <= CHANGE_BATCH_MOST);
	attempt->client = client;
	attempt->changes = changes;
	attempt->count = count;
	attempt->failed = attempt->disturbed = false;
	return attempt;
}

int
change_try(struct client *client, struct change *changes, size_t count, change_guard_fn *guard,
    void *ctx, struct fault *fault_r)
{
	struct attempt *attempt = attempt_start(client, changes, count);

	if (read_records(attempt, false, fault_r) == -1)
		return -1;
	ask_guard(attempt, guard, ctx);
	return 0;
}

int
change_run(struct client *client, struct change *changes, size_t count,
    const struct change_note *note, change_guard_fn *guard, void *ctx, struct seal *seal_r,
    struct fault *fault_r)
{
	if (head_writable(&client_map(client)->head, client_prefix(client), fault_r) == -1)
		return -1;
	seal_begin(client, seal_r);
	for (int tries = 0; tries < CHANGE_TRIES_MOST; tries++) {
		struct attempt *attempt = attempt_start(client, changes, count);

		attempt->seal = seal_r;
		if (read_records(attempt, true, fault_r) == -1)
			return -1;
		if (ask_guard(attempt, guard, ctx) == 0) {
			/* It leaves with what follows. */
			client_words(client, NULL, NULL, "UNWATCH", NULL);
			return 0;
		}
		if (change_journal(client, changes, count, seal_r, note, fault_r) == -1 ||
		    write_all(attempt, note, fault_r) == -1)
			return -1;
		if (!attempt->disturbed)
			return 0;
	}
	return fault_set(fault_r, VERDICT_TEMP,
	    "others change %.*s all the time (%d attempts): nothing was written, try again",
	    STR_FMT(changes[0].name), CHANGE_TRIES_MOST);
}
