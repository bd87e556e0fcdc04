/*
 * ledger_line.h - the lines of policyd's file of arrivals               (pure)
 *
 *	CHECK {"series": "9f...", "batch": 7, "boot": "1b4e28ba-..."}
 *							the file begins
 *	CHECK {"boot": "1b4e28ba-..."}			a process goes on with it
 *	CHECK {"clean": true}				it has ended, all is on the disk
 *	CHECK {"t": 1763730000, "unknown": "..."}	something was lost here
 *	CHECK {"t": 1763730000, "id": ..., ...}		a report (report.h)
 *
 * CHECK is 16 digits over what follows them and a space. A line without its end
 * was never said to be kept: its writer was killed.
 */
#ifndef POLICY_LEDGER_LINE_H
#define POLICY_LEDGER_LINE_H

#include "policy/report.h"

enum { LEDGER_CHECK_DIGITS = 16, LEDGER_BOOT_BYTES = 64 };

struct ledger_line {
	enum ledger_kind {
		LEDGER_HEAD,
		LEDGER_BOOT,
		LEDGER_CLEAN,
		LEDGER_UNKNOWN,
		LEDGER_REPORT,
		LEDGER_DAMAGED
	} kind;
	uint64_t batch; /* HEAD */
	struct str series; /* HEAD */
	struct str boot; /* HEAD, BOOT */
	int64_t at_s; /* UNKNOWN, REPORT */
	struct str reason; /* UNKNOWN */
	struct report report; /* the strs of all kinds are lent from its root */
};

/*
 * The next line, taken out of *rest; fini it. False: there is no whole one, and
 * *rest is what is left.
 */
bool ledger_line_next(struct str *rest, struct ledger_line *line_r);
void ledger_line_fini(struct ledger_line *line);

/* Append one line each. */
void ledger_line_head(struct buf *out, const char *series, uint64_t batch, const char *boot);
void ledger_line_boot(struct buf *out, const char *boot);
void ledger_line_clean(struct buf *out);
void ledger_line_unknown(struct buf *out, int64_t at_s, const char *reason);
void ledger_line_report(struct buf *out, const struct report *report, int64_t at_s);

#endif
