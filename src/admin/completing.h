/*
 * completing.h - what set says of a domain beside its owner           (driver)
 *
 * That it is complete, so that whoever the map does not know is refused; or that it
 * has a catch-all, so that nobody is unknown; or neither any more.
 */
#ifndef ADMIN_COMPLETING_H
#define ADMIN_COMPLETING_H

#include "admin/admin.h"
#include "admin/subject.h"
#include "map/change.h"
#include "map/record.h"

/* Rows for the options of set. */
/* clang-format off */
#define COMPLETING_OPTIONS \
	{"complete", NULL, "of a domain: whom the map does not know is refused; see check --complete"}, \
	{"not-complete", NULL, "of a domain: no more"}, \
	{"catch-all", NULL, "of a domain: nobody is unknown, because a server takes them all"}, \
	{"no-catch-all", NULL, "of a domain: no more"}
/* clang-format on */

struct completing {
	bool is_said; /* one of the options was given */
	struct str value; /* what the complete key becomes; empty: it goes */
	enum completeness takes_back; /* if this is what it says */
};

/* 0; or a sysexits code after having said what is wrong. */
int completing_read(struct completing *completing_r, const struct admin *admin,
    const struct subject *subject);

/* Does the operator agree to it? The map is there. 0; EX_NOPERM, or another code, said. */
int completing_confirm(const struct completing *completing, struct admin *admin,
    const struct subject *subject);

/* What a complete key says of its domain: "complete", "with a catch-all", "not complete". (pure) */
const char *completing_words(struct change_value value);
const char *completing_sentence(struct change_value value);

#endif
