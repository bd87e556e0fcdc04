/*
 * load.c - the rows of an import, read whole before anything is written (driver)
 */
#include "admin/load.h"

#include "admin/subject.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

/* What some editors put before the first line of UTF-8 (RFC 3629, section 6). */
static const char byte_order_mark[] = "\xef\xbb\xbf";

/* Where a row's name begins in the text; its owner is a destination of the settings. */
struct row {
	uint64_t at;
	uint64_t line;
	uint32_t len;
	uint32_t destination;
};

struct load {
	struct admin *admin;
	const char *file_name;
	struct buf text;
	struct row *rows;
	size_t count, size;
	uint64_t *table; /* row number + 1 by the name's hash; 0 = free */
	size_t table_size;
	uint64_t lines, first_line, bad, file_rows;
	bool has_header;
	struct transfer_header header;
	char sha256[crypto_hash_sha256_BYTES * 2 + 1];
	enum transfer_form form;
	struct buf store;
	struct subject subject;
};

size_t
load_count(const struct load *load)
{
	return load->count;
}

struct str
load_name(const struct load *load, size_t i)
{
	return str_make(buf_str(&load->text).ptr + load->rows[i].at, load->rows[i].len);
}

struct str
load_owner(const struct load *load, size_t i)
{
	return str_of(load->admin->settings->destinations[load->rows[i].destination].name);
}

uint64_t
load_line(const struct load *load, size_t i)
{
	return load->rows[i].line;
}

const char *
load_sha256(const struct load *load)
{
	return load->sha256;
}

/* ---- the table of names */

/* The place where this name is, or would be. */
static size_t
slot(const struct load *load, struct str name)
{
	size_t at = hash_bytes(name.ptr, name.len) & (load->table_size - 1);

	while (load->table[at] != 0 && !str_eq(load_name(load, load->table[at] - 1), name))
		at = (at + 1) & (load->table_size - 1);
	return at;
}

static void
table_grow(struct load *load)
{
	free(load->table);
	load->table_size = load->table_size ? load->table_size * 2 : 1024;
	load->table = xnew_array(uint64_t, load->table_size);
	for (size_t i = 0; i < load->count; i++)
		load->table[slot(load, load_name(load, i))] = i + 1;
}

bool
load_has(const struct load *load, struct str name)
{
	return load->table_size > 0 && load->table[slot(load, name)] != 0;
}

/* ---- lines */

static void bad(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
bad(struct load *load, const char *format, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	if (load->bad++ < LOAD_BAD_SHOWN_MOST) {
		va_start(args, format);
		buf_vaddf(&text, format, args);
		va_end(args);
		admin_fail(load->admin, EX_DATAERR, "%s:%" PRIu64 ": %s", load->file_name,
		    load->lines, buf_cstr(&text));
	}
	buf_fini(&text);
}

/* Number of the destination, or the count of them when there is none of this name. */
static size_t
destination(const struct settings *settings, struct str name)
{
	size_t i = 0;

	while (i < settings->destination_count && !str_is(name, settings->destinations[i].name))
		i++;
	return i;
}

static void
add(struct load *load, struct str name, size_t destination_number)
{
	size_t at;

	if (load->count * 2 >= load->table_size)
		table_grow(load);
	at = slot(load, name);
	if (load->table[at] != 0) {
		const struct row *first = &load->rows[load->table[at] - 1];

		if (first->destination != destination_number)
			bad(load, "%s has another destination in line %" PRIu64, log_quote(name),
			    first->line);
		return; /* the same once more is no harm: export may name a row twice */
	}
	if (load->count == load->size) {
		load->size = load->size ? load->size * 2 : 1024;
		load->rows = xrealloc(load->rows, load->size * sizeof(load->rows[0]));
	}
	load->rows[load->count] = (struct row){.at = buf_len(&load->text),
	    .len = (uint32_t)name.len,
	    .line = load->lines,
	    .destination = (uint32_t)destination_number};
	buf_add_str(&load->text, name);
	load->table[at] = ++load->count;
}

static void
take_row(struct load *load, struct str line, const struct filter *filter)
{
	struct account_rules rules = admin_account_rules(load->admin);
	struct str address, owner;
	struct fault fault;
	size_t number;
	int rc;

	rc = transfer_row_read(line, load->form, &load->store, &address, &owner, &fault);
	if (rc == 0)
		return;
	load->file_rows++;
	if (rc == -1 || subject_read(&load->subject, address, &rules, &fault) == -1) {
		bad(load, "%s", fault.text);
		return;
	}
	number = destination(load->admin->settings, owner);
	if (number == load->admin->settings->destination_count)
		bad(load, "%s is not a destination", log_quote(owner));
	else if (filter_takes(filter, load->subject.name, owner))
		add(load, load->subject.name, number);
}

/* The first line that is not empty decides the form. True when it was the header. */
static bool
take_first(struct load *load, struct str line)
{
	struct fault fault;
	int rc = transfer_header_read(line, &load->header, &fault);

	load->form = transfer_form_of(line);
	if (rc == -1)
		bad(load, "%s", fault.text);
	else if (rc == 1 && load->header.schema != MAP_SCHEMA)
		bad(load, "this file has schema %" PRIu64 ", this program knows %d",
		    load->header.schema, MAP_SCHEMA);
	load->has_header = rc == 1;
	return rc != 0;
}

static void
finish_digest(crypto_hash_sha256_state *state, char hex_r[static crypto_hash_sha256_BYTES * 2 + 1])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(state, digest);
	sodium_bin2hex(hex_r, crypto_hash_sha256_BYTES * 2 + 1, digest, sizeof(digest));
}

