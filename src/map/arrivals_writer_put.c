/*
 * arrivals_writer_put.c - what arrived is counted and written         (driver)
 */
#include "map/arrivals_writer_inside.h"

#include "base/mem.h"
#include "map/rehearsed.h"
#include "map/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { SCORE_BYTES = 24 };

static const char lost_by_going_back[] =
    "Redis, or a policyd's file of arrivals, went back to a former state";

/* ---- counting */

bool
writer_is_doubted(const struct arrivals_writer *writer)
{
	const struct arrivals_part *part = writer->part;

	for (size_t i = 0; i < part->entry_count && !part->is_sure; i++) {
		const struct arrivals_entry *entry = &part->entries[i];
		const char *owner = writer->slots[writer->slot_of[i]].before.owner;

		if (entry->owner == ARRIVALS_OWNED && owner[0] != '\0' &&
		    !str_is(entry->now, owner))
			return true;
	}
	return false;
}

static void
count_entry(struct arrivals_writer *writer, size_t i)
{
	const struct arrivals_entry *entry = &writer->part->entries[i];
	struct tally_slot *slot = &writer->slots[writer->slot_of[i]];

	if (writer->is_repeated[entry->report] || entry->owner == ARRIVALS_UNMANAGED)
		return;
	if (entry->owner == ARRIVALS_UNSURE) {
		arrivals_set_unknown(&slot->after,
		    slot->after.owner[0] != '\0' ? str_of(slot->after.owner) : entry->message.owner,
		    entry->message.at_s, STR("nobody could say who owned it when it was counted"));
		slot->is_changed = true;
	} else if (arrivals_add(&slot->after, &entry->message, entry->now)) {
		writer->written.messages++;
		writer->written.strays += entry->message.is_stray;
		slot->is_changed = true;
	} else {
		writer->written.late++;
	}
}

/* Of those that came twice to us the first counts. */
static void
find_repeated(struct arrivals_writer *writer)
{
	const struct str *reports = writer->part->reports;

	for (size_t i = 0; i < writer->part->report_count; i++) {
		for (size_t k = 0; k < i && !writer->is_repeated[i]; k++)
			writer->is_repeated[i] = str_eq(reports[i], reports[k]);
		writer->written.repeated += writer->is_repeated[i];
	}
}

static void
count_part(struct arrivals_writer *writer)
{
	writer->written = (struct arrivals_written){0};
	find_repeated(writer);
	for (size_t i = 0; i < writer->slot_count; i++)
		writer->slots[i].after = writer->slots[i].before;
	for (size_t i = 0; i < writer->part->entry_count; i++)
		count_entry(writer, i);
}

/* ---- writing */

static void
on_queued(void *ctx, const struct resp *reply)
{
	if (reply != NULL && resp_type(reply) == RESP_ERROR)
		writer_refused(ctx, reply, "to count what has arrived");
}

/* An error inside is a key that is none of ours: the rest is written, and it is not tried again. */
static void
on_exec(void *ctx, const struct resp *reply)
{
	struct arrivals_writer *writer = ctx;
	struct fault fault;

	if (reply == NULL)
		return; /* on_closed() comes */
	if (resp_type(reply) == RESP_NIL && !writer->part->is_sure &&
	    ++writer->tries < ARRIVALS_TRIES_MOST) {
		writer_look(writer);
		return;
	}
	if (resp_type(reply) == RESP_NIL && writer->part->is_sure) {
		writer_end(writer, false); /* what we were sure of has changed */
		return;
	}
	if (resp_type(reply) != RESP_ARRAY) {
		if (!writer->is_refused && resp_type(reply) == RESP_ERROR)
			writer_refused(writer, reply, "to count what has arrived");
		writer_give_up(writer);
		return;
	}
	for (size_t i = 0; i < resp_count(reply); i++) {
		if (resp_type(resp_at(reply, i)) != RESP_ERROR)
			continue;
		server_error(resp_at(reply, i), "to count what has arrived", &fault);
		writer_warn(writer, &fault);
	}
	writer->last = writer->part->place;
	writer_end(writer, true);
}

