/*
 * client_inside.h - what the files of a client share                  (driver)
 *
 * client.c has its life and the map it believes, client_reach.c the way to the
 * master, client_calls.c commands and replies, client_hear.c what is published.
 */
#ifndef MAP_CLIENT_INSIDE_H
#define MAP_CLIENT_INSIDE_H

#include "map/client.h"
#include "map/redis.h"
#include "map/sentinel.h"
#include "net/loop.h"

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
	struct journal *journal;
	char *map_key, *ack_channel;
};

/* ---- client_reach.c */

/* FENCING, W1: somebody answers there, and is a master. */
int client_reach(struct client *client, struct fault *fault_r);

/* ---- client_calls.c */

/* Both connections live and die together. */
void client_lose(struct client *client, const struct fault *why);

/* What a reply says is of no use: the next client_wait() fails with the first such reason. */
void client_refuse(struct client *client, const struct fault *why);

#endif
