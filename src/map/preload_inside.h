/*
 * preload_inside.h - what preload.c and preload_read.c share          (driver)
 */
#ifndef MAP_PRELOAD_INSIDE_H
#define MAP_PRELOAD_INSIDE_H

#include "map/batch.h"
#include "map/preload.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	RECORDS_FACTOR = 2, /* beside keys_most old records have room, and keys that are gone */
	FOUND_MOST = 2, /* SCANs whose values have not been asked for: then the next one waits */
};

/* What is on its way. */
enum { ASKING_NAMES = 1, ASKING_VALUES = 2 };

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

	unsigned asking; /* ASKING_* */
	bool is_outdated; /* it is, but the settings have moved */
	uint64_t moment; /* when values were asked for */
	uint64_t asked_us; /* when names were */
	uint64_t restored; /* the moment of what an earlier process has saved */
	char cursor[24];
	bool is_over; /* SCAN has come round */
	/* Names: as SCAN gave them; whose values are on their way; whose values have come. */
	struct batch found[FOUND_MOST], reading, storing;
	size_t found_count;

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

/* ---- preload_read.c: a session is live, and but for preload_load() nothing on its way */

void preload_size_up(struct preload *preload); /* and begins to load, if it is small enough */
void preload_load(struct preload *preload); /* goes on with it, as far as it can now */
bool preload_again(struct preload *preload); /* false: nothing has changed */

/* The key without prefix; false where it does not begin with ours. */
bool preload_own_key(const struct preload *preload, struct str whole, struct str *key_r);

#endif
