/*
 * cmd_import.c - splitmx import [--addresses] FILE|-                  (driver)
 *
 * A file of owners, or of addresses that are known without one: import.c does the
 * work for both.
 */
#include "admin/admin.h"

#include "admin/confirming.h"
#include "admin/guard.h"
#include "admin/import.h"
#include "admin/import_addresses.h"
#include "admin/load.h"
#include "admin/shell.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
    {"addresses", NULL, "addresses that are known without an owner: aliases, lists, catch-alls"},
    {"remove", NULL, "with --addresses: take these out"},
    {"owner", "DESTINATION", "only rows of this destination"},
    {"domain", "DOMAIN", "only rows of this domain"},
    {"force", NULL, "change owners that mail is routed by too, without a hold"},
    IMPORT_OPTIONS,
    {0},
};

static const char needs_hold[] =
    "mail is routed by its present owner, and an import does not wait for a hold: move it with "
    "\"splitmx set --hold\", or import with --force if no mail comes";

static bool
will_manage(void *ctx, struct str domain)
{
	return load_has(ctx, domain);
}

/* What the guard says is meant for a single account. */
static const char *
why(const struct change *change)
{
	return change->why == guard_needs_hold ? needs_hold : change->why;
}

static void
owner_row(void *ctx, size_t i, struct change *change_r)
{
	*change_r = (struct change){
	    .name = load_name(ctx, i), .writes = CHANGE_OWNER, .owner = load_owner(ctx, i)};
}

static uint64_t
owner_line(void *ctx, size_t i)
{
	return load_line(ctx, i);
}

static struct change_value
owner_before(const struct change *change)
{
	return change->seen.owner;
}

static struct str
owner_after(const struct change *change)
{
	return change->owner;
}

/* "import /root/tonight.txt --force": what makes the same changes again, from anywhere. */
static char *
again_of(const struct args *args, const char *name)
{
	static const char *const filters[] = {"owner", "domain"};
	static const char *const switches[] = {"addresses", "remove", "force"};
	struct buf again = BUF_INIT;
	char *path = strcmp(name, "-") != 0 ? realpath(name, NULL) : NULL, *text;

	buf_addf(&again, "import %s", shell_word(str_of(path != NULL ? path : name)));
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		if (args_has(args, filters[i]))
			buf_addf(&again, " --%s=%s", filters[i],
			    shell_word(str_of(args_value(args, filters[i]))));
	}
	for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
		if (args_has(args, switches[i]))
			buf_addf(&again, " --%s", switches[i]);
	}
	text = xstrdup(buf_cstr(&again));
	buf_fini(&again);
	free(path);
	return text;
}

static int
owners_from(const struct source *source)
{
	struct admin *admin = source->admin;
	struct import_rows rows = {.change_fn = owner_row,
	    .line_fn = owner_line,
	    .guard = guard_owner,
	    .why_fn = why,
	    .before_fn = owner_before,
	    .after_fn = owner_after,
	    .unit = "accounts",
	    .value = "owner",
	    .again = source->again};
	struct guard guard = {.settings = admin->settings,
	    .force = args_has(&admin->args, "force"),
	    .will_manage = will_manage};
	int code;
	struct load *load = load_read(admin, source->file, source->name, source->filter, &code);

	if (load == NULL)
		return code;
	rows.ctx = guard.ctx = load;
	rows.guard_ctx = &guard;
	rows.count = load_count(load);
	rows.sha256 = load_sha256(load);
	code = import_run(admin, &rows);
	load_free(&load);
	return code;
}

static int
from_file(struct admin *admin, FILE *file, const char *name)
{
	bool addresses = args_has(&admin->args, "addresses");
	struct source source = {.admin = admin, .file = file, .name = name};
	struct filter filter;
	struct fault fault;
	char *again;
	int code;

	if (filter_init(&filter, &admin->args, &fault) == -1)
		return admin_fail(admin, EX_USAGE, "%s", fault.text);
	source.filter = &filter;
	source.again = again = again_of(&admin->args, file == stdin ? "-" : name);
	code = addresses ? import_addresses(&source) : owners_from(&source);
	free(again);
	filter_fini(&filter);
	return code;
}

/* Options of the one form of import that mean nothing in the other. */
static int
check_options(const struct admin *admin)
{
	static const struct {
		const char *option;
		bool of_addresses;
	} rows[] = {{"remove", true}, {"owner", false}, {"force", false}};
	bool addresses = args_has(&admin->args, "addresses");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (args_has(&admin->args, rows[i].option) && rows[i].of_addresses != addresses)
			return admin_usage(admin,
			    addresses ? "--%s is for owners, and --addresses has none"
				      : "--%s is for use with --addresses",
			    rows[i].option);
	}
	return 0;
}

static int
run(struct admin *admin)
{
	const char *name = admin->args.words[0];
	FILE *file = stdin;
	int code;

	if ((code = check_options(admin)) != 0 || (code = admin_need_map(admin)) != 0)
		return code;
	if (strcmp(name, "-") == 0)
		return from_file(admin, stdin, "standard input");
	if ((file = fopen(name, "re")) == NULL)
		return admin_fail(admin, EX_NOINPUT, "%s: %s", name, strerror(errno));
	code = from_file(admin, file, name);
	fclose(file);
	return code;
}

const struct command cmd_import = {
    .name = "import",
    .usage = "FILE|- [--dry-run] [--owner DESTINATION] [--domain DOMAIN] [--force] [--yes] | "
	     "--addresses [--remove] FILE|- [--dry-run] [--domain DOMAIN] [--yes]",
    .sentence = "Writes the owners that a file names, NDJSON or \"address destination\"; with "
		"--addresses what is known without one.",
    .options = options,
    .words_least = 1,
    .words_most = 1,
    .run = run,
    .asks = ASKS_WHERE_MANY,
    .writes = WRITES_MAP,
};
