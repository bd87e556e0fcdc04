/*
 * link_read.c - reading through a session                             (driver)
 *
 * Each read is one MULTI..EXEC and has the map's id in it: a Redis that was
 * emptied a moment ago has nothing to say about anybody, and that must never be
 * taken for an answer.
 */
#include "map/link_inside.h"

#include "base/mem.h"

static void
on_queued(void *ctx, const struct resp *reply)
{
	if (reply != NULL && resp_type(reply) != RESP_STATUS)
		link_refuse(ctx, reply, "a lookup");
}

void
link_read_begin(struct link *link)
{
	must(link->phase == LINK_LIVE);
	redis_words(link->wires[WIRE_D].redis, on_queued, link, "MULTI", NULL);
	redis_words(link->wires[WIRE_D].redis, on_queued, link, "HGET", link->head_key, "id", NULL);
}

void
link_read(struct link *link, const struct str *argv, size_t argc)
{
	redis_command(link->wires[WIRE_D].redis, on_queued, link, argv, argc);
}

void
link_read_end(struct link *link, redis_reply_fn *fn, void *ctx)
{
	redis_words(link->wires[WIRE_D].redis, fn, ctx, "EXEC", NULL);
}

void
link_flush(struct link *link)
{
	redis_flush(link->wires[WIRE_D].redis);
}

void
link_ask(struct link *link, const struct str *argv, size_t argc, redis_reply_fn *fn, void *ctx)
{
	must(link->phase == LINK_LIVE);
	redis_command(link->wires[WIRE_D].redis, fn, ctx, argv, argc);
}

struct redis *
link_beside(struct link *link, const char *name, const struct redis_events *events, void *ctx)
{
	must(link->phase == LINK_LIVE);
	return redis_open(link->loop, link->target, name, events, ctx);
}

const char *
link_map_id(const struct link *link)
{
	return link->head.id;
}

bool
link_read_is_good(struct link *link, const struct resp *reply, size_t count)
{
	const struct resp *id;
	struct fault fault;

	if (resp_count(reply) != count + 1) {
		link_refuse(link, reply, "a lookup");
		return false;
	}
	id = resp_at(reply, 0);
	if (resp_type(id) == RESP_STRING && str_is(resp_str(id), link->head.id))
		return true;
	if (resp_type(id) == RESP_NIL)
		fault_set(&fault, VERDICT_TEMP,
		    "the map is gone (no %s any more): restore it, or run splitmx init",
		    link->head_key);
	else if (resp_type(id) == RESP_STRING)
		fault_set(&fault, VERDICT_TEMP, "the map was exchanged: %s has another id",
		    link->head_key);
	else
		server_error(id, "a lookup", &fault);
	link_lost(link, &fault);
	return false;
}
