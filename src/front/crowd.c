/*
 * crowd.c - who is here from which address, and who guesses           (machine)
 */
#include "front/crowd.h"

#include "base/hash.h"
#include "base/mem.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

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
};

struct crowd {
	struct visitors *visitors;
	size_t parked; /* from all addresses */
	struct pair *pairs;
	TAILQ_HEAD(, pair) by_age;
	size_t pair_count;
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
	return crowd;
}

static void
forget(struct crowd *crowd, struct pair *pair)
{
	HASH_DEL(crowd->pairs, pair);
	TAILQ_REMOVE(&crowd->by_age, pair, entry);
	crowd->pair_count--;
	free(pair);
}

void
crowd_free(struct crowd **crowd_ref)
{
	struct crowd *crowd = *crowd_ref;
	struct visitors *visitors, *next;

	if (crowd == NULL)
		return;
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
	if (pair->failures == 1)
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
