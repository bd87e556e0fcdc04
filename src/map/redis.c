/*
 * redis.c - one connection to Redis                                   (driver)
 *
 * Every command has a place in a queue, and the replies find theirs by order
 * alone: so a reply that nobody waits for, and anything that is not RESP2, ends
 * the connection. What was written in one turn of the loop leaves in one write.
 */
#include "map/redis_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/queue.h>

enum {
	IN_MAX_BYTES = 256 * 1024,
	WORDS_MOST = 16,
	TELLING_BYTES = 4, /* of a password */
};

struct waiting {
	STAILQ_ENTRY(waiting) queue;
	redis_reply_fn *fn; /* NULL: nobody cares */
	void *ctx;
};

struct redis {
	struct loop *loop;
	const struct redis_target *target;
	char *name;
	struct redis_events events;
	void *ctx;
	struct conn *conn;
	struct timer *flusher;
	struct resp_reader *reader;
	STAILQ_HEAD(, waiting) waiting;
	size_t waiting_count;
	uint64_t owing_ms; /* since when replies are awaited and none has come */
	bool open, subscribed, closed;
};

/* ---- its life */

static void
redis_bury(void *object)
{
	struct redis *redis = object;
	struct waiting *waiting;

	while ((waiting = STAILQ_FIRST(&redis->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&redis->waiting, queue);
		free(waiting);
	}
	resp_reader_free(&redis->reader);
	free(redis->name);
	free(redis);
}

/* No event and no callback follows, and the memory goes after the turn. */
static void
redis_shut(struct redis *redis)
{
	redis->closed = true;
	conn_close(&redis->conn);
	timer_free(&redis->flusher);
	loop_bury(redis->loop, redis, redis_bury);
}

static struct waiting *
waiting_take(struct redis *redis)
{
	struct waiting *waiting = STAILQ_FIRST(&redis->waiting);

	if (waiting != NULL) {
		STAILQ_REMOVE_HEAD(&redis->waiting, queue);
		redis->waiting_count--;
	}
	return waiting;
}

static void
redis_lost(struct redis *redis, const struct fault *why)
{
	struct waiting *waiting;

	if (redis->closed)
		return;
	conn_read(redis->conn, false);
	while (!redis->closed && (waiting = waiting_take(redis)) != NULL) {
		if (waiting->fn != NULL)
			waiting->fn(waiting->ctx, NULL);
		free(waiting);
	}
	if (redis->closed)
		return; /* a callback closed it */
	redis_shut(redis);
	redis->events.closed_fn(redis->ctx, why);
}

static void
redis_fail(struct redis *redis, const char *what, const char *detail)
{
	struct fault fault;

	fault_set(&fault, VERDICT_TEMP, "%s at %s%s%s", redis->target->what, redis->target->name,
	    what, detail);
	redis_lost(redis, &fault);
}

void
redis_close(struct redis **redis)
{
	if (*redis == NULL)
		return;
	if (!(*redis)->closed)
		redis_shut(*redis);
	*redis = NULL;
}

/* ---- what arrives */

static bool
reply_is_message(const struct redis *redis, const struct resp *reply)
{
	return redis->subscribed && resp_count(reply) == 3 &&
	       str_is(resp_str(resp_at(reply, 0)), "message");
}

static void
reply_take(struct redis *redis, const struct resp *reply)
{
	struct waiting *waiting;

	if (reply_is_message(redis, reply)) {
		redis->events.push_fn(redis->ctx, reply);
		return;
	}
	if (resp_count(reply) == 3 && str_is(resp_str(resp_at(reply, 0)), "subscribe"))
		redis->subscribed = true;
	redis->owing_ms = clock_ms();
	waiting = waiting_take(redis);
	if (waiting == NULL && resp_type(reply) == RESP_ERROR) /* "max number of clients reached" */
		redis_fail(redis, ": ", log_quote(resp_str(reply)));
	else if (waiting == NULL)
		redis_fail(redis, " ", "sent a reply that nothing asked for");
	else if (waiting->fn != NULL)
		waiting->fn(waiting->ctx, reply);
	free(waiting);
}

static void
data_take(struct redis *redis)
{
	struct buf *in = conn_in(redis->conn);
	struct resp *reply;
	struct fault fault;
	int rc = 0;

	resp_feed(redis->reader, buf_str(in));
	buf_consume(in, buf_len(in));
	while (!redis->closed && (rc = resp_next(redis->reader, &reply, &fault)) == 1) {
		reply_take(redis, reply);
		resp_free(&reply);
	}
	if (!redis->closed && rc == -1)
		redis_fail(redis, ": ", fault.text);
}

/* ---- who we are: before anything else is sent */

/* Who does not know AUTH repeats its arguments, or begins to: nobody may read them in a log. */
static const char *
without_password(const struct redis *redis, struct str text)
{
	size_t len = redis->target->password_len < TELLING_BYTES ? redis->target->password_len
								 : TELLING_BYTES;
	const char *told =
	    len > 0 ? memmem(text.ptr, text.len, redis->target->password, len) : NULL;

	return log_quote(told != NULL ? str_make(text.ptr, (size_t)(told - text.ptr)) : text);
}

static void
auth_done(void *ctx, const struct resp *reply)
{
	struct redis *redis = ctx;

	if (reply != NULL && resp_type(reply) == RESP_ERROR)
		redis_fail(redis, redis->target->when_refused,
		    without_password(redis, resp_str(reply)));
}

static void
name_done(void *ctx, const struct resp *reply)
{
	struct redis *redis = ctx;

	if (reply == NULL)
		return;
	if (resp_is_error(reply, "NOAUTH")) {
		redis_fail(redis, redis->target->when_missing, log_quote(resp_str(reply)));
		return;
	}
	/* An ACL may forbid a name; that is no reason to be without a map. */
	redis->open = true;
	redis->events.open_fn(redis->ctx, redis);
}

static void
introduce(struct redis *redis)
{
	struct str password = str_make(redis->target->password, redis->target->password_len);
	struct str argv[3] = {STR("AUTH"), password, password};
	struct str setname[3] = {STR("CLIENT"), STR("SETNAME"), str_of(redis->name)};
	struct buf *out = conn_out(redis->conn);

	if (redis->target->password != NULL) {
		/* So that no copy is left behind by growing. */
		buf_room(out, REDIS_PASSWORD_MAX_BYTES + 512);
		if (redis->target->user != NULL)
			argv[1] = str_of(redis->target->user);
		redis_command(redis, auth_done, redis, argv, redis->target->user != NULL ? 3 : 2);
		redis_flush(redis);
	}
	redis_command(redis, name_done, redis, setname, ARRAY_LEN(setname));
}

static void
on_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	struct redis *redis = ctx;

	switch (event) {
	case CONN_OPEN:
		introduce(redis);
		break;
	case CONN_DATA:
		data_take(redis);
		break;
	case CONN_DRAINED:
		if (!redis->open)
			buf_wipe(conn_out(conn)); /* it held the password */
		break;
	case CONN_EOF:
		redis_fail(redis, " ", "closed the connection");
		break;
	case CONN_FAILED:
		redis_lost(redis, conn_fault(conn));
		break;
	case CONN_RELAYED:
	case CONN_IDLE:
		break;
	}
}

