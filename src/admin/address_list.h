/*
 * address_list.h - a file of addresses, read whole before anything is done (driver)
 *
 * One in a line, see address_line.h. Every bad line is named with its number, and then
 * nothing is done at all.
 */
#ifndef ADMIN_ADDRESS_LIST_H
#define ADMIN_ADDRESS_LIST_H

#include "admin/admin.h"
#include "admin/filter.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { ADDRESS_LIST_BAD_SHOWN_MOST = 1000 };

struct address_list;

struct address_row {
	struct str name; /* canonical "alias@example.org" or "@example.org" */
	struct str value; /* of its complete key */
	uint64_t line;
};

/*
 * Read everything from file; name is for messages. NULL after having said what is
 * wrong, and *code_r is a sysexits code. What the filter does not take is checked, and
 * left out.
 */
struct address_list *address_list_read(struct admin *admin, FILE *file, const char *name,
    const struct filter *filter, int *code_r);
void address_list_free(struct address_list **list);

/* Domains stand behind the addresses. Rows are lent as long as the list. */
size_t address_list_count(const struct address_list *list);
const struct address_row *address_list_at(const struct address_list *list, size_t i);
const struct address_row *address_list_find(const struct address_list *list, struct str name);

/* Of all bytes of the file, as sha256sum(1) shows it. */
const char *address_list_sha256(const struct address_list *list);

#endif
