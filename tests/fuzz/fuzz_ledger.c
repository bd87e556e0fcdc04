/*
 * fuzz_ledger.c - any bytes as a milter's report, and as a file of arrivals
 */
#include "base/mem.h"
#include "policy/counter_part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken can be kept, and is the same when it is read again. */
static void
keep(const struct report *report)
{
	struct buf text = BUF_INIT;
	struct ledger_line line;
	struct str rest;

	ledger_line_report(&text, report, 1763730000);
	rest = buf_str(&text);
	must(ledger_line_next(&rest, &line) && rest.len == 0);
	must(line.kind == LEDGER_REPORT && line.at_s == 1763730000);
	must(str_eq(line.report.id, report->id) && str_eq(line.report.from, report->from));
	must(line.report.lost == report->lost && line.report.count == report->count);
	for (size_t i = 0; i < report->count; i++) {
		struct report_account a = report_account(report, i),
				      b = report_account(&line.report, i);

		must(str_eq(a.account, b.account) && str_eq(a.owner, b.owner));
		must(a.is_stray == b.is_stray);
	}
	ledger_line_fini(&line);
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size), rest = text;
	struct arrivals_place place = {.batch = 1};
	struct counter_part *part;
	struct report report;
	struct fault fault;

	if (report_read(&report, text, &fault) == 0)
		keep(&report);
	report_fini(&report);
	while ((part = counter_part_next(&rest, &place, 1)) != NULL) {
		place.part++;
		must(part->part.report_count <= PART_REPORTS_MOST);
		for (size_t i = 0; i < part->part.entry_count; i++)
			must(part->entries[i].report < part->part.report_count);
		counter_part_free(&part);
	}
	must(str_find(rest, '\n') == rest.len);
	return 0;
}
