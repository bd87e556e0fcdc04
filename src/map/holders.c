/*
 * holders.c - claims are kept right, and barriers answered            (driver)
 *
 * Unsure claims are asked about while a session is live, a bounded number at a
 * time, and in a turn after the one that brought the change: a message may name
 * several keys, and an answer between two of them would be half an answer. What
 * is said in grace, or between two sessions, makes nothing sure.
 *
 * Nobody may be believed any more when the lease and the grace are over, as they
 * stood when they were last renewed, or shortened by an acknowledgement: that is
 * what writers wait for. A lease that is given up because a new session has
 * missed something is no such end: the claims are asked about in that session.
 *
 * What ends is ended at a pace: an account of a thousand sessions is told so a few at
 * a time, and those of others, which wait for the same loop, notice nothing.
 */
#include "map/holders.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/map_snapshot.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	ASK_MOST = 256, /* in one turn, where memory answers at once */
	END_MOST = 8, /* before a pause, in which the loop is for others */
	END_PAUSE_MS = 1,
};

struct holders {
	struct map *map;
	struct claims *claims;
	struct account account; /* of the claim that is asked about */
	struct timer *asking; /* in the next turn */
	struct timer *believing; /* until nobody can be believed any more */
	uint64_t believed_ms; /* when that is */
	uint64_t acknowledged;
	uint64_t ended; /* of those that were ever ended, how many before the last pause */
	bool put_off; /* some answer came when enough had been ended: it is asked for again */
};

/* ---- barriers */

static void
believe(struct holders *holders)
{
	struct link_status status;
	uint64_t left_ms;

	link_count(holders->map->link, &status);
	left_ms = status.grace_left_ms; /* with the lease */
	if (left_ms == 0)
		return; /* given up, not run out */
	holders->believed_ms = clock_ms() + left_ms;
	if (claims_total(holders->claims) > 0)
		timer_start(holders->believing, left_ms);
}

void
holders_acknowledged(struct holders *holders)
{
	holders->acknowledged++;
	believe(holders); /* the lease may have become shorter */
}

/* What is agreed to is acknowledged as soon as it is on the disk too. */
static void
settle(struct holders *holders)
{
	struct barrier barrier = {0};

	while (claims_agreed(holders->claims, &barrier.epoch, barrier.nonce))
		map_snapshot_barrier(holders->map, &barrier);
}

/* ---- asking again */

static uint64_t
ended_ever(const struct holders *holders)
{
	struct claims_counters counters;

	claims_count(holders->claims, &counters);
	return counters.ended;
}

static bool
has_ended_enough(const struct holders *holders)
{
	return ended_ever(holders) - holders->ended >= END_MOST;
}

static void
ask_soon(struct holders *holders)
{
	if (!timer_is_running(holders->asking))
		timer_start(holders->asking, has_ended_enough(holders) ? END_PAUSE_MS : 0);
}

static void
answer(struct holders *holders, struct claim *claim, const struct finding *finding)
{
	struct finding doubt = {.verdict = VERDICT_TEMP};

	if (finding->source == SOURCE_GRACE || !link_is_live(holders->map->link)) {
		finding = &doubt;
	} else if (has_ended_enough(holders)) {
		finding = &doubt;
		holders->put_off = true;
	}
	claims_answer(holders->claims, claim, finding);
}

static void
on_answer(void *ctx, const struct finding *finding)
{
	struct claim *claim = ctx;
	struct holders *holders = claim_owner(claim);

	*claim_question(claim) = NULL;
	answer(holders, claim, finding);
	settle(holders);
	ask_soon(holders);
}

static void
ask_one(struct holders *holders, struct claim *claim)
{
	struct map *map = holders->map;
	struct finding finding = {.verdict = VERDICT_TEMP};

	if (account_read(&holders->account, claim_asked(claim), &map->rules))
		*claim_question(claim) =
		    map_ask(map, &holders->account, on_answer, claim, &finding);
	if (*claim_question(claim) == NULL)
		answer(holders, claim, &finding);
}

static void
on_asking(void *ctx)
{
	struct holders *holders = ctx;
	struct claim *claim;
	int asked = 0;

	holders->ended = ended_ever(holders);
	if (holders->put_off)
		claims_again(holders->claims);
	holders->put_off = false;
	while (asked++ < ASK_MOST && link_is_live(holders->map->link) &&
	       !has_ended_enough(holders) && (claim = claims_next(holders->claims)) != NULL)
		ask_one(holders, claim);
	settle(holders);
	if (asked > ASK_MOST || has_ended_enough(holders))
		ask_soon(holders);
}

