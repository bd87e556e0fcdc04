/*
 * edit.h - a guarded change of the head of the map                    (driver)
 *
 * The lease and the members stand in the hash "prefix.map". Who changes them looks
 * at what is there under WATCH, decides, and writes it with a seal in one MULTI;
 * when somebody came between, nothing was written and it is decided anew.
 */
#ifndef ADMIN_EDIT_H
#define ADMIN_EDIT_H

#include "admin/admin.h"
#include "map/seal.h"

#include <stdint.h>

enum { EDIT_FIELDS_MOST = 6, EDIT_NOTHING = -1 };

struct edit {
	struct map_head head; /* as it is, under WATCH */
	struct buf values;
	size_t count;
	struct edit_field {
		const char *name;
		size_t at, len; /* in values; an empty one is taken away */
	} fields[EDIT_FIELDS_MOST];
};

/* Write this field too, with a value that is printed; "" takes it away. */
void edit_put(struct edit *edit, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Decide what to write: 0 when fields were put, EDIT_NOTHING when all is as wanted,
 * or a sysexits code after having said why not. May be called again.
 */
typedef int edit_fn(void *ctx, struct edit *edit);

/*
 * 0: written; seal_r names it for confirm_run(), with epoch 0 where there was
 * nothing to write. Else a sysexits code, and it was said why.
 */
int edit_head(struct admin *admin, const char *what, edit_fn *fn, void *ctx, struct seal *seal_r);

/*
 * Then wait until every Redis server that may be promoted has it, or what somebody
 * else wrote where the seal has no epoch. 0; or EX_TEMPFAIL, and it was said: "what",
 * which is written here, then what is missing and "risk".
 */
int edit_reach(struct admin *admin, const struct seal *seal, const char *what, const char *risk);

#endif
