/*
 * counter.c - what has arrived, from the milter's report to Redis     (driver)
 */
#include "policy/counter.h"

#include "base/log.h"
#include "base/mem.h"
#include "policy/counter_counts.h"
#include "policy/counter_part.h"
#include "policy/heritage.h"
#include "policy/ledger.h"

#include <stdlib.h>
#include <time.h>

struct counter {
	struct loop *loop;
	struct map *map;
	struct asker *asker;
	struct arrivals_writer *writer;
	struct ledger *ledger; /* NULL: it could not be opened yet */
	struct ledger *left; /* another node's, in hand; NULL: none */
	char *left_id;
	struct timer *timer, *finish, *looking;
	counter_finished_fn *finished_fn;
	void *finished_ctx;
	struct buf lines; /* of the batch in hand */
	struct str rest; /* of it */
	struct arrivals_place place; /* of the part in hand; batch 0: there is none */
	struct counter_part *part; /* NULL: none in hand */
	size_t asked; /* entries of it whose owner is known */
	struct question *question;
	bool is_writing;
	bool has_grumbled;
	struct counter_counts counts;
};

static int64_t
now_s(void)
{
	return (int64_t)time(NULL);
}

static void
grumble(struct counter *counter, const struct fault *fault)
{
	if (!counter->has_grumbled)
		log_error("arrivals_file", "why=%s", log_quote_text(fault->text));
	counter->has_grumbled = true;
}

/* ---- the end */

static void
finish(struct counter *counter)
{
	counter_finished_fn *fn = counter->finished_fn;

	counter->finished_fn = NULL;
	if (fn != NULL)
		fn(counter->finished_ctx);
}

/* Later, or never where this is the end. */
static void
rest_for(struct counter *counter, uint64_t ms)
{
	if (counter->finished_fn != NULL)
		finish(counter);
	else if (!timer_is_running(counter->timer))
		timer_start(counter->timer, ms);
}

/* ---- who owns them now */

static void go_on(struct counter *counter);
static void put(struct counter *counter);
static void ask_owners(struct counter *counter);

static void
ask_again_later(struct counter *counter)
{
	counter->asked = 0;
	counter->part->part.is_sure = false;
	rest_for(counter, COUNTER_RETRY_MS);
}

static void
answered(void *ctx, const struct answer *answer)
{
	struct counter *counter = ctx;

	counter->question = NULL;
	if (!counter_part_owner(counter->part, counter->asked, &answer->finding)) {
		ask_again_later(counter);
		return;
	}
	counter->asked++;
	ask_owners(counter);
}

static void
ask_owners(struct counter *counter)
{
	const struct counter_part *part = counter->part;
	struct answer answer;
	struct buf none = BUF_INIT;

	for (; counter->asked < part->part.entry_count; counter->asked++) {
		counter->question = ask(counter->asker, ASK_ALONE,
		    part->entries[counter->asked].account, &none, answered, counter, &answer);
		if (counter->question != NULL)
			return;
		if (!counter_part_owner(counter->part, counter->asked, &answer.finding)) {
			ask_again_later(counter);
			return;
		}
	}
	put(counter);
}

/* ---- into Redis */

static void
written(void *ctx, const struct arrivals_written *result)
{
	struct counter *counter = ctx;

	counter->is_writing = false;
	if (result->is_doubted) {
		counter->asked = 0;
		counter->part->part.is_sure = true;
		ask_owners(counter);
		return;
	}
	if (!result->is_counted) {
		ask_again_later(counter); /* they may be others by then */
		return;
	}
	counter->counts.messages += result->messages;
	counter->counts.strays += result->strays;
	counter->counts.late += result->late;
	counter->counts.repeated += result->repeated;
	counter_part_free(&counter->part);
	go_on(counter);
}

static void
put(struct counter *counter)
{
	if (!arrivals_writer_is_ready(counter->writer)) {
		ask_again_later(counter);
		return;
	}
	counter->is_writing = true;
	counter->part->part.node =
	    counter->left != NULL ? counter->left_id : map_node_id(counter->map);
	arrivals_writer_put(counter->writer, &counter->part->part, written, counter);
}

/* ---- what others have left */

static struct ledger *
ledger_in_hand(struct counter *counter)
{
	return counter->left != NULL ? counter->left : counter->ledger;
}

static void
left_end(struct counter *counter, bool is_clean)
{
	ledger_close(&counter->left, is_clean);
	free(counter->left_id);
	counter->left_id = NULL;
}

/* Is there any? The next look is later; there is none at the end. */
static bool
left_begin(struct counter *counter)
{
	char *path;

	if (timer_is_running(counter->looking) || counter->finished_fn != NULL)
		return false;
	path = map_node_path(counter->map);
	counter->left = heritage_next(path, map_node_id(counter->map), now_s(), &counter->left_id);
	free(path);
	if (counter->left == NULL)
		timer_start(counter->looking, COUNTER_LOOK_MS);
	else
		log_info("arrivals_left", "node=%s", log_quote_text(counter->left_id));
	return counter->left != NULL;
}

/* ---- a batch */

/* 1 there is one, 0 there is nothing, -1 not now. */
static int
batch_begin(struct counter *counter)
{
	struct fault fault;
	int rc = ledger_batch(ledger_in_hand(counter), now_s(), &counter->lines, &counter->place,
	    &fault);

	if (rc == -1)
		grumble(counter, &fault);
	if (rc != 1)
		return rc;
	counter->rest = buf_str(&counter->lines);
	return 1;
}

