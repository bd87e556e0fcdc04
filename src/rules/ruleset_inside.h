/*
 * ruleset_inside.h - what decide() reads of a ruleset                   (pure)
 *
 * For ruleset.c, which builds it, and decide.c; everybody else knows ruleset.h.
 */
#ifndef RULES_RULESET_INSIDE_H
#define RULES_RULESET_INSIDE_H

#include "base/hash.h"
#include "rules/ruleset.h"
#include "rules/template.h"

struct destination {
	char *name;
	size_t index; /* where its text is in every view */
	UT_hash_handle hh;
};

struct view {
	char *name;
	struct template *held; /* NULL: this view ignores holds */
	struct template **owners; /* by destination index */
	UT_hash_handle hh;
};

struct ruleset {
	struct destination *destinations; /* hash table; order of the file */
	struct view *views; /* hash table; order of the file */
	struct view **in_order;
	size_t destination_count, view_count;
};

const struct destination *ruleset_destination(const struct ruleset *rules, struct str name);

#endif
