/*
 * report.h - what the milter asks and reports, and what it is told      (pure)
 *
 * The other half of milter/inquiry.h, which says what goes over the socket. A
 * report is kept in policyd's file as it came, in JSON, with the time added: so
 * whoever reads the file reads reports.
 */
#ifndef POLICY_REPORT_H
#define POLICY_REPORT_H

#include "rules/ask.h"

#include <jansson.h>

enum {
	REPORT_ID_DIGITS = 32, /* hexadecimal, in lower case */
	REPORT_ACCOUNTS_MOST = 6000,
	REPORT_MOST_BYTES = 256 * 1024 /* socketmap takes half of it, and keeping it adds to it */
};

/* The maps that no settings can have. */
enum inquiry_kind { INQUIRY_ASK, INQUIRY_ARRIVED, INQUIRY_NONE };
enum inquiry_kind inquiry_kind(struct str map);

/*
 * What an answer of ASK_ALONE is to the milter, an object; text of any bytes becomes PERM.
 * A reason names no address.
 */
void report_answer(struct buf *out, const struct answer *answer);
void report_kept(struct buf *out, size_t count);

struct report {
	json_t *root; /* what the strs are lent from */
	struct str id, from;
	uint64_t lost;
	int64_t at_s; /* when it was kept; 0: it was not yet */
	size_t count;
};

struct report_account {
	struct str account, owner;
	bool is_stray;
};

/*
 * -1 and *fault_r (VERDICT_PERM): it is none. Names are taken as they are: whose
 * they are is asked before they are counted. Fields that are not named in inquiry.h
 * mean nothing.
 */
int report_read(struct report *report, struct str text, struct fault *fault_r);
void report_fini(struct report *report); /* harmless on a zeroed one */

struct report_account report_account(const struct report *report, size_t i);

/* As it is kept: one line of JSON. */
void report_keep(struct buf *out, const struct report *report, int64_t at_s);

#endif
