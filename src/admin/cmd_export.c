/*
 * cmd_export.c - splitmx export                                       (driver)
 *
 * The header with the digest comes first, but the digest is known last: the
 * rows wait in a temporary file that has no name.
 */
#include "admin/admin.h"

#include "admin/address_line.h"
#include "admin/filter.h"
#include "admin/progress.h"
#include "admin/transfer.h"
#include "base/log.h"
#include "map/scan.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const struct option_row options[] = {
    {"addresses", NULL, "what is known without an owner, as import --addresses reads it"},
    {"text", NULL, "lines \"address destination\" instead of NDJSON"},
    {"owner", "DESTINATION", "only those of this destination"},
    {"domain", "DOMAIN", "only those of this domain, and the domain's own owner"},
    {0},
};

struct exporting {
	struct admin *admin;
	struct filter filter;
	enum transfer_form form;
	FILE *rows;
	crypto_hash_sha256_state digest;
	struct buf line;
	uint64_t count, bad;
	struct progress progress;
};

static bool
on_row(void *ctx, const struct scan_row *row)
{
	struct exporting *export = ctx;
	struct str line;

	if (row->is_string && !filter_takes(&export->filter, row->name, row->owner))
		return true;
	buf_clear(&export->line);
	if (!row->is_string ||
	    !transfer_row_write(&export->line, export->form, row->name, row->owner)) {
		export->bad++;
		admin_fail(export->admin, EX_DATAERR, "%s is left out: its owner %s",
		    log_quote(row->name),
		    row->is_string ? "or name cannot be written in this form" : "is no string");
		return true;
	}
	line = buf_str(&export->line);
	crypto_hash_sha256_update(&export->digest, (const unsigned char *)line.ptr, line.len);
	export->count++;
	progress_step(&export->progress, export->count);
	return fwrite(line.ptr, 1, line.len, export->rows) == line.len;
}

static void
print_header(struct exporting *export)
{
	struct transfer_header header = {.schema = MAP_SCHEMA, .accounts = export->count};
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(&export->digest, digest);
	sodium_bin2hex(header.digest, sizeof(header.digest), digest, sizeof(digest));
	snprintf(header.map, sizeof(header.map), "%s", client_map(export->admin->client)->head.id);
	buf_clear(&export->line);
	transfer_header_write(&export->line, export->form, &header);
	fputs(buf_cstr(&export->line), stdout);
}

static int
print_rows(struct exporting *export)
{
	char block[65536];
	size_t got;

	if (fflush(export->rows) != 0)
		return admin_fail(export->admin, EX_IOERR, "no room for the rows: %s",
		    strerror(errno));
	print_header(export);
	rewind(export->rows);
	while ((got = fread(block, 1, sizeof(block), export->rows)) > 0)
		fwrite(block, 1, got, stdout);
	if (ferror(export->rows))
		return admin_fail(export->admin, EX_IOERR, "the rows cannot be read again: %s",
		    strerror(errno));
	return export->bad > 0 ? EX_DATAERR : 0;
}

static int
walk(struct exporting *export)
{
	struct admin *admin = export->admin;
	struct fault fault;
	int rc;

	progress_start(&export->progress, "exporting", "accounts", 0, admin->json);
	rc = scan_owners(admin->client, filter_glob(&export->filter), on_row, export, &fault);
	progress_end(&export->progress);
	if (rc == -1)
		return admin_fault(admin, &fault);
	if (ferror(export->rows))
		return admin_fail(admin, EX_IOERR, "no room for the rows: %s", strerror(errno));
	return print_rows(export);
}

/* ---- addresses: lines for people, without a header */

static bool
on_address(void *ctx, const struct scan_row *row)
{
	struct exporting *export = ctx;
	bool is_domain = str_starts(row->name, "@");
	struct str word = address_line_word(is_domain, row->owner);

	if (!filter_takes(&export->filter, row->name, STR("")))
		return true;
	buf_clear(&export->line);
	/* A domain's key that says nothing is nobody's wish; an address is known whatever it says.
	 */
	if ((is_domain && word.len == 0) || !transfer_row_write(&export->line, TRANSFER_TEXT,
						row->name, word.len > 0 ? word : STR("alias"))) {
		export->bad++;
		admin_fail(export->admin, EX_DATAERR, "%s is left out: its %s",
		    log_quote(row->name),
		    is_domain ? "complete key says nothing" : "name cannot be written in a line");
		return true;
	}
	fputs(buf_cstr(&export->line), stdout);
	progress_step(&export->progress, ++export->count);
	return !ferror(stdout);
}

static int
walk_addresses(struct exporting *export)
{
	struct admin *admin = export->admin;
	struct fault fault;
	int rc;

	progress_start(&export->progress, "exporting", "addresses", 0, admin->json);
	rc = scan_keys(admin->client, "complete", filter_glob(&export->filter), on_address, export,
	    &fault);
	progress_end(&export->progress);
	if (rc == -1)
		return admin_fault(admin, &fault);
	return export->bad > 0 ? EX_DATAERR : 0;
}

/* ---- owners, with their digest before them */

static int
export_owners(struct exporting *export)
{
	int code;

	crypto_hash_sha256_init(&export->digest);
	if ((export->rows = tmpfile()) == NULL)
		return admin_fail(export->admin, EX_CANTCREAT, "no temporary file: %s",
		    strerror(errno));
	code = walk(export);
	fclose(export->rows);
	return code;
}

static int
run(struct admin *admin)
{
	bool addresses = args_has(&admin->args, "addresses");
	struct exporting export = {.admin = admin,
	    .form = args_has(&admin->args, "text") ? TRANSFER_TEXT : TRANSFER_NDJSON};
	struct fault fault;
	int code;

	if (addresses && (args_has(&admin->args, "owner") || args_has(&admin->args, "text")))
		return admin_usage(admin, "--owner and --text are for owners, not for --addresses");
	if ((code = admin_need_map(admin)) != 0)
		return code;
	if (filter_init(&export.filter, &admin->args, &fault) == -1)
		return admin_fail(admin, EX_USAGE, "%s", fault.text);
	code = addresses ? walk_addresses(&export) : export_owners(&export);
	filter_fini(&export.filter);
	buf_fini(&export.line);
	return code;
}

const struct command cmd_export = {
    .name = "export",
    .usage = "[--addresses | [--text] [--owner DESTINATION]] [--domain DOMAIN]",
    .sentence = "Writes all owners to standard output, as import reads them.",
    .options = options,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
