/*
 * client.c - the ownership map, as a command asks it                  (driver)
 */
#include "map/client.h"

#include "base/clock.h"
#include "base/mem.h"
#include "map/private.h"
#include "map/redis.h"
#include "map/sentinel.h"
#include "map/server.h"
#include "net/loop.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
	CLIENT_WORDS_MOST = 16,
	TRIES_LEAST = 5, /* to reach a master, where sentinels name it */
	TRY_PAUSE_MS = 200
};

/* Whose reply is awaited, oldest first: a ring that grows. */
struct waiting {
	client_reply_fn *fn;
	void *ctx;
};

struct client {
	const struct settings *settings;
	enum client_need need;
	struct loop *loop;
	struct redis_target *target;
	struct sentinel *sentinel; /* NULL: none */
	struct redis *redis;
	struct redis *ear; /* subscribed; NULL: not yet */
	bool subscribed, heard;
	client_message_fn *message_fn; /* NULL: nobody listens */
	void *message_ctx;
	bool found, open, lost;
	struct fault why; /* of the loss, or of the first refused command without a function */
	bool refused;
	struct waiting *ring;
	size_t ring_size, head, count;
	size_t open_most; /* what client_wait() waits for */
	uint64_t replies; /* ever */
	unsigned sessions;
	struct client_map map;
	struct identity *identity; /* of an initialised map */
	uint64_t known_epoch; /* CLIENT_MENDS: the most that this host knows of this map */
	bool wrote; /* since it was noted there */
	struct journal *journal;
	char *map_key, *ack_channel;
};

static void
on_open(void *ctx, struct redis *redis)
{
	struct client *client = ctx;

	client->open = true;
}

/* Both connections live and die together. */
static void
lose(struct client *client, const struct fault *why)
{
	client->lost = true;
	client->count = 0;
	client->why = *why;
	redis_close(&client->redis);
	redis_close(&client->ear);
}

static void
on_closed(void *ctx, const struct fault *why)
{
	struct client *client = ctx;

	client->redis = NULL; /* gone by itself */
	lose(client, why);
}

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
		lose(client, &why);
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

static void
refuse(struct client *client, const struct fault *why)
{
	if (!client->refused)
		client->why = *why;
	client->refused = true;
}

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
		refuse(client, &fault);
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

	if (client->identity == NULL)
		client->identity = identity_open(client->settings->state_dir);
	if (client->need == CLIENT_MENDS && find_known_epoch(client, fault_r) == -1)
		return -1;
	if (client_went_back(client) > 0)
		return 0;
	if (identity_check(client->identity, &client->map.head, fault_r) == -1)
		return -1;
	identity_note(client->identity, &client->map.head, &unimportant);
	return 0;
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

void
client_saw_epoch(struct client *client, uint64_t epoch)
{
	if (epoch > client->map.head.epoch) {
		client->map.head.epoch = epoch;
		client->wrote = true;
	}
}

void
client_knows_epoch(struct client *client, uint64_t epoch)
{
	if (client->identity == NULL)
		return;
	identity_raise(client->identity, epoch);
	client->wrote = true;
}

/* FENCING, W1: what is written to a strange or an older map is worse than an error. */
static int
check_map(struct client *client, enum client_need need, struct fault *fault_r)
{
	if (client_read_map(client, fault_r) == -1)
		return -1;
	if (need == CLIENT_NEEDS_REDIS)
		return 0;
	if (!client->map.initialised)
		return fault_set(fault_r, VERDICT_PERM,
		    "Redis at %s has no ownership map (no key %s): if this is the right Redis, run "
		    "\"splitmx init\"; if there was a map before, its data is gone",
		    client_target(client), client->map_key);
	return check_identity(client, fault_r);
}

/* ---- the way to the master */

static bool
never(void *ctx)
{
	return false;
}

static bool
is_open(void *ctx)
{
	const struct client *client = ctx;

	return client->open || client->lost;
}

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
		refuse(client, &fault);
}

/* FENCING, W1: somebody answers there, and is a master. */
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

/* A master that sentinels name may be on its way out: the next one is worth a moment. */
static int
reach(struct client *client, struct fault *fault_r)
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

static int
begin(struct client *client, struct fault *fault_r)
{
	const struct settings *settings = client->settings;

	if ((client->target = redis_target_new(settings, fault_r)) == NULL)
		return -1;
	if (settings->redis.sentinel_count > 0 &&
	    (client->sentinel = sentinel_new(client->loop, settings, fault_r)) == NULL)
		return -1;
	return reach(client, fault_r);
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
	if (reach(client, fault_r) == 0 && check_map(client, client->need, fault_r) == 0)
		return 0;
	if (!client->lost)
		lose(client, fault_r);
	return -1;
}

/* ---- what is published */

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
	lose(client, &fault);
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
	lose(client, why);
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
		lose(client, &why);
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

void
client_close(struct client **client)
{
	struct client *c = *client;
	struct fault unimportant;

	if (c == NULL)
		return;
	if (c->identity != NULL && c->wrote && c->map.initialised)
		identity_note(c->identity, &c->map.head, &unimportant);
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
