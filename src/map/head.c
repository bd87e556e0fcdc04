/*
 * head.c - the head of the map: what the hash "prefix.map" says         (pure)
 */
#include "map/head.h"

#include "base/mem.h"
#include "map/server.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MOST INT64_MAX /* Redis counts no further */

/* ---- words */

bool
head_word_read(struct str text, char *word_r, size_t size)
{
	if (text.len == 0 || text.len >= size)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			c == '-'))
			return false;
	}
	memset(word_r, 0, size);
	memcpy(word_r, text.ptr, text.len);
	return true;
}

static bool
address_read(struct str text, char address_r[static HEAD_ADDRESS_BYTES])
{
	size_t colon = str_rfind(text, ':');
	uint64_t port;

	if (text.len >= HEAD_ADDRESS_BYTES || colon == text.len || colon == 0 ||
	    !str_number(str_from(text, colon + 1), 65535, &port) || port == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
			return false;
	}
	memset(address_r, 0, HEAD_ADDRESS_BYTES);
	memcpy(address_r, text.ptr, text.len);
	return true;
}

bool
head_servers_has(const struct head_servers *servers, struct str address)
{
	for (unsigned i = 0; i < servers->count; i++) {
		if (str_is(address, servers->address[i]))
			return true;
	}
	return false;
}

bool
head_servers_read(struct str text, struct head_servers *servers_r)
{
	struct str one;

	*servers_r = (struct head_servers){0};
	while (text.len > 0) {
		one = str_make(text.ptr, str_find(text, ' '));
		text = str_from(text, one.len < text.len ? one.len + 1 : one.len);
		if (servers_r->count == HEAD_MEMBERS_MOST || head_servers_has(servers_r, one) ||
		    !address_read(one, servers_r->address[servers_r->count]))
			return false;
		servers_r->count++;
	}
	return true;
}

bool
head_members_read(struct str text, unsigned *members_r, struct head_servers *named_r)
{
	uint64_t count;

	*named_r = (struct head_servers){0};
	if (!str_number(text, HEAD_MEMBERS_MOST, &count)) {
		if (!head_servers_read(text, named_r))
			return false;
		count = named_r->count;
	}
	*members_r = (unsigned)count;
	return count % 2 == 1;
}

/* "R", or "R W". */
static bool
schema_read(struct str text, struct map_head *head)
{
	struct str reader = str_make(text.ptr, str_find(text, ' '));
	uint64_t least_reader, least_writer;

	if (!str_number(reader, INT32_MAX, &least_reader))
		return false;
	least_writer = least_reader;
	if (reader.len < text.len &&
	    !str_number(str_from(text, reader.len + 1), INT32_MAX, &least_writer))
		return false;
	head->schema_least_reader = (unsigned)least_reader;
	head->schema_least_writer = (unsigned)least_writer;
	return true;
}

static bool
lease_read(struct str text, uint32_t *lease_ms_r)
{
	uint64_t lease_ms;

	if (!str_number(text, LEASE_MOST_MS, &lease_ms) || lease_ms < LEASE_LEAST_MS)
		return false;
	*lease_ms_r = (uint32_t)lease_ms;
	return true;
}

/* ---- the whole */

enum field {
	ID,
	EPOCH,
	SCHEMA,
	LEASE_MS,
	MEMBERS,
	LEASE_LONGEST,
	LEASE_EPOCH,
	DEAD,
	CHANGE,
	FIELDS
};

static const struct {
	const char *name, *expected;
	bool is_needed;
} fields[] = {
    [ID] = {"id", "letters, digits and '-'", true},
    [EPOCH] = {"epoch", "a number", true},
    [SCHEMA] = {"schema", "one or two numbers", true},
    [LEASE_MS] = {"lease_ms", "a number from 100 to 86400000", true},
    [MEMBERS] = {"members", "1, 3, 5 or 7, or so many addresses host:port", false},
    [LEASE_LONGEST] = {"lease_most_ms", "a number from 100 to 86400000", false},
    [LEASE_EPOCH] = {"lease_epoch", "a number", false},
    [DEAD] = {"dead", "addresses host:port", false},
    [CHANGE] = {"change", "letters and digits", false},
};
_Static_assert(ARRAY_LEN(fields) == FIELDS, "a field of the head lacks a row");
_Static_assert(LEASE_LEAST_MS == 100 && LEASE_MOST_MS == 86400000, "as the rows say");

