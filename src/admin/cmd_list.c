/*
 * cmd_list.c - splitmx list                                           (driver)
 */
#include "admin/admin.h"

#include "admin/address_line.h"
#include "admin/filter.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/scan.h"

#include <stdio.h>

static const struct option_row options[] = {
    {"addresses", NULL, "what is known without an owner: aliases, lists, domains' catch-alls"},
    {"owner", "DESTINATION", "only those of this destination"},
    {"domain", "DOMAIN", "only those of this domain, and the domain's own owner"},
    {"pattern", "GLOB", "only addresses that match, as in \"a*@example.org\""},
    {"count", NULL, "say only how many there are, by owner"},
    {0},
};

enum { OWNERS_MOST = 64 };

struct listing {
	struct admin *admin;
	struct filter filter;
	struct buf line;
	uint64_t rows, odd;
	bool count_only, addresses;
	struct {
		char *owner;
		uint64_t rows;
	} owners[OWNERS_MOST]; /* --count; the last one takes what does not fit */
	size_t owner_count;
};

static void
count(struct listing *listing, struct str owner)
{
	size_t i = 0;

	while (i < listing->owner_count && !str_is(owner, listing->owners[i].owner))
		i++;
	if (i == listing->owner_count) {
		if (i == OWNERS_MOST - 1) {
			owner = STR("(others)");
			i--;
		}
		if (listing->owner_count < OWNERS_MOST - 1)
			listing->owners[listing->owner_count++].owner =
			    xstrndup(owner.ptr, owner.len);
	}
	listing->owners[i].rows++;
}

/* An owner; or what an address or a domain is, in the word for it. */
static struct str
value_of(const struct listing *listing, const struct scan_row *row)
{
	struct str word = STR("");

	if (listing->addresses)
		word = address_line_word(str_starts(row->name, "@"), row->owner);
	return word.len > 0 ? word : row->owner;
}

static bool
on_row(void *ctx, const struct scan_row *row)
{
	struct listing *listing = ctx;
	struct str value;

	if (!row->is_string) {
		listing->odd++;
		admin_fail(listing->admin, EX_DATAERR,
		    listing->addresses
			? "%s:complete:%s holds no string: repair it with \"splitmx import "
			  "--addresses\""
			: "%s:owner:%s holds no string: nobody answers for it; repair it with "
			  "\"splitmx unset\" or \"set\"",
		    client_prefix(listing->admin->client), log_quote(row->name));
		return true;
	}
	if (!filter_takes(&listing->filter, row->name, row->owner))
		return true;
	listing->rows++;
	value = value_of(listing, row);
	if (listing->count_only) {
		count(listing, value);
		return true;
	}
	if (listing->admin->json) {
		admin_print_json(json_pack("{s:o, s:o}", "address", admin_json_text(row->name),
		    listing->addresses ? "known" : "owner", admin_json_text(value)));
	} else {
		printf("%s %s\n", log_quote(row->name), log_quote(value));
	}
	return !ferror(stdout);
}

static void
say_counts(const struct listing *listing)
{
	for (size_t i = 0; i < listing->owner_count; i++) {
		struct str owner = str_of(listing->owners[i].owner);

		if (listing->admin->json)
			admin_print_json(json_pack("{s:o, s:I}",
			    listing->addresses ? "known" : "owner", admin_json_text(owner), "count",
			    (json_int_t)listing->owners[i].rows));
		else
			printf("%s %llu\n", log_quote(owner),
			    (unsigned long long)listing->owners[i].rows);
	}
}

static int
run(struct admin *admin)
{
	struct listing listing = {.admin = admin,
	    .count_only = args_has(&admin->args, "count"),
	    .addresses = args_has(&admin->args, "addresses")};
	struct fault fault;
	int code;

	if (listing.addresses && args_has(&admin->args, "owner"))
		return admin_usage(admin, "--owner is for owners, and --addresses has none");
	if ((code = admin_need_map(admin)) != 0)
		return code;
	if (filter_init(&listing.filter, &admin->args, &fault) == -1)
		return admin_fail(admin, EX_USAGE, "%s", fault.text);
	if (scan_keys(admin->client, listing.addresses ? "complete" : "owner",
		filter_glob(&listing.filter), on_row, &listing, &fault) == -1)
		code = admin_fault(admin, &fault);
	else if (listing.odd > 0)
		code = EX_DATAERR;
	if (code == 0 && listing.count_only)
		say_counts(&listing);
	for (size_t i = 0; i < listing.owner_count; i++)
		free(listing.owners[i].owner);
	filter_fini(&listing.filter);
	buf_fini(&listing.line);
	return code;
}

const struct command cmd_list = {
    .name = "list",
    .usage = "[--addresses | --owner DESTINATION] [--domain DOMAIN] [--pattern GLOB] [--count]",
    .sentence = "Lists accounts and domains with their owners, in no order.",
    .options = options,
    .words_least = 0,
    .words_most = 0,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_NOTHING,
};