static void
on_flusher(void *ctx)
{
	redis_flush(ctx);
}

struct redis *
redis_open(struct loop *loop, const struct redis_target *target, const char *name,
    const struct redis_events *events, void *ctx)
{
	struct redis *redis = xnew(struct redis);

	redis->loop = loop;
	redis->target = target;
	redis->name = xstrdup(name);
	redis->events = *events;
	redis->ctx = ctx;
	redis->reader = resp_reader_new();
	redis->flusher = timer_new(loop, on_flusher, redis);
	STAILQ_INIT(&redis->waiting);
	redis->conn = conn_dial(loop, &target->endpoint, target->tls,
	    target->server_name != NULL ? target->server_name : target->endpoint.host,
	    target->connect_ms, on_conn, redis);
	conn_set_in_max(redis->conn, IN_MAX_BYTES);
	return redis;
}

/* ---- what leaves */

void
redis_command(struct redis *redis, redis_reply_fn *fn, void *ctx, const struct str *argv,
    size_t argc)
{
	struct waiting *waiting;

	if (redis->closed)
		return;
	waiting = xnew(struct waiting);
	waiting->fn = fn;
	waiting->ctx = ctx;
	STAILQ_INSERT_TAIL(&redis->waiting, waiting, queue);
	if (redis->waiting_count++ == 0)
		redis->owing_ms = clock_ms();
	resp_command(conn_out(redis->conn), argv, argc);
	if (!timer_is_running(redis->flusher))
		timer_start(redis->flusher, 0);
}

void
redis_words(struct redis *redis, redis_reply_fn *fn, void *ctx, ...)
{
	struct str argv[WORDS_MOST];
	const char *word;
	size_t argc = 0;
	va_list words;

	va_start(words, ctx);
	while ((word = va_arg(words, const char *)) != NULL) {
		must(argc < WORDS_MOST);
		argv[argc++] = str_of(word);
	}
	va_end(words);
	redis_command(redis, fn, ctx, argv, argc);
}

void
redis_flush(struct redis *redis)
{
	struct buf *out;

	if (redis->closed)
		return;
	timer_stop(redis->flusher);
	conn_flush(redis->conn);
	out = conn_out(redis->conn);
	if (!redis->open && buf_len(out) == 0)
		buf_wipe(out); /* it held the password */
}

bool
redis_is_waiting(const struct redis *redis)
{
	return !redis->open || redis->waiting_count > 0;
}

uint64_t
redis_silence_ms(const struct redis *redis, uint64_t now_ms)
{
	return redis->waiting_count > 0 ? now_ms - redis->owing_ms : 0;
}
