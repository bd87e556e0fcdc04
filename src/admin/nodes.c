/*
 * nodes.c - the nodes that the map knows, and which of them beat      (driver)
 */
#include "admin/nodes.h"

#include "admin/progress.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 100, WAIT_SPARE_MS = 100 };

struct look {
	struct nodes *nodes;
	struct client *client;
	struct fault fault;
	bool failed;
};

static void
look_failed(struct look *look, const struct resp *reply)
{
	look->failed = true;
	fault_set(&look->fault, VERDICT_TEMP, "Redis at %s refused to show the nodes: %.*s",
	    client_target(look->client), STR_FMT(resp_str(reply)));
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->id, ((const struct node *)b)->id);
}

struct node *
nodes_find(const struct nodes *nodes, const char *id)
{
	struct node key = {.id = (char *)(uintptr_t)id}; /* only looked at */

	if (nodes->count == 0)
		return NULL;
	return bsearch(&key, nodes->list, nodes->count, sizeof(key), compare_ids);
}

static struct node *
find_or_add(struct nodes *nodes, struct str id)
{
	char *text = xstrndup(id.ptr, id.len);

	for (size_t i = 0; i < nodes->count; i++) {
		if (strcmp(nodes->list[i].id, text) == 0) {
			free(text);
			return &nodes->list[i];
		}
	}
	nodes->list = xrealloc(nodes->list, (nodes->count + 1) * sizeof(nodes->list[0]));
	nodes->list[nodes->count] = (struct node){.id = text};
	return &nodes->list[nodes->count++];
}

static void
take_entry(struct node *node, struct str text)
{
	node->on_roster = true;
	node->entry_text = xstrndup(text.ptr, text.len);
	node->has_entry = roster_entry_read(text, &node->entry, &node->why) == 0;
}

static void
take_beat(struct node *node, struct str text)
{
	struct fault unimportant;

	free(node->beat_text);
	node->beat_text = xstrndup(text.ptr, text.len);
	node->has_beat = roster_beat_read(text, &node->beat, &unimportant) == 0;
}

/* ---- the first look: both hashes of one moment */

static void
on_both(void *ctx, const struct resp *reply)
{
	static void (*const takes[])(struct node * node, struct str text) = {take_entry, take_beat};
	struct look *look = ctx;

	if (resp_count(reply) != ARRAY_LEN(takes)) {
		look_failed(look, reply);
		return;
	}
	for (size_t h = 0; h < ARRAY_LEN(takes); h++) {
		const struct resp *hash = resp_at(reply, h);

		if (resp_type(hash) != RESP_ARRAY || resp_count(hash) % 2 != 0) {
			look_failed(look, hash);
			return;
		}
		for (size_t i = 0; i < resp_count(hash); i += 2)
			takes[h](find_or_add(look->nodes, resp_str(resp_at(hash, i))),
			    resp_str(resp_at(hash, i + 1)));
	}
}

static void
ask_hash(struct client *client, client_reply_fn *fn, void *ctx, const char *name)
{
	char *key = xasprintf("%s.%s", client_prefix(client), name);

	client_words(client, fn, ctx, "HGETALL", key, NULL);
	free(key);
}

static int
look_end(struct look *look, struct fault *fault_r)
{
	if (client_wait(look->client, 0, fault_r) == -1)
		return -1;
	if (look->failed)
		*fault_r = look->fault;
	return look->failed ? -1 : 0;
}

int
nodes_read(struct nodes *nodes, struct client *client, struct fault *fault_r)
{
	struct look look = {.nodes = nodes, .client = client};

	client_words(client, NULL, NULL, "MULTI", NULL);
	ask_hash(client, NULL, NULL, "nodes");
	ask_hash(client, NULL, NULL, "beats");
	client_words(client, on_both, &look, "EXEC", NULL);
	if (look_end(&look, fault_r) == -1)
		return -1;
	if (nodes->count > 0)
		qsort(nodes->list, nodes->count, sizeof(nodes->list[0]), compare_ids);
	return 0;
}

void
nodes_fini(struct nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++) {
		free(nodes->list[i].id);
		free(nodes->list[i].entry_text);
		free(nodes->list[i].beat_text);
	}
	free(nodes->list);
	*nodes = (struct nodes){0};
}

/* ---- further looks */

static void
on_beats(void *ctx, const struct resp *reply)
{
	struct look *look = ctx;

	if (resp_type(reply) != RESP_ARRAY || resp_count(reply) % 2 != 0) {
		look_failed(look, reply);
		return;
	}
	for (size_t i = 0; i < resp_count(reply); i += 2) {
		struct str id = resp_str(resp_at(reply, i)), text = resp_str(resp_at(reply, i + 1));
		char *name = xstrndup(id.ptr, id.len);
		struct node *node = nodes_find(look->nodes, name);

		free(name);
		if (node == NULL || (node->beat_text != NULL && str_is(text, node->beat_text)))
			continue;
		take_beat(node, text);
		node->beats = true;
	}
}

int
nodes_look(struct nodes *nodes, struct client *client, struct fault *fault_r)
{
	struct look look = {.nodes = nodes, .client = client};

	ask_hash(client, on_beats, &look, "beats");
	return look_end(&look, fault_r);
}

static size_t
count_beating(const struct nodes *nodes)
{
	size_t count = 0;

	for (size_t i = 0; i < nodes->count; i++)
		count += nodes->list[i].beats;
	return count;
}

int
nodes_watch(struct nodes *nodes, struct client *client, uint64_t most_ms, bool quiet,
    struct fault *fault_r)
{
	uint64_t start = clock_ms();
	struct progress progress;
	int rc = 0;

	progress_start(&progress, "looking for beats", "nodes", nodes->count, quiet);
	while (rc == 0 && count_beating(nodes) < nodes->count && clock_ms() - start < most_ms) {
		usleep(LOOK_EVERY_MS * 1000);
		rc = nodes_look(nodes, client, fault_r);
		progress_step(&progress, count_beating(nodes));
	}
	progress_end(&progress);
	return rc;
}

uint64_t
node_wait_ms(const struct map_head *head, const struct roster_entry *entry)
{
	uint64_t lease_ms = head->lease_most_ms;

	return lease_ms + (lease_ms + 99) / 100 + WAIT_SPARE_MS + entry->grace_ms + entry->drain_ms;
}
