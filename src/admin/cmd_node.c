/*
 * cmd_node.c - splitmx node list, splitmx node rm ID                  (driver)
 *
 * A node that died stays in the roster, and every change waits for it. Who takes
 * it out says that it will never answer again; so first it must have been silent
 * for as long as it may go on answering from its memory, and only then it goes.
 * The other way round a change of somebody else, confirmed in between, would not
 * have waited for it.
 */
#include "admin/admin.h"

#include "admin/edit.h"
#include "admin/nodes.h"
#include "admin/progress.h"
#include "admin/status_nodes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "map/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct option_row options[] = {
    {"force", NULL, "rm: take it out at once, and wait afterwards; only when its process is gone"},
    {"reason", "TEXT", "why; stands in the audit stream"},
    {"by", "WHO", "on whose behalf; stands in the audit stream beside your own name"},
    {0},
};

enum { LOOK_EVERY_MS = 500, REMOVE_TRIES_MOST = 50 };

struct removal {
	struct admin *admin;
	struct node *node;
	struct nodes *nodes;
	uint64_t wait_ms;
	char *nodes_key, *beats_key;
	struct seal seal;
	bool same; /* what is stored is what was looked at */
	bool done, disturbed, failed;
	struct fault fault;
};

/* ---- waiting until it can answer nobody */

/* See the same beat for wait_ms, by our own clock. "strict": a beat ends it. 0 or a code, said. */
static int
watch_silence(struct removal *removal, const char *doing, bool strict)
{
	struct admin *admin = removal->admin;
	uint64_t start = clock_ms(), now = start;
	struct progress progress;
	struct fault fault;
	int rc = 0;

	progress_start(&progress, doing, "s", (removal->wait_ms + 999) / 1000, admin->json);
	while (rc == 0 && now - start < removal->wait_ms && !(strict && removal->node->beats)) {
		usleep(LOOK_EVERY_MS * 1000);
		now = clock_ms();
		progress_step(&progress, (now - start) / 1000);
		rc = nodes_look(removal->nodes, admin->client, &fault);
	}
	progress_end(&progress);
	return rc == -1 ? admin_fault(admin, &fault) : 0;
}

/* ---- taking it out */

static void
removal_failed(struct removal *removal, const struct resp *reply)
{
	if (!removal->failed)
		fault_set(&removal->fault, VERDICT_TEMP, "Redis at %s refused: %.*s",
		    client_target(removal->admin->client), STR_FMT(resp_str(reply)));
	removal->failed = true;
}

static bool
value_is(const struct resp *reply, const char *text)
{
	if (text == NULL)
		return resp_type(reply) == RESP_NIL;
	return resp_type(reply) == RESP_STRING && str_is(resp_str(reply), text);
}

static void
on_entry(void *ctx, const struct resp *reply)
{
	struct removal *removal = ctx;

	removal->same = value_is(reply, removal->node->entry_text);
}

static void
on_beat(void *ctx, const struct resp *reply)
{
	struct removal *removal = ctx;

	removal->same = removal->same && value_is(reply, removal->node->beat_text);
}

static void
on_exec(void *ctx, const struct resp *reply)
{
	struct removal *removal = ctx;

	removal->disturbed = resp_type(reply) == RESP_NIL;
	removal->done = resp_type(reply) == RESP_ARRAY &&
			seal_take(removal->admin->client, &removal->seal, reply);
	if (!removal->done && !removal->disturbed)
		removal_failed(removal, reply);
	for (size_t i = 0; i < resp_count(reply); i++) {
		if (resp_type(resp_at(reply, i)) == RESP_ERROR)
			removal_failed(removal, resp_at(reply, i));
	}
}

static int
ask_same(struct removal *removal, struct fault *fault_r)
{
	struct client *client = removal->admin->client;
	const char *id = removal->node->id;

	client_words(client, NULL, NULL, "WATCH", removal->nodes_key, removal->beats_key, NULL);
	client_words(client, on_entry, removal, "HGET", removal->nodes_key, id, NULL);
	client_words(client, on_beat, removal, "HGET", removal->beats_key, id, NULL);
	return client_wait(client, 0, fault_r);
}

static struct change_note
note(const struct removal *removal)
{
	return (struct change_note){
	    .who = admin_who(removal->admin), .what = "node rm", .why = admin_why(removal->admin)};
}

