/*
 * address_list.c - a file of addresses, read whole before anything is done (driver)
 */
#include "admin/address_list.h"

#include "admin/address_line.h"
#include "admin/subject.h"
#include "admin/transfer.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* What some editors put before the first line of UTF-8 (RFC 3629, section 6). */
static const char byte_order_mark[] = "\xef\xbb\xbf";

struct item {
	struct address_row row;
	char *name, *value;
	UT_hash_handle hh;
};

struct address_list {
	struct admin *admin;
	const char *file_name;
	struct item *items; /* in the order of the file */
	struct item **sorted;
	size_t count;
	uint64_t lines, bad;
	struct subject subject;
	char sha256[crypto_hash_sha256_BYTES * 2 + 1];
};

size_t
address_list_count(const struct address_list *list)
{
	return list->count;
}

const struct address_row *
address_list_at(const struct address_list *list, size_t i)
{
	return &list->sorted[i]->row;
}

static struct item *
find(const struct address_list *list, struct str name)
{
	struct item *item = NULL;

	HASH_FIND(hh, list->items, name.ptr, name.len, item);
	return item;
}

const struct address_row *
address_list_find(const struct address_list *list, struct str name)
{
	const struct item *item = find(list, name);

	return item != NULL ? &item->row : NULL;
}

const char *
address_list_sha256(const struct address_list *list)
{
	return list->sha256;
}

/* ---- lines */

static void bad(struct address_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
bad(struct address_list *list, const char *format, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	if (list->bad++ < ADDRESS_LIST_BAD_SHOWN_MOST) {
		va_start(args, format);
		buf_vaddf(&text, format, args);
		va_end(args);
		admin_fail(list->admin, EX_DATAERR, "%s:%" PRIu64 ": %s", list->file_name,
		    list->lines, buf_cstr(&text));
	}
	buf_fini(&text);
}

static void
add(struct address_list *list, struct str name, struct str value)
{
	struct item *item = find(list, name);

	if (item != NULL) {
		if (!str_eq(item->row.value, value))
			bad(list, "%s is said to be something else in line %" PRIu64,
			    log_quote(name), item->row.line);
		return; /* the same once more is no harm */
	}
	item = xnew(struct item);
	item->name = xstrndup(name.ptr, name.len);
	item->value = xstrndup(value.ptr, value.len);
	item->row =
	    (struct address_row){str_make(item->name, name.len), str_of(item->value), list->lines};
	HASH_ADD_KEYPTR(hh, list->items, item->name, name.len, item);
	list->count++;
}

static void
take_line(struct address_list *list, struct str line, const struct filter *filter)
{
	struct account_rules rules = admin_account_rules(list->admin);
	struct subject *subject = &list->subject;
	struct str address, word, value;
	struct fault fault;

	if (line.len > TRANSFER_LINE_MOST) {
		bad(list, "longer than %d bytes", TRANSFER_LINE_MOST);
		return;
	}
	switch (address_line_read(line, &address, &word, &fault)) {
	case 0:
		return;
	case 1:
		if (word.len > 0 && ruleset_has_destination(list->admin->rules, word)) {
			bad(list,
			    "%s is a destination: a file of owners is read without --addresses",
			    log_quote(word));
			return;
		}
		if (subject_read(subject, address, &rules, &fault) == 0 &&
		    address_line_value(subject->is_domain, word, &value, &fault) == 0) {
			if (filter_takes(filter, subject->name, STR("")))
				add(list, subject->name, value);
			return;
		}
	}
	bad(list, "%s", fault.text);
}

/* True where all could be read. */
static bool
read_lines(struct address_list *list, FILE *file, const struct filter *filter)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state whole;
	char *line = NULL;
	size_t size = 0;
	ssize_t got;

	crypto_hash_sha256_init(&whole);
	while ((got = getline(&line, &size, file)) != -1) {
		struct str text = str_make(line, (size_t)got);

		crypto_hash_sha256_update(&whole, (unsigned char *)line, (size_t)got);
		if (text.len > 0 && line[text.len - 1] == '\n')
			text.len--;
		if (++list->lines == 1 && str_starts(text, byte_order_mark))
			text = str_from(text, strlen(byte_order_mark));
		take_line(list, text, filter);
	}
	free(line);
	crypto_hash_sha256_final(&whole, digest);
	sodium_bin2hex(list->sha256, sizeof(list->sha256), digest, sizeof(digest));
	return !ferror(file);
}

static void
sort(struct address_list *list)
{
	size_t at = 0;

	list->sorted = xnew_array(struct item *, list->count + 1);
	for (int domains = 0; domains <= 1; domains++) {
		for (struct item *item = list->items; item != NULL; item = item->hh.next) {
			if (str_starts(item->row.name, "@") == (domains == 1))
				list->sorted[at++] = item;
		}
	}
}

struct address_list *
address_list_read(struct admin *admin, FILE *file, const char *name, const struct filter *filter,
    int *code_r)
{
	struct address_list *list = xnew(struct address_list);

	list->admin = admin;
	list->file_name = name;
	subject_init(&list->subject);
	*code_r = 0;
	if (!read_lines(list, file, filter))
		*code_r = admin_fail(admin, EX_NOINPUT, "%s cannot be read to its end", name);
	else if (list->bad > 0)
		*code_r = admin_fail(admin, EX_DATAERR,
		    "%s: %" PRIu64 " problems in %" PRIu64 " lines; nothing was changed", name,
		    list->bad, list->lines);
	else
		sort(list);
	if (*code_r != 0)
		address_list_free(&list);
	return list;
}

void
address_list_free(struct address_list **list_ref)
{
	struct address_list *list = *list_ref;
	struct item *item, *next;

	if (list == NULL)
		return;
	*list_ref = NULL;
	HASH_ITER (hh, list->items, item, next) {
		HASH_DEL(list->items, item);
		free(item->name);
		free(item->value);
		free(item);
	}
	subject_fini(&list->subject);
	free(list->sorted);
	free(list);
}
