/*
 * doctor.h - what the doctor has found                                (driver)
 *
 * Each finding is a kind, a name and a sentence that ends with what mends it. A
 * person sees the first few of each kind, a program all of them.
 */
#ifndef ADMIN_DOCTOR_H
#define ADMIN_DOCTOR_H

#include "admin/admin.h"

#include <stddef.h>

enum finding_kind {
	FINDING_BACK, /* the map is an older state of itself */
	FINDING_LOST, /* a change that was made here is not in it any more */
	FINDING_WINDOW, /* the window was never quite opened */
	FINDING_MEMBERS, /* too few Redis servers, or unknown ones */
	FINDING_NODE, /* a node that is silent, refuses or warns */
	FINDING_EDITED, /* a value is not what was noted last */
	FINDING_GONE, /* the same, and there is no key any more */
	FINDING_UNCONFIRMED, /* noted, and never confirmed */
	FINDING_UNNOTED, /* nobody ever noted it */
	FINDING_OWNER, /* an owner that is no destination, or no string */
	FINDING_UNMANAGED, /* an owner that nobody honours */
	FINDING_HOLD, /* a hold without an end */
	FINDING_LOGIN, /* a login key that leads nowhere */
	FINDING_COMPLETE, /* a complete key that says nothing, or that nobody reads */
	FINDING_KINDS
};

enum { DOCTOR_SHOWN_MOST = 20 };

struct doctor {
	struct admin *admin;
	size_t counts[FINDING_KINDS];
};

void doctor_say(struct doctor *doctor, enum finding_kind kind, struct str name, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

/* Sentences about one thing; releases them. */
void doctor_say_all(struct doctor *doctor, enum finding_kind kind, struct str name,
    json_t *troubles);

/* How many in all; a person is told so, and what was not shown. */
size_t doctor_sum(const struct doctor *doctor);

#endif
