/*
 * lengthen.c - a longer lease, in two steps                           (driver)
 */
#include "admin/lengthen.h"

#include "admin/edit.h"

#include <inttypes.h>
#include <stdio.h>

struct lengthening {
	struct admin *admin;
	uint32_t lease_ms;
	uint64_t mark; /* the epoch of our first step; 0: there is nothing to do */
	bool mine; /* nobody has set the lease since */
};

int
lengthen_check(struct admin *admin, const struct map_head *head, uint32_t lease_ms)
{
	if (lease_ms >= head->lease_most_ms)
		return 0;
	return admin_fail(admin, EX_NOPERM,
	    "leases of %" PRIu32
	    " ms may run, writers wait for them, and this makes them no shorter: splitmx window "
	    "open --lease %" PRIu32 " does",
	    head->lease_most_ms, lease_ms);
}

/* An opening from this length may be on its way: so the mark is ours even where nothing else is
 * new. */
static int
tell_writers(void *ctx, struct edit *edit)
{
	struct lengthening *lengthening = ctx;
	const struct map_head *head = &edit->head;
	int code = lengthen_check(lengthening->admin, head, lengthening->lease_ms);

	lengthening->mark = 0;
	if (code != 0)
		return code;
	if (lengthening->lease_ms == head->lease_ms)
		return EDIT_NOTHING;
	lengthening->mark = head->epoch + 1;
	edit_put(edit, "lease_most_ms", "%" PRIu32, lengthening->lease_ms);
	edit_put(edit, "lease_epoch", "%" PRIu64, lengthening->mark);
	return 0;
}

static int
tell_nodes(void *ctx, struct edit *edit)
{
	struct lengthening *lengthening = ctx;

	lengthening->mine = edit->head.lease_epoch == lengthening->mark;
	if (!lengthening->mine)
		return EDIT_NOTHING;
	edit_put(edit, "lease_ms", "%" PRIu32, lengthening->lease_ms);
	edit_put(edit, "lease_epoch", "%" PRIu64, edit->head.epoch + 1);
	return 0;
}

static int
reach(const struct lengthening *lengthening, const struct seal *seal, const char *step,
    const char *again)
{
	char what[128], risk[256];

	snprintf(what, sizeof(what), "a lease of %" PRIu32 " ms is %s here", lengthening->lease_ms,
	    step);
	snprintf(risk, sizeof(risk),
	    "see splitmx member list; when they are there, or are declared dead, run splitmx %s again",
	    again);
	return edit_reach(lengthening->admin, seal, what, risk);
}

int
lengthen_lease(struct admin *admin, const char *what, const char *again, uint32_t lease_ms,
    bool *changed_r)
{
	struct lengthening lengthening = {.admin = admin, .lease_ms = lease_ms};
	struct seal seal;
	int code = edit_head(admin, what, tell_writers, &lengthening, &seal);

	*changed_r = false;
	if (code != 0)
		return code;
	code = reach(&lengthening, &seal, lengthening.mark == 0 ? "given" : "announced", again);
	if (code != 0 || lengthening.mark == 0)
		return code;
	if ((code = edit_head(admin, what, tell_nodes, &lengthening, &seal)) != 0)
		return code;
	if (!lengthening.mine)
		return admin_fail(admin, EX_TEMPFAIL,
		    "somebody else has set the lease meanwhile: look with splitmx status");
	*changed_r = true;
	return reach(&lengthening, &seal, "given", again);
}
