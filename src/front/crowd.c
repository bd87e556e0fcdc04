/*
 * crowd.c - who is here from which address, and who guesses           (machine)
 */
#include "front/crowd.h"

#include "base/hash.h"
#include "base/mem.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { FAILURES_MOST = 32 }; /* more of them make no difference */

/* An address without its port: a family, and what counts of it. */
struct place {
	unsigned char bytes[1 + 16];
};

struct visitors {
	UT_hash_handle hh;
	struct place place;
	size_t here, parked;
};

struct pair {
	UT_hash_handle hh;
	TAILQ_ENTRY(pair) entry; /* the one that failed last is the last */
	uint64_t key[2]; /* keyed hashes of place and login: no name is kept */
	uint64_t failed_ms;
	unsigned failures;
	bool owes; /* the last refusal had to wait longer than others */
	bool is_forgotten; /* in no table any more; goes when its line has gone */
	bool is_paced; /* somebody had a turn less than a pace ago */
	uint64_t next_ms; /* while it is: the next turn */
	size_t at_once; /* so many go at this turn still */
	size_t waiting;
	TAILQ_HEAD(, crowd_turn) line;
	TAILQ_ENTRY(pair) paced_entry;
};

TAILQ_HEAD(pairs, pair);

struct crowd {
	struct visitors *visitors;
	size_t parked; /* from all addresses */
	struct pair *pairs;
	struct pairs by_age;
	size_t pair_count;
	struct pairs paced; /* by next_ms: all paces are the same */
	size_t waiting; /* in all lines */
};

static struct place
place_make(sa_family_t family, const void *bytes, size_t len)
{
	struct place place = {{0}};

	place.bytes[0] = (unsigned char)family;
	memcpy(place.bytes + 1, bytes, len);
	return place;
}

/* A PROXY header may say 192.0.2.1 as ::ffff:192.0.2.1; all of those have the same 64 bits. */
static struct place
place_of(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->ss_family == AF_INET)
		return place_make(AF_INET, &v4->sin_addr, 4);
	if (address->ss_family != AF_INET6)
		return place_make(address->ss_family, "", 0);
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return place_make(AF_INET, &v6->sin6_addr.s6_addr[12], 4);
	return place_make(AF_INET6, &v6->sin6_addr, 8);
}

struct crowd *
crowd_new(void)
{
	struct crowd *crowd = xnew(struct crowd);

	TAILQ_INIT(&crowd->by_age);
	TAILQ_INIT(&crowd->paced);
	return crowd;
}

/* Where nothing is known of it and nobody stands in line. */
static void
pair_settle(struct crowd *crowd, struct pair *pair)
{
	if (!pair->is_forgotten || pair->waiting > 0)
		return;
	if (pair->is_paced)
		TAILQ_REMOVE(&crowd->paced, pair, paced_entry);
	free(pair);
}

/* Who stands in its line goes on taking turns. */
static void
forget(struct crowd *crowd, struct pair *pair)
{
	HASH_DEL(crowd->pairs, pair);
	TAILQ_REMOVE(&crowd->by_age, pair, entry);
	crowd->pair_count--;
	pair->is_forgotten = true;
	pair_settle(crowd, pair);
}

void
crowd_free(struct crowd **crowd_ref)
{
	struct crowd *crowd = *crowd_ref;
	struct visitors *visitors, *next;

	if (crowd == NULL)
		return;
	must(crowd->waiting == 0); /* who is not here any more has left the line */
	*crowd_ref = NULL;
	while (!TAILQ_EMPTY(&crowd->by_age))
		forget(crowd, TAILQ_FIRST(&crowd->by_age));
	HASH_ITER (hh, crowd->visitors, visitors, next) {
		HASH_DEL(crowd->visitors, visitors);
		free(visitors);
	}
	free(crowd);
}

/* ---- by address */

static struct visitors *
visitors_find(struct crowd *crowd, const struct sockaddr_storage *address)
{
	struct place place = place_of(address);
	struct visitors *visitors;

	HASH_FIND(hh, crowd->visitors, &place, sizeof(place), visitors);
	return visitors;
}

static struct visitors *
visitors_make(struct crowd *crowd, const struct sockaddr_storage *address)
{
	struct visitors *visitors = visitors_find(crowd, address);

	if (visitors != NULL)
		return visitors;
	visitors = xnew(struct visitors);
	visitors->place = place_of(address);
	HASH_ADD(hh, crowd->visitors, place, sizeof(visitors->place), visitors);
	return visitors;
}

static void
visitors_settle(struct crowd *crowd, struct visitors *visitors)
{
	if (visitors->here > 0 || visitors->parked > 0)
		return;
	HASH_DEL(crowd->visitors, visitors);
	free(visitors);
}

bool
crowd_enter(struct crowd *crowd, const struct sockaddr_storage *address, size_t most)
{
	struct visitors *visitors = visitors_make(crowd, address);

	if (visitors->here >= most) {
		visitors_settle(crowd, visitors);
		return false;
	}
	visitors->here++;
	return true;
}

void
crowd_leave(struct crowd *crowd, const struct sockaddr_storage *address)
{
	struct visitors *visitors = visitors_find(crowd, address);

	must(visitors != NULL && visitors->here > 0);
	visitors->here--;
	visitors_settle(crowd, visitors);
}

bool
crowd_park(struct crowd *crowd, const struct sockaddr_storage *address, size_t most)
{
	struct visitors *visitors = visitors_make(crowd, address);

	if (visitors->parked >= most) {
		visitors_settle(crowd, visitors);
		return false;
	}
	visitors->parked++;
	crowd->parked++;
	return true;
}

