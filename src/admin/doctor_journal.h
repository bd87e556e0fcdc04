/*
 * doctor_journal.h - changes made from here that the map has lost     (driver)
 */
#ifndef ADMIN_DOCTOR_JOURNAL_H
#define ADMIN_DOCTOR_JOURNAL_H

#include "admin/doctor.h"
#include "admin/journaled.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* How long an account is held that is lost; until then somebody has decided, or it is held anew. */
enum { DOCTOR_HOLD_MS = 24 * 60 * 60 * 1000 };

/* "all:doctor-NONCE-RANDOM": the nonce is that of the change which was lost. */
#define DOCTOR_HOLD "all:doctor-"

struct doctor_lost {
	struct buf name;
	char nonce[HEAD_NONCE_BYTES];
	struct buf owner; /* what the map says now, as entries write it */
	struct buf hold; /* what holds it; empty: nothing does */
	bool is_held;
};

struct doctor_journal {
	struct doctor *doctor;
	struct journaled *journaled;
	struct doctor_lost *lost; /* accounts that the map says something else of */
	size_t lost_count;
	size_t unnamed; /* lost changes of several accounts */
	bool failed;
	struct fault fault;
};

/* Read this host's journal; the stream is fed to journal->journaled afterwards. 0, or -1 and
 * *fault_r. */
int doctor_journal_init(struct doctor_journal *journal, struct doctor *doctor,
    struct fault *fault_r);
void doctor_journal_fini(struct doctor_journal *journal);

/* Say what is lost; with names only of these. "whole": see journaled_lost(). 0, or -1 and *fault_r.
 */
int doctor_journal(struct doctor_journal *journal, bool whole, const struct str *names,
    size_t count, struct fault *fault_r);

/*
 * Hold each lost account that nothing holds, and end the holds of those that are
 * lost no more; wait until the new ones are confirmed, unless the map went back.
 * A sysexits code, and it was said what was done.
 */
int doctor_hold(struct doctor_journal *journal);

#endif
