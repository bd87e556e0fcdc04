/*
 * transfer.c - the lines of import and export                           (pure)
 */
#include "admin/transfer.h"

#include "base/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text_mark[] = "# splitmx-accounts ";
static const char digest_mark[] = "sha256:";

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct str
transfer_trimmed(struct str s)
{
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_space(s.ptr[0]))
		s = str_from(s, 1);
	return s;
}

bool
transfer_is_empty(struct str line)
{
	return transfer_trimmed(line).len == 0;
}

enum transfer_form
transfer_form_of(struct str first_line)
{
	return str_starts(transfer_trimmed(first_line), "{") ? TRANSFER_NDJSON : TRANSFER_TEXT;
}

/* ---- the header */

static int
take_digest(struct str text, struct transfer_header *header, struct fault *fault_r)
{
	struct str hex;

	if (!str_starts(text, digest_mark))
		return fault_set(fault_r, VERDICT_PERM, "the header's digest is not a sha256");
	hex = str_from(text, strlen(digest_mark));
	if (hex.len != TRANSFER_DIGEST_BYTES)
		return fault_set(fault_r, VERDICT_PERM,
		    "the header's digest has %zu digits instead of %d", hex.len,
		    TRANSFER_DIGEST_BYTES);
	memcpy(header->digest, hex.ptr, hex.len);
	return 0;
}

static int
header_json(struct str line, struct transfer_header *header, struct fault *fault_r)
{
	json_t *root = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
	const char *what = json_string_value(json_object_get(root, "splitmx"));
	const char *digest = json_string_value(json_object_get(root, "digest"));
	const char *map = json_string_value(json_object_get(root, "map"));
	int rc = what != NULL && strcmp(what, "accounts") == 0;

	if (rc == 1) {
		header->schema = (uint64_t)json_integer_value(json_object_get(root, "schema"));
		header->accounts = (uint64_t)json_integer_value(json_object_get(root, "accounts"));
		snprintf(header->map, sizeof(header->map), "%s", map != NULL ? map : "");
		if (digest != NULL && take_digest(str_of(digest), header, fault_r) == -1)
			rc = -1;
	}
	json_decref(root);
	return rc;
}

static int
header_text(struct str line, struct transfer_header *header, struct fault *fault_r)
{
	struct str rest;

	if (!str_starts(line, text_mark))
		return 0;
	rest = transfer_trimmed(str_from(line, strlen(text_mark)));
	while (rest.len > 0) {
		struct str word = str_make(rest.ptr, str_find(rest, ' '));
		size_t equals = str_find(word, '=');
		struct str name = str_make(word.ptr, equals);
		struct str value = equals < word.len ? str_from(word, equals + 1) : STR("");
		char *copy = xstrndup(value.ptr, value.len);
		int rc = 0;

		if (str_is(name, "schema"))
			header->schema = strtoull(copy, NULL, 10);
		else if (str_is(name, "accounts"))
			header->accounts = strtoull(copy, NULL, 10);
		else if (str_is(name, "map"))
			snprintf(header->map, sizeof(header->map), "%s", copy);
		else if (str_is(name, "digest"))
			rc = take_digest(value, header, fault_r);
		free(copy);
		if (rc == -1)
			return -1;
		rest = transfer_trimmed(str_from(rest, word.len));
	}
	return 1;
}

int
transfer_header_read(struct str line, struct transfer_header *header_r, struct fault *fault_r)
{
	line = transfer_trimmed(line);
	*header_r = (struct transfer_header){0};
	return transfer_form_of(line) == TRANSFER_NDJSON ? header_json(line, header_r, fault_r)
							 : header_text(line, header_r, fault_r);
}

