/*
 * arrivals_writer.c - what arrived, on its way into Redis             (driver)
 *
 *	WATCH all keys; GET place; ZSCORE each report; ZRANGEBYSCORE of old ones;
 *	HGETALL each; HGET the map's id
 *	MULTI; SET place; ZADD reports; ZREM old ones; HSET each; EXEC
 *
 * What begins with MULTI leaves when all before it is answered. Where EXEC says that somebody
 * came between, both are sent again.
 */
#include "map/arrivals_writer_inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- the end of a part */

void
writer_end(struct arrivals_writer *writer, bool is_counted)
{
	arrivals_written_fn *fn = writer->fn;
	void *ctx = writer->ctx;
	struct arrivals_written written = writer->written;

	timer_stop(writer->patience);
	HASH_CLEAR(hh, writer->by_account);
	for (size_t i = 0; i < writer->slot_count; i++)
		buf_fini(&writer->slots[i].key);
	free(writer->slots);
	free(writer->slot_of);
	free(writer->is_repeated);
	writer->slots = NULL;
	writer->slot_of = NULL;
	writer->is_repeated = NULL;
	writer->slot_count = 0;
	writer->part = NULL;
	if (!is_counted)
		written = (struct arrivals_written){.is_doubted = written.is_doubted};
	written.is_counted = is_counted;
	fn(ctx, &written);
}

void
writer_give_up(struct arrivals_writer *writer)
{
	redis_close(&writer->redis);
	writer->is_open = false;
	if (writer->part != NULL)
		writer_end(writer, false);
}

void
writer_warn(struct arrivals_writer *writer, const struct fault *fault)
{
	if (!writer->has_warned)
		log_warning("arrivals", "reason=%s", log_quote_text(fault->text));
	writer->has_warned = true;
}

void
writer_refused(struct arrivals_writer *writer, const struct resp *reply, const char *doing)
{
	struct fault fault;

	writer->is_refused = true;
	server_error(reply, doing, &fault);
	writer_warn(writer, &fault);
}

/* ---- looking */

void
writer_send(struct arrivals_writer *writer, redis_reply_fn *fn, const struct str *argv, size_t argc)
{
	redis_command(writer->redis, fn, writer, argv, argc);
}

static void
looked(struct arrivals_writer *writer)
{
	enum arrivals_step step =
	    arrivals_step(&writer->found, &writer->last, &writer->part->place);

	if (writer->is_refused) {
		writer_give_up(writer);
		return;
	}
	if (step == ARRIVALS_APPLIED) {
		writer->last = writer->found;
		writer->written = (struct arrivals_written){0};
		writer_end(writer, true);
		return;
	}
	writer->written.is_doubted = writer_is_doubted(writer);
	if (writer->written.is_doubted)
		writer_end(writer, false);
	else
		writer_put(writer, step == ARRIVALS_APPLY_LOST);
}

static void
on_watched(void *ctx, const struct resp *reply)
{
	if (reply != NULL && resp_type(reply) == RESP_ERROR)
		writer_refused(ctx, reply, "to watch what has arrived");
}

/* What is no place is none: then what was there has gone. */
static void
on_place(void *ctx, const struct resp *reply)
{
	struct arrivals_writer *writer = ctx;

	if (reply == NULL)
		return;
	writer->found = (struct arrivals_place){.batch = 0};
	if (resp_type(reply) == RESP_ERROR && !resp_is_error(reply, "WRONGTYPE"))
		writer_refused(writer, reply, "to show what has arrived");
	else if (resp_type(reply) == RESP_STRING)
		(void)arrivals_place_read(resp_str(reply), &writer->found);
}

static void
on_report(void *ctx, const struct resp *reply)
{
	struct arrivals_writer *writer = ctx;

	if (reply == NULL)
		return;
	if (resp_type(reply) == RESP_ERROR)
		writer_refused(writer, reply, "to show which reports have come");
	writer->is_repeated[writer->looked_reports++] = resp_type(reply) == RESP_STRING;
}

static void
on_old(void *ctx, const struct resp *reply)
{
	struct arrivals_writer *writer = ctx;

	if (reply == NULL)
		return;
	batch_clear(&writer->old);
	if (resp_type(reply) == RESP_ARRAY)
		batch_fill(&writer->old, reply);
	else
		writer_refused(writer, reply, "to show which reports have come");
}

