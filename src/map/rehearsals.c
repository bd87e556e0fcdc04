/*
 * rehearsals.c - whose turn a rehearsal is, and what came of it       (driver)
 */
#include "map/rehearsals.h"

#include "base/log.h"
#include "base/mem.h"
#include "map/rehearsed.h"
#include "map/server.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

enum { WRITE_AFTER_MS = 500, WRITE_MOST = 256 /* in one turn */ };

struct rehearsals_question {
	LIST_ENTRY(rehearsals_question) entry;
	struct rehearsals *rehearsals;
	struct buf key;
	char *destination;
	int64_t interval_s;
	rehearsals_turn_fn *fn; /* NULL: nobody waits for it any more */
	void *ctx;
};

struct told {
	TAILQ_ENTRY(told) entry;
	struct rehearsals *rehearsals;
	struct buf key, value;
	char *destination;
};

TAILQ_HEAD(told_list, told);

struct rehearsals {
	struct link *link;
	char *prefix;
	struct timer *writing;
	LIST_HEAD(, rehearsals_question) questions; /* whose replies are awaited */
	size_t question_count;
	struct told_list waiting, sent;
	size_t told_count;
	bool has_warned; /* in this session */
};

static int64_t
now_s(void)
{
	return (int64_t)time(NULL);
}

static void
warn(struct rehearsals *rehearsals, const struct resp *reply, const char *doing)
{
	struct fault fault;

	if (rehearsals->has_warned)
		return;
	rehearsals->has_warned = true;
	server_error(reply, doing, &fault);
	log_warning("rehearsals", "reason=%s", log_quote_text(fault.text));
}

/* ---- asking */

static void
question_free(struct rehearsals_question *question)
{
	LIST_REMOVE(question, entry);
	question->rehearsals->question_count--;
	buf_fini(&question->key);
	free(question->destination);
	free(question);
}

static void
answer(struct rehearsals_question *question, bool is_ours, uint64_t wait_ms)
{
	rehearsals_turn_fn *fn = question->fn;
	void *ctx = question->ctx;

	question_free(question);
	if (fn != NULL)
		fn(ctx, is_ours, wait_ms);
}

/* The hash, in the reply to HGETALL; false: it is none, or not to be had. */
static bool
read_known(const struct rehearsals_question *question, const struct resp *reply,
    struct rehearsals_known *known_r)
{
	*known_r = (struct rehearsals_known){0};
	if (resp_type(reply) != RESP_ARRAY) {
		warn(question->rehearsals, reply, "what is known of rehearsals");
		return false;
	}
	for (size_t i = 0; i + 1 < resp_count(reply); i += 2)
		rehearsed_take(known_r, str_of(question->destination), resp_str(resp_at(reply, i)),
		    resp_str(resp_at(reply, i + 1)));
	return true;
}

/* Seconds to wait; -1: it cannot be known. */
static int64_t
wait_s(const struct rehearsals_question *question, const struct resp *reply)
{
	struct rehearsals_known known;

	if (!read_known(question, reply, &known))
		return -1;
	return rehearsed_wait_s(&known, question->interval_s, now_s());
}

static void
answer_wait(struct rehearsals_question *question, int64_t seconds)
{
	answer(question, seconds == 0,
	    seconds > 0 ? (uint64_t)seconds * 1000 : REHEARSALS_PAUSE_MS);
}

/* EXEC: [what there was before, the answer to HSET] */
static void
on_taken(void *ctx, const struct resp *reply)
{
	struct rehearsals_question *question = ctx;

	if (reply == NULL)
		return; /* rehearsals_lost() has answered it, or will */
	if (resp_count(reply) != 2 || resp_type(resp_at(reply, 1)) != RESP_INTEGER) {
		warn(question->rehearsals, resp_count(reply) == 2 ? resp_at(reply, 1) : reply,
		    "a rehearsal's turn");
		answer_wait(question, -1);
		return;
	}
	answer_wait(question, wait_s(question, resp_at(reply, 0)));
}