void
transfer_header_write(struct buf *out, enum transfer_form form,
    const struct transfer_header *header)
{
	if (form == TRANSFER_NDJSON)
		buf_addf(out,
		    "{\"splitmx\":\"accounts\",\"schema\":%" PRIu64 ",\"accounts\":%" PRIu64
		    ",\"map\":\"%s\",\"digest\":\"%s%s\"}\n",
		    header->schema, header->accounts, header->map, digest_mark, header->digest);
	else
		buf_addf(out, "%sschema=%" PRIu64 " accounts=%" PRIu64 " map=%s digest=%s%s\n",
		    text_mark, header->schema, header->accounts, header->map, digest_mark,
		    header->digest);
}

/* ---- rows */

static int
row_json(struct str line, struct buf *store, struct str *address_r, struct str *owner_r,
    struct fault *fault_r)
{
	json_error_t error;
	json_t *root = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, &error);
	json_t *address = json_object_get(root, "address"), *owner = json_object_get(root, "owner");
	int rc = -1;

	if (root == NULL) {
		fault_set(fault_r, VERDICT_PERM, "not JSON: %s", error.text);
	} else if (!json_is_string(address) || !json_is_string(owner)) {
		fault_set(fault_r, VERDICT_PERM,
		    "no object with the strings \"address\" and \"owner\"");
	} else {
		size_t len = json_string_length(address);

		buf_clear(store);
		buf_add(store, json_string_value(address), len);
		buf_add(store, json_string_value(owner), json_string_length(owner));
		*address_r = str_make(buf_str(store).ptr, len);
		*owner_r = str_from(buf_str(store), len);
		rc = 1;
	}
	json_decref(root);
	return rc;
}

static int
row_text(struct str line, struct str *address_r, struct str *owner_r, struct fault *fault_r)
{
	size_t at = line.len;

	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	while (at > 0 && !is_space(line.ptr[at - 1]))
		at--;
	*owner_r = str_from(line, at);
	*address_r = transfer_trimmed(str_make(line.ptr, at));
	if (address_r->len > 0)
		return 1;
	return fault_set(fault_r, VERDICT_PERM, "one word where address and destination belong");
}

int
transfer_row_read(struct str line, enum transfer_form form, struct buf *store,
    struct str *address_r, struct str *owner_r, struct fault *fault_r)
{
	line = transfer_trimmed(line);
	if (form == TRANSFER_TEXT)
		return row_text(line, address_r, owner_r, fault_r);
	return line.len == 0 ? 0 : row_json(line, store, address_r, owner_r, fault_r);
}

static bool
has_line_feed(struct str s)
{
	return str_find(s, '\n') < s.len || str_find(s, '\r') < s.len;
}

static bool
write_json(struct buf *out, struct str address, struct str owner)
{
	json_t *row = json_object();
	char *room;
	size_t len;
	/* json_stringn() refuses what is no UTF-8, and then "set_new" fails. */
	bool good =
	    json_object_set_new(row, "address", json_stringn(address.ptr, address.len)) == 0 &&
	    json_object_set_new(row, "owner", json_stringn(owner.ptr, owner.len)) == 0;

	if (good) {
		len = json_dumpb(row, NULL, 0, JSON_COMPACT);
		room = buf_room(out, len);
		json_dumpb(row, room, len, JSON_COMPACT);
		buf_added(out, len);
		buf_add_byte(out, '\n');
	}
	json_decref(row);
	return good;
}

bool
transfer_row_write(struct buf *out, enum transfer_form form, struct str address, struct str owner)
{
	if (str_find(address, '\0') < address.len || str_find(owner, '\0') < owner.len)
		return false;
	if (form == TRANSFER_NDJSON)
		return write_json(out, address, owner);
	if (address.len == 0 || owner.len == 0 || has_line_feed(address) || has_line_feed(owner) ||
	    str_find(owner, ' ') < owner.len || str_find(owner, '\t') < owner.len ||
	    transfer_trimmed(address).len < address.len || address.ptr[0] == '#')
		return false;
	buf_add_str(out, address);
	buf_add_byte(out, ' ');
	buf_add_str(out, owner);
	buf_add_byte(out, '\n');
	return true;
}
