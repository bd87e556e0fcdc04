/*
 * client_reach.c - a command's way to the master                      (driver)
 *
 * Where sentinels say who is the master they are asked before each try.
 */
#include "map/client_inside.h"

#include "base/clock.h"
#include "map/private.h"
#include "map/server.h"

enum {
	TRIES_LEAST = 5, /* to reach a master, where sentinels name it */
	TRY_PAUSE_MS = 200
};

/* ---- where it is */

static bool
is_found(void *ctx)
{
	const struct client *client = ctx;

	return client->found || client->lost;
}

static void
on_address(void *ctx, const struct endpoint *address, const struct fault *why)
{
	struct client *client = ctx;

	if (address != NULL) {
		redis_target_move(client->target, address);
		client->found = true;
	} else {
		client->why = *why;
		client->lost = true;
	}
}

static int
find(struct client *client, struct fault *fault_r)
{
	client->found = false;
	sentinel_ask(client->sentinel, on_address, client);
	while (!is_found(client)) /* each sentinel has its time, and then there is an answer */
		loop_run_until(client->loop, is_found, client, CLIENT_TIMEOUT_MS);
	if (client->found)
		return 0;
	*fault_r = client->why;
	return -1;
}

/* ---- one try */

static void
on_open(void *ctx, struct redis *redis)
{
	struct client *client = ctx;

	client->open = true;
}

static void
on_closed(void *ctx, const struct fault *why)
{
	struct client *client = ctx;

	client->redis = NULL; /* gone by itself */
	client_lose(client, why);
}

static bool
is_open(void *ctx)
{
	const struct client *client = ctx;

	return client->open || client->lost;
}

static int
dial(struct client *client, struct fault *fault_r)
{
	static const struct redis_events events = {.open_fn = on_open, .closed_fn = on_closed};
	uint64_t patience_ms = (uint64_t)client->settings->redis.connect_timeout_ms;

	client->redis = redis_open(client->loop, client->target, "splitmx", &events, client);
	/* Connecting has a deadline of its own; AUTH is the rest. */
	if (!loop_run_until(client->loop, is_open, client, patience_ms + CLIENT_TIMEOUT_MS))
		return fault_set(fault_r, VERDICT_TEMP,
		    "Redis at %s takes the connection but does not answer", client_target(client));
	if (client->lost) {
		*fault_r = client->why;
		return -1;
	}
	return 0;
}

static void
on_role(void *ctx, const struct resp *reply)
{
	struct client *client = ctx;
	struct fault fault;

	if (server_is_master(reply, &fault) == -1)
		client_refuse(client, &fault);
}

static int
try_master(struct client *client, struct fault *fault_r)
{
	redis_close(&client->redis);
	client->open = client->lost = client->refused = false;
	client->count = 0;
	if (client->sentinel != NULL && find(client, fault_r) == -1)
		return -1;
	if (dial(client, fault_r) == -1)
		return -1;
	client_words(client, on_role, client, "ROLE", NULL);
	return client_wait(client, 0, fault_r);
}

/* ---- until one is of use */

static bool
never(void *ctx)
{
	return false;
}

/* A master that sentinels name may be on its way out: the next one is worth a moment. */
int
client_reach(struct client *client, struct fault *fault_r)
{
	uint64_t end_ms = clock_ms() + (uint64_t)client->settings->redis.connect_timeout_ms;
	unsigned tries = 1;

	if (settings_redis_is_private(client->settings) && client->need != CLIENT_LOOKS &&
	    client->need != CLIENT_MENDS && private_ensure(client->settings, fault_r) == -1)
		return -1;
	while (try_master(client, fault_r) == -1) {
		if (client->sentinel == NULL || (tries >= TRIES_LEAST && clock_ms() >= end_ms))
			return -1;
		tries++;
		sentinel_doubt(client->sentinel);
		loop_run_until(client->loop, never, client, TRY_PAUSE_MS);
	}
	return 0;
}
