/*
 * client_calls.c - a command's commands and their replies             (driver)
 *
 * A ring of whose reply is awaited, in the order in which they were sent.
 */
#include "map/client_inside.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>

enum { CLIENT_WORDS_MOST = 16 };

/* ---- how it fails */

void
client_lose(struct client *client, const struct fault *why)
{
	client->lost = true;
	client->count = 0;
	client->why = *why;
	redis_close(&client->redis);
	redis_close(&client->ear);
}

void
client_refuse(struct client *client, const struct fault *why)
{
	if (!client->refused)
		client->why = *why;
	client->refused = true;
}

/* ---- replies and commands */

static void
on_reply(void *ctx, const struct resp *reply)
{
	struct client *client = ctx;
	struct waiting waiting;

	if (reply == NULL || client->count == 0)
		return; /* the loss itself is told to on_closed() */
	waiting = client->ring[client->head];
	client->head = (client->head + 1) % client->ring_size;
	client->count--;
	client->replies++;
	if (waiting.fn != NULL) {
		waiting.fn(waiting.ctx, reply);
	} else if (resp_type(reply) == RESP_ERROR && !client->refused) {
		client->refused = true;
		fault_set(&client->why, VERDICT_TEMP, "Redis at %s refused: %.*s",
		    client_target(client), STR_FMT(resp_str(reply)));
	}
}

static void
ring_add(struct client *client, client_reply_fn *fn, void *ctx)
{
	if (client->count == client->ring_size) {
		size_t size = client->ring_size ? client->ring_size * 2 : 64;
		struct waiting *ring = xnew_array(struct waiting, size);

		for (size_t i = 0; i < client->count; i++)
			ring[i] = client->ring[(client->head + i) % client->ring_size];
		free(client->ring);
		client->ring = ring;
		client->ring_size = size;
		client->head = 0;
	}
	client->ring[(client->head + client->count) % client->ring_size] =
	    (struct waiting){fn, ctx};
	client->count++;
}

void
client_command(struct client *client, client_reply_fn *fn, void *ctx, const struct str *argv,
    size_t argc)
{
	if (client->lost)
		return;
	ring_add(client, fn, ctx);
	redis_command(client->redis, on_reply, client, argv, argc);
}

void
client_words(struct client *client, client_reply_fn *fn, void *ctx, ...)
{
	struct str argv[CLIENT_WORDS_MOST];
	size_t argc = 0;
	const char *word;
	va_list words;

	va_start(words, ctx);
	while ((word = va_arg(words, const char *)) != NULL) {
		must(argc < CLIENT_WORDS_MOST);
		argv[argc++] = str_of(word);
	}
	va_end(words);
	client_command(client, fn, ctx, argv, argc);
}

static bool
few_enough(void *ctx)
{
	const struct client *client = ctx;

	return client->lost || client->count <= client->open_most;
}

int
client_wait(struct client *client, size_t open_most, struct fault *fault_r)
{
	uint64_t before;

	client->open_most = open_most;
	if (client->redis != NULL)
		redis_flush(client->redis);
	do {
		before = client->replies;
		if (few_enough(client) ||
		    loop_run_until(client->loop, few_enough, client, CLIENT_TIMEOUT_MS))
			break;
	} while (client->replies != before);
	if (!few_enough(client)) {
		struct fault why;

		fault_set(&why, VERDICT_TEMP,
		    "Redis at %s has not answered for %d s; is it stopped, loading or overloaded?",
		    client_target(client), CLIENT_TIMEOUT_MS / 1000);
		client_lose(client, &why);
	}
	if (!client->lost && !client->refused)
		return 0;
	*fault_r = client->why;
	fault_r->verdict = VERDICT_TEMP;
	client->refused = false;
	return -1;
}

bool
client_is_lost(const struct client *client)
{
	return client->lost;
}
