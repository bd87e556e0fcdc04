/*
 * client_hear.c - what is published while a command waits             (driver)
 */
#include "map/client_inside.h"

#include "map/server.h"

static void
on_subscribed(void *ctx, const struct resp *reply)
{
	struct client *client = ctx;
	struct fault fault;

	if (reply == NULL)
		return; /* told to on_ear_closed() */
	client->subscribed = resp_type(reply) == RESP_ARRAY;
	if (client->subscribed)
		return;
	server_error(reply, "SUBSCRIBE", &fault);
	client_lose(client, &fault);
}

static void
on_ear_open(void *ctx, struct redis *ear)
{
	struct client *client = ctx;

	redis_words(ear, on_subscribed, client, "SUBSCRIBE", client->ack_channel, NULL);
}

static void
on_ear_closed(void *ctx, const struct fault *why)
{
	struct client *client = ctx;

	client->ear = NULL;
	client_lose(client, why);
}

static void
on_message(void *ctx, const struct resp *message)
{
	struct client *client = ctx;

	if (client->message_fn == NULL)
		return;
	client->heard = true;
	client->message_fn(client->message_ctx, resp_str(resp_at(message, 2)));
}

static bool
is_subscribed(void *ctx)
{
	const struct client *client = ctx;

	return client->subscribed || client->lost;
}

static bool
has_heard(void *ctx)
{
	const struct client *client = ctx;

	return client->heard || client->lost;
}

int
client_hear_acks(struct client *client, client_message_fn *fn, void *ctx, struct fault *fault_r)
{
	static const struct redis_events events = {
	    .open_fn = on_ear_open, .push_fn = on_message, .closed_fn = on_ear_closed};
	uint64_t patience_ms = (uint64_t)client->settings->redis.connect_timeout_ms;
	struct fault why;

	client->message_fn = fn;
	client->message_ctx = ctx;
	if (fn == NULL)
		return 0;
	if (!client->lost && client->ear == NULL)
		client->ear =
		    redis_open(client->loop, client->target, "splitmx-listens", &events, client);
	if (!loop_run_until(client->loop, is_subscribed, client, patience_ms + CLIENT_TIMEOUT_MS)) {
		fault_set(&why, VERDICT_TEMP, "Redis at %s does not answer SUBSCRIBE",
		    client_target(client));
		client_lose(client, &why);
	}
	if (client->lost)
		*fault_r = client->why;
	return client->lost ? -1 : 0;
}

void
client_listen(struct client *client, uint64_t ms)
{
	client->heard = false;
	loop_run_until(client->loop, has_heard, client, ms);
}
