/*
 * sentinel.c - where the master is, by those who watch it             (driver)
 */
#include "map/sentinel.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/redis.h"
#include "map/sentinel_words.h"

#include <sodium.h>
#include <stdlib.h>

enum {
	PATIENCE_MS = 200, /* for one sentinel, from connecting to its answer */
	PING_MS = 5000, /* how often the one that we hear must say something */
	PAUSE_LEAST_MS = 250, /* before the next one is listened to; doubles ... */
	PAUSE_DOUBLINGS = 7 /* ... up to 32 s */
};

struct sentinel {
	struct loop *loop;
	char *master;
	struct redis_target **targets; /* of each sentinel */
	size_t count;

	struct redis *asked; /* NULL: no question is on its way */
	size_t first, at, tried; /* whom to ask first; who is being asked, and was before */
	struct timer *patience;
	sentinel_answer_fn *answer_fn; /* NULL: nothing is asked */
	void *answer_ctx;
	struct buf said; /* by those who named nobody */

	struct redis *heard; /* NULL: pausing */
	size_t heard_at;
	struct timer *pulse; /* the next PING, or the end of the pause */
	unsigned pauses; /* since one was heard */
	sentinel_hint_fn *hint_fn; /* NULL: nobody listens */
	void *hint_ctx;
};

/* ---- asking */

static void try_one(struct sentinel *sentinel);

/* The question is over: another may be asked from inside the callback. */
static void
answer(struct sentinel *sentinel, const struct endpoint *address, const struct fault *why)
{
	sentinel_answer_fn *fn = sentinel->answer_fn;

	sentinel_cancel(sentinel);
	fn(sentinel->answer_ctx, address, why);
}

/* This one was of no help: the next. */
static void __attribute__((format(printf, 2, 3)))
try_next(struct sentinel *sentinel, const char *format, ...)
{
	struct fault fault;
	va_list args;

	if (buf_len(&sentinel->said) > 0)
		buf_addf(&sentinel->said, "; ");
	va_start(args, format);
	buf_vaddf(&sentinel->said, format, args);
	va_end(args);
	redis_close(&sentinel->asked);
	sentinel->at = (sentinel->at + 1) % sentinel->count;
	if (++sentinel->tried < sentinel->count) {
		try_one(sentinel);
		return;
	}
	fault_set(&fault, VERDICT_TEMP, "no sentinel says where the master %s is: %.*s",
	    sentinel->master, STR_FMT(buf_str(&sentinel->said)));
	answer(sentinel, NULL, &fault);
}

static void
on_answer(void *ctx, const struct resp *reply)
{
	struct sentinel *sentinel = ctx;
	struct endpoint address;
	struct fault fault;

	if (reply == NULL)
		return; /* on_asked_closed() follows */
	if (sentinel_read_answer(reply, &address, &fault) == -1) {
		try_next(sentinel, "Sentinel at %s %s",
		    redis_target_name(sentinel->targets[sentinel->at]), fault.text);
		return;
	}
	sentinel->first = sentinel->at;
	answer(sentinel, &address, NULL);
}

static void
on_asked_open(void *ctx, struct redis *redis)
{
	struct sentinel *sentinel = ctx;

	redis_words(redis, on_answer, sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME",
	    sentinel->master, NULL);
}

static void
on_asked_closed(void *ctx, const struct fault *why)
{
	struct sentinel *sentinel = ctx;

	sentinel->asked = NULL; /* gone by itself */
	try_next(sentinel, "%s", why->text);
}

static void
on_patience(void *ctx)
{
	struct sentinel *sentinel = ctx;

	try_next(sentinel, "Sentinel at %s has not answered within %d ms",
	    redis_target_name(sentinel->targets[sentinel->at]), PATIENCE_MS);
}

static void
try_one(struct sentinel *sentinel)
{
	static const struct redis_events events = {
	    .open_fn = on_asked_open, .closed_fn = on_asked_closed};

	sentinel->asked = redis_open(sentinel->loop, sentinel->targets[sentinel->at], "splitmx-ask",
	    &events, sentinel);
	timer_start(sentinel->patience, PATIENCE_MS);
}

void
sentinel_ask(struct sentinel *sentinel, sentinel_answer_fn *fn, void *ctx)
{
	must(sentinel->answer_fn == NULL);
	sentinel->answer_fn = fn;
	sentinel->answer_ctx = ctx;
	sentinel->at = sentinel->first;
	sentinel->tried = 0;
	buf_clear(&sentinel->said);
	try_one(sentinel);
}

void
sentinel_cancel(struct sentinel *sentinel)
{
	sentinel->answer_fn = NULL;
	timer_stop(sentinel->patience);
	redis_close(&sentinel->asked);
}

void
sentinel_doubt(struct sentinel *sentinel)
{
	sentinel->first = (sentinel->first + 1) % sentinel->count;
}

/* ---- listening */