static void
on_hash(void *ctx, const struct resp *reply)
{
	struct arrivals_writer *writer = ctx;
	struct tally_slot *slot;

	if (reply == NULL)
		return;
	slot = &writer->slots[writer->looked_slots++];
	slot->before = (struct arrivals){0};
	slot->is_odd = resp_is_error(reply, "WRONGTYPE");
	slot->is_changed = false;
	if (slot->is_odd)
		arrivals_take(&slot->before, STR("unknown"), STR("")); /* cannot be read */
	else if (resp_type(reply) == RESP_ERROR)
		writer_refused(writer, reply, "to show what has arrived");
	for (size_t i = 0; i + 1 < resp_count(reply); i += 2)
		arrivals_take(&slot->before, resp_str(resp_at(reply, i)),
		    resp_str(resp_at(reply, i + 1)));
}

/* The last one. Another map's: the session will see it too, and say so. */
static void
on_map_id(void *ctx, const struct resp *reply)
{
	struct arrivals_writer *writer = ctx;

	if (reply == NULL)
		return;
	if (resp_type(reply) != RESP_STRING || !str_is(resp_str(reply), link_map_id(writer->link)))
		writer->is_refused = true;
	looked(writer);
}

static void
watch(struct arrivals_writer *writer)
{
	struct str *argv = xnew_array(struct str, 2 + writer->slot_count);
	size_t argc = 0;

	argv[argc++] = STR("WATCH");
	argv[argc++] = buf_str(&writer->place_key);
	for (size_t i = 0; i < writer->slot_count; i++)
		argv[argc++] = buf_str(&writer->slots[i].key);
	writer_send(writer, on_watched, argv, argc);
	free(argv);
}

/* A few at a time: after a quiet night there may be very many, and Redis would stand still. */
static void
look_for_old(struct arrivals_writer *writer)
{
	char most[24], count[16];

	snprintf(most, sizeof(most), "(%" PRId64, (int64_t)time(NULL) - ARRIVALS_REMEMBERED_S);
	snprintf(count, sizeof(count), "%d", ARRIVALS_FORGOTTEN_MOST);
	struct str argv[] = {STR("ZRANGEBYSCORE"), buf_str(&writer->reports_key), STR("-inf"),
	    str_of(most), STR("LIMIT"), STR("0"), str_of(count)};
	writer_send(writer, on_old, argv, ARRAY_LEN(argv));
}

void
writer_look(struct arrivals_writer *writer)
{
	struct str get[] = {STR("GET"), buf_str(&writer->place_key)};
	struct buf map_key = BUF_INIT;

	writer->looked_reports = writer->looked_slots = 0;
	writer->is_refused = false;
	watch(writer);
	writer_send(writer, on_place, get, ARRAY_LEN(get));
	for (size_t i = 0; i < writer->part->report_count; i++) {
		struct str score[] = {
		    STR("ZSCORE"), buf_str(&writer->reports_key), writer->part->reports[i]};

		writer_send(writer, on_report, score, ARRAY_LEN(score));
	}
	look_for_old(writer);
	for (size_t i = 0; i < writer->slot_count; i++) {
		struct str all[] = {STR("HGETALL"), buf_str(&writer->slots[i].key)};

		writer_send(writer, on_hash, all, ARRAY_LEN(all));
	}
	buf_addf(&map_key, "%s.map", writer->prefix);
	struct str id[] = {STR("HGET"), buf_str(&map_key), STR("id")};
	writer_send(writer, on_map_id, id, ARRAY_LEN(id));
	buf_fini(&map_key);
}

/* ---- the connection */

static void
on_open(void *ctx, struct redis *redis)
{
	struct arrivals_writer *writer = ctx;

	writer->is_open = true;
	if (writer->part != NULL)
		writer_look(writer);
}

static void
on_push(void *ctx, const struct resp *message)
{
}

static void
on_closed(void *ctx, const struct fault *why)
{
	struct arrivals_writer *writer = ctx;

	writer->redis = NULL; /* it has closed itself */
	writer->is_open = false;
	if (writer->part == NULL)
		return;
	writer_warn(writer, why);
	writer_end(writer, false);
}