static void
check_digest(struct load *load, crypto_hash_sha256_state *state)
{
	char hex[crypto_hash_sha256_BYTES * 2 + 1];

	finish_digest(state, hex);
	if (!load->has_header || load->header.digest[0] == '\0') {
		admin_note(load->admin, "%s has no digest: nobody can say whether it is whole",
		    load->file_name);
		return;
	}
	if (strcmp(hex, load->header.digest) == 0 && load->file_rows == load->header.accounts)
		return;
	load->bad++;
	admin_fail(load->admin, EX_DATAERR,
	    "%s: the digest or the count of its header does not match: the file was changed or is cut short "
	    "(%" PRIu64 " rows, the header says %" PRIu64 "); export it again, or take the header "
	    "away if the change was yours",
	    load->file_name, load->file_rows, load->header.accounts);
}

/* True while there are lines. */
static bool
read_lines(struct load *load, FILE *file, const struct filter *filter)
{
	crypto_hash_sha256_state digest, whole;
	char *line = NULL;
	size_t size = 0;
	ssize_t got;
	bool good;

	crypto_hash_sha256_init(&digest);
	crypto_hash_sha256_init(&whole);
	while ((got = getline(&line, &size, file)) != -1) {
		struct str text = str_make(line, (size_t)got);
		bool header;

		load->lines++;
		crypto_hash_sha256_update(&whole, (unsigned char *)line, (size_t)got);
		if (text.len > 0 && line[text.len - 1] == '\n')
			text.len--;
		if (load->lines == 1 && str_starts(text, byte_order_mark))
			text = str_from(text, strlen(byte_order_mark));
		header = false;
		if (load->first_line == 0 && !transfer_is_empty(text)) {
			load->first_line = load->lines;
			header = take_first(load, text);
		}
		if (!header)
			crypto_hash_sha256_update(&digest, (unsigned char *)line, (size_t)got);
		if (text.len > TRANSFER_LINE_MOST)
			bad(load, "longer than %d bytes", TRANSFER_LINE_MOST);
		else if (!header)
			take_row(load, text, filter);
	}
	good = !ferror(file);
	free(line);
	finish_digest(&whole, load->sha256);
	if (good)
		check_digest(load, &digest);
	return good;
}

/* Stable enough: domains to the end, in the reverse of the order in which they were found. */
static void
domains_last(struct load *load)
{
	size_t end = load->count;

	for (size_t i = load->count; i-- > 0;) {
		struct row row = load->rows[i];

		if (!str_starts(load_name(load, i), "@"))
			continue;
		load->rows[i] = load->rows[--end];
		load->rows[end] = row;
	}
	if (end < load->count) {
		memset(load->table, 0, load->table_size * sizeof(load->table[0]));
		for (size_t i = 0; i < load->count; i++)
			load->table[slot(load, load_name(load, i))] = i + 1;
	}
}

struct load *
load_read(struct admin *admin, FILE *file, const char *name, const struct filter *filter,
    int *code_r)
{
	struct load *load = xnew(struct load);

	load->admin = admin;
	load->file_name = name;
	subject_init(&load->subject);
	if (!read_lines(load, file, filter)) {
		*code_r = admin_fail(admin, EX_NOINPUT, "%s cannot be read to its end", name);
		load_free(&load);
	} else if (load->bad > 0) {
		*code_r = admin_fail(admin, EX_DATAERR,
		    "%s: %" PRIu64 " problems in %" PRIu64 " lines; nothing was changed", name,
		    load->bad, load->lines);
		load_free(&load);
	} else {
		domains_last(load);
		*code_r = 0;
	}
	return load;
}

void
load_free(struct load **load)
{
	struct load *l = *load;

	if (l == NULL)
		return;
	subject_fini(&l->subject);
	buf_fini(&l->store);
	buf_fini(&l->text);
	free(l->rows);
	free(l->table);
	free(l);
	*load = NULL;
}
