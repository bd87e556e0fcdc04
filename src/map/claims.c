/*
 * claims.c - what we have begun on an answer and what goes on by itself (machine)
 */
#include "map/claims_inside.h"

#include "base/mem.h"

#include <stdlib.h>

/* ---- topics */

static struct topic *
topic_new(struct str name)
{
	struct topic *topic = xcalloc(1, sizeof(*topic) + name.len + 1);

	TAILQ_INIT(&topic->sure);
	TAILQ_INIT(&topic->unsure);
	LIST_INIT(&topic->waiting);
	memcpy(topic->name, name.ptr, name.len);
	topic->len = name.len;
	return topic;
}

struct topic *
topic_find(struct claims *claims, struct str name)
{
	struct topic *topic;

	HASH_FIND(hh, claims->topics, name.ptr, name.len, topic);
	return topic;
}

static struct topic *
topic_get(struct claims *claims, struct str name)
{
	struct topic *topic = topic_find(claims, name);

	if (topic == NULL) {
		topic = topic_new(name);
		HASH_ADD_KEYPTR(hh, claims->topics, topic->name, topic->len, topic);
	}
	return topic;
}

/* ---- states */

void
claim_enter(struct claim *claim, enum claim_state state)
{
	struct claims *claims = claim->claims;

	TAILQ_REMOVE(&claims->lists[claim->state], claim, entry);
	claims->counts[claim->state]--;
	claim->state = state;
	TAILQ_INSERT_TAIL(&claims->lists[state], claim, entry);
	claims->counts[state]++;
}

static void
claim_make_unsure(struct claim *claim)
{
	claim->since = ++claim->claims->moment;
	claim_enter(claim, CLAIM_UNSURE);
	for (size_t i = 0; i < claim->link_count; i++) {
		struct link_to *link = &claim->links[i];

		TAILQ_REMOVE(&link->topic->sure, link, entry);
		TAILQ_INSERT_TAIL(&link->topic->unsure, link, entry);
	}
}

static void
claim_make_sure(struct claim *claim)
{
	claim->since = 0;
	claim_enter(claim, CLAIM_SURE);
	for (size_t i = 0; i < claim->link_count; i++) {
		struct link_to *link = &claim->links[i];

		TAILQ_REMOVE(&link->topic->unsure, link, entry);
		TAILQ_INSERT_TAIL(&link->topic->sure, link, entry);
		topic_settle(claim->claims, link->topic);
	}
}

/* Something changed. One that is ending goes on ending, whatever the record says now. */
static void
claim_change(struct claim *claim)
{
	switch (claim->state) {
	case CLAIM_SURE:
		claim_make_unsure(claim);
		break;
	case CLAIM_ASKED:
		claim_enter(claim, CLAIM_OVERTAKEN);
		break;
	case CLAIM_LATER:
		claim_enter(claim, CLAIM_UNSURE);
		break;
	case CLAIM_NAMED:
	case CLAIM_UNSURE:
	case CLAIM_OVERTAKEN:
	case CLAIM_ENDING:
	case CLAIM_STATES:
		break;
	}
}

static void
topic_change(struct topic *topic)
{
	struct link_to *link;

	if (topic == NULL)
		return;
	TAILQ_FOREACH (link, &topic->unsure, entry)
		claim_change(link->claim);
	while ((link = TAILQ_FIRST(&topic->sure)) != NULL)
		claim_change(link->claim);
}

/* ---- the names of a claim */

static void
claim_link(struct claim *claim, struct topic *topic)
{
	struct link_to *link = &claim->links[claim->link_count++];

	link->claim = claim;
	link->topic = topic;
	TAILQ_INSERT_TAIL(claim->since == 0 ? &topic->sure : &topic->unsure, link, entry);
}

static void
claim_link_all(struct claim *claim, const struct account *asked, const struct account *account)
{
	struct claims *claims = claim->claims;
	struct str names[FETCH_NAMES_MOST];
	size_t count = fetch_finding_names(asked, account, names);

	for (size_t i = 0; i < count; i++)
		claim_link(claim, topic_get(claims, names[i]));
	claim_link(claim, claims->all);
}

