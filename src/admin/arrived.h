/*
 * arrived.h - how much mail has come to an account since its flip     (driver)
 *
 * What the milters' policyds have counted (map/arrivals.h), for explain: a hint, from
 * which nothing is decided.
 */
#ifndef ADMIN_ARRIVED_H
#define ADMIN_ARRIVED_H

#include "map/arrivals.h"
#include "map/client.h"

#include <jansson.h>

struct arrived {
	struct arrivals counts;
	struct arrivals_all all;
	struct arrivals_told told;
	int64_t flip_s; /* 0: not known */
};

/*
 * Of an account, canonical, that has this owner since flip_s (0: nobody can say). 0, or
 * -1 and *fault_r; *arrived may not be moved afterwards.
 */
int arrived_find(struct arrived *arrived, struct client *client, struct str account,
    struct str owner, int64_t flip_s, struct fault *fault_r);

void arrived_print(const struct arrived *arrived); /* one line, or two */

/* {"state": "known", "messages": 23, ...}; the caller's. */
json_t *arrived_json(const struct arrived *arrived);

#endif