static void
pause_start(struct sentinel *sentinel, const struct fault *why)
{
	uint32_t top_ms = PAUSE_LEAST_MS;

	/* Once: that the others are tried in vain too is of no more use to know. */
	if (sentinel->pauses == 0)
		log_warning("sentinel_lost", "server=%s why=%s",
		    redis_target_name(sentinel->targets[sentinel->heard_at]),
		    log_quote_text(why->text));
	top_ms <<= sentinel->pauses;
	if (sentinel->pauses < PAUSE_DOUBLINGS)
		sentinel->pauses++;
	redis_close(&sentinel->heard);
	sentinel->heard_at = (sentinel->heard_at + 1) % sentinel->count;
	timer_start(sentinel->pulse, PAUSE_LEAST_MS + randombytes_uniform(top_ms));
}

static void
on_subscribed(void *ctx, const struct resp *reply)
{
	struct sentinel *sentinel = ctx;
	struct fault fault;

	if (reply == NULL)
		return;
	if (resp_count(reply) == 3) {
		sentinel->pauses = 0;
		return;
	}
	fault_set(&fault, VERDICT_TEMP, "Sentinel at %s refused SUBSCRIBE: %s",
	    redis_target_name(sentinel->targets[sentinel->heard_at]), log_quote(resp_str(reply)));
	pause_start(sentinel, &fault);
}

static void
on_heard_open(void *ctx, struct redis *redis)
{
	redis_words(redis, on_subscribed, ctx, "SUBSCRIBE", "+switch-master", NULL);
}

static void
on_heard(void *ctx, const struct resp *message)
{
	struct sentinel *sentinel = ctx;
	struct endpoint address;

	if (!sentinel_read_switch(resp_str(resp_at(message, 2)), sentinel->master, &address))
		return; /* another master of theirs */
	sentinel->hint_fn(sentinel->hint_ctx, &address);
	sentinel->first = sentinel->heard_at; /* it is up to date, whoever is in doubt */
}

static void
on_heard_closed(void *ctx, const struct fault *why)
{
	struct sentinel *sentinel = ctx;

	sentinel->heard = NULL; /* gone by itself */
	pause_start(sentinel, why);
}

static void
on_pulse(void *ctx)
{
	static const struct redis_events events = {
	    .open_fn = on_heard_open, .push_fn = on_heard, .closed_fn = on_heard_closed};
	struct sentinel *sentinel = ctx;
	const struct redis_target *target = sentinel->targets[sentinel->heard_at];
	struct fault fault;

	if (sentinel->heard == NULL) {
		sentinel->heard =
		    redis_open(sentinel->loop, target, "splitmx-hear", &events, sentinel);
	} else if (redis_is_waiting(sentinel->heard)) {
		fault_set(&fault, VERDICT_TEMP, "Sentinel at %s has not answered for %d ms",
		    redis_target_name(target), PING_MS);
		pause_start(sentinel, &fault);
		return;
	} else {
		redis_words(sentinel->heard, NULL, NULL, "PING", NULL);
	}
	timer_start(sentinel->pulse, PING_MS);
}

void
sentinel_listen(struct sentinel *sentinel, sentinel_hint_fn *fn, void *ctx)
{
	sentinel->hint_fn = fn;
	sentinel->hint_ctx = ctx;
	/* Not all the processes of all hosts the same one. */
	sentinel->heard_at = randombytes_uniform((uint32_t)sentinel->count);
	timer_start(sentinel->pulse, 0);
}

/* ---- its life */

struct sentinel *
sentinel_new(struct loop *loop, const struct settings *settings, struct fault *fault_r)
{
	struct sentinel *sentinel = xnew(struct sentinel);

	sentinel->loop = loop;
	sentinel->master = xstrdup(settings->redis.sentinel_master);
	sentinel->count = settings->redis.sentinel_count;
	sentinel->targets = xnew_array(struct redis_target *, sentinel->count);
	sentinel->patience = timer_new(loop, on_patience, sentinel);
	sentinel->pulse = timer_new(loop, on_pulse, sentinel);
	for (size_t i = 0; i < sentinel->count; i++) {
		sentinel->targets[i] = redis_target_new_sentinel(settings, i, PATIENCE_MS, fault_r);
		if (sentinel->targets[i] == NULL) {
			sentinel_free(&sentinel);
			return NULL;
		}
	}
	return sentinel;
}

void
sentinel_free(struct sentinel **sentinelp)
{
	struct sentinel *sentinel = *sentinelp;

	if (sentinel == NULL)
		return;
	*sentinelp = NULL;
	redis_close(&sentinel->asked);
	redis_close(&sentinel->heard);
	timer_free(&sentinel->patience);
	timer_free(&sentinel->pulse);
	for (size_t i = 0; i < sentinel->count; i++)
		redis_target_free(&sentinel->targets[i]);
	free(sentinel->targets);
	buf_fini(&sentinel->said);
	free(sentinel->master);
	free(sentinel);
}
