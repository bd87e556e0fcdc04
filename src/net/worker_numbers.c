/*
 * worker_numbers.c - what every worker can say of itself, in numbers    (pure)
 */
#include "net/worker_numbers.h"

void
worker_numbers_write(const struct worker_numbers *numbers, struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_INFO, "splitmx_build", NULL,
	    "The program that answers, and its version.");
	openmetrics_sample(text,
	    OPENMETRICS_LABELS({"program", numbers->program}, {"version", PACKAGE_VERSION}), 1);
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_workers", NULL,
	    "Workers of this daemon; each answers at a port of its own.");
	openmetrics_sample(text, NULL, numbers->workers);
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_worker_uptime_seconds", "seconds",
	    "How long this worker has been running.");
	openmetrics_sample_us(text, NULL, numbers->uptime_ms * 1000);
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_worker_restarts", NULL,
	    "Times that this worker was started again after it had died.");
	openmetrics_sample(text, NULL, numbers->restarts);
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_worker_reloads", NULL,
	    "Times that this worker has taken new settings.");
	openmetrics_sample(text, NULL, numbers->reloads);
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_worker_ready", NULL,
	    "1 when this worker serves.");
	openmetrics_sample(text, NULL, numbers->is_ready);
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_worker_draining", NULL,
	    "1 when this worker only waits for its clients to leave.");
	openmetrics_sample(text, NULL, numbers->is_draining);
}
