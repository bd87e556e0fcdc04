/*
 * import_addresses.h - addresses that are known without an owner      (driver)
 */
#ifndef ADMIN_IMPORT_ADDRESSES_H
#define ADMIN_IMPORT_ADDRESSES_H

#include "admin/admin.h"
#include "admin/filter.h"

#include <stdio.h>

/* Where an import comes from. */
struct source {
	struct admin *admin;
	FILE *file;
	const char *name; /* for messages */
	const struct filter *filter;
	const char *again; /* the command that does it again */
};

/* Write their complete keys, or with --remove take them away. A sysexits code. */
int import_addresses(const struct source *source);

#endif
