/*
 * client.h - the ownership map, as a command asks it                  (driver)
 *
 * A command has nothing else to do, so it may wait: it queues commands, each
 * with the function that gets its reply, and waits until they are answered.
 * Pipelines come by themselves: queue ten, wait once. Opening makes sure that
 * what answers is the map that is meant (FENCING: a master, initialised, of a
 * schema that we know, not older than what was seen from here before), because
 * whatever is written afterwards is believed by every node.
 *
 * Daemons do not use it: they have link.h and may not wait.
 */
#ifndef MAP_CLIENT_H
#define MAP_CLIENT_H

#include "base/fault.h"
#include "base/settings.h"
#include "base/str.h"
#include "map/identity.h"
#include "map/journal.h"
#include "map/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Without a single reply for so long; Redis's own worst pauses are below it. */
enum { CLIENT_TIMEOUT_MS = 10000 };

struct client;

enum client_need {
	CLIENT_NEEDS_REDIS, /* init: whatever master answers there, initialised or not */
	CLIENT_NEEDS_MAP, /* all others: a master with an initialised map of our schema */
	CLIENT_LOOKS, /* check: the same, but starts nothing */
	CLIENT_MENDS /* doctor: likewise, and also a former state of it: client_went_back() */
};

/* The hash splitmx.map, as it was when the client read it last. */
struct client_map {
	bool initialised; /* all else is 0 without it */
	struct map_head head;
};

/*
 * Connect as the settings say, starting the private redis-server where none is
 * configured, and check what answers. Where sentinels say who is the master they
 * are asked again for a while when that is of no use: redis.connect_timeout and
 * a few times at least. NULL and *fault_r, which says what to do.
 * "settings" is lent until client_close().
 */
struct client *client_open(const struct settings *settings, enum client_need need,
    struct fault *fault_r);
void client_close(struct client **client);

const char *client_target(const struct client *client); /* where; never holds a secret */
const char *client_address(const struct client *client); /* "host:port"; "": a Unix socket */
const char *client_prefix(const struct client *client); /* "splitmx" */
const struct client_map *client_map(const struct client *client);

/*
 * CLIENT_MENDS: the highest epoch that this host knows of or has written, where the map
 * is below it, else 0. What is written then leaves the epoch where it is, so that
 * no node takes such a map for the one it knows.
 */
uint64_t client_went_back(const struct client *client);

/* The epoch of a change that was written: client_map() shows it. */
void client_saw_epoch(struct client *client, uint64_t epoch);

/* It is on every server, and this host will believe no map that has less. */
void client_knows_epoch(struct client *client, uint64_t epoch);

/* Of this host's changes; lent as long as the client. seal.h writes it. */
struct journal *client_journal(struct client *client);

/* Read splitmx.map again into what client_map() shows. */
int client_read_map(struct client *client, struct fault *fault_r);

/* A reply, lent for the call. Never called when the connection is lost: client_wait() says so. */
typedef void client_reply_fn(void *ctx, const struct resp *reply);

/* Queue a command; fn may be NULL, then an error reply fails the next client_wait(). */
void client_command(struct client *client, client_reply_fn *fn, void *ctx, const struct str *argv,
    size_t argc);
void client_words(struct client *client, client_reply_fn *fn, void *ctx, ...)
    __attribute__((sentinel));

/*
 * Send what is queued and wait until at most "open_most" commands are without
 * reply (0: all answered). 0, or -1 and *fault_r (VERDICT_TEMP) when the connection was lost,
 * nothing came for CLIENT_TIMEOUT_MS, or a command without a function was
 * refused; after a loss everything fails.
 */
int client_wait(struct client *client, size_t open_most, struct fault *fault_r);
bool client_is_lost(const struct client *client);

/*
 * After a loss, or to follow a master that moved: connect again and check as
 * client_open() does. Nothing of before is remembered but what the host has seen:
 * no WATCH, no subscription. -1 and *fault_r: the client is lost, and may be
 * reopened again; client_map() is what could still be read.
 */
int client_reopen(struct client *client, struct fault *fault_r);

/* How often that was: what was written before may have been undone by a failover. */
unsigned client_sessions(const struct client *client);

/* A published message, lent for the call. */
typedef void client_message_fn(void *ctx, struct str message);

/*
 * Subscribe to "prefix.ack", on a second connection that is opened for it once
 * and stays; fn is called while the client waits or listens. NULL: no more calls.
 * When either connection is lost, so is the client. -1 and *fault_r: likewise.
 */
int client_hear_acks(struct client *client, client_message_fn *fn, void *ctx,
    struct fault *fault_r);

/* Wait for messages: until one was heard, the client is lost, or ms have passed. */
void client_listen(struct client *client, uint64_t ms);

#endif