static void
batch_end(struct counter *counter)
{
	struct fault fault;

	buf_fini(&counter->lines);
	counter->place.batch = 0;
	counter->counts.batches++;
	counter->has_grumbled = false;
	if (ledger_done(ledger_in_hand(counter), &fault) == -1) {
		grumble(counter, &fault); /* it is found applied, the next time */
		rest_for(counter, COUNTER_RETRY_MS);
	} else if (counter->left == NULL && ledger_is_empty(counter->ledger)) {
		go_on(counter);
	} else {
		timer_start(counter->timer, counter->finished_fn == NULL ? COUNTER_AFTER_MS : 0);
	}
}

static bool
ledger_is_open(struct counter *counter)
{
	struct fault fault;
	char *path;

	if (counter->ledger != NULL || (path = map_node_path(counter->map)) == NULL)
		return counter->ledger != NULL;
	counter->ledger = ledger_open(path, now_s(), &fault);
	if (counter->ledger == NULL)
		grumble(counter, &fault);
	free(path);
	return counter->ledger != NULL;
}

/* Of this ledger; is there another? */
static void
nothing_more(struct counter *counter)
{
	bool was_left = counter->left != NULL;

	if (was_left)
		left_end(counter, true);
	if (was_left || left_begin(counter))
		timer_start(counter->timer, 0);
	else if (!ledger_is_empty(counter->ledger))
		rest_for(counter, COUNTER_RETRY_MS);
	else
		finish(counter);
}

/* What another has left is no reason to stop counting our own. */
static void
not_now(struct counter *counter)
{
	if (counter->left != NULL) {
		left_end(counter, false);
		timer_start(counter->looking, COUNTER_LOOK_MS);
	}
	rest_for(counter, COUNTER_RETRY_MS);
}

static void
go_on(struct counter *counter)
{
	if (counter->question != NULL || counter->is_writing)
		return;
	if (!ledger_is_open(counter) || !arrivals_writer_is_ready(counter->writer)) {
		rest_for(counter, COUNTER_RETRY_MS);
		return;
	}
	if (counter->part == NULL && counter->place.batch == 0) {
		switch (batch_begin(counter)) {
		case 0:
			nothing_more(counter);
			return;
		case -1:
			not_now(counter);
			return;
		}
	}
	if (counter->part == NULL) {
		counter->asked = 0;
		counter->place.part++;
		counter->part = counter_part_next(&counter->rest, &counter->place, now_s());
		if (counter->part == NULL) {
			batch_end(counter);
			return;
		}
	}
	ask_owners(counter);
}

static void
on_timer(void *ctx)
{
	go_on(ctx);
}

/* ---- reports */

int
counter_take(struct counter *counter, struct str text, size_t *kept_r, struct fault *fault_r)
{
	struct report report = {0};
	int rc;

	if ((rc = report_read(&report, text, fault_r)) == 0) {
		if (ledger_is_open(counter))
			rc = ledger_add(counter->ledger, &report, now_s(), fault_r);
		else
			rc = fault_set(fault_r, VERDICT_TEMP,
			    "there is no file of arrivals: see policyd's log");
	}
	*kept_r = report.count;
	if (rc == -1) {
		counter->counts.refused++;
	} else {
		counter->counts.kept++;
		counter->counts.lost += report.lost;
	}
	report_fini(&report);
	if (!timer_is_running(counter->timer) && counter->place.batch == 0)
		timer_start(counter->timer, COUNTER_AFTER_MS);
	return rc;
}

/* ---- life */

static void
on_finish(void *ctx)
{
	finish(ctx);
}

void
counter_finish(struct counter *counter, counter_finished_fn *fn, void *ctx)
{
	counter->finished_fn = fn;
	counter->finished_ctx = ctx;
	timer_start(counter->finish, COUNTER_FINISH_MS);
	timer_stop(counter->timer);
	go_on(counter);
}

struct counter *
counter_new(struct loop *loop, struct map *map, struct asker *asker)
{
	struct counter *counter = xnew(struct counter);

	counter->loop = loop;
	counter->map = map;
	counter->asker = asker;
	counter->writer = map_arrivals(map);
	counter->timer = timer_new(loop, on_timer, counter);
	counter->finish = timer_new(loop, on_finish, counter);
	counter->looking = timer_new(loop, on_timer, counter);
	(void)ledger_is_open(counter); /* before another one takes it for left */
	timer_start(counter->timer, COUNTER_AFTER_MS); /* what is there already */
	timer_start(counter->looking, COUNTER_FIRST_LOOK_MS);
	return counter;
}

void
counter_free(struct counter **counterp)
{
	struct counter *counter = *counterp;

	if (counter == NULL)
		return;
	*counterp = NULL;
	question_forget(&counter->question);
	if (counter->is_writing)
		arrivals_writer_forget(counter->writer);
	counter_part_free(&counter->part);
	buf_fini(&counter->lines);
	left_end(counter, true);
	ledger_close(&counter->ledger, true);
	timer_free(&counter->timer);
	timer_free(&counter->finish);
	timer_free(&counter->looking);
	free(counter);
}

/* ---- in numbers */

json_t *
counter_status(const struct counter *counter)
{
	return counter_counts_json(&counter->counts, ledger_bytes(counter->ledger));
}

void
counter_numbers(const struct counter *counter, struct openmetrics *text)
{
	counter_counts_numbers(&counter->counts, ledger_bytes(counter->ledger), text);
}