static void
on_disbelief(void *ctx)
{
	struct holders *holders = ctx;
	uint64_t now_ms = clock_ms();

	if (now_ms < holders->believed_ms) {
		timer_start(holders->believing, holders->believed_ms - now_ms);
		return;
	}
	log_warning("claims_end", "count=%zu why=%s", claims_total(holders->claims),
	    log_quote_text("Redis has been away for longer than the lease and the grace"));
	claims_end_all(holders->claims);
	settle(holders);
}

/* ---- what the map hears */

void
holders_change(struct holders *holders, struct str name)
{
	if (claims_total(holders->claims) == 0)
		return;
	claims_change(holders->claims, name);
	ask_soon(holders);
}

void
holders_change_all(struct holders *holders)
{
	if (claims_total(holders->claims) == 0)
		return;
	claims_change_all(holders->claims);
	ask_soon(holders);
}

void
holders_granted(struct holders *holders)
{
	believe(holders);
	if (claims_total(holders->claims) == 0)
		return;
	claims_again(holders->claims);
	ask_soon(holders);
}

void
holders_lost(struct holders *holders)
{
	claims_forget_barriers(holders->claims); /* their writers repeat them */
}

void
holders_barrier(struct holders *holders, const struct barrier *barrier)
{
	if (!link_is_live(holders->map->link) && claims_total(holders->claims) > 0)
		return; /* they are asked about when it is; the writer repeats it */
	claims_barrier(holders->claims, barrier);
	settle(holders);
	if (claims_total(holders->claims) > 0)
		ask_soon(holders);
}

void
holders_set_rules(struct holders *holders)
{
	claims_set_rules(holders->claims, &holders->map->rules);
	ask_soon(holders);
}

/* ---- what holders call */

struct claim *
map_claim(struct map *map, const struct account *asked, const struct finding *finding,
    const struct claim_events *events, void *ctx)
{
	struct holders *holders = map->holders;
	bool is_sure = link_is_live(map->link) && finding->source != SOURCE_GRACE;
	struct claim *claim = claims_take(holders->claims, asked, finding, is_sure, events, ctx);

	if (!timer_is_running(holders->believing)) {
		timer_start(holders->believing, 0); /* where nothing was believed ever */
		believe(holders);
	}
	if (!is_sure)
		ask_soon(holders);
	return claim;
}

void
claim_release(struct claim **claimp)
{
	struct claim *claim = *claimp;
	struct holders *holders;

	if (claim == NULL)
		return;
	*claimp = NULL;
	holders = claim_owner(claim);
	map_forget(claim_question(claim));
	claims_drop(holders->claims, claim);
	settle(holders);
}

/* ---- life */

struct holders *
holders_new(struct map *map)
{
	struct holders *holders = xnew(struct holders);

	holders->map = map;
	holders->claims = claims_new(&map->rules, holders);
	account_init(&holders->account);
	holders->asking = timer_new(map->loop, on_asking, holders);
	holders->believing = timer_new(map->loop, on_disbelief, holders);
	return holders;
}

void
holders_free(struct holders **holders)
{
	if (*holders == NULL)
		return;
	claims_free(&(*holders)->claims);
	timer_free(&(*holders)->asking);
	timer_free(&(*holders)->believing);
	account_fini(&(*holders)->account);
	free(*holders);
	*holders = NULL;
}

bool
holders_are_idle(const struct holders *holders)
{
	return claims_total(holders->claims) == 0;
}

json_t *
holders_status(const struct holders *holders)
{
	struct claims_counters c;

	claims_count(holders->claims, &c);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}}", "sure",
	    (json_int_t)c.sure, "unsure", (json_int_t)c.unsure, "ending", (json_int_t)c.ending,
	    "taken", (json_int_t)c.taken, "asked_again", (json_int_t)c.asked_again, "ended",
	    (json_int_t)c.ended, "barriers", "pending", (json_int_t)c.barriers, "bytes",
	    (json_int_t)c.barrier_bytes, "acknowledged", (json_int_t)holders->acknowledged);
}