static void
forget_reports(struct arrivals_writer *writer)
{
	struct str argv[2 + ARRIVALS_FORGOTTEN_MOST] = {STR("ZREM"), buf_str(&writer->reports_key)};
	size_t argc = 2;

	for (size_t i = 0; i < writer->old.count && argc < ARRAY_LEN(argv); i++)
		argv[argc++] = writer->old.keys[i];
	if (argc > 2)
		writer_send(writer, on_queued, argv, argc);
}

static void
write_reports(struct arrivals_writer *writer)
{
	char now[SCORE_BYTES];

	snprintf(now, sizeof(now), "%" PRId64, (int64_t)time(NULL));
	for (size_t i = 0; i < writer->part->report_count; i++) {
		struct str add[] = {STR("ZADD"), buf_str(&writer->reports_key), str_of(now),
		    writer->part->reports[i]};

		writer_send(writer, on_queued, add, ARRAY_LEN(add));
	}
	forget_reports(writer);
}

static void
write_slot(struct arrivals_writer *writer, struct tally_slot *slot)
{
	struct str set[2 + 2 * ARRIVALS_FIELDS_MOST] = {STR("HSET"), buf_str(&slot->key)};
	struct str del[] = {STR("DEL"), buf_str(&slot->key)};
	size_t count;

	if (!slot->is_changed)
		return;
	if (slot->is_odd || !arrivals_is_of(&slot->before, str_of(slot->after.owner)))
		writer_send(writer, on_queued, del, ARRAY_LEN(del));
	count = arrivals_write(&slot->after, &slot->texts, set + 2);
	writer_send(writer, on_queued, set, 2 + count);
}

/* When the first began to count; that something of all accounts was lost. */
static void
write_all(struct arrivals_writer *writer, int64_t unknown_s, const char *unknown)
{
	char now[REHEARSED_TIME_BYTES];
	struct buf field = BUF_INIT, value = BUF_INIT;

	rehearsed_time((int64_t)time(NULL), now);
	struct str since[] = {STR("HSETNX"), buf_str(&writer->all_key), STR("since"), str_of(now)};
	writer_send(writer, on_queued, since, ARRAY_LEN(since));
	if (unknown != NULL) {
		arrivals_unknown_field(&field, str_of(writer->part->node));
		arrivals_unknown_value(&value, unknown_s, str_of(unknown));
		struct str lost[] = {
		    STR("HSET"), buf_str(&writer->all_key), buf_str(&field), buf_str(&value)};
		writer_send(writer, on_queued, lost, ARRAY_LEN(lost));
	}
	buf_fini(&field);
	buf_fini(&value);
}

static void
write_part(struct arrivals_writer *writer, bool has_lost)
{
	const struct arrivals_part *part = writer->part;
	struct str multi[] = {STR("MULTI")}, exec[] = {STR("EXEC")};
	char place[ARRIVALS_PLACE_BYTES];

	arrivals_place_write(part->place, place);
	struct str set[] = {STR("SET"), buf_str(&writer->place_key), str_of(place)};
	writer_send(writer, on_queued, multi, ARRAY_LEN(multi));
	writer_send(writer, on_queued, set, ARRAY_LEN(set));
	write_reports(writer);
	for (size_t i = 0; i < writer->slot_count; i++)
		write_slot(writer, &writer->slots[i]);
	if (has_lost)
		write_all(writer, (int64_t)time(NULL),
		    part->unknown != NULL ? part->unknown : lost_by_going_back);
	else
		write_all(writer, part->unknown_s, part->unknown);
	writer_send(writer, on_exec, exec, ARRAY_LEN(exec));
}

void
writer_put(struct arrivals_writer *writer, bool has_lost)
{
	count_part(writer);
	write_part(writer, has_lost);
}
