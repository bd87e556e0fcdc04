/*
 * numbers.c - what the milter has done, counted from any thread      (machine)
 */
#include "milter/numbers.h"

#include "base/mem.h"

#include <string.h>

/* Those of session.c; a new one must be here, too. */
static const char *const whys[] = {
    "unknown", "held", "trouble", "too_many", "loop_young", "loop_endless", "disorder"};
_Static_assert(ARRAY_LEN(whys) == NUMBERS_WHYS, "a reason is not counted");

void
numbers_reply(struct numbers *numbers, const struct session_reply *reply)
{
	if (reply->verdict == SESSION_GO_ON)
		return;
	for (size_t i = 0; i < ARRAY_LEN(whys); i++) {
		if (strcmp(whys[i], reply->why) == 0) {
			numbers->whys[i]++;
			return;
		}
	}
	must(!"a reason that numbers.c knows");
}

bool
numbers_say(struct numbers *numbers, enum numbers_trouble trouble, uint64_t now_ms,
    uint64_t *more_r)
{
	uint_fast64_t until_ms = numbers->troubles[trouble].quiet_until_ms;

	/* Of those who see the end of the silence at once, one breaks it. */
	if (now_ms < until_ms ||
	    !atomic_compare_exchange_strong(&numbers->troubles[trouble].quiet_until_ms, &until_ms,
		now_ms + NUMBERS_QUIET_MS)) {
		numbers->troubles[trouble].unsaid++;
		return false;
	}
	*more_r = atomic_exchange(&numbers->troubles[trouble].unsaid, 0);
	return true;
}

/* ---- for people */

static json_t *
whys_json(const struct numbers *numbers)
{
	json_t *all = json_object();

	for (size_t i = 0; i < NUMBERS_WHYS; i++)
		json_object_set_new(all, whys[i], json_integer((json_int_t)numbers->whys[i]));
	return all;
}

static json_t *
traces_json(const struct numbers *numbers)
{
	json_t *all = json_object();

	for (size_t i = 0; i < TRACE_KINDS; i++)
		json_object_set_new(all, trace_kind_name((enum trace_kind)i),
		    json_integer((json_int_t)numbers->traces[i]));
	return all;
}

static json_t *
policyd_json(const struct policyd_numbers *policyd)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "connections",
	    (json_int_t)policyd->connections, "waiting", (json_int_t)policyd->waiting, "asked",
	    (json_int_t)policyd->asked, "troubles", (json_int_t)policyd->troubles, "timeouts",
	    (json_int_t)policyd->timeouts, "refused", (json_int_t)policyd->refused);
}

json_t *
numbers_json(const struct numbers *numbers, const struct policyd_numbers *policyd)
{
	json_t *sessions = json_pack("{s:I, s:I, s:I}", "now", (json_int_t)numbers->sessions,
	    "accepted", (json_int_t)numbers->accepted, "refused", (json_int_t)numbers->refused);
	json_t *reports = json_pack("{s:I, s:I}", "kept", (json_int_t)policyd->reported, "lost",
	    (json_int_t)policyd->lost);

	return json_pack("{s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "connections",
	    (json_int_t)numbers->sessions, "sessions", sessions, "messages",
	    (json_int_t)numbers->messages, "recipients", (json_int_t)numbers->recipients,
	    "refusals", whys_json(numbers), "trace_headers", traces_json(numbers), "policyd",
	    policyd_json(policyd), "reports", reports);
}

/* ---- for machines */

static void
one(struct openmetrics *text, enum openmetrics_kind kind, const char *name, const char *help,
    uint64_t value)
{
	openmetrics_family(text, kind, name, NULL, help);
	openmetrics_sample(text, NULL, value);
}

static void
session_numbers(const struct numbers *numbers, struct openmetrics *text)
{
	one(text, OPENMETRICS_GAUGE, "splitmx_milter_sessions", "SMTP sessions now.",
	    numbers->sessions);
	one(text, OPENMETRICS_COUNTER, "splitmx_milter_sessions_accepted", "SMTP sessions.",
	    numbers->accepted);
	one(text, OPENMETRICS_COUNTER, "splitmx_milter_sessions_refused",
	    "SMTP sessions that were closed at once.", numbers->refused);
	one(text, OPENMETRICS_COUNTER, "splitmx_milter_messages",
	    "Messages that came to their end.", numbers->messages);
	one(text, OPENMETRICS_COUNTER, "splitmx_milter_recipients", "Recipients that were named.",
	    numbers->recipients);
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_milter_refusals", NULL,
	    "Recipients and messages that were refused, for now or for good.");
	for (size_t i = 0; i < NUMBERS_WHYS; i++)
		openmetrics_sample(text, OPENMETRICS_LABELS({"why", whys[i]}), numbers->whys[i]);
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_milter_trace_headers", NULL,
	    "Headers of messages that have the name of ours.");
	for (size_t i = 0; i < TRACE_KINDS; i++)
		openmetrics_sample(text,
		    OPENMETRICS_LABELS({"kind", trace_kind_name((enum trace_kind)i)}),
		    numbers->traces[i]);
}

void
numbers_write(const struct numbers *numbers, const struct policyd_numbers *policyd,
    struct openmetrics *text)
{
	session_numbers(numbers, text);
	one(text, OPENMETRICS_GAUGE, "splitmx_milter_policyd_connections",
	    "Connections to policyd.", policyd->connections);
	one(text, OPENMETRICS_GAUGE, "splitmx_milter_policyd_waiting",
	    "Questions that wait for policyd.", policyd->waiting);
	one(text, OPENMETRICS_COUNTER, "splitmx_milter_policyd_questions", "Questions to policyd.",
	    policyd->asked);
	one(text, OPENMETRICS_COUNTER, "splitmx_milter_policyd_troubles",
	    "Questions that were answered with trouble, or not.", policyd->troubles);
	one(text, OPENMETRICS_COUNTER, "splitmx_milter_policyd_timeouts",
	    "Questions and reports that were not answered in time.", policyd->timeouts);
	one(text, OPENMETRICS_COUNTER, "splitmx_milter_policyd_refused",
	    "Questions and reports for which too many waited.", policyd->refused);
	openmetrics_family(text, OPENMETRICS_COUNTER, "splitmx_milter_reports", NULL,
	    "Messages whose arrival was reported, or not.");
	openmetrics_sample(text, OPENMETRICS_LABELS({"result", "kept"}), policyd->reported);
	openmetrics_sample(text, OPENMETRICS_LABELS({"result", "lost"}), policyd->lost);
}
