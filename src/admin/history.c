/*
 * history.c - what the audit stream tells                             (driver)
 */
#include "admin/history.h"

#include "base/mem.h"
#include "map/server.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 500 };

struct walk {
	struct client *client;
	bool back, ended, failed;
	size_t page; /* how many the last answer had */
	struct history_place *place;
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
		snprintf(walk->place->id, sizeof(walk->place->id), "%.*s", STR_FMT(entry.id));
		walk->ended = !walk->fn(walk->ctx, &entry);
	}
}

static void
ask_page(struct client *client, const struct history_place *place, bool back, client_reply_fn *fn,
    void *ctx)
{
	char *key = xasprintf("%s.audit", client_prefix(client));
	char from[HISTORY_ID_BYTES + 1], count[16];

	if (place->id[0] != '\0')
		snprintf(from, sizeof(from), "(%s", place->id);
	else
		snprintf(from, sizeof(from), "%s", back ? "+" : "-");
	snprintf(count, sizeof(count), "%d", PAGE);
	client_words(client, fn, ctx, back ? "XREVRANGE" : "XRANGE", key, from, back ? "-" : "+",
	    "COUNT", count, NULL);
	free(key);
}

static int
turn_page(struct walk *walk, struct fault *fault_r)
{
	int rc;

	ask_page(walk->client, walk->place, walk->back, on_page, walk);
	rc = client_wait(walk->client, 0, fault_r);
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
	struct history_place place = {0};
	struct walk walk = {.client = client, .back = true, .place = &place, .fn = fn, .ctx = ctx};

	return turn_pages(&walk, HISTORY_BACK_MOST, fault_r);
}

int
history_forth(struct client *client, struct history_place *place, history_fn *fn, void *ctx,
    struct fault *fault_r)
{
	struct walk walk = {.client = client, .place = place, .fn = fn, .ctx = ctx};

	return turn_pages(&walk, 0, fault_r);
}

void
history_ask_next(struct client *client, const struct history_place *place)
{
	ask_page(client, place, false, NULL, NULL);
}

int
history_take_next(struct history_place *place, const struct resp *reply, history_fn *fn, void *ctx,
    bool *more_r, struct fault *fault_r)
{
	struct walk walk = {.place = place, .fn = fn, .ctx = ctx};

	on_page(&walk, reply);
	*more_r = !walk.ended && walk.page == PAGE;
	if (walk.failed)
		*fault_r = walk.fault;
	return walk.failed ? -1 : 0;
}
