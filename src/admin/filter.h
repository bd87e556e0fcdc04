/*
 * filter.h - which rows list, import and export are about               (pure)
 *
 * From the options --owner, --domain and --pattern, those that the command has.
 */
#ifndef ADMIN_FILTER_H
#define ADMIN_FILTER_H

#include "admin/args.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"

#include <stdbool.h>

struct filter {
	const char *owner, *pattern; /* NULL: any */
	struct buf domain; /* "@example.org", canonical; empty: any */
	struct buf glob; /* what Redis may look for */
};

/* -1 and *fault_r for a domain that is none. */
int filter_init(struct filter *filter, const struct args *args, struct fault *fault_r);
void filter_fini(struct filter *filter);

/* In Redis's glob words; it lets through all that filter_takes() wants, and perhaps more. */
struct str filter_glob(const struct filter *filter);

/* name is "alice@example.org" or "@example.org". The pattern is Redis's own business. */
bool filter_takes(const struct filter *filter, struct str name, struct str owner);

#endif
