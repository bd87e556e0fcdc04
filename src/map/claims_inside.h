/*
 * claims_inside.h - what claims.c and claims_barrier.c share          (machine)
 *
 * Being in a state and being in that state's list are the same thing. Each name
 * that some claim depends on is a topic: its claims in two lists, those that are
 * sure and those that are not, the latter in the order in which they became
 * unsure. So a change of a name touches the claims of that name only, and a
 * barrier looks at the first unsure claim of each name: where that became unsure
 * after the barrier was heard, or there is none, the barrier has nothing to wait
 * for. A barrier waits at one topic at a time, which wakes it.
 */
#ifndef MAP_CLAIMS_INSIDE_H
#define MAP_CLAIMS_INSIDE_H

#include "base/hash.h"
#include "map/claims.h"
#include "map/fetch.h"

#include <sys/queue.h>

enum claim_state {
	CLAIM_SURE,
	CLAIM_NAMED, /* unsure, and named by a barrier: asked about before others */
	CLAIM_UNSURE,
	CLAIM_ASKED, /* its answer is owed */
	CLAIM_OVERTAKEN, /* the same, but that answer is worth nothing any more */
	CLAIM_LATER, /* unsure; the last answer was none */
	CLAIM_ENDING,
	CLAIM_STATES
};

enum { TOPICS_MOST = FETCH_NAMES_MOST + 1 }; /* its names, and everything */

TAILQ_HEAD(links, link_to);

struct topic {
	UT_hash_handle hh;
	struct links sure, unsure;
	LIST_HEAD(, pending) waiting;
	size_t len;
	char name[];
};

struct link_to {
	TAILQ_ENTRY(link_to) entry; /* topic->sure or topic->unsure */
	struct topic *topic;
	struct claim *claim;
};

struct claim {
	TAILQ_ENTRY(claim) entry;
	struct claims *claims;
	enum claim_state state;
	uint64_t since; /* when it became unsure: a count of such moments; 0: it is sure */
	const struct claim_events *events;
	void *ctx;
	struct map_question *question;
	struct link_to links[TOPICS_MOST];
	size_t link_count, asked_len, account_len;
	char text[]; /* the address that was asked for, then the finding's account */
};

struct pending {
	TAILQ_ENTRY(pending) entry; /* claims->barriers or claims->agreed */
	LIST_ENTRY(pending) waits; /* topic->waiting, while there is a topic */
	struct topic *topic;
	uint64_t epoch, since; /* since: unsure claims that are younger do not matter */
	char nonce[HEAD_NONCE_BYTES];
	bool everything; /* or too many names to be kept */
	uint8_t said[16]; /* hash of the names that it came with */
	struct str *names; /* each followed by itself without extension, where it has one */
	size_t count, next;
	struct buf store;
};

TAILQ_HEAD(pendings, pending);

struct claims {
	struct account_rules rules;
	void *owner;
	struct account account; /* of the name in hand */
	TAILQ_HEAD(, claim) lists[CLAIM_STATES];
	size_t counts[CLAIM_STATES], total;
	struct topic *topics;
	struct topic *all; /* every claim; in no table */
	struct pendings barriers, agreed;
	size_t barrier_count, name_bytes;
	uint64_t moment; /* grows whenever a claim becomes unsure */
	struct claims_counters counters;
};

/* claims.c */
struct topic *topic_find(struct claims *claims, struct str name);
void claim_enter(struct claim *claim, enum claim_state state);

/* Of an address its base, where that is another name; lent until the next call. */
bool claims_base_of(struct claims *claims, struct str name, struct str *base_r);

/* claims_barrier.c: a claim of this topic is not unsure any more, or gone */
void topic_settle(struct claims *claims, struct topic *topic);

#endif
