/*
 * complete_names.c - the addresses that check --complete asks for     (driver)
 */
#include "admin/complete_names.h"

#include "admin/address_list.h"
#include "base/hash.h"
#include "base/mem.h"
#include "map/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * RFC 2142, sections 3 to 5, and what else many servers take. Not postmaster: with a
 * key or without it is known, so there is nothing that could have been forgotten.
 */
static const char *const roles[] = {"abuse", "noc", "security", "hostmaster", "usenet", "news",
    "webmaster", "www", "uucp", "ftp", "info", "marketing", "sales", "support", "root",
    "mailer-daemon", "admin"};

struct name {
	char *text;
	UT_hash_handle hh;
};

struct complete_names {
	struct name *table;
	struct name **list;
	size_t count, size;
};

size_t
complete_names_count(const struct complete_names *names)
{
	return names->count;
}

struct str
complete_names_at(const struct complete_names *names, size_t i)
{
	const struct name *name = names->list[i];

	return str_make(name->text, name->hh.keylen);
}

static void
add(struct complete_names *names, struct str text)
{
	struct name *name = NULL;

	HASH_FIND(hh, names->table, text.ptr, text.len, name);
	if (name != NULL || str_starts(text, "@"))
		return;
	name = xnew(struct name);
	name->text = xstrndup(text.ptr, text.len);
	HASH_ADD_KEYPTR(hh, names->table, name->text, text.len, name);
	if (names->count == names->size) {
		names->size = names->size > 0 ? names->size * 2 : 256;
		names->list = xrealloc(names->list, names->size * sizeof(names->list[0]));
	}
	names->list[names->count++] = name;
}

static bool
on_key(void *ctx, const struct scan_row *row)
{
	add(ctx, row->name);
	return true;
}

static int
add_keys(struct complete_names *names, struct admin *admin, struct str domain)
{
	static const char *const kinds[] = {"owner", "login", "complete"};
	struct buf glob = BUF_INIT;
	struct fault fault;
	int rc = 0;

	buf_add_byte(&glob, '*');
	scan_escape(&glob, domain);
	for (size_t i = 0; i < ARRAY_LEN(kinds) && rc == 0; i++)
		rc = scan_keys(admin->client, kinds[i], buf_str(&glob), on_key, names, &fault);
	buf_fini(&glob);
	return rc == -1 ? admin_fault(admin, &fault) : 0;
}

static void
add_roles(struct complete_names *names, struct str domain)
{
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		buf_clear(&text);
		buf_add_text(&text, roles[i]);
		buf_add_str(&text, domain);
		add(names, buf_str(&text));
	}
	buf_fini(&text);
}

static int
add_file(struct complete_names *names, struct admin *admin, struct str domain, const char *path)
{
	struct filter filter = {.domain = BUF_INIT, .glob = BUF_INIT};
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	struct address_list *list;
	int code;

	if (file == NULL)
		return admin_fail(admin, EX_NOINPUT, "%s: %s", path, strerror(errno));
	buf_add_str(&filter.domain, domain);
	list = address_list_read(admin, file, is_stdin ? "standard input" : path, &filter, &code);
	for (size_t i = 0; list != NULL && i < address_list_count(list); i++)
		add(names, address_list_at(list, i)->name);
	address_list_free(&list);
	filter_fini(&filter);
	if (!is_stdin)
		fclose(file);
	return code;
}

struct complete_names *
complete_names_read(struct admin *admin, struct str domain_with_at, const char *file_name,
    int *code_r)
{
	struct complete_names *names = xnew(struct complete_names);

	*code_r = add_keys(names, admin, domain_with_at);
	if (*code_r == 0)
		add_roles(names, domain_with_at);
	if (*code_r == 0 && file_name != NULL)
		*code_r = add_file(names, admin, domain_with_at, file_name);
	if (*code_r != 0)
		complete_names_free(&names);
	return names;
}

void
complete_names_free(struct complete_names **names_ref)
{
	struct complete_names *names = *names_ref;

	if (names == NULL)
		return;
	*names_ref = NULL;
	HASH_CLEAR(hh, names->table);
	for (size_t i = 0; i < names->count; i++) {
		free(names->list[i]->text);
		free(names->list[i]);
	}
	free(names->list);
	free(names);
}
