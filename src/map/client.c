/*
 * client.c - the ownership map, as a command asks it                  (driver)
 */
#include "map/client_inside.h"

#include "base/mem.h"

#include <stdlib.h>

const char *
client_target(const struct client *client)
{
	return redis_target_name(client->target);
}

const char *
client_address(const struct client *client)
{
	return redis_target_address(client->target);
}

const char *
client_prefix(const struct client *client)
{
	return client->settings->redis.prefix;
}

const struct client_map *
client_map(const struct client *client)
{
	return &client->map;
}

unsigned
client_sessions(const struct client *client)
{
	return client->sessions;
}

struct journal *
client_journal(struct client *client)
{
	return client->journal;
}

/* ---- the map, and whether it is believed */

static void
on_map(void *ctx, const struct resp *reply)
{
	struct client *client = ctx;
	struct client_map *map = &client->map;
	struct fault fault;

	if (resp_type(reply) == RESP_ARRAY && resp_count(reply) == 0)
		return;
	if (map_head_read(reply, client_prefix(client), &map->head, &fault) == -1 ||
	    head_readable(&map->head, client_prefix(client), &fault) == -1)
		client_refuse(client, &fault);
	else
		map->initialised = true;
}

int
client_read_map(struct client *client, struct fault *fault_r)
{
	client->map = (struct client_map){0};
	client_words(client, on_map, client, "HGETALL", client->map_key, NULL);
	return client_wait(client, 0, fault_r);
}

uint64_t
client_went_back(const struct client *client)
{
	return client->known_epoch > client->map.head.epoch ? client->known_epoch : 0;
}

static int
find_known_epoch(struct client *client, struct fault *fault_r)
{
	const char *id = client->map.head.id, *known_id = identity_id(client->identity);

	client->known_epoch = 0;
	if (known_id[0] != '\0' && strcmp(known_id, id) != 0)
		return 0; /* not ours: identity_check() says so */
	if (journal_highest(client->journal, id, &client->known_epoch, fault_r) == -1)
		return -1;
	if (identity_epoch(client->identity) > client->known_epoch)
		client->known_epoch = identity_epoch(client->identity);
	return 0;
}

/*
 * Is it the map that this host knows, and not an older state of it? What is
 * seen here is remembered for the next time; whoever may not write that file
 * (it belongs to the daemons) still compares.
 */
static int
check_identity(struct client *client, struct fault *fault_r)
{
	struct fault unimportant;

	if (client_went_back(client) > 0)
		return 0;
	if (identity_check(client->identity, &client->map.head, fault_r) == -1)
		return -1;
	identity_note(client->identity, &client->map.head, &unimportant);
	return 0;
}

void
client_saw_epoch(struct client *client, uint64_t epoch)
{
	if (epoch > client->map.head.epoch)
		client->map.head.epoch = epoch; /* client_close() notes it: an import has many */
}

void
client_knows_epoch(struct client *client, uint64_t epoch)
{
	struct fault unimportant;

	if (client->identity == NULL)
		return;
	identity_raise(client->identity, epoch);
	if (client->map.initialised)
		identity_note(client->identity, &client->map.head, &unimportant);
}

static int
expect_map(struct client *client, struct fault *fault_r)
{
	if (client_read_map(client, fault_r) == -1)
		return -1;
	if (!client->map.initialised)
		return fault_set(fault_r, VERDICT_PERM,
		    "Redis at %s has no ownership map (no key %s): if this is the right Redis, run "
		    "\"splitmx init\"; if there was a map before, its data is gone",
		    client_target(client), client->map_key);
	return 0;
}

/*
 * FENCING, W1: what is written to a strange or an older map is worse than an error.
 * What this host knows is read before the map: other commands of it go on meanwhile.
 */
static int
check_map(struct client *client, enum client_need need, struct fault *fault_r)
{
	if (need == CLIENT_NEEDS_REDIS)
		return client_read_map(client, fault_r);
	if (client->identity == NULL)
		client->identity = identity_open(client->settings->state_dir);
	if (expect_map(client, fault_r) == -1)
		return -1;
	if (need == CLIENT_MENDS) { /* the journal's epoch is that of the map's id */
		if (find_known_epoch(client, fault_r) == -1)
			return -1;
		if (client_went_back(client) > 0 && expect_map(client, fault_r) == -1)
			return -1;
	}
	return check_identity(client, fault_r);
}

/* ---- its life */

static int
begin(struct client *client, struct fault *fault_r)
{
	const struct settings *settings = client->settings;

	if ((client->target = redis_target_new(settings, fault_r)) == NULL)
		return -1;
	if (settings->redis.sentinel_count > 0 &&
	    (client->sentinel = sentinel_new(client->loop, settings, fault_r)) == NULL)
		return -1;
	return client_reach(client, fault_r);
}

struct client *
client_open(const struct settings *settings, enum client_need need, struct fault *fault_r)
{
	struct client *client = xnew(struct client);

	client->settings = settings;
	client->need = need;
	client->loop = loop_new();
	client->map_key = xasprintf("%s.map", settings->redis.prefix);
	client->journal = journal_open(settings->state_dir);
	client->ack_channel = xasprintf("%s.ack", settings->redis.prefix);
	if (begin(client, fault_r) == -1 || check_map(client, need, fault_r) == -1)
		client_close(&client);
	return client;
}

int
client_reopen(struct client *client, struct fault *fault_r)
{
	redis_close(&client->redis);
	redis_close(&client->ear);
	client->open = client->lost = client->refused = false;
	client->subscribed = false;
	client->count = 0;
	client->sessions++;
	client->map = (struct client_map){0};
	if (client_reach(client, fault_r) == 0 && check_map(client, client->need, fault_r) == 0)
		return 0;
	if (!client->lost)
		client_lose(client, fault_r);
	return -1;
}

void
client_close(struct client **client)
{
	struct client *c = *client;
	struct fault unimportant;

	if (c == NULL)
		return;
	if (c->identity != NULL && c->map.initialised)
		check_identity(c, &unimportant);
	identity_close(&c->identity);
	journal_close(&c->journal);
	redis_close(&c->redis);
	sentinel_free(&c->sentinel);
	redis_close(&c->ear);
	loop_free(&c->loop);
	redis_target_free(&c->target);
	free(c->map_key);
	free(c->ack_channel);
	free(c->ring);
	free(c);
	*client = NULL;
}
