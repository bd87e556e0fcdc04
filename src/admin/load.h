/*
 * load.h - the rows of an import, read whole before anything is written (driver)
 *
 * A file is checked to its end first: every bad line is named with its number,
 * and the digest of its header must be right. Only then the rows, which lie in
 * memory (some sixty bytes and the address each), are compared and written.
 */
#ifndef ADMIN_LOAD_H
#define ADMIN_LOAD_H

#include "admin/admin.h"
#include "admin/filter.h"
#include "admin/transfer.h"

#include <stdint.h>
#include <stdio.h>

enum { LOAD_BAD_SHOWN_MOST = 1000 };

struct load;

/*
 * Read everything from file; name is for messages. NULL after having said what
 * is wrong, and *code_r is a sysexits code. Rows that the filter does not take
 * are left out, but checked too.
 */
struct load *load_read(struct admin *admin, FILE *file, const char *name,
    const struct filter *filter, int *code_r);
void load_free(struct load **load);

/*
 * Domains stand behind the accounts: an account whose owner is not its domain's
 * must have its own before the domain gets one, or mail for it goes to the
 * wrong side in between.
 */
size_t load_count(const struct load *load);
struct str load_name(const struct load *load, size_t i);
struct str load_owner(const struct load *load, size_t i);
uint64_t load_line(const struct load *load, size_t i);
/* Of all bytes of the file, as sha256sum(1) shows it; lent as long as the rows. */
const char *load_sha256(const struct load *load);
bool load_has(const struct load *load, struct str name);

#endif
