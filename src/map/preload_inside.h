/*
 * preload_inside.h - what preload.c and preload_read.c share          (driver)
 */
#ifndef MAP_PRELOAD_INSIDE_H
#define MAP_PRELOAD_INSIDE_H

#include "map/batch.h"
#include "map/preload.h"

#include <stdbool.h>
#include <stdint.h>

enum { RECORDS_FACTOR = 2 }; /* beside keys_most old records have room, and keys that are gone */

enum preload_state {
	PRELOAD_OFF,
	PRELOAD_AWAY,
	PRELOAD_SIZING,
	PRELOAD_LOADING,
	PRELOAD_COMPLETE,
	PRELOAD_TOO_LARGE,
	PRELOAD_REFUSED,
	PRELOAD_RESTING,
	PRELOAD_STATES
};

struct preload {
	struct link *link;
	struct mirror *mirror;
	char *prefix;
	size_t prefix_len; /* with the colon */
	struct buf pattern;
	uint64_t keys_most;
	enum preload_state state;
	struct timer *timer; /* the next step */

	bool is_asking; /* a request is on its way */
	bool is_outdated; /* it is, but the settings have moved */
	uint64_t moment, asked_ms; /* when it was sent */
	uint64_t restored; /* the moment of what an earlier process has saved */
	char cursor[24];
	bool is_over; /* SCAN has come round */
	/* Names: of the last SCAN; whose values are on their way; whose values have come. */
	struct batch found, reading, storing;

	uint64_t of, begun_ms, took_ms; /* keys of the load, as Redis counted; how long it took */
	unsigned losses;
	uint64_t lost_ms;
};

/* ---- preload.c */

void preload_enter(struct preload *preload, enum preload_state state);
void preload_too_large(struct preload *preload, const char *why);
void preload_anew(struct preload *preload); /* as the settings and the link are now */

/* The next step, unless a request is on its way: its reply takes it. */
void preload_step_soon(struct preload *preload, uint64_t pause_ms);

/* ---- preload_read.c: each sends one request; none is on its way, and a session is live */

void preload_size_up(struct preload *preload); /* and begins to load, if it is small enough */
void preload_load(struct preload *preload); /* goes on with it */
bool preload_again(struct preload *preload); /* false: nothing has changed */

/* The key without prefix; false where it does not begin with ours. */
bool preload_own_key(const struct preload *preload, struct str whole, struct str *key_r);

#endif
