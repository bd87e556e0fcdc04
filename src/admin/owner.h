/*
 * owner.h - set and unset: one owner key changes                      (driver)
 */
#ifndef ADMIN_OWNER_H
#define ADMIN_OWNER_H

#include "admin/admin.h"
#include "admin/completing.h"
#include "admin/confirming.h"
#include "admin/subject.h"

/*
 * How long a delivery hold must have lasted: a queue manager remembers a route
 * for 30 s, and the rest is for deliveries that were under way.
 */
enum { OWNER_HOLD_MS = 35000, OWNER_HOLD_SPARE_MS = 60000 };

/* Rows for the options of set and unset. */
/* clang-format off */
#define OWNER_OPTIONS \
	{"reason", "TEXT", "why; stands in the audit stream"}, \
	{"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"}, \
	{"hold", NULL, "hold delivery first, for as long as it takes, then change and release"}, \
	{"force", NULL, "change an owner that mail is routed by without waiting for a hold"}, \
	{"yes", NULL, "change a whole domain without asking"}, \
	CONFIRMING_OPTIONS
/* clang-format on */

/* Read the address as the operator wrote it, and say so where the map's form differs. */
int owner_subject(const struct admin *admin, struct subject *subject, const char *text);

/* A login name without domain too: for commands that ask, not for those that give an owner. */
int owner_subject_or_login(const struct admin *admin, struct subject *subject, const char *text);

/*
 * Give the subject to a destination, or take its key away where that is empty, and
 * say the same of a domain's being complete where that was said:
 * asks where a domain changes, holds or watches the hold where mail is routed
 * by it, writes, says what was done. A sysexits code.
 */
int owner_change(struct admin *admin, const struct subject *subject, struct str destination,
    const struct completing *completing);

/* "old, new"; lent as long as admin. */
const char *owner_destinations(const struct admin *admin);

#endif
