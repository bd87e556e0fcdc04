/*
 * rehearsal.h - did an account's password work elsewhere?             (driver)
 *
 * What the login front has kept of its rehearsals (map/rehearsed.h), for explain and
 * for whoever moves accounts. By destination, in the order of their names.
 */
#ifndef ADMIN_REHEARSAL_H
#define ADMIN_REHEARSAL_H

#include "map/client.h"
#include "map/rehearsed.h"

#include <jansson.h>

struct rehearsal_at {
	char *destination;
	struct rehearsed rehearsed;
};

struct rehearsals_found {
	struct rehearsal_at *at;
	size_t count;
};

/* Of an account, canonical. 0, or -1 and *fault_r; a zeroed *found to begin with. */
int rehearsals_find(struct client *client, struct str account, struct rehearsals_found *found,
    struct fault *fault_r);
void rehearsals_found_fini(struct rehearsals_found *found);

/* A line for each; nothing where nothing was tried. */
void rehearsals_print(const struct rehearsals_found *found);

/* {"new": {"works": true, "at": "2026-11-21T19:40:05Z"}}; the caller's. */
json_t *rehearsals_json(const struct rehearsals_found *found);

#endif
