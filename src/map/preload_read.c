/*
 * preload_read.c - what a preload asks of Redis                       (driver)
 *
 * Redis answers what it has read in one turn of its loop at the end of that turn,
 * ours and that of others. So a load has two requests on their way, one for
 * names and one for the values of earlier ones, each sent when the one before it is
 * answered: Redis works at the one while we look at the other, it has always
 * something to do, and nobody waits for more than one or two of them.
 *
 * Where a name that SCAN gave has no value, MGET cannot say whether it is gone or
 * no string: then it is read by GET, as what has changed is.
 */
#include "map/preload_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	AGAIN_MOST = 100, /* changed keys that are read at one time */
	SLOW_MS = 5, /* a batch that takes so long has company */
	APART_US = 50, /* in which Redis wakes up and begins */
};
#define SCAN_COUNT "150" /* about 0.2 ms of Redis's time, in which nobody else is served */

/* ---- any request */

static void
refused(struct preload *preload, const struct resp *reply, const char *doing)
{
	struct fault fault;

	server_error(reply, doing, &fault);
	link_fail(preload->link, &fault);
}

/* False: it was asked under other settings, and all begins anew when all is answered. */
static bool
answered(struct preload *preload, unsigned what)
{
	preload->asking &= ~what;
	if (!preload->is_outdated)
		return true;
	if (preload->asking == 0)
		preload_anew(preload);
	return false;
}

/* ---- a load */

static void on_names(void *ctx, const struct resp *reply);
static void on_values(void *ctx, const struct resp *reply);

static void
ask_names(struct preload *preload)
{
	struct str scan[] = {STR("SCAN"), str_of(preload->cursor), STR("MATCH"),
	    buf_str(&preload->pattern), STR("COUNT"), STR(SCAN_COUNT)};

	link_read_begin(preload->link);
	link_read(preload->link, scan, ARRAY_LEN(scan));
	link_read_end(preload->link, on_names, preload);
	link_flush(preload->link);
	preload->asking |= ASKING_NAMES;
	preload->asked_us = clock_us();
}

static void
ask_values(struct preload *preload)
{
	struct batch *reading = &preload->reading;
	struct str *mget;

	batch_swap(reading, &preload->found[0]);
	for (size_t i = 1; i < preload->found_count; i++)
		batch_swap(&preload->found[i - 1], &preload->found[i]);
	preload->found_count--;
	mget = xnew_array(struct str, reading->count + 1);
	mget[0] = STR("MGET");
	memcpy(mget + 1, reading->keys, reading->count * sizeof(mget[0]));
	preload->moment = mirror_now(preload->mirror);
	link_read_begin(preload->link);
	link_read(preload->link, mget, reading->count + 1);
	link_read_end(preload->link, on_values, preload);
	link_flush(preload->link);
	free(mget);
	preload->asking |= ASKING_VALUES;
}

/* Whatever can be on its way now, names first: Redis begins with them at once. */
static void
ask_on(struct preload *preload)
{
	if (!mirror_is_open(preload->mirror) || timer_is_running(preload->timer))
		return;
	if ((preload->asking & ASKING_NAMES) == 0 && !preload->is_over &&
	    preload->found_count < FOUND_MOST)
		ask_names(preload);
	if ((preload->asking & ASKING_VALUES) == 0 && preload->found_count > 0)
		ask_values(preload);
}

static void
load_begin(struct preload *preload)
{
	mirror_begin(preload->mirror, (size_t)preload->keys_most * RECORDS_FACTOR);
	preload->moment = mirror_now(preload->mirror);
	snprintf(preload->cursor, sizeof(preload->cursor), "0");
	preload->is_over = false;
	preload->found_count = 0;
	preload->begun_ms = clock_ms();
	preload_enter(preload, PRELOAD_LOADING);
	preload_load(preload);
}