static void
claim_unlink_all(struct claim *claim)
{
	struct claims *claims = claim->claims;

	while (claim->link_count > 0) {
		struct link_to *link = &claim->links[--claim->link_count];
		struct topic *topic = link->topic;

		TAILQ_REMOVE(claim->since == 0 ? &topic->sure : &topic->unsure, link, entry);
		topic_settle(claims, topic);
		if (topic == claims->all || !TAILQ_EMPTY(&topic->sure) ||
		    !TAILQ_EMPTY(&topic->unsure))
			continue;
		HASH_DEL(claims->topics, topic);
		free(topic);
	}
}

bool
claims_base_of(struct claims *claims, struct str name, struct str *base_r)
{
	if (account_parse(&claims->account, name, &claims->rules) != ACCOUNT_ADDRESS)
		return false;
	*base_r = claims->account.base;
	return !str_eq(*base_r, name);
}

/* ---- life */

struct claims *
claims_new(const struct account_rules *rules, void *owner)
{
	struct claims *claims = xnew(struct claims);

	claims->rules = *rules;
	claims->owner = owner;
	account_init(&claims->account);
	for (size_t i = 0; i < CLAIM_STATES; i++)
		TAILQ_INIT(&claims->lists[i]);
	TAILQ_INIT(&claims->barriers);
	TAILQ_INIT(&claims->agreed);
	claims->all = topic_new(STR(""));
	return claims;
}

void
claims_free(struct claims **claimsp)
{
	struct claims *claims = *claimsp;

	*claimsp = NULL;
	if (claims == NULL)
		return;
	must(TAILQ_EMPTY(&claims->all->sure) && TAILQ_EMPTY(&claims->all->unsure));
	claims_forget_barriers(claims);
	account_fini(&claims->account);
	free(claims->all);
	free(claims);
}

/* What was asked for, and the account it led to, read by the rules of now. */
static bool
claim_read(const struct claim *claim, struct account *asked, struct account *account)
{
	const struct account_rules *rules = &claim->claims->rules;

	return account_read(asked, claim_asked(claim), rules) &&
	       account_parse(account, claim_account(claim), rules) == ACCOUNT_ADDRESS;
}

void
claims_set_rules(struct claims *claims, const struct account_rules *rules)
{
	struct account asked, account;
	struct claim *claim;

	claims->rules = *rules;
	claims_forget_barriers(claims);
	claims_change_all(claims);
	account_init(&asked);
	account_init(&account);
	for (size_t i = 0; i < CLAIM_STATES; i++) {
		TAILQ_FOREACH (claim, &claims->lists[i], entry) {
			if (!claim_read(claim, &asked, &account))
				continue; /* by its old names it is found still */
			claim_unlink_all(claim);
			claim_link_all(claim, &asked, &account);
		}
	}
	account_fini(&asked);
	account_fini(&account);
}

struct claim *
claims_take(struct claims *claims, const struct account *asked, const struct finding *finding,
    bool is_sure, const struct claim_events *events, void *ctx)
{
	size_t asked_len = asked->name.len, account_len = finding->account.len;
	struct claim *claim = xcalloc(1, sizeof(*claim) + asked_len + account_len);

	must(finding->verdict == VERDICT_FOUND);
	claim->claims = claims;
	claim->events = events;
	claim->ctx = ctx;
	claim->asked_len = asked_len;
	claim->account_len = account_len;
	memcpy(claim->text, asked->name.ptr, asked_len);
	memcpy(claim->text + asked_len, finding->account.ptr, account_len);
	claim->state = is_sure ? CLAIM_SURE : CLAIM_UNSURE;
	claim->since = is_sure ? 0 : ++claims->moment;
	TAILQ_INSERT_TAIL(&claims->lists[claim->state], claim, entry);
	claims->counts[claim->state]++;
	claims->total++;
	claims->counters.taken++;
	must(account_parse(&claims->account, finding->account, &claims->rules) == ACCOUNT_ADDRESS);
	claim_link_all(claim, asked, &claims->account);
	return claim;
}

