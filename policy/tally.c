/*
 * tally.c - how many answers, how late, and how much of it to say    (machine)
 */
#include "policy/tally.h"

#include "base/mem.h"

static const struct {
	const char *name;
	uint64_t most_us; /* a bound counts to what is below it, as OpenMetrics has it */
} steps[] = {
    {"below_1ms", 1000},
    {"below_5ms", 5000},
    {"below_20ms", 20000},
    {"below_100ms", 100000},
    {"below_1s", 1000000},
    {"above", UINT64_MAX},
};
_Static_assert(ARRAY_LEN(steps) == TALLY_STEPS, "a step lacks its name");

void
tally_wait(struct tally *tally, uint64_t waited_us)
{
	size_t i = 0;

	while (waited_us > steps[i].most_us && i < TALLY_STEPS - 1)
		i++;
	tally->later[i]++;
	tally->later_us += waited_us;
}

bool
tally_says(struct tally *tally, enum verdict verdict, uint64_t now_ms, uint64_t *unsaid_r)
{
	struct tally_trouble *trouble = &tally->trouble[verdict];

	if (trouble->said_ms != 0 && now_ms - trouble->said_ms < TALLY_QUIET_MS) {
		trouble->unsaid++;
		return false;
	}
	*unsaid_r = trouble->unsaid;
	trouble->unsaid = 0;
	trouble->said_ms = now_ms;
	return true;
}

json_t *
tally_answers_json(const struct tally *tally)
{
	json_t *all = json_object();

	for (size_t p = 0; p < PROTOCOL_COUNT; p++) {
		json_t *one = json_object();

		if (p == LISTEN_SINK) { /* has no verdicts: it always says later */
			json_decref(one);
			continue;
		}
		for (size_t v = 0; v < VERDICT_COUNT; v++)
			json_object_set_new(one, verdict_name((enum verdict)v),
			    json_integer((json_int_t)tally->answers[p][v]));
		json_object_set_new(all, protocols[p].name, one);
	}
	return all;
}

json_t *
tally_later_json(const struct tally *tally)
{
	json_t *all = json_object();

	for (size_t i = 0; i < TALLY_STEPS; i++)
		json_object_set_new(all, steps[i].name, json_integer((json_int_t)tally->later[i]));
	return all;
}

/* ---- in numbers */

static void
accept_numbers(const struct tally *tally, struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_policyd_connections_accepted", NULL,
	    "Connections that were accepted.");
	for (size_t p = 0; p < PROTOCOL_COUNT; p++)
		openmetrics_sample(text, OPENMETRICS_LABELS({"protocol", protocols[p].name}),
		    tally->accepted[p]);
}

static void
answer_numbers(const struct tally *tally, struct openmetrics *text)
{
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_policyd_answers", NULL,
	    "Answers that were given.");
	for (size_t p = 0; p < PROTOCOL_COUNT; p++) {
		if (p == LISTEN_SINK)
			continue;
		for (size_t v = 0; v < VERDICT_COUNT; v++)
			openmetrics_sample(text,
			    OPENMETRICS_LABELS({"protocol", protocols[p].name},
				{"verdict", verdict_name((enum verdict)v)}),
			    tally->answers[p][v]);
	}
}

void
tally_numbers(const struct tally *tally, struct openmetrics *text)
{
	uint64_t bounds_us[TALLY_STEPS - 1];

	for (size_t i = 0; i < ARRAY_LEN(bounds_us); i++)
		bounds_us[i] = steps[i].most_us;
	accept_numbers(tally, text);
	answer_numbers(tally, text);
	openmetrics_family(text, OPENMETRICS_HISTOGRAM, "splitmx_policyd_answer_wait_seconds",
	    "seconds", "How long answers took that were not remembered.");
	openmetrics_histogram(text, NULL, bounds_us, ARRAY_LEN(bounds_us), tally->later,
	    tally->later_us);
}
