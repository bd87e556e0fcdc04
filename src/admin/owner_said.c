/*
 * owner_said.c - what set and unset say of what they did              (driver)
 */
#include "admin/owner_inside.h"

#include "admin/shell.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *
owner_or_nobody(const char *owner)
{
	return owner != NULL ? owner : "nobody";
}

static const char *const result_names[] = {
    [CHANGE_DONE] = "changed",
    [CHANGE_UNCHANGED] = "unchanged",
    [CHANGE_REFUSED] = "refused",
};

bool
owner_is_same(const struct owner_work *work)
{
	return work->before != NULL && work->after != NULL &&
	       strcmp(work->before, work->after) == 0;
}

static const char *
complete_after(const struct owner_work *work)
{
	struct str value = work->change.complete;

	return completing_words((struct change_value){value.len > 0, value});
}

/* "old -> new, not complete -> complete"; what was not asked for is left out. */
static void
add_result(struct buf *out, const struct owner_work *work)
{
	const char *complete = complete_after(work);

	if (work->change.result == CHANGE_UNCHANGED)
		buf_add_text(out, "unchanged, ");
	buf_add_text(out, owner_or_nobody(work->before));
	if (work->change.result == CHANGE_DONE &&
	    !(work->completing->is_said && owner_is_same(work)))
		buf_addf(out, " -> %s", owner_or_nobody(work->after));
	if (!work->completing->is_said)
		return;
	if (strcmp(work->complete_before, complete) != 0)
		buf_addf(out, ", %s ->", work->complete_before);
	buf_addf(out, "%s %s", strcmp(work->complete_before, complete) != 0 ? "" : ",", complete);
}

static json_t *
result_json(const struct owner_work *work)
{
	json_t *object = json_pack("{s:o, s:s, s:s?, s:s?, s:I}", "address",
	    admin_json_text(work->change.name), "result", result_names[work->change.result],
	    "before", work->before, "after", work->after, "epoch", (json_int_t)work->seal.epoch);

	must(object != NULL);
	if (work->completing->is_said) {
		json_object_set_new(object, "complete_before", json_string(work->complete_before));
		json_object_set_new(object, "complete_after", json_string(complete_after(work)));
	}
	confirming_json(&work->confirming, object);
	return object;
}

int
owner_say(const struct owner_work *work)
{
	const struct admin *admin = work->admin;
	const struct change *change = &work->change;
	const char *name = log_quote(change->name);
	struct buf again = BUF_INIT, said = BUF_INIT;
	int code;

	if (change->result == CHANGE_REFUSED)
		return admin_fail(admin, EX_NOPERM, "%s belongs to %s: %s", name,
		    owner_or_nobody(work->before), change->why);
	if (admin->json) {
		admin_print_json(result_json(work));
	} else {
		add_result(&said, work);
		if (change->result == CHANGE_DONE)
			buf_addf(&said, " (epoch %" PRIu64 ")", work->seal.epoch);
		printf("%s: %s%s\n", name, buf_cstr(&said), confirming_words(&work->confirming));
	}
	buf_fini(&said);
	buf_addf(&again, "barrier%s", shell_name(change->name));
	code = confirming_end(&work->confirming, name, buf_cstr(&again));
	buf_fini(&again);
	return code;
}
