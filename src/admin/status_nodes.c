/*
 * status_nodes.c - the nodes of the map, as a table                   (driver)
 */
#include "admin/status_nodes.h"

#include "admin/trouble.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The newest that any node has: who has less is named before it matters. */
struct newest {
	const char *version;
	unsigned schema;
};

static struct newest
find_newest(const struct nodes *nodes)
{
	struct newest newest = {"", 0};

	for (size_t i = 0; i < nodes->count; i++) {
		const struct roster_entry *entry = &nodes->list[i].entry;

		if (strverscmp(entry->version, newest.version) > 0)
			newest.version = entry->version;
		if (entry->schema_most > newest.schema)
			newest.schema = entry->schema_most;
	}
	return newest;
}

/* Is it there at all, and what does that mean for a change? */
static void
presence_troubles(const struct admin *admin, const struct node *node, json_t *troubles)
{
	const struct map_head *head = &client_map(admin->client)->head;
	const char *id = log_quote_text(node->id);

	if (node->on_roster && !node->has_entry)
		trouble_add(troubles,
		    "its entry in the roster cannot be read (%s): nobody knows how long to wait for "
		    "it, so no change is confirmed; restart it, or stop it and run splitmx node rm "
		    "%s --force",
		    node->why.text, id);
	else if (node->on_roster && !node->beats)
		trouble_add(troubles,
		    "silent: a change waits for it, up to %" PRIu64
		    " s; if it will not come back: splitmx node rm %s",
		    (node_wait_ms(head, &node->entry) + 999) / 1000, id);
	else if (!node->on_roster && !node->beats)
		trouble_add(troubles,
		    "not in the roster, and silent: left over; splitmx node rm %s", id);
	else if (!node->on_roster && node->beat.refuses[0] == '\0')
		trouble_add(troubles, "not in the roster yet: it does not answer before it is");
}

static void
age_troubles(const struct node *node, struct newest newest, json_t *troubles)
{
	if (!node->has_entry)
		return;
	if (node->entry.schema_most < newest.schema)
		trouble_add(troubles,
		    "before an upgrade of the map: it knows schema %u to %u, another node %u",
		    node->entry.schema_least, node->entry.schema_most, newest.schema);
	if (strverscmp(node->entry.version, newest.version) < 0)
		trouble_add(troubles, "before an upgrade: it runs %s, another node %s",
		    log_quote_text(node->entry.version), log_quote_text(newest.version));
}

/* What to look at, as an array of sentences; the caller's. */
static json_t *
find_troubles(const struct admin *admin, const struct node *node, struct newest newest)
{
	json_t *troubles = json_array();

	presence_troubles(admin, node, troubles);
	if (node->has_beat && node->beat.refuses[0] != '\0')
		trouble_add(troubles, "does not answer from this map: %s", node->beat.refuses);
	if (node->has_beat && node->beat.alarm[0] != '\0')
		trouble_add(troubles, "alarm: %s", node->beat.alarm);
	age_troubles(node, newest, troubles);
	return troubles;
}

json_t *
node_troubles(const struct admin *admin, const struct nodes *nodes, const struct node *node)
{
	return find_troubles(admin, node, find_newest(nodes));
}

static uint64_t
epochs_behind(const struct admin *admin, const struct node *node)
{
	uint64_t epoch = client_map(admin->client)->head.epoch;

	return epoch > node->beat.epoch ? epoch - node->beat.epoch : 0;
}

static const char *
beat_word(const struct node *node)
{
	return node->beats ? "beats" : "silent";
}

/* ---- in JSON */

static void
add_text(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, admin_json_text(str_of(text)));
}

static void
add_number(json_t *object, const char *name, uint64_t number)
{
	json_object_set_new(object, name, json_integer((json_int_t)number));
}

