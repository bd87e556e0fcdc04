/*
 * counter_counts.c - what has arrived, in numbers of this process      (pure)
 */
#include "policy/counter_counts.h"

json_t *
counter_counts_json(const struct counter_counts *c, uint64_t waiting_bytes)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "reports",
	    (json_int_t)c->kept, "refused", (json_int_t)c->refused, "lost", (json_int_t)c->lost,
	    "messages", (json_int_t)c->messages, "strays", (json_int_t)c->strays, "late",
	    (json_int_t)c->late, "repeated", (json_int_t)c->repeated, "batches",
	    (json_int_t)c->batches, "waiting_bytes", (json_int_t)waiting_bytes);
}

static void
one_counter(struct openmetrics *text, const char *name, const char *help, uint64_t value)
{
	openmetrics_family(text, OPENMETRICS_COUNTER, name, NULL, help);
	openmetrics_sample(text, NULL, value);
}

void
counter_counts_numbers(const struct counter_counts *c, uint64_t waiting_bytes,
    struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_policyd_arrival_reports", NULL,
	    "Reports of the milter: kept, refused, and those among the kept that came twice.");
	openmetrics_sample(text, OPENMETRICS_LABELS({"result", "kept"}), c->kept);
	openmetrics_sample(text, OPENMETRICS_LABELS({"result", "refused"}), c->refused);
	openmetrics_sample(text, OPENMETRICS_LABELS({"result", "repeated"}), c->repeated);
	one_counter(text, "splitmx_policyd_arrivals",
	    "Messages that were counted in Redis, once for each account.", c->messages);
	one_counter(text, "splitmx_policyd_arrivals_stray",
	    "Those of them that arrived at a side that does not own the account.", c->strays);
	one_counter(text, "splitmx_policyd_arrivals_late",
	    "Messages of a former owner's time, which were not counted.", c->late);
	one_counter(text, "splitmx_policyd_arrivals_lost",
	    "Messages that milters could not report; the counts are unknown then.", c->lost);
	openmetrics_family(text, OPENMETRICS_GAUGE, "splitmx_policyd_arrivals_waiting_bytes",
	    "bytes", "What is in the file and not yet counted in Redis.");
	openmetrics_sample(text, NULL, waiting_bytes);
}
