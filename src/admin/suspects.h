/*
 * suspects.h - owners that are not as they were noted last            (driver)
 *
 * The audit stream and the owners are read one after the other, and a change that
 * somebody makes in between looks like an edit by hand. So who does not agree is
 * only suspected, and looked at a second time in the end: his owner and what the
 * stream has more of, in one transaction, as a change writes them. What is named
 * then was so at one moment.
 */
#ifndef ADMIN_SUSPECTS_H
#define ADMIN_SUSPECTS_H

#include "admin/doctor.h"
#include "admin/history.h"
#include "admin/noted.h"
#include "base/buf.h"
#include "map/scan.h"

#include <stdbool.h>
#include <stddef.h>

struct suspects {
	struct doctor *doctor;
	struct noted *noted;
	struct history_place *place; /* up to where the stream was noted */
	struct buf names; /* one behind the other: the walk lends its rows */
	size_t *lens;
	size_t count;
};

/* All lent until suspects_fini(). */
void suspects_init(struct suspects *suspects, struct doctor *doctor, struct noted *noted,
    struct history_place *place);
void suspects_fini(struct suspects *suspects);

/* An owner key, compared with what was noted. */
void suspects_row(struct suspects *suspects, const struct scan_row *row);

/* After all rows: an account that was noted and had none. */
void suspects_without(struct suspects *suspects, struct str name);

/* Look again at each of them, and say what is still so. 0, or -1 and *fault_r. */
int suspects_look(struct suspects *suspects, struct fault *fault_r);

#endif
