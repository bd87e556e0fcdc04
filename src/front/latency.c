/*
 * latency.c - how long each step of a login takes at a backend          (pure)
 */
#include "front/latency.h"

/* From a server next door to one that is about to be given up. */
const uint64_t latency_bounds_us[LATENCY_BOUNDS] = {250, 500, 1000, 2500, 5000, 10000, 25000, 50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

const char *const latency_names[LATENCY_STEPS] = {
    [LATENCY_CONNECT] = "connect",
    [LATENCY_GREETING] = "greeting",
    [LATENCY_TLS] = "tls",
    [LATENCY_LOGIN] = "login",
};

void
latency_add(struct latency *latency, enum latency_step step, uint64_t us)
{
	struct latency_row *row = &latency->steps[step];
	unsigned i = 0;

	while (i < LATENCY_BOUNDS && us > latency_bounds_us[i])
		i++;
	row->counts[i]++;
	row->sum_us += us;
}