static void
load_end(struct preload *preload)
{
	struct mirror_counters count;

	must(mirror_end(preload->mirror, preload->moment));
	preload->took_ms = clock_ms() - preload->begun_ms;
	preload->losses = 0;
	preload_enter(preload, PRELOAD_COMPLETE);
	mirror_count(preload->mirror, &count);
	log_info("preload", "state=complete keys=%" PRIu64 " bytes=%" PRIu64 " ms=%" PRIu64,
	    count.records, count.used_bytes, preload->took_ms);
	preload_step_soon(preload, 0);
}

void
preload_load(struct preload *preload)
{
	ask_on(preload);
	if (preload->asking != 0 || timer_is_running(preload->timer))
		return;
	if (mirror_is_full(preload->mirror))
		preload_too_large(preload, "it has grown");
	else if (mirror_is_open(preload->mirror))
		load_end(preload);
	else
		preload_size_up(preload); /* everything has changed meanwhile */
}

/* [cursor, [key, ...]] */
static bool
take_names(struct preload *preload, const struct resp *step)
{
	struct str cursor = resp_str(resp_count(step) == 2 ? resp_at(step, 0) : step);

	if (resp_count(step) != 2 || resp_type(resp_at(step, 0)) != RESP_STRING ||
	    resp_type(resp_at(step, 1)) != RESP_ARRAY || cursor.len >= sizeof(preload->cursor)) {
		refused(preload, step, "SCAN");
		return false;
	}
	snprintf(preload->cursor, sizeof(preload->cursor), "%.*s", STR_FMT(cursor));
	preload->is_over = str_is(cursor, "0");
	batch_fill(&preload->found[preload->found_count], resp_at(step, 1));
	if (preload->found[preload->found_count].count > 0)
		preload->found_count++;
	return true;
}

static void
on_names(void *ctx, const struct resp *reply)
{
	struct preload *preload = ctx;
	uint64_t took_ms = (clock_us() - preload->asked_us) / 1000;

	if (reply == NULL || !link_read_is_good(preload->link, reply, 1))
		return; /* the session is over */
	if (!take_names(preload, resp_at(reply, 1)) || !answered(preload, ASKING_NAMES))
		return;
	if (took_ms >= SLOW_MS && !timer_is_running(preload->timer))
		timer_start(preload->timer, took_ms);
	preload_load(preload);
}

/* The key without prefix; false where a SCAN has named something that was not asked for. */
bool
preload_own_key(const struct preload *preload, struct str whole, struct str *key_r)
{
	if (whole.len <= preload->prefix_len || !str_starts(whole, preload->prefix) ||
	    whole.ptr[preload->prefix_len - 1] != ':')
		return false;
	*key_r = str_from(whole, preload->prefix_len);
	return true;
}

static void
store(struct preload *preload, const struct resp *values, uint64_t moment)
{
	struct str key;

	for (size_t i = 0; i < preload->storing.count; i++) {
		const struct resp *value = resp_at(values, i);

		if (!preload_own_key(preload, preload->storing.keys[i], &key))
			continue;
		mirror_put(preload->mirror, key,
		    resp_type(value) == RESP_STRING ? MIRROR_STRING : MIRROR_UNKNOWN,
		    resp_str(value), moment);
	}
}

/*
 * The next request leaves before these values are stored, Redis and we work at the
 * same time: but not right behind one for names. Redis would read both in one turn,
 * answer both at once, and so on for ever.
 */
static void
on_values(void *ctx, const struct resp *reply)
{
	struct preload *preload = ctx;
	uint64_t moment = preload->moment;
	const struct resp *values;

	if (reply == NULL || !link_read_is_good(preload->link, reply, 1))
		return;
	values = resp_at(reply, 1);
	if (resp_type(values) != RESP_ARRAY || resp_count(values) != preload->reading.count) {
		refused(preload, values, "MGET");
		return;
	}
	if (!answered(preload, ASKING_VALUES))
		return;
	batch_swap(&preload->storing, &preload->reading);
	if (clock_us() - preload->asked_us >= APART_US)
		ask_on(preload);
	store(preload, values, moment);
	preload_load(preload);
}