void
crowd_unpark(struct crowd *crowd, const struct sockaddr_storage *address)
{
	struct visitors *visitors = visitors_find(crowd, address);

	must(visitors != NULL && visitors->parked > 0);
	visitors->parked--;
	crowd->parked--;
	visitors_settle(crowd, visitors);
}

size_t
crowd_parked(const struct crowd *crowd)
{
	return crowd->parked;
}

/* ---- by address and name */

static struct pair *
pair_find(struct crowd *crowd, const struct sockaddr_storage *address, struct str login,
    uint64_t key_r[static 2])
{
	struct place place = place_of(address);
	struct pair *pair;

	key_r[0] = hash_bytes(&place, sizeof(place));
	key_r[1] = hash_bytes(login.ptr, login.len);
	HASH_FIND(hh, crowd->pairs, key_r, sizeof(pair->key), pair);
	return pair;
}

static struct pair *
pair_make(struct crowd *crowd, const uint64_t key[static 2])
{
	struct pair *pair = xnew(struct pair);

	memcpy(pair->key, key, sizeof(pair->key));
	TAILQ_INIT(&pair->line);
	HASH_ADD(hh, crowd->pairs, key, sizeof(pair->key), pair);
	TAILQ_INSERT_TAIL(&crowd->by_age, pair, entry);
	if (++crowd->pair_count > CROWD_PAIRS_MOST)
		forget(crowd, TAILQ_FIRST(&crowd->by_age));
	return pair;
}

uint64_t
crowd_failed(struct crowd *crowd, const struct sockaddr_storage *address, struct str login,
    uint64_t now_ms, uint64_t least_ms)
{
	uint64_t key[2], penalty_ms;
	struct pair *pair = pair_find(crowd, address, login, key);

	if (pair == NULL)
		pair = pair_make(crowd, key);
	else if (now_ms - pair->failed_ms > CROWD_FORGET_MS)
		pair->failures = 0;
	TAILQ_REMOVE(&crowd->by_age, pair, entry);
	TAILQ_INSERT_TAIL(&crowd->by_age, pair, entry);
	pair->failed_ms = now_ms;
	if (pair->failures < FAILURES_MOST)
		pair->failures++;
	pair->owes = pair->failures > 1 && least_ms > 0;
	if (!pair->owes)
		return 0;
	penalty_ms = least_ms;
	for (unsigned i = 2; i < pair->failures && penalty_ms < CROWD_PENALTY_MOST_MS; i++)
		penalty_ms *= 2;
	return penalty_ms < CROWD_PENALTY_MOST_MS ? penalty_ms : CROWD_PENALTY_MOST_MS;
}

void
crowd_succeeded(struct crowd *crowd, const struct sockaddr_storage *address, struct str login)
{
	uint64_t key[2];
	struct pair *pair = pair_find(crowd, address, login, key);

	if (pair != NULL)
		forget(crowd, pair);
}

/* ---- turns */

static bool
guesses(const struct pair *pair, uint64_t now_ms)
{
	return pair->owes && now_ms - pair->failed_ms <= CROWD_FORGET_MS;
}

/* Somebody has had a turn: the next is a pace later. */
static void
pace(struct crowd *crowd, struct pair *pair, uint64_t now_ms)
{
	if (pair->is_paced)
		TAILQ_REMOVE(&crowd->paced, pair, paced_entry);
	pair->is_paced = true;
	pair->next_ms = now_ms + CROWD_PACE_MS;
	pair->at_once = 0;
	TAILQ_INSERT_TAIL(&crowd->paced, pair, paced_entry);
}

static void
unpace(struct crowd *crowd, struct pair *pair)
{
	TAILQ_REMOVE(&crowd->paced, pair, paced_entry);
	pair->is_paced = false;
}

bool
crowd_take_turn(struct crowd *crowd, struct crowd_turn *turn,
    const struct sockaddr_storage *address, struct str login, uint64_t now_ms)
{
	uint64_t key[2];
	struct pair *pair = pair_find(crowd, address, login, key);

	if (pair == NULL || !guesses(pair, now_ms))
		return true;
	if (pair->waiting == 0 && (!pair->is_paced || pair->next_ms <= now_ms)) {
		pace(crowd, pair, now_ms);
		return true;
	}
	turn->pair = pair;
	TAILQ_INSERT_TAIL(&pair->line, turn, entry);
	pair->waiting++;
	crowd->waiting++;
	return false;
}

void
crowd_leave_turn(struct crowd *crowd, struct crowd_turn *turn)
{
	struct pair *pair = turn->pair;

	if (pair == NULL)
		return;
	turn->pair = NULL;
	TAILQ_REMOVE(&pair->line, turn, entry);
	pair->waiting--;
	crowd->waiting--;
	pair_settle(crowd, pair);
}

struct crowd_turn *
crowd_next_turn(struct crowd *crowd, uint64_t now_ms)
{
	struct crowd_turn *turn;
	struct pair *pair;

	while ((pair = TAILQ_FIRST(&crowd->paced)) != NULL && pair->next_ms <= now_ms) {
		if (pair->waiting == 0) {
			unpace(crowd, pair);
			continue;
		}
		if (pair->at_once == 0)
			pair->at_once = 1 + pair->waiting / CROWD_LINE_PACES;
		if (--pair->at_once == 0)
			pace(crowd, pair, now_ms);
		turn = TAILQ_FIRST(&pair->line);
		crowd_leave_turn(crowd, turn);
		return turn;
	}
	return NULL;
}

uint64_t
crowd_next_turn_ms(const struct crowd *crowd, uint64_t now_ms)
{
	const struct pair *pair = TAILQ_FIRST(&crowd->paced);

	if (crowd->waiting == 0)
		return UINT64_MAX;
	return pair->next_ms > now_ms ? pair->next_ms - now_ms : 0;
}