void
claims_drop(struct claims *claims, struct claim *claim)
{
	TAILQ_REMOVE(&claims->lists[claim->state], claim, entry);
	claims->counts[claim->state]--;
	claims->total--;
	claim_unlink_all(claim);
	free(claim);
}

void
claim_hand_over(struct claim *claim, const struct claim_events *events, void *ctx)
{
	claim->events = events;
	claim->ctx = ctx;
}

void *
claim_owner(const struct claim *claim)
{
	return claim->claims->owner;
}

struct str
claim_asked(const struct claim *claim)
{
	return str_make(claim->text, claim->asked_len);
}

struct str
claim_account(const struct claim *claim)
{
	return str_make(claim->text + claim->asked_len, claim->account_len);
}

struct map_question **
claim_question(struct claim *claim)
{
	return &claim->question;
}

/* ---- changes and answers */

void
claims_change(struct claims *claims, struct str name)
{
	struct str base;

	if (claims->topics == NULL)
		return;
	topic_change(topic_find(claims, name));
	if (claims_base_of(claims, name, &base))
		topic_change(topic_find(claims, base));
}

void
claims_change_all(struct claims *claims)
{
	topic_change(claims->all);
}

struct claim *
claims_next(struct claims *claims)
{
	struct claim *claim = TAILQ_FIRST(&claims->lists[CLAIM_NAMED]);

	if (claim == NULL)
		claim = TAILQ_FIRST(&claims->lists[CLAIM_UNSURE]);
	if (claim == NULL ||
	    claims->counts[CLAIM_ASKED] + claims->counts[CLAIM_OVERTAKEN] >= CLAIMS_ASKED_MOST)
		return NULL;
	claim_enter(claim, CLAIM_ASKED);
	claims->counters.asked_again++;
	return claim;
}

static void
claim_end(struct claim *claim, const struct finding *finding)
{
	claim->claims->counters.ended++;
	if (claim->since == 0)
		claim_make_unsure(claim);
	claim_enter(claim, CLAIM_ENDING);
	claim->events->end_fn(claim->ctx, finding); /* the claim may be gone now */
}

static bool
claim_stands(const struct claim *claim, const struct finding *finding)
{
	return finding->verdict == VERDICT_FOUND &&
	       str_eq(finding->account, claim_account(claim)) &&
	       claim->events->stands_fn(claim->ctx, finding);
}

void
claims_answer(struct claims *claims, struct claim *claim, const struct finding *finding)
{
	if (claim->state == CLAIM_ENDING)
		return;
	must(claim->state == CLAIM_ASKED || claim->state == CLAIM_OVERTAKEN);
	if (claim->state == CLAIM_OVERTAKEN)
		claim_enter(claim, CLAIM_NAMED); /* it has waited once already */
	else if (finding->verdict != VERDICT_FOUND && finding->verdict != VERDICT_ABSENT)
		claim_enter(claim, CLAIM_LATER);
	else if (claim_stands(claim, finding))
		claim_make_sure(claim);
	else
		claim_end(claim, finding);
}

void
claims_again(struct claims *claims)
{
	struct claim *claim;

	while ((claim = TAILQ_FIRST(&claims->lists[CLAIM_LATER])) != NULL)
		claim_enter(claim, CLAIM_UNSURE);
}

void
claims_end_all(struct claims *claims)
{
	struct claim *claim;

	for (size_t i = 0; i < CLAIM_ENDING; i++) {
		while ((claim = TAILQ_FIRST(&claims->lists[i])) != NULL)
			claim_end(claim, NULL);
	}
}

size_t
claims_total(const struct claims *claims)
{
	return claims->total;
}

void
claims_count(const struct claims *claims, struct claims_counters *counters_r)
{
	*counters_r = claims->counters;
	counters_r->sure = claims->counts[CLAIM_SURE];
	counters_r->ending = claims->counts[CLAIM_ENDING];
	for (size_t i = CLAIM_NAMED; i < CLAIM_ENDING; i++)
		counters_r->unsure += claims->counts[i];
	counters_r->barriers = claims->barrier_count;
	counters_r->barrier_bytes = claims->name_bytes;
}
