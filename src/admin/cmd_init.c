/*
 * cmd_init.c - splitmx init                                           (driver)
 *
 * Gives a map its identity: without it no node answers, because a Redis that
 * came back empty looks like one in which nobody has ever been. An identity
 * that is there is never replaced.
 */
#include "admin/admin.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct option_row options[] = {
    {"lease", "MILLISECONDS", "how long a node trusts its memory unheard (default 15000)"},
    {"members", "N", "how many Redis servers hold the map: 1, or 3, 5, 7 (default 1)"},
    {"force", NULL, "give an initialised map this lease and these members; its id and epoch stay"},
    {"reason", "TEXT", "why; stands in the audit stream"},
    {"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"},
    {0},
};

enum { MEMBERS_MOST = 7 };

struct birth {
	struct admin *admin;
	long long lease_ms, members;
	char id[HEAD_ID_BYTES];
	bool anew; /* there was no map */
	bool disturbed;
	struct fault fault;
	bool failed;
};

static void
on_exec(void *ctx, const struct resp *reply)
{
	struct birth *birth = ctx;

	birth->disturbed = resp_type(reply) == RESP_NIL;
	if (resp_type(reply) == RESP_ARRAY || birth->disturbed)
		return;
	birth->failed = true;
	fault_set(&birth->fault, VERDICT_TEMP, "Redis refused it: %.*s", STR_FMT(resp_str(reply)));
}

static void
write_map(const struct birth *birth, const char *map_key)
{
	struct client *client = birth->admin->client;
	char *lease = xasprintf("%lld", birth->lease_ms);
	char *members = xasprintf("%lld", birth->members);

	if (birth->anew)
		client_words(client, NULL, NULL, "HSET", map_key, "id", birth->id, "epoch", "1",
		    "schema", "1", "lease_ms", lease, "members", members, NULL);
	else
		client_words(client, NULL, NULL, "HSET", map_key, "lease_ms", lease, "members",
		    members, NULL);
	if (!birth->anew)
		client_words(client, NULL, NULL, "HINCRBY", map_key, "epoch", "1", NULL);
	free(lease);
	free(members);
}

static void
write_audit(const struct birth *birth)
{
	struct admin *admin = birth->admin;
	const struct client_map *map = client_map(admin->client);
	char *key = xasprintf("%s.audit", client_prefix(admin->client));
	char *before = birth->anew ? xstrdup("-")
				   : xasprintf("lease_ms=%" PRIu32 " members=%u",
					 map->head.lease_ms, map->head.members);
	char *after = xasprintf("lease_ms=%lld members=%lld", birth->lease_ms, birth->members);

	client_words(admin->client, NULL, NULL, "XADD", key, "*", "who", admin_who(admin), "what",
	    "init", "why", admin_why(admin), "before", before, "after", after, NULL);
	free(key);
	free(before);
	free(after);
}

/* Written only if the map is what it was when we looked. */
static int
give_birth(struct birth *birth, struct fault *fault_r)
{
	struct client *client = birth->admin->client;
	char *map_key = xasprintf("%s.map", client_prefix(client));
	int rc;

	client_words(client, NULL, NULL, "WATCH", map_key, NULL);
	rc = client_read_map(client, fault_r);
	if (rc == 0 && client_map(client)->initialised == birth->anew) {
		birth->disturbed = true;
	} else if (rc == 0) {
		client_words(client, NULL, NULL, "MULTI", NULL);
		write_map(birth, map_key);
		write_audit(birth);
		client_words(client, on_exec, birth, "EXEC", NULL);
		rc = client_wait(client, 0, fault_r);
	}
	free(map_key);
	if (rc == 0 && birth->failed)
		*fault_r = birth->fault;
	if (rc == -1 || birth->failed)
		return -1;
	if (birth->disturbed)
		return fault_set(fault_r, VERDICT_TEMP,
		    "somebody else initialised this map meanwhile; look again");
	return client_read_map(client, fault_r);
}

/*
 * A Redis without a map on a host that has seen one has lost its data, as a rule.
 * 0, or what was said; the new map is noted, so that the next loss is seen too.
 */
static int
check_host(const struct birth *birth, struct identity *identity)
{
	struct admin *admin = birth->admin;
	const char *known = identity_id(identity);

	if (!birth->anew || known[0] == '\0')
		return 0;
	return admin_fail(admin, EX_NOPERM,
	    "this host knows map %s (epoch %" PRIu64
	    "), and Redis at %s has none: its data is gone, "
	    "or it is the wrong Redis. Restore it; to begin anew all the same, remove "
	    "%s/identity on every host first",
	    known, identity_epoch(identity), client_target(admin->client),
	    admin->settings->state_dir);
}

static int
say(const struct birth *birth, const char *what)
{
	struct admin *admin = birth->admin;
	const struct client_map *map = client_map(admin->client);

	if (admin->json)
		admin_print_json(json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "result", what, "id",
		    map->head.id, "epoch", (json_int_t)map->head.epoch, "schema",
		    (json_int_t)MAP_SCHEMA, "lease_ms", (json_int_t)map->head.lease_ms, "members",
		    (json_int_t)map->head.members));
	else
		printf("%s: map %s %s (lease %" PRIu32 " ms, members %u)\n",
		    client_target(admin->client), map->head.id, what, map->head.lease_ms,
		    map->head.members);
	return 0;
}

/* Whoever starts a private Redis gives it its map: that was all that is asked for. */
static bool
is_born_by_itself(const struct birth *birth)
{
	const struct args *args = &birth->admin->args;

	return !birth->anew && settings_redis_is_private(birth->admin->settings) &&
	       !args_has(args, "force") && !args_has(args, "lease") && !args_has(args, "members");
}

static int
run(struct admin *admin)
{
	struct birth birth = {.admin = admin};
	const struct client_map *map;
	struct identity *identity;
	struct fault fault;
	int code;

	if (args_number(&admin->args, "lease", LEASE_LEAST_MS, LEASE_MOST_MS, LEASE_DEFAULT_MS,
		&birth.lease_ms, &fault) == -1 ||
	    args_number(&admin->args, "members", 1, MEMBERS_MOST, 1, &birth.members, &fault) == -1)
		return admin_usage(admin, "%s", fault.text);
	if (birth.members % 2 == 0)
		return admin_usage(admin,
		    "--members is 1, 3, 5 or 7: an even number has no majority");
	if ((code = admin_need_redis(admin)) != 0)
		return code;
	map = client_map(admin->client);
	birth.anew = !map->initialised;
	if (is_born_by_itself(&birth))
		return say(&birth, "initialised");
	if (map->initialised && !args_has(&admin->args, "force"))
		return admin_fail(admin, EX_NOPERM,
		    "%s has a map already, %s at epoch %" PRIu64
		    ": it stays as it is (--force changes its lease and members)",
		    client_target(admin->client), map->head.id, map->head.epoch);
	identity = identity_open(admin->settings->state_dir);
	map_id_new(birth.id);
	if ((code = check_host(&birth, identity)) == 0) {
		if (give_birth(&birth, &fault) == -1)
			code = admin_fault(admin, &fault);
		else
			code = say(&birth, birth.anew ? "initialised" : "changed");
	}
	if (code == 0) /* where we may not write it, the daemons do it */
		identity_note(identity, &client_map(admin->client)->head, &fault);
	identity_close(&identity);
	return code;
}

const struct command cmd_init = {
    .name = "init",
    .usage = "[--lease MILLISECONDS] [--members N] [--force]",
    .sentence = "Makes a new ownership map in Redis: its identity, schema, lease and members.",
    .options = options,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_MAP,
};
