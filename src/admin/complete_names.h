/*
 * complete_names.h - the addresses that check --complete asks for     (driver)
 *
 * All of a domain that have a key, those that RFC 2142 and custom give to every
 * domain, and those that an operator's file names: the last two tell what the map may
 * have been forgotten to be told.
 */
#ifndef ADMIN_COMPLETE_NAMES_H
#define ADMIN_COMPLETE_NAMES_H

#include "admin/admin.h"

#include <stddef.h>

struct complete_names;

/* With the addresses of this file, too, unless it is NULL. NULL: said why, *code_r is set. */
struct complete_names *complete_names_read(struct admin *admin, struct str domain_with_at,
    const char *file_name, int *code_r);
void complete_names_free(struct complete_names **names);

size_t complete_names_count(const struct complete_names *names);
struct str complete_names_at(const struct complete_names *names, size_t i); /* canonical */

#endif
