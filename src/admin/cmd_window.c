/*
 * cmd_window.c - splitmx window open|close                            (driver)
 *
 * A long lease lets nodes answer while Redis is away; but a change waits for a
 * dead node for as long as its lease may run. So a window of short leases is
 * opened for the hours in which accounts move, and closed afterwards.
 *
 * Opening has two steps (FENCING). The first gives new heartbeats the short lease
 * and keeps the longest that may still run, which is what writers wait for, at its
 * former value. When every node has acknowledged a barrier, or was silent for all
 * of the old length, no longer lease runs, and the second step says so; it is
 * taken only if nobody has set the lease meanwhile. Interrupted anywhere between,
 * writers wait for too long and never too short, and opening again finishes it.
 * Closing goes the other way, in two steps as well: lengthen.h.
 */
#include "admin/admin.h"

#include "admin/confirming.h"
#include "admin/edit.h"
#include "admin/lengthen.h"
#include "admin/nodes.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

static const struct option_row options[] = {
    {"lease", "MILLISECONDS", "open: the short lease (2000); close: the long one (3600000)"},
    CONFIRMING_OPTIONS,
    {"reason", "TEXT", "why; stands in the audit stream"},
    {"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"},
    {0},
};

enum { OPEN_LEASE_MS = 2000, CLOSED_LEASE_MS = 3600000, WAIT_SPARE_MS = 5000 };

struct window {
	struct admin *admin;
	uint32_t lease_ms;
	uint64_t mark; /* the epoch of our first step */
	bool mine; /* nobody has set the lease since */
};

static int
say(const struct window *window, const char *result, const struct confirming *confirming)
{
	struct admin *admin = window->admin;
	const struct map_head *head = &client_map(admin->client)->head;
	struct fault fault;

	if (client_read_map(admin->client, &fault) == -1)
		return admin_fault(admin, &fault);
	if (admin->json) {
		json_t *object = json_pack("{s:s, s:I, s:I, s:I}", "result", result, "lease_ms",
		    (json_int_t)window->lease_ms, "lease_most_ms", (json_int_t)head->lease_most_ms,
		    "epoch", (json_int_t)head->epoch);

		if (confirming != NULL)
			confirming_json(confirming, object);
		admin_print_json(object);
	} else {
		printf("window %s: lease %" PRIu32 " ms (epoch %" PRIu64 ")%s\n", result,
		    window->lease_ms, head->epoch,
		    confirming != NULL ? confirming_words(confirming) : "");
	}
	return 0;
}

/* ---- open */

static int
shorten(void *ctx, struct edit *edit)
{
	struct window *window = ctx;
	const struct map_head *head = &edit->head;

	if (window->lease_ms > head->lease_ms)
		return admin_fail(window->admin, EX_NOPERM,
		    "the lease is %" PRIu32
		    " ms already, and opening makes it no longer; splitmx window close does",
		    head->lease_ms);
	if (window->lease_ms == head->lease_ms && head->lease_most_ms == head->lease_ms)
		return EDIT_NOTHING;
	window->mark = head->epoch + 1;
	edit_put(edit, "lease_ms", "%" PRIu32, window->lease_ms);
	edit_put(edit, "lease_most_ms", "%" PRIu32, head->lease_most_ms);
	edit_put(edit, "lease_epoch", "%" PRIu64, window->mark);
	return 0;
}

static int
settle(void *ctx, struct edit *edit)
{
	struct window *window = ctx;

	window->mine = edit->head.lease_epoch == window->mark;
	if (!window->mine)
		return EDIT_NOTHING;
	edit_put(edit, "lease_most_ms", "%" PRIu32, edit->head.lease_ms);
	return 0;
}

/* As long as the old leases may run: so a node that is silent is waited out. */
static int
patience(const struct window *window, struct confirming *confirming)
{
	struct admin *admin = window->admin;
	const struct map_head *head = &client_map(admin->client)->head;
	struct nodes nodes = {0};
	struct fault fault;
	int rc = nodes_read(&nodes, admin->client, &fault);

	for (size_t i = 0; rc == 0 && i < nodes.count; i++) {
		uint64_t wait_ms = node_wait_ms(head, &nodes.list[i].entry) + WAIT_SPARE_MS;

		if (wait_ms > confirming->wait_ms && !args_has(&admin->args, "wait"))
			confirming->wait_ms = wait_ms;
	}
	nodes_fini(&nodes);
	return rc == -1 ? admin_fault(admin, &fault) : 0;
}

static int
say_not_open(const struct window *window, const struct confirming *confirming)
{
	say(window, "opening", confirming);
	confirming_end(confirming, "the short lease", "window open");
	return admin_fail(window->admin, EX_TEMPFAIL,
	    "the window is not open: longer leases may still run, and changes wait for them; run "
	    "splitmx window open again");
}

static int
finish(struct window *window, const struct confirming *confirming)
{
	struct seal seal;
	int code = edit_head(window->admin, "window open", settle, window, &seal);

	if (code != 0)
		return code;
	if (!window->mine)
		return admin_fail(window->admin, EX_TEMPFAIL,
		    "somebody else has set the lease meanwhile: look with splitmx status");
	return say(window, "open", confirming);
}

static int
open_window(struct window *window)
{
	struct admin *admin = window->admin;
	struct confirming confirming;
	struct seal seal;
	int code;

	if ((code = confirming_init(&confirming, admin)) != 0)
		return code;
	if ((code = edit_head(admin, "window opens", shorten, window, &seal)) != 0)
		return code;
	if (seal.epoch == 0)
		return say(window, "open", NULL);
	/* What must be confirmed is that no node has a lease of the old length. */
	if ((code = patience(window, &confirming)) == 0) {
		confirming_wait(&confirming, &seal, NULL, 0);
		code = confirming.result != NULL && confirm_is_done(confirming.result)
			   ? finish(window, &confirming)
			   : say_not_open(window, &confirming);
	}
	confirming_fini(&confirming);
	return code;
}

/* ---- close */

static int
close_window(struct window *window)
{
	bool changed;
	int code = lengthen_lease(window->admin, "window close", "window close", window->lease_ms,
	    &changed);

	return code != 0 ? code : say(window, "closed", NULL);
}

static int
run(struct admin *admin)
{
	const char *word = admin->args.words[0];
	bool opens = strcmp(word, "open") == 0;
	struct window window = {.admin = admin};
	long long lease_ms;
	struct fault fault;
	int code;

	if (!opens && strcmp(word, "close") != 0)
		return admin_usage(admin, "\"splitmx window\" takes open or close, not %s",
		    log_quote_text(word));
	if (args_number(&admin->args, "lease", LEASE_LEAST_MS, LEASE_MOST_MS,
		opens ? OPEN_LEASE_MS : CLOSED_LEASE_MS, &lease_ms, &fault) == -1)
		return admin_usage(admin, "%s", fault.text);
	window.lease_ms = (uint32_t)lease_ms;
	if ((code = admin_need_map(admin)) != 0)
		return code;
	return opens ? open_window(&window) : close_window(&window);
}

const struct command cmd_window = {
    .name = "window",
    .usage = "open|close [--lease MILLISECONDS]",
    .sentence = "Makes leases short while accounts move, or long for nights without Redis.",
    .options = options,
    .words_least = 1,
    .words_most = 1,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_MAP,
};
