/*
 * private.h - a redis-server of our own, where none is configured     (driver)
 *
 * Without redis.url and redis.sentinels each host keeps its map in a redis-server that listens only
 * on state_dir/redis.sock and writes every change to its disk before it answers.
 * Whoever needs it first starts it, under a lock, as the owner of state_dir; it
 * belongs to nobody and outlives who started it.
 */
#ifndef MAP_PRIVATE_H
#define MAP_PRIVATE_H

#include "base/fault.h"
#include "base/settings.h"

/*
 * Make sure that it runs and holds a map, whatever that takes: for commands.
 * -1 and a sentence when it cannot. An empty Redis on a host that has seen a map
 * is not made a new map.
 */
int private_ensure(const struct settings *settings, struct fault *fault_r);

/*
 * The same from inside a loop: a child does it, and whoever tries to connect
 * will find it. Called again within two seconds it does nothing. -1 and a
 * sentence for what is known to be hopeless: no redis-server installed.
 */
int private_start(const struct settings *settings, struct fault *fault_r);

#endif
