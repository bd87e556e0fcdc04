/*
 * history.c - what the audit stream tells                             (driver)
 */
#include "admin/history.h"

#include "base/mem.h"
#include "map/server.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 500, ID_BYTES = 64 };

struct walk {
	struct client *client;
	bool back, ended, failed;
	size_t page; /* how many the last answer had */
	char last[ID_BYTES];
	history_fn *fn;
	void *ctx;
	struct fault fault;
};

static void
on_page(void *ctx, const struct resp *reply)
{
	struct walk *walk = ctx;
	struct entry entry;

	walk->page = resp_count(reply);
	if (resp_type(reply) != RESP_ARRAY) {
		walk->failed = true;
		server_error(reply, "to show the audit stream", &walk->fault);
		return;
	}
	for (size_t i = 0; i < walk->page && !walk->ended; i++) {
		if (!entry_read(resp_at(reply, i), &entry))
			continue;
		snprintf(walk->last, sizeof(walk->last), "%.*s", STR_FMT(entry.id));
		walk->ended = !walk->fn(walk->ctx, &entry);
	}
}

static int
turn_page(struct walk *walk, struct fault *fault_r)
{
	char *key = xasprintf("%s.audit", client_prefix(walk->client));
	char from[ID_BYTES + 1], count[16];
	int rc;

	if (walk->last[0] != '\0')
		snprintf(from, sizeof(from), "(%s", walk->last);
	else
		snprintf(from, sizeof(from), "%s", walk->back ? "+" : "-");
	snprintf(count, sizeof(count), "%d", PAGE);
	client_words(walk->client, on_page, walk, walk->back ? "XREVRANGE" : "XRANGE", key, from,
	    walk->back ? "-" : "+", "COUNT", count, NULL);
	rc = client_wait(walk->client, 0, fault_r);
	free(key);
	if (rc == 0 && walk->failed)
		*fault_r = walk->fault;
	return rc == -1 || walk->failed ? -1 : 0;
}

static int
turn_pages(struct walk *walk, size_t most, struct fault *fault_r)
{
	size_t seen = 0;

	do {
		if (turn_page(walk, fault_r) == -1)
			return -1;
		seen += walk->page;
	} while (!walk->ended && walk->page == PAGE && (most == 0 || seen < most));
	return 0;
}

int
history_back(struct client *client, history_fn *fn, void *ctx, struct fault *fault_r)
{
	struct walk walk = {.client = client, .back = true, .fn = fn, .ctx = ctx};

	return turn_pages(&walk, HISTORY_BACK_MOST, fault_r);
}

int
history_forth(struct client *client, history_fn *fn, void *ctx, struct fault *fault_r)
{
	struct walk walk = {.client = client, .fn = fn, .ctx = ctx};

	return turn_pages(&walk, 0, fault_r);
}
