/*
 * loop_inside.h - what the files of this layer know of a loop         (driver)
 *
 * For net/ only: the event base that conn.c, listener.c and resolve.c hang
 * their events on, the resolver, and one large piece of memory to read into,
 * so that a connection needs none of its own until bytes have come.
 */
#ifndef NET_LOOP_INSIDE_H
#define NET_LOOP_INSIDE_H

#include "net/loop.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <sys/queue.h>

enum { LOOP_SCRATCH_BYTES = 65536 };

struct event_base *loop_base(struct loop *loop);

/* LOOP_SCRATCH_BYTES, anybody's from call to return; the next reader overwrites it. */
char *loop_scratch(struct loop *loop);

/*
 * What has no owner any more but still something to do (a connection that sends
 * its rest) is the loop's: loop_free() calls end_fn, which takes it off.
 */
struct orphan {
	LIST_ENTRY(orphan) entry;
	void (*end_fn)(void *object);
	void *object;
};
void loop_adopt(struct loop *loop, struct orphan *orphan);

/* timer.c; one per loop. */
struct timers;
struct timers *timers_new(struct loop *loop);
void timers_free(struct timers **timers);
struct timers *loop_timers(struct loop *loop);

/* loop_pipes.c; one per loop. */
struct pipes;
struct pipes *loop_pipes(struct loop *loop);

/* Made at the first call, from /etc/resolv.conf and /etc/hosts. */
struct evdns_base *loop_dns(struct loop *loop);

#endif
