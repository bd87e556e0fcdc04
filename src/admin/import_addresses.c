/*
 * import_addresses.c - addresses that are known without an owner      (driver)
 */
#include "admin/import_addresses.h"

#include "admin/address_list.h"
#include "admin/guard.h"
#include "admin/import.h"
#include "base/mem.h"

struct addresses {
	struct address_list *list;
	struct guard guard;
	bool remove;
};

static void
address_row(void *ctx, size_t i, struct change *change_r)
{
	const struct addresses *addresses = ctx;
	const struct address_row *row = address_list_at(addresses->list, i);

	*change_r = (struct change){.name = row->name,
	    .writes = CHANGE_COMPLETE,
	    .complete = addresses->remove ? STR("") : row->value};
}

static uint64_t
address_line(void *ctx, size_t i)
{
	const struct addresses *addresses = ctx;

	return address_list_at(addresses->list, i)->line;
}

/* Of a domain, only what its line says is taken back. */
static void
guard_row(void *ctx, struct change *change)
{
	struct addresses *addresses = ctx;
	const struct address_row *row = address_list_find(addresses->list, change->name);

	addresses->guard.takes_back = record_completeness(row->value);
	guard_complete(&addresses->guard, change);
}

static const char *
why(const struct change *change)
{
	return change->why;
}

static struct change_value
complete_before(const struct change *change)
{
	return change->seen.complete;
}

static struct str
complete_after(const struct change *change)
{
	return change->complete;
}

int
import_addresses(const struct source *source)
{
	struct admin *admin = source->admin;
	struct addresses addresses = {
	    .guard = {.settings = admin->settings}, .remove = args_has(&admin->args, "remove")};
	struct import_rows rows = {.ctx = &addresses,
	    .change_fn = address_row,
	    .line_fn = address_line,
	    .guard = guard_row,
	    .guard_ctx = &addresses,
	    .why_fn = why,
	    .before_fn = complete_before,
	    .after_fn = complete_after,
	    .unit = "addresses",
	    .value = "known",
	    .again = source->again,
	    .removes = addresses.remove};
	int code;

	addresses.list =
	    address_list_read(admin, source->file, source->name, source->filter, &code);
	if (addresses.list == NULL)
		return code;
	rows.count = address_list_count(addresses.list);
	rows.sha256 = address_list_sha256(addresses.list);
	code = import_run(admin, &rows);
	address_list_free(&addresses.list);
	return code;
}