static void
print_json(const struct admin *admin, const struct node *node, json_t *troubles)
{
	const struct roster_entry *entry = &node->entry;
	const struct roster_beat *beat = &node->beat;
	json_t *object = json_object();

	add_text(object, "id", node->id);
	json_object_set_new(object, "on_roster", json_boolean(node->on_roster));
	json_object_set_new(object, "beats", json_boolean(node->beats));
	if (node->has_entry) {
		add_text(object, "host", entry->host);
		add_text(object, "role", entry->role);
		add_text(object, "version", entry->version);
		add_text(object, "since", entry->since);
		add_number(object, "pid", entry->pid);
		json_object_set_new(object, "schema",
		    json_pack("[i, i]", (int)entry->schema_least, (int)entry->schema_most));
		add_number(object, "grace_ms", entry->grace_ms);
		add_number(object, "drain_ms", entry->drain_ms);
		add_number(object, "wait_ms",
		    node_wait_ms(&client_map(admin->client)->head, entry));
	}
	if (node->has_beat) {
		add_text(object, "phase", beat->phase);
		add_number(object, "lease_left_ms", beat->lease_left_ms);
		add_number(object, "epoch", beat->epoch);
		add_number(object, "behind", epochs_behind(admin, node));
		add_number(object, "answers", beat->answers);
		add_number(object, "entries", beat->entries);
		if (beat->refuses[0] != '\0')
			add_text(object, "refuses", beat->refuses);
	}
	json_object_set_new(object, "troubles", troubles);
	admin_print_json(json_pack("{s:o}", "node", object));
}

/* ---- in words */

static void
print_heads(void)
{
	printf("%-24s %-16s %-8s %-7s %-9s %-6s %8s %8s %10s %6s %12s %10s\n", "NODE", "HOST",
	    "VERSION", "SCHEMA", "PHASE", "BEAT", "LEASE_MS", "GRACE_MS", "EPOCH", "BEHIND",
	    "ANSWERS", "REMEMBERED");
}

/* "-" for what an absent or unreadable record does not tell. */
static void
print_row(const struct admin *admin, const struct node *node)
{
	const struct roster_entry *entry = &node->entry;
	const struct roster_beat *beat = &node->beat;
	char schema[24] = "-", grace[24] = "-";

	if (node->has_entry) {
		snprintf(schema, sizeof(schema), "%u-%u", entry->schema_least, entry->schema_most);
		snprintf(grace, sizeof(grace), "%" PRIu32, entry->grace_ms);
	}
	printf("%-24s %-16s %-8s %-7s %-9s %-6s ", log_quote_text(node->id),
	    node->has_entry ? log_quote_text(entry->host) : "-",
	    node->has_entry ? log_quote_text(entry->version) : "-", schema,
	    node->has_beat ? log_quote_text(beat->phase) : "-", beat_word(node));
	if (node->has_beat)
		printf("%8" PRIu32 " %8s %10" PRIu64 " %6" PRIu64 " %12" PRIu64 " %10" PRIu64 "\n",
		    beat->lease_left_ms, grace, beat->epoch, epochs_behind(admin, node),
		    beat->answers, beat->entries);
	else
		printf("%8s %8s %10s %6s %12s %10s\n", "-", grace, "-", "-", "-", "-");
}

size_t
status_nodes(const struct admin *admin, const struct nodes *nodes)
{
	struct newest newest = find_newest(nodes);
	size_t count = 0;

	if (!admin->json && nodes->count > 0)
		print_heads();
	if (!admin->json && nodes->count == 0)
		puts("nodes      none: nobody answers from this map");
	for (size_t i = 0; i < nodes->count; i++) {
		const struct node *node = &nodes->list[i];
		json_t *troubles = find_troubles(admin, node, newest);

		count += json_array_size(troubles) > 0;
		if (admin->json) {
			print_json(admin, node, troubles); /* takes them */
			continue;
		}
		print_row(admin, node);
		troubles_print(troubles);
		json_decref(troubles);
	}
	return count;
}