/* In one step: see that nobody else tries, and say that we do. */
static void
take_turn(struct rehearsals_question *question)
{
	struct link *link = question->rehearsals->link;
	char now[REHEARSED_TIME_BYTES];
	struct buf field = BUF_INIT;
	struct str multi[] = {STR("MULTI")}, exec[] = {STR("EXEC")};
	struct str get[] = {STR("HGETALL"), buf_str(&question->key)};

	rehearsed_time(now_s(), now);
	rehearsed_trying(&field, str_of(question->destination));
	struct str set[] = {STR("HSET"), buf_str(&question->key), buf_str(&field), str_of(now)};
	link_ask(link, multi, ARRAY_LEN(multi), NULL, NULL);
	link_ask(link, get, ARRAY_LEN(get), NULL, NULL);
	link_ask(link, set, ARRAY_LEN(set), NULL, NULL); /* not allowed: EXEC says so */
	link_ask(link, exec, ARRAY_LEN(exec), on_taken, question);
	buf_fini(&field);
}

/* Most ask in vain, and nothing is written for them. */
static void
on_looked(void *ctx, const struct resp *reply)
{
	struct rehearsals_question *question = ctx;
	int64_t seconds;

	if (reply == NULL)
		return;
	seconds = wait_s(question, reply);
	if (seconds != 0 || question->fn == NULL || !link_is_live(question->rehearsals->link))
		answer_wait(question, seconds != 0 ? seconds : -1);
	else
		take_turn(question);
}

struct rehearsals_question *
rehearsals_ask(struct rehearsals *rehearsals, struct str account, struct str destination,
    uint64_t interval_ms, rehearsals_turn_fn *fn, void *ctx)
{
	struct rehearsals_question *question;

	if (!link_is_live(rehearsals->link) || rehearsals->question_count == REHEARSALS_ASKED_MOST)
		return NULL;
	question = xnew(struct rehearsals_question);
	question->rehearsals = rehearsals;
	question->destination = xstrndup(destination.ptr, destination.len);
	question->interval_s = (int64_t)(interval_ms / 1000);
	question->fn = fn;
	question->ctx = ctx;
	rehearsed_key(&question->key, rehearsals->prefix, account);
	LIST_INSERT_HEAD(&rehearsals->questions, question, entry);
	rehearsals->question_count++;
	struct str get[] = {STR("HGETALL"), buf_str(&question->key)};
	link_ask(rehearsals->link, get, ARRAY_LEN(get), on_looked, question);
	return question;
}

void
rehearsals_forget(struct rehearsals_question **question)
{
	if (*question != NULL)
		(*question)->fn = NULL; /* its reply is still to come */
	*question = NULL;
}

/* ---- telling */

static void
told_free(struct told_list *list, struct told *told)
{
	TAILQ_REMOVE(list, told, entry);
	told->rehearsals->told_count--;
	buf_fini(&told->key);
	buf_fini(&told->value);
	free(told->destination);
	free(told);
}

static void
on_written(void *ctx, const struct resp *reply)
{
	struct told *told = ctx;

	if (reply == NULL)
		return; /* rehearsals_lost() keeps it, or has */
	if (resp_type(reply) != RESP_INTEGER)
		warn(told->rehearsals, reply, "what a rehearsal has shown");
	told_free(&told->rehearsals->sent, told);
}

static void
write_one(struct rehearsals *rehearsals, struct told *told)
{
	struct buf field = BUF_INIT;

	rehearsed_trying(&field, str_of(told->destination));
	struct str set[] = {
	    STR("HSET"), buf_str(&told->key), str_of(told->destination), buf_str(&told->value)};
	struct str del[] = {STR("HDEL"), buf_str(&told->key), buf_str(&field)};
	link_ask(rehearsals->link, del, ARRAY_LEN(del), NULL, NULL);
	link_ask(rehearsals->link, set, ARRAY_LEN(set), on_written, told);
	TAILQ_REMOVE(&rehearsals->waiting, told, entry);
	TAILQ_INSERT_TAIL(&rehearsals->sent, told, entry);
	buf_fini(&field);
}

