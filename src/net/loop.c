/*
 * loop.c - one thread's events: turns, signals, descriptors           (driver)
 *
 * Thin over libevent. A turn is one wait of the kernel and everything it
 * reported; what was buried meanwhile is freed after it.
 */
#include "net/loop.h"

#include "base/mem.h"
#include "net/loop_inside.h"
#include "net/loop_pipes.h"

#include <arpa/inet.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>

struct grave {
	STAILQ_ENTRY(grave) entry;
	void *object;
	void (*free_fn)(void *object);
};

struct signal_watch {
	SLIST_ENTRY(signal_watch) entry;
	struct event event;
	signal_fn *fn;
	void *ctx;
};

struct loop {
	struct event_base *base;
	struct evdns_base *dns;
	struct timers *timers;
	struct pipes *pipes;
	bool stopping;
	STAILQ_HEAD(, grave) graves;
	LIST_HEAD(, orphan) orphans;
	SLIST_HEAD(, signal_watch) signals;
	char scratch[LOOP_SCRATCH_BYTES];
};

struct watch {
	struct event event;
	struct loop *loop;
	watch_fn *fn;
	void *ctx;
	int fd;
	int interest;
};

struct loop *
loop_new(void)
{
	struct loop *loop = xnew(struct loop);
	struct event_config *config = event_config_new();

	must(config != NULL);
	must(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0);
	loop->base = event_base_new_with_config(config);
	must(loop->base != NULL);
	event_config_free(config);
	STAILQ_INIT(&loop->graves);
	LIST_INIT(&loop->orphans);
	SLIST_INIT(&loop->signals);
	loop->timers = timers_new(loop);
	loop->pipes = pipes_new();
	return loop;
}

static void
free_buried(struct loop *loop)
{
	struct grave *grave;

	while ((grave = STAILQ_FIRST(&loop->graves)) != NULL) {
		STAILQ_REMOVE_HEAD(&loop->graves, entry);
		grave->free_fn(grave->object); /* may bury more: it lands behind */
		free(grave);
	}
}

void
loop_free(struct loop **loop_ref)
{
	struct loop *loop = *loop_ref;
	struct signal_watch *watch;
	struct orphan *orphan;

	if (loop == NULL)
		return;
	*loop_ref = NULL;
	while ((orphan = LIST_FIRST(&loop->orphans)) != NULL)
		orphan->end_fn(orphan->object);
	while ((watch = SLIST_FIRST(&loop->signals)) != NULL) {
		SLIST_REMOVE_HEAD(&loop->signals, entry);
		event_del(&watch->event);
		free(watch);
	}
	free_buried(loop);
	if (loop->dns != NULL) {
		/*
		 * Lookups that were given up are still told so, from the loop and with the
		 * help of the resolver: evdns_base_free() before that would be too early.
		 */
		event_base_loop(loop->base, EVLOOP_NONBLOCK);
		evdns_base_free(loop->dns, 0);
		free_buried(loop);
	}
	timers_free(&loop->timers);
	free_buried(loop);
	pipes_free(&loop->pipes);
	event_base_free(loop->base);
	free(loop);
}

static void
turn(struct loop *loop)
{
	must(event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) != -1);
	if (!STAILQ_EMPTY(&loop->graves))
		free_buried(loop);
}

void
loop_run(struct loop *loop)
{
	while (!loop->stopping)
		turn(loop);
	loop->stopping = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

static void
say_expired(void *ctx)
{
	*(bool *)ctx = true;
}

bool
loop_run_until(struct loop *loop, bool (*done)(void *ctx), void *ctx, uint64_t timeout_ms)
{
	bool expired = false, is_done;
	struct timer *timer = timer_new(loop, say_expired, &expired);

	timer_start(timer, timeout_ms);
	while (!(is_done = done(ctx)) && !expired && !loop->stopping)
		turn(loop);
	loop->stopping = false;
	timer_free(&timer);
	return is_done;
}

void
loop_bury(struct loop *loop, void *object, void (*free_fn)(void *object))
{
	struct grave *grave = xnew(struct grave);

	grave->object = object;
	grave->free_fn = free_fn;
	STAILQ_INSERT_TAIL(&loop->graves, grave, entry);
}

void
loop_adopt(struct loop *loop, struct orphan *orphan)
{
	LIST_INSERT_HEAD(&loop->orphans, orphan, entry);
}

bool
loop_has_orphans(const struct loop *loop)
{
	return !LIST_EMPTY(&loop->orphans);
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

char *
loop_scratch(struct loop *loop)
{
	return loop->scratch;
}

struct timers *
loop_timers(struct loop *loop)
{
	return loop->timers;
}

struct pipes *
loop_pipes(struct loop *loop)
{
	return loop->pipes;
}

struct evdns_base *
loop_dns(struct loop *loop)
{
	if (loop->dns != NULL)
		return loop->dns;
	loop->dns = evdns_base_new(loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	must(loop->dns != NULL);
	/* Without the file, or a server in it, the one on this host: resolv.conf(5). */
	evdns_base_resolv_conf_parse(loop->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	if (evdns_base_count_nameservers(loop->dns) == 0)
		evdns_base_nameserver_ip_add(loop->dns, "127.0.0.1");
	return loop->dns;
}

/* ---- signals */

static void
signal_came(evutil_socket_t signo, short what, void *arg)
{
	struct signal_watch *watch = arg;

	watch->fn((int)signo, watch->ctx);
}

void
loop_on_signal(struct loop *loop, int signo, signal_fn *fn, void *ctx)
{
	struct signal_watch *watch = xnew(struct signal_watch);

	watch->fn = fn;
	watch->ctx = ctx;
	must(event_assign(&watch->event, loop->base, signo, EV_SIGNAL | EV_PERSIST, signal_came,
		 watch) == 0);
	must(event_add(&watch->event, NULL) == 0);
	SLIST_INSERT_HEAD(&loop->signals, watch, entry);
}

/* ---- descriptors */

static void
watch_ready(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	int ready = 0;

	if (what & EV_READ)
		ready |= WATCH_READ;
	if (what & EV_WRITE)
		ready |= WATCH_WRITE;
	watch->fn(ready, watch->ctx);
}

struct watch *
watch_new(struct loop *loop, int fd, watch_fn *fn, void *ctx)
{
	struct watch *watch = xnew(struct watch);

	watch->loop = loop;
	watch->fn = fn;
	watch->ctx = ctx;
	watch->fd = fd;
	must(event_assign(&watch->event, loop->base, fd, EV_PERSIST, watch_ready, watch) == 0);
	return watch;
}

void
watch_set(struct watch *watch, int interest)
{
	short what = EV_PERSIST;

	if (interest == watch->interest)
		return;
	if (watch->interest != 0)
		event_del(&watch->event);
	watch->interest = interest;
	if (interest == 0)
		return;
	if (interest & WATCH_READ)
		what |= EV_READ;
	if (interest & WATCH_WRITE)
		what |= EV_WRITE;
	must(event_assign(&watch->event, watch->loop->base, watch->fd, what, watch_ready, watch) ==
	     0);
	must(event_add(&watch->event, NULL) == 0);
}

void
watch_free(struct watch **watch_ref)
{
	struct watch *watch = *watch_ref;

	if (watch == NULL)
		return;
	*watch_ref = NULL;
	event_del(&watch->event);
	loop_bury(watch->loop, watch, free);
}