/* One line for all attempts: those that were disturbed wrote nothing. 0 or a code, said. */
static int
begin_journal(struct removal *removal)
{
	struct client *client = removal->admin->client;
	const struct change_note what = note(removal);
	struct journal_line line = {.after = removal->node->id};
	struct fault fault;

	seal_begin(client, &removal->seal);
	if (seal_journal(client, &removal->seal, &what, &line, &fault) == -1)
		return admin_fault(removal->admin, &fault);
	return 0;
}

static void
queue_removal(struct removal *removal)
{
	struct client *client = removal->admin->client;
	const struct change_note what = note(removal);
	const char *id = removal->node->id, *before = removal->node->entry_text;
	const struct seal_field fields[] = {
	    {"node", str_of(id)}, {"before", str_of(before != NULL ? before : "-")}};

	client_words(client, NULL, NULL, "MULTI", NULL);
	client_words(client, NULL, NULL, "HDEL", removal->nodes_key, id, NULL);
	client_words(client, NULL, NULL, "HDEL", removal->beats_key, id, NULL);
	seal_queue(client, &removal->seal, &what, fields, ARRAY_LEN(fields));
	client_words(client, on_exec, removal, "EXEC", NULL);
}

static int
write_removal(struct removal *removal, struct fault *fault_r)
{
	struct client *client = removal->admin->client;
	struct fault why;

	queue_removal(removal);
	if (client_wait(client, 0, fault_r) == -1) {
		if (!client_is_lost(client))
			return -1;
		switch (seal_find(client, &removal->seal, CLIENT_TIMEOUT_MS, &why)) {
		case SEAL_IS_THERE:
			removal->done = true;
			return 0;
		case SEAL_IS_NOT:
			break;
		case SEAL_UNKNOWN:
			*fault_r = why;
			break;
		}
		return -1;
	}
	if (removal->failed)
		*fault_r = removal->fault;
	return removal->failed ? -1 : 0;
}

/* Every node writes a beat a second, which disturbs; that of another one does not matter. */
static int
take_out(struct removal *removal)
{
	struct admin *admin = removal->admin;
	struct fault fault;
	int code = begin_journal(removal);

	if (code != 0)
		return code;
	for (int tries = 0; tries < REMOVE_TRIES_MOST && !removal->done; tries++) {
		if (ask_same(removal, &fault) == -1)
			return admin_fault(admin, &fault);
		if (!removal->same && !args_has(&admin->args, "force")) {
			client_words(admin->client, NULL, NULL, "UNWATCH", NULL);
			return admin_fail(admin, EX_TEMPFAIL,
			    "%s has come back meanwhile: it stays in the roster",
			    log_quote_text(removal->node->id));
		}
		if (write_removal(removal, &fault) == -1)
			return admin_fault(admin, &fault);
	}
	if (!removal->done)
		return admin_fail(admin, EX_TEMPFAIL,
		    "the roster changes all the time: nothing was changed, try again");
	return 0;
}

static int
wait_for_members(const struct removal *removal)
{
	char what[512];

	snprintf(what, sizeof(what), "%s is out of the roster here",
	    log_quote_text(removal->node->id));
	return edit_reach(removal->admin, &removal->seal, what,
	    "after a failover it may be back; look with splitmx node list");
}

static int
say_removed(const struct removal *removal)
{
	const char *id = removal->node->id;

	if (removal->admin->json)
		admin_print_json(json_pack("{s:o, s:s}", "node", admin_json_text(str_of(id)),
		    "result", "removed"));
	else
		printf("%s: removed; no change waits for it any more\n", log_quote_text(id));
	return 0;
}

/* ---- rm */

static int
remove_silent(struct removal *removal)
{
	struct admin *admin = removal->admin;
	const char *id = log_quote_text(removal->node->id);
	int code;

	admin_note(admin,
	    "%s is silent; waiting %" PRIu64
	    " s, which is how long it may answer from memory (Ctrl-C changes nothing)",
	    id, (removal->wait_ms + 999) / 1000);
	if ((code = watch_silence(removal, "waiting", true)) != 0)
		return code;
	if (removal->node->beats)
		return admin_fail(admin, EX_TEMPFAIL,
		    "%s has come back meanwhile: it stays in the roster", id);
	if ((code = take_out(removal)) != 0 || (code = wait_for_members(removal)) != 0)
		return code;
	return say_removed(removal);
}

