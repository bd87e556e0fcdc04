/*
 * counter_part.c - lines of the ledger, as one transaction counts them  (pure)
 */
#include "policy/counter_part.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void
counter_part_free(struct counter_part **part)
{
	if (*part == NULL)
		return;
	for (size_t i = 0; i < (*part)->part.report_count; i++)
		ledger_line_fini(&(*part)->lines[i]);
	free((*part)->entries);
	free((*part)->owners);
	free(*part);
	*part = NULL;
}

static void
part_unknown(struct counter_part *part, int64_t at_s, const char *reason, size_t len)
{
	if (part->part.unknown != NULL && part->part.unknown_s > at_s)
		return;
	snprintf(part->unknown, sizeof(part->unknown), "%.*s", (int)len, reason);
	part->part.unknown = part->unknown;
	part->part.unknown_s = at_s;
}

static void
part_add_report(struct counter_part *part, const struct ledger_line *line)
{
	const struct report *report = &line->report;
	size_t at = part->part.report_count++, count = part->part.entry_count;
	char text[ARRIVALS_REASON_MOST + 1];

	part->lines[at] = *line;
	part->ids[at] = report->id;
	part->entries = xrealloc(part->entries, (count + report->count) * sizeof(part->entries[0]));
	for (size_t i = 0; i < report->count; i++) {
		struct report_account row = report_account(report, i);

		part->entries[count + i] = (struct arrivals_entry){.report = at,
		    .account = row.account,
		    .message = {.owner = row.owner,
			.from = report->from,
			.at_s = report->at_s,
			.is_stray = row.is_stray}};
	}
	part->part.entry_count += report->count;
	if (report->lost == 0)
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " message%s could not be reported by %.*s",
	    report->lost, report->lost == 1 ? "" : "s", STR_FMT(report->from));
	part_unknown(part, report->at_s, text, strlen(text));
}

static bool
part_is_full(const struct counter_part *part)
{
	return part->part.report_count == PART_REPORTS_MOST ||
	       part->part.entry_count >= PART_ACCOUNTS_MOST;
}

/* False: the line is the part's now. */
static bool
part_take_line(struct counter_part *part, const struct ledger_line *line, int64_t now_s)
{
	static const char damaged[] = "a policyd's file of arrivals was damaged";

	switch (line->kind) {
	case LEDGER_REPORT:
		part_add_report(part, line);
		return false;
	case LEDGER_UNKNOWN:
		part_unknown(part, line->at_s, line->reason.ptr, line->reason.len);
		break;
	case LEDGER_DAMAGED:
		part_unknown(part, now_s, damaged, strlen(damaged));
		break;
	case LEDGER_HEAD:
	case LEDGER_BOOT:
	case LEDGER_CLEAN:
		break;
	}
	return true;
}

struct counter_part *
counter_part_next(struct str *batch, const struct arrivals_place *place, int64_t now_s)
{
	struct counter_part *part = xnew(struct counter_part);
	struct ledger_line line;

	while (!part_is_full(part) && ledger_line_next(batch, &line)) {
		if (part_take_line(part, &line, now_s))
			ledger_line_fini(&line);
	}
	part->part.reports = part->ids;
	part->part.entries = part->entries;
	part->part.place = *place;
	part->owners = xcalloc(part->part.entry_count, sizeof(part->owners[0]));
	if (part->part.report_count == 0 && part->part.unknown == NULL)
		counter_part_free(&part);
	return part;
}

bool
counter_part_owner(struct counter_part *part, size_t i, const struct finding *finding)
{
	struct arrivals_entry *entry = &part->entries[i];

	switch (finding->verdict) {
	case VERDICT_FOUND:
		entry->owner = ARRIVALS_OWNED;
		memcpy(part->owners[i], finding->owner.ptr, finding->owner.len);
		entry->now = str_make(part->owners[i], finding->owner.len);
		return true;
	case VERDICT_ABSENT:
	case VERDICT_PERM:
	case VERDICT_COUNT:
		entry->owner = ARRIVALS_UNMANAGED;
		return true;
	case VERDICT_TEMP:
		break;
	}
	entry->owner = ARRIVALS_UNSURE;
	return finding->matched.len > 0; /* the key that cannot be read */
}
