/*
 * link_begin.c - how a session comes about                            (driver)
 *
 * ASKING, CONNECTING, CHECKING, LISTENING, as link.c says; from the end to the beginning,
 * so that each step stands above the one that leads to it.
 */
#include "map/link_inside.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

enum { CHECKS = 6 }; /* replies to wait for in CHECKING */

static const char *const wire_names[] = {"splitmx-tracking", "splitmx-data", "splitmx-heart"};
_Static_assert(ARRAY_LEN(wire_names) == WIRES, "a connection lacks a name");

/* ---- LISTENING */

static void
on_subscribed(void *ctx, const struct resp *reply)
{
	struct wire *t = ctx;
	struct link *link = t->link;

	if (reply == NULL)
		return;
	if (resp_count(reply) != 3 || !str_is(resp_str(resp_at(reply, 0)), "subscribe")) {
		link_refuse(link, reply, "SUBSCRIBE");
		return;
	}
	if (!str_is(resp_str(resp_at(reply, 1)), link->barrier))
		return; /* the first of two */
	enter_start(link);
}

static void
on_tracking(void *ctx, const struct resp *reply)
{
	struct wire *t = ctx;

	if (reply == NULL)
		return;
	if (resp_type(reply) != RESP_STATUS) {
		link_refuse(t->link, reply, "CLIENT TRACKING");
		return;
	}
	redis_words(t->redis, on_subscribed, t, "SUBSCRIBE", "__redis__:invalidate", NULL);
	redis_words(t->redis, on_subscribed, t, "SUBSCRIBE", t->link->barrier, NULL);
}

static void
on_client_id(void *ctx, const struct resp *reply)
{
	struct wire *t = ctx;
	char id[24], prefix[512];

	if (reply == NULL)
		return;
	if (resp_type(reply) != RESP_INTEGER) {
		link_refuse(t->link, reply, "CLIENT ID");
		return;
	}
	snprintf(id, sizeof(id), "%" PRId64, resp_int(reply));
	snprintf(prefix, sizeof(prefix), "%s:", t->link->prefix);
	redis_words(t->redis, on_tracking, t, "CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST",
	    "PREFIX", prefix, NULL);
}

static void
listen_start(struct link *link)
{
	struct wire *t = &link->wires[WIRE_T];

	link_enter(link, LINK_LISTENING);
	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms);
	redis_words(t->redis, on_client_id, t, "CLIENT", "ID", NULL);
}

/* ---- CHECKING */

static void
check_done(struct link *link)
{
	struct fault fault;

	if (--link->checks_left > 0)
		return;
	for (int i = 1; i < WIRES; i++) {
		if (strcmp(link->wires[0].run_id, link->wires[i].run_id) == 0)
			continue;
		fault_set(&fault, VERDICT_TEMP,
		    "two connections to %s reached two servers: there must be no balancer in front "
		    "of Redis",
		    redis_target_name(link->target));
		link_lost(link, &fault);
		return;
	}
	if (link->refuses.text[0] != '\0')
		refuse_start(link);
	else
		listen_start(link);
}

static void
on_info(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct fault fault;

	if (reply == NULL)
		return;
	if (server_run_id(reply, wire->run_id, &fault) == -1)
		link_lost(wire->link, &fault);
	else
		check_done(wire->link);
}

static void
on_memory(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct fault fault;

	if (reply == NULL)
		return;
	if (server_keeps_all(reply, &fault) == -1)
		link_lost(wire->link, &fault);
	else
		check_done(wire->link);
}

static void
on_role(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;
	struct fault fault;

	if (reply == NULL)
		return;
	if (server_is_master(reply, &fault) == -1)
		link_lost(wire->link, &fault);
	else
		check_done(wire->link);
}

static void
on_first_head(void *ctx, const struct resp *reply)
{
	struct wire *wire = ctx;

	if (reply != NULL && head_take(wire->link, reply) == 0)
		check_done(wire->link);
}

static void
check_start(struct link *link)
{
	struct wire *wires = link->wires;

	link_enter(link, LINK_CHECKING);
	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms);
	link->checks_left = CHECKS;
	link->refuses.text[0] = '\0';
	identity_refresh(link->identity);
	for (int i = 0; i < WIRES; i++)
		redis_words(wires[i].redis, on_info, &wires[i], "INFO", "server", NULL);
	redis_words(wires[WIRE_T].redis, on_role, &wires[WIRE_T], "ROLE", NULL);
	redis_words(wires[WIRE_H].redis, on_memory, &wires[WIRE_H], "INFO", "memory", NULL);
	redis_words(wires[WIRE_D].redis, on_first_head, &wires[WIRE_D], "HGETALL", link->head_key,
	    NULL);
}

/* ---- CONNECTING */

static void
on_open(void *ctx, struct redis *redis)
{
	struct wire *wire = ctx;
	struct wire *wires = wire->link->wires;

	wire->open = true;
	if (wires[WIRE_T].open && wires[WIRE_D].open && wires[WIRE_H].open)
		check_start(wire->link);
}

static void
on_closed(void *ctx, const struct fault *why)
{
	struct wire *wire = ctx;

	wire->redis = NULL; /* it is gone already */
	link_lost(wire->link, why);
}

static void
wires_open(struct link *link)
{
	static const struct redis_events wire_events = {
	    .open_fn = on_open, .push_fn = on_push, .closed_fn = on_closed};

	link_enter(link, LINK_CONNECTING);
	/* A little longer than the dialling may take, which has the better reason. */
	timer_start(link->timer, (uint64_t)link->settings->redis.connect_timeout_ms + 100);
	for (int i = 0; i < WIRES; i++)
		link->wires[i].redis = redis_open(link->loop, link->target, wire_names[i],
		    &wire_events, &link->wires[i]);
}

/* ---- ASKING */

static void
on_address(void *ctx, const struct endpoint *address, const struct fault *why)
{
	struct link *link = ctx;

	if (address == NULL) {
		link_lost(link, why);
		return;
	}
	redis_target_move(link->target, address);
	wires_open(link);
}

void
link_connect(struct link *link)
{
	if (link->sentinel == NULL) {
		wires_open(link);
		return;
	}
	link_enter(link, LINK_ASKING);
	sentinel_ask(link->sentinel, on_address, link);
}

/*
 * The old master may answer for a while yet, and be believed, and lose what is
 * written to it. Nothing is known of the new one before the sentinel is asked.
 */
void
link_hear(void *ctx, const struct endpoint *address)
{
	struct link *link = ctx;
	struct fault fault;

	if (link->phase == LINK_LEAVING || link->phase == LINK_LEFT)
		return;
	if (link->phase != LINK_AWAY) {
		if (redis_target_is_at(link->target, address))
			return;
		fault_set(&fault, VERDICT_TEMP, "the master has moved to %s, says a sentinel",
		    endpoint_name(address));
		link_lost(link, &fault);
	}
	timer_start(link->timer, 0); /* instead of the pause */
}
