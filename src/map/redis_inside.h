/*
 * redis_inside.h - where Redis is, and as whom we come                (driver)
 *
 * redis_target.c makes it, redis.c connects with it.
 */
#ifndef MAP_REDIS_INSIDE_H
#define MAP_REDIS_INSIDE_H

#include "map/redis.h"

enum { REDIS_PASSWORD_MAX_BYTES = 4096 };

struct tls_context;

struct redis_target {
	struct endpoint endpoint; /* by sentinels: no host before redis_target_move() */
	struct tls_context *tls; /* NULL: none */
	char *server_name; /* NULL: the host */
	char *name, *user;
	char *password; /* NULL: none; wiped */
	size_t password_len;
	uint64_t connect_ms;
	char *master; /* NULL: not by sentinels */
	const char *what; /* "Redis", "Sentinel" */
	const char *when_refused, *when_missing; /* user and password: what to look at */
};

#endif
