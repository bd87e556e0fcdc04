/*
 * members.c - the Redis servers that hold the map                     (driver)
 */
#include "admin/members.h"

#include "base/clock.h"

#include <stdio.h>

/* A WAIT is shorter than the time after which a silent Redis is given up. */
enum { WAIT_STEP_MS = 1000 };

struct reached {
	int64_t count;
	bool failed;
	struct fault fault;
};

static void
on_wait(void *ctx, const struct resp *reply)
{
	struct reached *reached = ctx;

	reached->count = resp_int(reply);
	reached->failed = resp_type(reply) != RESP_INTEGER;
	if (reached->failed)
		fault_set(&reached->fault, VERDICT_TEMP, "Redis refused WAIT: %.*s",
		    STR_FMT(resp_str(reply)));
}

int
members_wait(struct client *client, uint64_t most_ms, struct fault *fault_r)
{
	unsigned all = head_replicas_all(&client_map(client)->head);
	uint64_t start = clock_ms();
	struct reached reached = {0};
	char count[16], step[16];

	if (all == 0)
		return 0;
	snprintf(count, sizeof(count), "%u", all);
	snprintf(step, sizeof(step), "%d", WAIT_STEP_MS);
	do {
		client_words(client, on_wait, &reached, "WAIT", count, step, NULL);
		if (client_wait(client, 0, fault_r) == -1)
			return -1;
		if (reached.failed) {
			*fault_r = reached.fault;
			return -1;
		}
	} while (reached.count < all && clock_ms() - start < most_ms);
	if (reached.count >= all)
		return 0;
	return fault_set(fault_r, VERDICT_TEMP, "only %d of %u replicas have it",
	    (int)reached.count, all);
}
