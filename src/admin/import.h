/*
 * import.h - many rows of a file become changes, a batch at a time    (driver)
 *
 * Compare first, ask, then write, a batch in a transaction, then wait until all is
 * confirmed. A row that is in the map already is not written again, so an import that
 * was killed is resumed by starting it once more. What the guard refuses is named and
 * left as it is, and everything else is done.
 *
 * What a row is, an owner or an address that is known, its caller says.
 */
#ifndef ADMIN_IMPORT_H
#define ADMIN_IMPORT_H

#include "admin/admin.h"
#include "admin/confirming.h"
#include "map/change.h"

#include <stddef.h>
#include <stdint.h>

struct import_rows {
	size_t count;
	void *ctx;
	/* Row i as a change, whose texts are lent until the import is over; and its line. */
	void (*change_fn)(void *ctx, size_t i, struct change *change_r);
	uint64_t (*line_fn)(void *ctx, size_t i);

	change_guard_fn *guard;
	void *guard_ctx;
	const char *(*why_fn)(const struct change *change); /* a refusal, in words */

	/* What is compared, now and then; an empty one: not there. */
	struct change_value (*before_fn)(const struct change *change);
	struct str (*after_fn)(const struct change *change);

	const char *unit; /* "accounts" */
	const char *value; /* what the one after is called in JSON: "owner" */
	const char *again; /* the command that does the same again, from anywhere: "import ..." */
	const char *sha256; /* of the file */
	bool removes; /* some rows go */
};

/* Rows for the options of every import. */
/* clang-format off */
#define IMPORT_OPTIONS \
	{"dry-run", NULL, "only print what would change: + added, ~ changed, - removed, ! refused"}, \
	{"yes", NULL, "change without asking"}, \
	CONFIRMING_OPTIONS, \
	{"reason", "TEXT", "why; stands in the audit stream"}, \
	{"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"}
/* clang-format on */

/* A sysexits code; everything was said. The map is there. */
int import_run(struct admin *admin, const struct import_rows *rows);

#endif
