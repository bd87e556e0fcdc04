/*
 * session_table.c - the sessions of a login front, as a table           (pure)
 */
#include "admin/session_table.h"

#include "admin/age.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct session_table {
	const struct session_filter *filter;
	json_t **rows; /* each counted */
	size_t count, room;
};

/* ---- a row */

static const char *
text_of(const json_t *row, const char *name)
{
	return json_string_value(json_object_get(row, name));
}

/* A login that is under way says "owner": there is no session there yet. */
static const char *
destination_of(const json_t *row)
{
	const char *destination = text_of(row, "destination");

	return destination != NULL ? destination : text_of(row, "owner");
}

static uint64_t
age_of(const json_t *row)
{
	json_int_t ms = json_integer_value(json_object_get(row, "ms"));

	return ms > 0 ? (uint64_t)ms : 0;
}

static bool
is_from(const json_t *row, const struct cidr *from)
{
	const char *text = text_of(row, "from");
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;

	if (text == NULL)
		return false;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	return cidr_has(from, &address);
}

static bool
is_text(const char *text, const char *wanted)
{
	return wanted == NULL || (text != NULL && strcmp(text, wanted) == 0);
}

static bool
is_wanted(const struct session_filter *filter, const json_t *row)
{
	return is_text(text_of(row, "account"), filter->account) &&
	       is_text(destination_of(row), filter->destination) &&
	       (filter->from == NULL || is_from(row, filter->from)) &&
	       age_of(row) >= filter->older_ms;
}

/* ---- all rows */

struct session_table *
session_table_new(const struct session_filter *filter)
{
	struct session_table *table = xnew(struct session_table);

	table->filter = filter;
	return table;
}

void
session_table_free(struct session_table **table_ref)
{
	struct session_table *table = *table_ref;

	if (table == NULL)
		return;
	*table_ref = NULL;
	for (size_t i = 0; i < table->count; i++)
		json_decref(table->rows[i]);
	free(table->rows);
	free(table);
}

void
session_table_take(struct session_table *table, const char *process, json_t *session)
{
	if (!json_is_object(session) || !is_wanted(table->filter, session))
		return;
	if (table->count == table->room) {
		table->room = table->room > 0 ? 2 * table->room : 64;
		table->rows = xrealloc(table->rows, table->room * sizeof(*table->rows));
	}
	json_object_set_new(session, "process", json_string(process));
	table->rows[table->count++] = json_incref(session);
}

static int
compare_text(const json_t *a, const json_t *b, const char *name)
{
	const char *one = text_of(a, name), *other = text_of(b, name);

	return strcmp(one ? one : "", other ? other : "");
}

/* The oldest first; what is equally old stands in an order that stays the same. */
static int
compare(const void *a, const void *b)
{
	const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
	uint64_t ms = age_of(one), other_ms = age_of(other);
	int order;

	if (ms != other_ms)
		return ms > other_ms ? -1 : 1;
	if ((order = compare_text(one, other, "account")) != 0)
		return order;
	return compare_text(one, other, "session");
}

void
session_table_sort(struct session_table *table)
{
	if (table->count > 0)
		qsort(table->rows, table->count, sizeof(*table->rows), compare);
}

size_t
session_table_count(const struct session_table *table)
{
	return table->count;
}

json_t *
session_table_json(const struct session_table *table, size_t i)
{
	return table->rows[i];
}

/* ---- for people */

static void
add_text(struct buf *out, const char *text)
{
	log_visible(out, str_of(text != NULL && text[0] != '\0' ? text : "-"));
}

static void
add_age(struct buf *out, const json_t *row)
{
	if (json_is_integer(json_object_get(row, "ms")))
		age_write(out, age_of(row));
	else
		add_text(out, NULL);
}

/* "812", "40K", "3.2M": as a person wants it. */
static void
add_bytes(struct buf *out, const json_t *row, const char *name)
{
	static const char letters[] = "KMGT";
	const json_t *value = json_object_get(row, name);
	uint64_t bytes = (uint64_t)json_integer_value(value), unit = 1024;
	size_t i = 0;

	if (!json_is_integer(value)) {
		add_text(out, NULL);
	} else if (bytes < 1024) {
		buf_add_u64(out, bytes);
	} else {
		for (; i < sizeof(letters) - 2 && bytes / unit >= 1024; i++)
			unit *= 1024;
		if (bytes / unit < 10)
			buf_addf(out, "%" PRIu64 ".%" PRIu64 "%c", bytes / unit,
			    bytes % unit * 10 / unit, letters[i]);
		else
			buf_addf(out, "%" PRIu64 "%c", bytes / unit, letters[i]);
	}
}

enum { ACCOUNT, PROTOCOL, FROM, TO, PHASE, AGE, IN, OUT, SESSION, PROCESS, COLUMNS };

static const char *const heads[COLUMNS] = {
    "ACCOUNT", "PROTOCOL", "FROM", "TO", "PHASE", "AGE", "IN", "OUT", "SESSION", "PROCESS"};

static void
add_cell(struct buf *out, const json_t *row, unsigned column)
{
	static const char *const names[COLUMNS] = {[ACCOUNT] = "account",
	    [PROTOCOL] = "protocol",
	    [FROM] = "from",
	    [PHASE] = "phase",
	    [IN] = "in",
	    [OUT] = "out",
	    [SESSION] = "session",
	    [PROCESS] = "process"};

	if (column == TO)
		add_text(out, destination_of(row));
	else if (column == AGE)
		add_age(out, row);
	else if (column == IN || column == OUT)
		add_bytes(out, row, names[column]);
	else
		add_text(out, text_of(row, names[column]));
}

static void
measure(const struct session_table *table, size_t widths[static COLUMNS])
{
	struct buf cell = BUF_INIT;

	for (unsigned c = 0; c < COLUMNS; c++) {
		widths[c] = strlen(heads[c]);
		for (size_t i = 0; i < table->count; i++) {
			buf_clear(&cell);
			add_cell(&cell, table->rows[i], c);
			if (buf_len(&cell) > widths[c])
				widths[c] = buf_len(&cell);
		}
	}
	buf_fini(&cell);
}

/* Numbers stand at the right of their column, so that they can be compared. */
static void
add_padded(struct buf *out, struct str cell, unsigned column, size_t width)
{
	bool right = column == AGE || column == IN || column == OUT;

	for (size_t i = cell.len; right && i < width; i++)
		buf_add_byte(out, ' ');
	buf_add_str(out, cell);
	for (size_t i = cell.len; !right && i < width && column < COLUMNS - 1; i++)
		buf_add_byte(out, ' ');
	buf_add_byte(out, column < COLUMNS - 1 ? ' ' : '\n');
}

void
session_table_write(const struct session_table *table, struct buf *out)
{
	size_t widths[COLUMNS];
	struct buf cell = BUF_INIT;

	if (table->count == 0)
		return;
	measure(table, widths);
	for (unsigned c = 0; c < COLUMNS; c++)
		add_padded(out, str_of(heads[c]), c, widths[c]);
	for (size_t i = 0; i < table->count; i++) {
		for (unsigned c = 0; c < COLUMNS; c++) {
			buf_clear(&cell);
			add_cell(&cell, table->rows[i], c);
			add_padded(out, buf_str(&cell), c, widths[c]);
		}
	}
	buf_fini(&cell);
}