/* ---- before it: may we, and is it worth while? */

static void
on_tried(void *ctx, const struct resp *reply)
{
	struct preload *preload = ctx;
	struct fault fault;

	if (reply == NULL || resp_type(reply) != RESP_ERROR || preload->state != PRELOAD_SIZING)
		return;
	server_error(reply, "to preload", &fault);
	log_warning("preload", "state=refused why=%s", log_quote_text(fault.text));
	preload_enter(preload, PRELOAD_REFUSED);
}

static void
on_sized(void *ctx, const struct resp *reply)
{
	struct preload *preload = ctx;

	if (reply == NULL)
		return;
	on_tried(preload, reply);
	if (!answered(preload, ASKING_NAMES) || preload->state != PRELOAD_SIZING)
		return;
	preload->of = (uint64_t)resp_int(reply);
	if (resp_int(reply) < 0 || preload->of > preload->keys_most)
		preload_too_large(preload, "it is");
	else
		load_begin(preload);
}

/* In a transaction a command that is not allowed would end the session. */
void
preload_size_up(struct preload *preload)
{
	struct str scan[] = {STR("SCAN"), STR("0"), STR("COUNT"), STR("1")};
	struct str mget[] = {STR("MGET"), str_make(preload->prefix, preload->prefix_len)};
	struct str dbsize[] = {STR("DBSIZE")};

	timer_stop(preload->timer);
	preload_enter(preload, PRELOAD_SIZING);
	link_ask(preload->link, scan, ARRAY_LEN(scan), on_tried, preload);
	link_ask(preload->link, mget, ARRAY_LEN(mget), on_tried, preload);
	link_ask(preload->link, dbsize, ARRAY_LEN(dbsize), on_sized, preload);
	preload->asking |= ASKING_NAMES;
}

/* ---- after it: what has changed */

static bool
take_value(struct preload *preload, struct str whole, const struct resp *value)
{
	enum mirror_what what = MIRROR_STRING;
	struct str key;

	if (resp_type(value) == RESP_NIL)
		what = MIRROR_ABSENT;
	else if (resp_is_error(value, "WRONGTYPE"))
		what = MIRROR_ODD;
	else if (resp_type(value) != RESP_STRING) {
		refused(preload, value, "a lookup");
		return false;
	}
	if (preload_own_key(preload, whole, &key))
		mirror_put(preload->mirror, key, what, resp_str(value), preload->moment);
	return true;
}

static void
on_again(void *ctx, const struct resp *reply)
{
	struct preload *preload = ctx;
	const struct batch *batch = &preload->reading;

	if (reply == NULL || !link_read_is_good(preload->link, reply, batch->count))
		return;
	for (size_t i = 0; i < batch->count; i++) {
		if (!take_value(preload, batch->keys[i], resp_at(reply, i + 1)))
			return;
	}
	if (answered(preload, ASKING_VALUES))
		preload_step_soon(preload, 0);
}

/* False: there is nothing to read. */
bool
preload_again(struct preload *preload)
{
	struct batch *batch = &preload->reading;
	struct buf whole = BUF_INIT;
	struct str key, get[2] = {STR("GET")};

	batch_clear(batch);
	while (batch->count < AGAIN_MOST && mirror_next(preload->mirror, &key)) {
		buf_clear(&whole);
		buf_add(&whole, preload->prefix, preload->prefix_len);
		buf_add_str(&whole, key);
		batch_add(batch, buf_str(&whole));
	}
	buf_fini(&whole);
	if (batch->count == 0)
		return false;
	preload->moment = mirror_now(preload->mirror);
	link_read_begin(preload->link);
	for (size_t i = 0; i < batch->count; i++) {
		get[1] = batch->keys[i];
		link_read(preload->link, get, ARRAY_LEN(get));
	}
	link_read_end(preload->link, on_again, preload);
	preload->asking |= ASKING_VALUES;
	return true;
}
