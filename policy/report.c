/*
 * report.c - what the milter asks and reports, and what it is told      (pure)
 */
#include "policy/report.h"

#include "base/mem.h"
#include "map/arrivals.h"
#include "map/record.h"

#include <stdlib.h>

static const char *const hold_names[] = {
    [HOLD_NONE] = "none",
    [HOLD_MAIL] = "mail",
    [HOLD_ALL] = "all",
};
_Static_assert(ARRAY_LEN(hold_names) == HOLD_ALL + 1, "a hold lacks its name");

enum inquiry_kind
inquiry_kind(struct str map)
{
	if (str_is(map, "=ask"))
		return INQUIRY_ASK;
	return str_is(map, "=arrived") ? INQUIRY_ARRIVED : INQUIRY_NONE;
}

/* ---- what it is told */

static void
add_json(struct buf *out, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	must(text != NULL);
	buf_add_text(out, text);
	free(text);
	json_decref(object);
}

static json_t *
trouble(const char *verdict, const char *reason)
{
	json_t *object = json_pack("{s:s, s:s}", "verdict", verdict, "reason", reason);

	return object != NULL
		   ? object
		   : json_pack("{s:s, s:s}", "verdict", verdict, "reason", "see policyd's log");
}

/* Why nothing is known, without anybody's name: it comes into the log of the milter's. */
static const char *
reason_of(const struct answer *answer)
{
	if (answer->finding.verdict == VERDICT_TEMP && answer->finding.matched.len > 0)
		return "a key of the map cannot be read: see policyd's log";
	return answer->reason != NULL ? answer->reason : "";
}

/* Refusing for good what was unknown once needs a map that would tell us if it were not. */
static json_t *
found(const struct finding *finding)
{
	json_t *object;

	if (finding->is_unknown && finding->source == SOURCE_GRACE)
		return trouble(verdict_name(VERDICT_TEMP),
		    "Redis is away, so nobody can be said to be unknown");
	object = json_pack("{s:s, s:s%, s:s%, s:s, s:b, s:I}", "verdict",
	    verdict_name(VERDICT_FOUND), "account", finding->account.ptr, finding->account.len,
	    "owner", finding->owner.ptr, finding->owner.len, "hold", hold_names[finding->hold],
	    "unknown", (int)finding->is_unknown, "epoch", (json_int_t)finding->epoch);
	return object != NULL
		   ? object
		   : trouble(verdict_name(VERDICT_PERM), "the account or its owner is not UTF-8");
}

void
report_answer(struct buf *out, const struct answer *answer)
{
	const struct finding *finding = &answer->finding;
	const char *verdict = verdict_name(answer->verdict);
	json_t *object = NULL;

	switch (answer->verdict) {
	case VERDICT_FOUND:
		object = found(finding);
		break;
	case VERDICT_ABSENT:
		object = json_pack("{s:s}", "verdict", verdict);
		break;
	case VERDICT_TEMP:
	case VERDICT_PERM:
	case VERDICT_COUNT:
		object = trouble(verdict, reason_of(answer));
		break;
	}
	add_json(out, object);
}

void
report_kept(struct buf *out, size_t count)
{
	add_json(out, json_pack("{s:I}", "kept", (json_int_t)count));
}

/* ---- what it reports */

static struct str
text_of(const json_t *value)
{
	return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value))
				     : STR("");
}

static bool
is_id(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((text.ptr[i] < '0' || text.ptr[i] > '9') &&
		    (text.ptr[i] < 'a' || text.ptr[i] > 'f'))
			return false;
	}
	return text.len == REPORT_ID_DIGITS;
}

static bool
is_account(const json_t *row)
{
	struct str account = text_of(json_array_get(row, 0));

	return json_array_size(row) == 3 && account.len > 0 && account.len <= ACCOUNT_MAX_BYTES &&
	       str_find(account, '@') < account.len &&
	       record_owner_is_valid(text_of(json_array_get(row, 1))) &&
	       json_is_boolean(json_array_get(row, 2));
}

/* NULL, or what is wrong. */
static const char *
read_object(struct report *report, const json_t *root)
{
	const json_t *lost = json_object_get(root, "lost"), *at = json_object_get(root, "t"),
		     *accounts = json_object_get(root, "accounts");

	if (!json_is_object(root))
		return "the report is no JSON object";
	report->id = text_of(json_object_get(root, "id"));
	report->from = text_of(json_object_get(root, "from"));
	if (!is_id(report->id))
		return "the report has no id";
	if (report->from.len == 0 || report->from.len > ARRIVALS_FROM_MOST)
		return "the report does not say where from";
	if (!json_is_integer(lost) || json_integer_value(lost) < 0)
		return "the report does not say how many were lost";
	report->lost = (uint64_t)json_integer_value(lost);
	if (at != NULL && (!json_is_integer(at) || json_integer_value(at) < 0 ||
			      json_integer_value(at) > ARRIVALS_TIME_MOST))
		return "the report has a time that is none";
	report->at_s = (int64_t)json_integer_value(at);
	if (!json_is_array(accounts) || json_array_size(accounts) > REPORT_ACCOUNTS_MOST)
		return "the report has no accounts, or too many";
	report->count = json_array_size(accounts);
	for (size_t i = 0; i < report->count; i++) {
		if (!is_account(json_array_get(accounts, i)))
			return "the report has an account that is none";
	}
	return NULL;
}

int
report_read(struct report *report, struct str text, struct fault *fault_r)
{
	const char *why = "the report is too long";

	*report = (struct report){0};
	if (text.len <= REPORT_MOST_BYTES) {
		report->root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
		why = read_object(report, report->root);
	}
	if (why == NULL)
		return 0;
	report_fini(report);
	return fault_set(fault_r, VERDICT_PERM, "%s", why);
}

void
report_fini(struct report *report)
{
	json_decref(report->root);
	*report = (struct report){0};
}

struct report_account
report_account(const struct report *report, size_t i)
{
	const json_t *row = json_array_get(json_object_get(report->root, "accounts"), i);

	return (struct report_account){.account = text_of(json_array_get(row, 0)),
	    .owner = text_of(json_array_get(row, 1)),
	    .is_stray = json_is_true(json_array_get(row, 2))};
}

void
report_keep(struct buf *out, const struct report *report, int64_t at_s)
{
	json_t *kept = json_pack("{s:I, s:s%, s:s%, s:I, s:O}", "t", (json_int_t)at_s, "id",
	    report->id.ptr, report->id.len, "from", report->from.ptr, report->from.len, "lost",
	    (json_int_t)report->lost, "accounts", json_object_get(report->root, "accounts"));

	must(kept != NULL); /* it came as JSON */
	add_json(out, kept);
}
