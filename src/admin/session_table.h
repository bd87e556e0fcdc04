/*
 * session_table.h - the sessions of a login front, as a table           (pure)
 *
 * Is fed what workers say of their sessions, keeps what is asked for, and shows it
 * with the oldest first. A worker of another version may leave something out: that
 * is shown as "-", and no filter for it matches.
 */
#ifndef ADMIN_SESSION_TABLE_H
#define ADMIN_SESSION_TABLE_H

#include "base/buf.h"
#include "net/cidr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_filter {
	const char *account, *destination; /* NULL: any */
	const struct cidr *from; /* the same */
	uint64_t older_ms;
};

struct session_table;

struct session_table *session_table_new(const struct session_filter *filter); /* lent */
void session_table_free(struct session_table **table);

/* One object of "sessions"; process is whose. Both are kept (and the object counted). */
void session_table_take(struct session_table *table, const char *process, json_t *session);

void session_table_sort(struct session_table *table); /* before reading */
size_t session_table_count(const struct session_table *table);

/* What the worker said, and "process"; lent. */
json_t *session_table_json(const struct session_table *table, size_t i);

/* Heads and rows, in columns; bytes of clients are made visible. Nothing without rows. */
void session_table_write(const struct session_table *table, struct buf *out);

#endif