static void
on_patience(void *ctx)
{
	struct arrivals_writer *writer = ctx;
	struct fault fault;

	fault_set(&fault, VERDICT_TEMP, "Redis did not count what has arrived within %d ms",
	    ARRIVALS_PATIENCE_MS);
	writer_warn(writer, &fault);
	writer_give_up(writer);
}

/* ---- putting */

/* Where each entry's account is among the slots. */
static void
find_slots(struct arrivals_writer *writer)
{
	const struct arrivals_part *part = writer->part;

	writer->slots = xnew_array(struct tally_slot, part->entry_count);
	writer->slot_of = xnew_array(size_t, part->entry_count);
	writer->is_repeated = xnew_array(bool, part->report_count);
	for (size_t i = 0; i < part->entry_count; i++) {
		struct str account = part->entries[i].account;
		struct tally_slot *slot;

		HASH_FIND(hh, writer->by_account, account.ptr, account.len, slot);
		if (slot == NULL) {
			slot = &writer->slots[writer->slot_count++];
			slot->account = account;
			arrivals_key(&slot->key, writer->prefix, account);
			HASH_ADD_KEYPTR(hh, writer->by_account, slot->account.ptr, account.len,
			    slot);
		}
		writer->slot_of[i] = (size_t)(slot - writer->slots);
	}
}

bool
arrivals_writer_is_ready(const struct arrivals_writer *writer)
{
	return writer->part == NULL && link_is_live(writer->link);
}

void
arrivals_writer_put(struct arrivals_writer *writer, const struct arrivals_part *part,
    arrivals_written_fn *fn, void *ctx)
{
	static const struct redis_events events = {
	    .open_fn = on_open, .push_fn = on_push, .closed_fn = on_closed};

	must(arrivals_writer_is_ready(writer));
	must(part->report_count > 0 || part->entry_count == 0);
	writer->part = part;
	writer->fn = fn;
	writer->ctx = ctx;
	writer->tries = 0;
	writer->written = (struct arrivals_written){0};
	buf_clear(&writer->place_key);
	arrivals_batch_key(&writer->place_key, writer->prefix, str_of(part->node));
	if (writer->last_node == NULL || strcmp(writer->last_node, part->node) != 0) {
		free(writer->last_node);
		writer->last_node = xstrdup(part->node);
		writer->last = (struct arrivals_place){.batch = 0};
	}
	find_slots(writer);
	timer_start(writer->patience, ARRIVALS_PATIENCE_MS);
	if (writer->redis == NULL)
		writer->redis = link_beside(writer->link, "splitmx-arrivals", &events, writer);
	else if (writer->is_open)
		writer_look(writer);
}

void
arrivals_writer_lost(struct arrivals_writer *writer)
{
	writer->has_warned = false;
	writer_give_up(writer);
}

static void
nobody(void *ctx, const struct arrivals_written *written)
{
}

/* What was sent may still come to pass. */
void
arrivals_writer_forget(struct arrivals_writer *writer)
{
	writer->fn = nobody;
	if (writer->part != NULL)
		writer_give_up(writer);
}

/* ---- life */

struct arrivals_writer *
arrivals_writer_new(struct loop *loop, struct link *link, const char *prefix)
{
	struct arrivals_writer *writer = xnew(struct arrivals_writer);

	writer->loop = loop;
	writer->link = link;
	writer->prefix = xstrdup(prefix);
	writer->patience = timer_new(loop, on_patience, writer);
	arrivals_reports_key(&writer->reports_key, prefix);
	arrivals_all_key(&writer->all_key, prefix);
	return writer;
}

void
arrivals_writer_free(struct arrivals_writer **writerp)
{
	struct arrivals_writer *writer = *writerp;

	if (writer == NULL)
		return;
	*writerp = NULL;
	arrivals_writer_forget(writer);
	redis_close(&writer->redis);
	timer_free(&writer->patience);
	batch_fini(&writer->old);
	buf_fini(&writer->place_key);
	buf_fini(&writer->reports_key);
	buf_fini(&writer->all_key);
	free(writer->prefix);
	free(writer->last_node);
	free(writer);
}
