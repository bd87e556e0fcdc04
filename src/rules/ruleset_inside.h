/*
 * ruleset_inside.h - what decide() reads of a ruleset                   (pure)
 *
 * For ruleset.c, which builds it, and decide.c; everybody else knows ruleset.h.
 */
#ifndef RULES_RULESET_INSIDE_H
#define RULES_RULESET_INSIDE_H

#include "rules/ruleset.h"
#include "rules/template.h"

struct destination {
	char *name;
	size_t index; /* where its text is in every view */
	size_t name_len;
};

struct view {
	char *name;
	size_t name_len;
	struct template *held; /* NULL: this view ignores holds */
	struct template **owners; /* by destination index */
};

/* In the order of the file. They are few: looking through them costs less than a hash. */
struct ruleset {
	struct destination *destinations;
	struct view *views;
	size_t destination_count, view_count;
};

const struct destination *ruleset_destination(const struct ruleset *rules, struct str name);

#endif
