/*
 * claims.h - what we have begun on an answer and what goes on by itself (machine)
 *
 * A claim is a session that is led to an owner, a delivery that has begun: an
 * answer that is acted on after it was given. It is *sure* while we know that
 * the record still says so, unsure from the moment that something it depends on
 * may have changed, and *ending* once its holder was told to end it. Until it
 * is released, an ending claim counts as one that leads to the former owner.
 *
 * A writer who wants to know that a change is everywhere sends a barrier. It is
 * agreed to when every claim of every name in it was sure, or gone, at some
 * moment after the barrier was heard: not at one moment for all of them, or
 * accounts that change all the time would keep others from being confirmed.
 *
 * Claims are found by the names that they depend on. An alias may lead to an
 * address with an extension that no finding names, so a change of an address is
 * also one of the same address without its extension.
 *
 * Knows nothing of Redis and asks nobody: holders.c does.
 */
#ifndef MAP_CLAIMS_H
#define MAP_CLAIMS_H

#include "map/account.h"
#include "map/barrier.h"
#include "map/finding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claims;
struct claim;
struct map_question;

struct claim_events {
	/*
	 * Something has changed: does this finding (FOUND, of the same account, lent)
	 * still allow what the claim does? May not release or take any claim.
	 */
	bool (*stands_fn)(void *ctx, const struct finding *finding);
	/*
	 * It does not, or the address leads to another account or to none; or, with
	 * NULL, nobody can be believed any more. Comes once; the holder releases the
	 * claim, from inside or within its drain time.
	 */
	void (*end_fn)(void *ctx, const struct finding *finding);
};

enum {
	CLAIMS_ASKED_MOST = 256,
	CLAIMS_BARRIERS_MOST = 256,
	CLAIMS_NAMES_MOST_BYTES = 4 << 20 /* of all barriers that wait */
};

/* rules are lent until claims_set_rules(); owner is whoever drives this, see claim_owner(). */
struct claims *claims_new(const struct account_rules *rules, void *owner);
void claims_free(struct claims **claims); /* all claims have been released */

/* Other rules of reading: every claim is unsure, and barriers have to be heard again. */
void claims_set_rules(struct claims *claims, const struct account_rules *rules);

/*
 * A new claim on a finding that is FOUND; asked is what was asked for. Where
 * is_sure is false, what it was given on may have changed already. events are
 * lent until the claim is dropped.
 */
struct claim *claims_take(struct claims *claims, const struct account *asked,
    const struct finding *finding, bool is_sure, const struct claim_events *events, void *ctx);
void claims_drop(struct claims *claims, struct claim *claim);

/* Another holder goes on with it. */
void claim_hand_over(struct claim *claim, const struct claim_events *events, void *ctx);

void *claim_owner(const struct claim *claim);
struct str claim_asked(const struct claim *claim); /* canonical, lent as long as the claim */
struct str claim_account(const struct claim *claim); /* whom it led to, an address: the same */
struct map_question **claim_question(struct claim *claim); /* room for the driver's question */

/* Something of this name has changed; anything may have. Nobody is called. */
void claims_change(struct claims *claims, struct str name);
void claims_change_all(struct claims *claims);

/*
 * The unsure claim that is to be asked about next, those first that a barrier
 * waits for; NULL where there is none, or enough are being asked about. Its
 * answer is owed from here on.
 */
struct claim *claims_next(struct claims *claims);

/*
 * The answer. Sure again, or ending, when end_fn has been called; unsure still
 * where something changed after claims_next(), or when it is neither FOUND nor
 * ABSENT: then it is to be asked again after claims_again().
 */
void claims_answer(struct claims *claims, struct claim *claim, const struct finding *finding);
void claims_again(struct claims *claims);

/* Nobody can be believed any more: ends all, by end_fn with NULL, that are not ending already. */
void claims_end_all(struct claims *claims);

/*
 * A barrier was heard, after all changes that it is about. One with the same
 * epoch and nonce takes the place of an older one; too many drop the oldest,
 * whose writer repeats it; one with too many names for all that wait is for
 * everything, which includes them. claims_agreed() is true for one that is agreed to,
 * and takes it out: to be called after everything above until it is false.
 */
void claims_barrier(struct claims *claims, const struct barrier *barrier);
bool claims_agreed(struct claims *claims, uint64_t *epoch_r, char nonce_r[static HEAD_NONCE_BYTES]);
void claims_forget_barriers(struct claims *claims); /* the session is over */

size_t claims_total(const struct claims *claims); /* that have been taken and not released */

struct claims_counters {
	uint64_t sure, unsure, ending; /* now */
	uint64_t barriers; /* waiting now */
	uint64_t barrier_bytes; /* of their names */
	uint64_t taken, asked_again, ended; /* since the start */
};
void claims_count(const struct claims *claims, struct claims_counters *counters_r);

#endif
