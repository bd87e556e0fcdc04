/*
 * counter.h - what has arrived, from the milter's report to Redis     (driver)
 *
 * A report is kept in the ledger and answered; nothing else waits. A second later
 * what is in the ledger is a batch: part by part, the map is asked who owns each
 * account now, and the part is put into Redis (map/arrivals_writer.h). While there is
 * no Redis all stays where it is.
 */
#ifndef POLICY_COUNTER_H
#define POLICY_COUNTER_H

#include "base/openmetrics.h"
#include "map/map.h"
#include "rules/ask.h"

#include <jansson.h>

enum {
	COUNTER_AFTER_MS = 1000, /* from the first report that waits */
	COUNTER_RETRY_MS = 2000, /* where a part could not be put */
	COUNTER_FIRST_LOOK_MS = 10000, /* when all workers have begun */
	COUNTER_LOOK_MS = 60000, /* between two looks at what other workers have left */
	COUNTER_FINISH_MS = 1000 /* for what is left at the end */
};

struct counter;

/* Goes on with what another process of this node has left. map and asker outlive it. */
struct counter *counter_new(struct loop *loop, struct map *map, struct asker *asker);
void counter_free(struct counter **counter); /* what waits stays in the file */

/*
 * A report of the milter's: its JSON. 0 and how many accounts were kept; -1 and
 * *fault_r: not JSON of ours (VERDICT_PERM), or it cannot be kept (VERDICT_TEMP).
 */
int counter_take(struct counter *counter, struct str text, size_t *kept_r, struct fault *fault_r);

/* Count what is left, if that can be done now; fn is called once, perhaps from inside. */
typedef void counter_finished_fn(void *ctx);
void counter_finish(struct counter *counter, counter_finished_fn *fn, void *ctx);

json_t *counter_status(const struct counter *counter); /* the caller's */
void counter_numbers(const struct counter *counter, struct openmetrics *text);

#endif