static bool
field_read(struct map_head *head, enum field field, struct str value)
{
	switch (field) {
	case ID:
		return head_word_read(value, head->id, sizeof(head->id));
	case EPOCH:
		return str_number(value, NUMBER_MOST, &head->epoch);
	case SCHEMA:
		return schema_read(value, head);
	case LEASE_MS:
		return lease_read(value, &head->lease_ms);
	case MEMBERS:
		return head_members_read(value, &head->members, &head->named);
	case LEASE_LONGEST:
		return lease_read(value, &head->lease_most_ms);
	case LEASE_EPOCH:
		return str_number(value, NUMBER_MOST, &head->lease_epoch);
	case DEAD:
		return head_servers_read(value, &head->dead);
	case CHANGE:
		return head_word_read(value, head->change, sizeof(head->change));
	case FIELDS:
		break;
	}
	return false;
}

static int
field_find(struct str name)
{
	for (int i = 0; i < FIELDS; i++) {
		if (str_is(name, fields[i].name))
			return i;
	}
	return -1; /* a newer writer's */
}

static int
field_fault(const char *prefix, enum field field, struct fault *fault_r)
{
	return fault_set(fault_r, VERDICT_TEMP,
	    "%s.map has no usable %s (%s): restore it, or run splitmx init", prefix,
	    fields[field].name, fields[field].expected);
}

int
map_head_read(const struct resp *reply, const char *prefix, struct map_head *head_r,
    struct fault *fault_r)
{
	bool have[FIELDS] = {false};

	if (resp_type(reply) == RESP_ERROR)
		return server_error(reply, "to read the head of the map", fault_r);
	if (resp_type(reply) != RESP_ARRAY || resp_count(reply) % 2 != 0)
		return fault_set(fault_r, VERDICT_TEMP, "%s.map cannot be read: not a hash",
		    prefix);
	if (resp_count(reply) == 0)
		return fault_set(fault_r, VERDICT_TEMP,
		    "the map is not initialised (no %s.map): run splitmx init", prefix);
	*head_r = (struct map_head){.members = 1};
	for (size_t i = 0; i < resp_count(reply); i += 2) {
		int field = field_find(resp_str(resp_at(reply, i)));

		if (field == -1)
			continue;
		if (!field_read(head_r, (enum field)field, resp_str(resp_at(reply, i + 1))))
			return field_fault(prefix, (enum field)field, fault_r);
		have[field] = true;
	}
	for (int i = 0; i < FIELDS; i++) {
		if (fields[i].is_needed && !have[i])
			return field_fault(prefix, (enum field)i, fault_r);
	}
	if (head_r->lease_most_ms < head_r->lease_ms)
		head_r->lease_most_ms = head_r->lease_ms;
	return 0;
}

int
head_readable(const struct map_head *head, const char *prefix, struct fault *fault_r)
{
	if (head->schema_least_reader <= MAP_SCHEMA)
		return 0;
	return fault_set(fault_r, VERDICT_TEMP,
	    "%s.map has schema %u, this program knows %d: upgrade splitmx", prefix,
	    head->schema_least_reader, MAP_SCHEMA);
}

int
head_writable(const struct map_head *head, const char *prefix, struct fault *fault_r)
{
	if (head->schema_least_writer <= MAP_SCHEMA)
		return head_readable(head, prefix, fault_r);
	return fault_set(fault_r, VERDICT_TEMP,
	    "%s.map is written by programs that know schema %u, this one knows %d: upgrade splitmx",
	    prefix, head->schema_least_writer, MAP_SCHEMA);
}

bool
head_is_alone(const struct map_head *head)
{
	return head->members == 1;
}

unsigned
head_replicas_all(const struct map_head *head)
{
	unsigned replicas = head->members - 1;

	return replicas > head->dead.count ? replicas - head->dead.count : 0;
}

unsigned
head_replicas_most(const struct map_head *head)
{
	return head->members / 2;
}

void
map_id_new(char id_r[static HEAD_ID_BYTES])
{
	unsigned char raw[16];

	randombytes_buf(raw, sizeof(raw));
	raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
	raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
	memset(id_r, 0, HEAD_ID_BYTES);
	for (size_t i = 0, at = 0; i < sizeof(raw); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			id_r[at++] = '-';
		snprintf(id_r + at, HEAD_ID_BYTES - at, "%02x", raw[i]);
		at += 2;
	}
}