static int
remove_at_once(struct removal *removal)
{
	struct admin *admin = removal->admin;
	const char *id = log_quote_text(removal->node->id);
	int code = take_out(removal);

	if (code != 0 || (code = wait_for_members(removal)) != 0)
		return code;
	admin_note(admin,
	    "%s is out of the roster; if it is not stopped, it may answer from memory for %" PRIu64
	    " s more, and a change that is confirmed meanwhile does not count it",
	    id, (removal->wait_ms + 999) / 1000);
	if ((code = watch_silence(removal, "waiting", false)) != 0)
		return code;
	if (removal->node->beats)
		return admin_fail(admin, EX_TEMPFAIL,
		    "%s still runs, and has entered the roster again or will: stop its process",
		    id);
	return say_removed(removal);
}

/* May it go, and how long must we wait? 0, or a code, said. */
static int
check_node(struct removal *removal)
{
	struct admin *admin = removal->admin;
	const struct node *node = removal->node;
	const char *id = log_quote_text(node->id);
	bool force = args_has(&admin->args, "force");

	if (node->beats && !force)
		return admin_fail(admin, EX_NOPERM,
		    "%s beats: stop its process instead, then it leaves the roster by itself", id);
	if (node->on_roster && !node->has_entry && !force)
		return admin_fail(admin, EX_NOPERM,
		    "the entry of %s cannot be read (%s), so nobody knows how long it may answer "
		    "from memory: when its process is surely gone, take --force",
		    id, node->why.text);
	removal->wait_ms =
	    node->on_roster ? node_wait_ms(&client_map(admin->client)->head, &node->entry) : 0;
	return 0;
}

static int
remove_node(struct removal *removal, const char *id)
{
	struct admin *admin = removal->admin;
	struct fault fault;
	int code;

	if (nodes_read(removal->nodes, admin->client, &fault) == -1)
		return admin_fault(admin, &fault);
	if ((removal->node = nodes_find(removal->nodes, id)) == NULL)
		return admin_fail(admin, EX_DATAERR,
		    "there is no node %s in the map: see splitmx node list", log_quote_text(id));
	if (nodes_watch(removal->nodes, admin->client, NODES_LOOK_MS, admin->json, &fault) == -1)
		return admin_fault(admin, &fault);
	if ((code = check_node(removal)) != 0)
		return code;
	return args_has(&admin->args, "force") ? remove_at_once(removal) : remove_silent(removal);
}

static int
rm(struct admin *admin, const char *id)
{
	const char *prefix = client_prefix(admin->client);
	struct nodes nodes = {0};
	struct removal removal = {.admin = admin, .nodes = &nodes};
	struct fault fault;
	int code;

	if (head_writable(&client_map(admin->client)->head, prefix, &fault) == -1)
		return admin_fault(admin, &fault);
	removal.nodes_key = xasprintf("%s.nodes", prefix);
	removal.beats_key = xasprintf("%s.beats", prefix);
	code = remove_node(&removal, id);
	free(removal.nodes_key);
	free(removal.beats_key);
	nodes_fini(&nodes);
	return code;
}

static int
list(struct admin *admin)
{
	struct nodes nodes = {0};
	struct fault fault;
	int code = 0;

	if (nodes_read(&nodes, admin->client, &fault) == -1 ||
	    nodes_watch(&nodes, admin->client, NODES_LOOK_MS, admin->json, &fault) == -1)
		code = admin_fault(admin, &fault);
	else
		status_nodes(admin, &nodes);
	nodes_fini(&nodes);
	return code;
}

static int
run(struct admin *admin)
{
	const struct args *args = &admin->args;
	bool removes = strcmp(args->words[0], "rm") == 0;
	int code;

	if (!removes && strcmp(args->words[0], "list") != 0)
		return admin_usage(admin, "\"splitmx node\" takes list or rm, not %s",
		    log_quote_text(args->words[0]));
	if (args->word_count != (removes ? 2 : 1))
		return admin_usage(admin,
		    removes ? "whose? See splitmx node list" : "too many words");
	if ((code = admin_need_map(admin)) != 0)
		return code;
	return removes ? rm(admin, args->words[1]) : list(admin);
}

const struct command cmd_node = {
    .name = "node",
    .usage = "list | rm ID [--force]",
    .sentence = "Lists the nodes that answer from the map; removes one that is gone for good.",
    .options = options,
    .words_least = 1,
    .words_most = 2,
    .run = run,
    .asks = ASKS_NEVER,
    .writes = WRITES_MAP,
};
