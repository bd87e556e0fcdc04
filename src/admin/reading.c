/*
 * reading.c - the record of one address, and every key it was read from (driver)
 */
#include "admin/reading.h"

#include "base/mem.h"

enum { ROUNDS_MOST = 4 }; /* a login key is followed once; more is a mistake of ours */

static void
reading_failed(struct reading *reading, const struct resp *reply)
{
	reading->failed = true;
	fault_set(&reading->fault, VERDICT_TEMP, "Redis at %s refused to read: %.*s",
	    client_target(reading->client), STR_FMT(resp_str(reply)));
}

static void
take_value(struct reading *reading, struct reading_key *key, const struct resp *reply)
{
	if (resp_type(reply) == RESP_STRING) {
		key->kind = FETCH_STRING;
		key->value.len = resp_str(reply).len;
		buf_add_str(&reading->store, resp_str(reply));
	} else if (resp_is_error(reply, "WRONGTYPE")) {
		key->kind = FETCH_WRONG_TYPE;
	} else if (resp_type(reply) == RESP_NIL) {
		key->kind = FETCH_ABSENT;
	} else {
		reading_failed(reading, reply);
	}
}

/* The values in the order of the keys, then the times that are left. */
static void
on_exec(void *ctx, const struct resp *reply)
{
	struct reading *reading = ctx;

	if (resp_count(reply) != reading->count * 2) {
		reading_failed(reading, reply);
		return;
	}
	for (size_t i = 0; i < reading->count; i++) {
		const struct resp *ttl = resp_at(reply, reading->count + i);

		take_value(reading, &reading->keys[i], resp_at(reply, i));
		if (resp_type(ttl) == RESP_INTEGER && resp_int(ttl) >= 0)
			reading->keys[i].ttl_ms = resp_int(ttl);
	}
}

/*
 * One round: the keys are copied, because the fetch forgets them, and keys and
 * values lie in one buffer whose places become strs when it grows no more.
 */
static int
read_keys(struct reading *reading, const struct str *keys, size_t count, struct fault *fault_r)
{
	static const char *const reads[] = {"GET", "PTTL"};
	size_t at = 0;

	must(count <= FETCH_KEYS_MOST);
	buf_clear(&reading->store);
	reading->count = count;
	client_words(reading->client, NULL, NULL, "MULTI", NULL);
	for (size_t r = 0; r < ARRAY_LEN(reads); r++) {
		for (size_t i = 0; i < count; i++) {
			struct str argv[2] = {str_of(reads[r]), keys[i]};

			client_command(reading->client, NULL, NULL, argv, 2);
		}
	}
	client_words(reading->client, on_exec, reading, "EXEC", NULL);
	for (size_t i = 0; i < count; i++) {
		reading->keys[i] = (struct reading_key){.key = keys[i], .ttl_ms = -1};
		buf_add_str(&reading->store, keys[i]);
	}
	if (client_wait(reading->client, 0, fault_r) == -1)
		return -1;
	for (size_t i = 0; i < count; i++, at += reading->keys[i - 1].key.len)
		reading->keys[i].key.ptr = buf_str(&reading->store).ptr + at;
	for (size_t i = 0; i < count; i++, at += reading->keys[i - 1].value.len)
		reading->keys[i].value.ptr = buf_str(&reading->store).ptr + at;
	for (size_t i = 0; i < count; i++) {
		struct str rest = reading->keys[i].key;

		rest = str_from(rest, strlen(client_prefix(reading->client)));
		reading->keys[i].is_hold = str_starts(rest, ":hold:");
	}
	if (reading->failed)
		*fault_r = reading->fault;
	return reading->failed ? -1 : 0;
}

static bool
is_floor(void *ctx, struct str domain)
{
	const struct settings *settings = ctx;

	for (size_t i = 0; i < settings->domain_count; i++) {
		if (str_is(domain, settings->domains[i]))
			return true;
	}
	return false;
}

int
reading_account(struct reading *reading, const struct admin *admin, const struct subject *subject,
    struct fault *fault_r)
{
	struct account_rules rules = admin_account_rules(admin);
	struct fetch_value values[FETCH_KEYS_MOST];
	const struct str *keys;
	size_t count;

	reading->client = admin->client;
	reading->fetch = fetch_new(client_prefix(admin->client), &subject->account, &rules,
	    is_floor, admin->settings);
	for (int round = 0; round < ROUNDS_MOST; round++) {
		count = fetch_keys(reading->fetch, &keys);
		if (read_keys(reading, keys, count, fault_r) == -1)
			return -1;
		for (size_t i = 0; i < count; i++)
			values[i] =
			    (struct fetch_value){reading->keys[i].kind, reading->keys[i].value};
		if (fetch_take(reading->fetch, values, count) == FETCH_DONE) {
			reading->finding = *fetch_finding(reading->fetch);
			reading->finding.epoch = client_map(admin->client)->head.epoch;
			return 0;
		}
	}
	return fault_set(fault_r, VERDICT_TEMP, "the record changes faster than it can be read");
}

int
reading_domain(struct reading *reading, const struct admin *admin, const struct subject *subject,
    struct fault *fault_r)
{
	static const char *const kinds[] = {[READING_OWNER] = "owner",
	    [READING_HOLD] = "hold",
	    [READING_LOGIN] = "login",
	    [READING_COMPLETE] = "complete"};
	struct str keys[ARRAY_LEN(kinds)];
	struct buf bufs[ARRAY_LEN(kinds)];
	int rc;

	reading->client = admin->client;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		buf_init(&bufs[i], 0);
		buf_addf(&bufs[i], "%s:%s:", client_prefix(admin->client), kinds[i]);
		buf_add_str(&bufs[i], subject->name);
		keys[i] = buf_str(&bufs[i]);
	}
	rc = read_keys(reading, keys, ARRAY_LEN(kinds), fault_r);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		buf_fini(&bufs[i]);
	return rc;
}

void
reading_fini(struct reading *reading)
{
	fetch_free(&reading->fetch);
	buf_fini(&reading->store);
}

const struct finding *
reading_finding(const struct reading *reading)
{
	return &reading->finding;
}