static void
write_some(void *ctx)
{
	struct rehearsals *rehearsals = ctx;
	struct told *told;

	if (!link_is_live(rehearsals->link))
		return;
	for (size_t i = 0; i < WRITE_MOST; i++) {
		if ((told = TAILQ_FIRST(&rehearsals->waiting)) == NULL)
			return;
		write_one(rehearsals, told);
	}
	timer_start(rehearsals->writing, WRITE_AFTER_MS);
}

void
rehearsals_tell(struct rehearsals *rehearsals, struct str account, struct str destination,
    bool works)
{
	struct rehearsed rehearsed = {.works = works, .at_s = now_s()};
	struct told *told = xnew(struct told);

	if (rehearsals->told_count == REHEARSALS_TOLD_MOST && !TAILQ_EMPTY(&rehearsals->waiting))
		told_free(&rehearsals->waiting, TAILQ_FIRST(&rehearsals->waiting));
	told->rehearsals = rehearsals;
	told->destination = xstrndup(destination.ptr, destination.len);
	rehearsed_key(&told->key, rehearsals->prefix, account);
	rehearsed_add(&told->value, &rehearsed);
	TAILQ_INSERT_TAIL(&rehearsals->waiting, told, entry);
	rehearsals->told_count++;
	if (!timer_is_running(rehearsals->writing))
		timer_start(rehearsals->writing, WRITE_AFTER_MS);
}

/* ---- sessions */

void
rehearsals_live(struct rehearsals *rehearsals)
{
	rehearsals->has_warned = false;
	if (!TAILQ_EMPTY(&rehearsals->waiting))
		timer_start(rehearsals->writing, WRITE_AFTER_MS);
}

/* Replies do not come any more: what was not written may be written twice. */
void
rehearsals_lost(struct rehearsals *rehearsals)
{
	struct rehearsals_question *question;
	struct told *told;

	while ((told = TAILQ_LAST(&rehearsals->sent, told_list)) != NULL) {
		TAILQ_REMOVE(&rehearsals->sent, told, entry);
		TAILQ_INSERT_HEAD(&rehearsals->waiting, told, entry);
	}
	while ((question = LIST_FIRST(&rehearsals->questions)) != NULL)
		answer_wait(question, -1);
}

/* ---- life */

struct rehearsals *
rehearsals_new(struct loop *loop, struct link *link, const char *prefix)
{
	struct rehearsals *rehearsals = xnew(struct rehearsals);

	rehearsals->link = link;
	rehearsals->prefix = xstrdup(prefix);
	rehearsals->writing = timer_new(loop, write_some, rehearsals);
	LIST_INIT(&rehearsals->questions);
	TAILQ_INIT(&rehearsals->waiting);
	TAILQ_INIT(&rehearsals->sent);
	return rehearsals;
}

void
rehearsals_free(struct rehearsals **rehearsalsp)
{
	struct rehearsals *rehearsals = *rehearsalsp;
	struct rehearsals_question *question;

	if (rehearsals == NULL)
		return;
	*rehearsalsp = NULL;
	while ((question = LIST_FIRST(&rehearsals->questions)) != NULL)
		question_free(question);
	while (!TAILQ_EMPTY(&rehearsals->waiting))
		told_free(&rehearsals->waiting, TAILQ_FIRST(&rehearsals->waiting));
	while (!TAILQ_EMPTY(&rehearsals->sent))
		told_free(&rehearsals->sent, TAILQ_FIRST(&rehearsals->sent));
	timer_free(&rehearsals->writing);
	free(rehearsals->prefix);
	free(rehearsals);
}
