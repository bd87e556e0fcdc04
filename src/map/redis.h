/*
 * redis.h - one connection to Redis                                   (driver)
 *
 * Commands go out in order, replies come back in order, each to its own
 * callback; after SUBSCRIBE, pushed messages go to push_fn and PING is answered
 * to its callback. Authenticates (AUTH, ACL user) and names itself before
 * anything else is sent. Any protocol error, any loss and any unexpected reply
 * ends the connection: closed_fn once, after every waiting callback was given
 * NULL. What runs over it stays small or is bounded by whoever pipelines.
 */
#ifndef MAP_REDIS_H
#define MAP_REDIS_H

#include "base/settings.h"
#include "map/resp.h"
#include "net/conn.h"

struct redis;

typedef void redis_reply_fn(void *ctx, const struct resp *reply); /* NULL: connection lost */

struct redis_events {
	void (*open_fn)(void *ctx, struct redis *redis); /* ready for commands */
	void (*push_fn)(void *ctx, const struct resp *message); /* ["message", channel, payload] */
	void (*closed_fn)(void *ctx, const struct fault *why); /* never after redis_close() */
};

/*
 * Where and as whom; made once from the settings (password file read, TLS
 * context made), shared by any number of connections. NULL and *fault_r where
 * the file cannot be read or is readable by everybody. With sentinels it is
 * known as whom, and redis_target_move() says where before anything is opened.
 */
struct redis_target;
struct redis_target *redis_target_new(const struct settings *settings, struct fault *fault_r);
void redis_target_free(struct redis_target **target);
const char *redis_target_name(const struct redis_target *target); /* never holds a secret */

/* "host:port", as Redis writes a replica's (IPv6 in brackets); "": a Unix socket. Lent for now. */
const char *redis_target_address(const struct redis_target *target);

/* The i-th of the sentinels, which speak the same protocol; connecting may take connect_ms. */
struct redis_target *redis_target_new_sentinel(const struct settings *settings, size_t i,
    uint64_t connect_ms, struct fault *fault_r);

/* Host and port of what is opened from now on; the name changes too. */
void redis_target_move(struct redis_target *target, const struct endpoint *address);
bool redis_target_is_at(const struct redis_target *target, const struct endpoint *address);

struct redis *redis_open(struct loop *loop, const struct redis_target *target, const char *name,
    const struct redis_events *events, void *ctx);
void redis_close(struct redis **redis); /* waiting callbacks are not called any more */

/* Queue a command; it leaves at the end of the turn or with redis_flush(). fn may be NULL. */
void redis_command(struct redis *redis, redis_reply_fn *fn, void *ctx, const struct str *argv,
    size_t argc);
/* The same for words that hold no spaces: redis_words(r, fn, ctx, "CLIENT", "ID", NULL). */
void redis_words(struct redis *redis, redis_reply_fn *fn, void *ctx, ...) __attribute__((sentinel));
void redis_flush(struct redis *redis);

/* Has it been asked something that it has not answered? Also while it is being opened. */
bool redis_is_waiting(const struct redis *redis);

/* For how long it has owed us replies and given none; 0 when nothing is awaited. */
uint64_t redis_silence_ms(const struct redis *redis, uint64_t now_ms);

#endif
