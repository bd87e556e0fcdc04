/*
 * confirming.c - a command waits until its change is confirmed        (driver)
 */
#include "admin/confirming.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	WAIT_MOST_S = 86400,
	FIRST_WORD_MS = 1000, /* a change that is confirmed at once needs no words meanwhile */
	WORD_EVERY_MS = 5000,
	NAMED_MOST = 5 /* in a line */
};

int
confirming_init(struct confirming *confirming, struct admin *admin)
{
	long long wait_s;
	struct fault fault;

	*confirming = (struct confirming){
	    .admin = admin, .wait_ms = (uint64_t)admin->settings->confirm_timeout_ms};
	if (args_number(&admin->args, "wait", 1, WAIT_MOST_S, 0, &wait_s, &fault) == -1)
		return admin_usage(admin, "%s; --no-wait does not wait", fault.text);
	if (wait_s > 0)
		confirming->wait_ms = (uint64_t)wait_s * 1000;
	confirming->waits = !args_has(&admin->args, "no-wait");
	if (!confirming->waits && wait_s > 0)
		return admin_usage(admin, "--wait and --no-wait at once");
	return 0;
}

void
confirming_fini(struct confirming *confirming)
{
	confirm_result_free(&confirming->result);
}

/* ---- while it waits */

static void
add_seconds(struct buf *out, uint64_t ms)
{
	if (ms < 10000)
		buf_addf(out, "%" PRIu64 " ms", ms);
	else
		buf_addf(out, "%" PRIu64 " s", (ms + 999) / 1000);
}

static bool
is_done(const struct awaited_node *node)
{
	return node->state == AWAITED_ACKNOWLEDGED || node->state == AWAITED_OUT;
}

/* "mx1/policyd/0 beats and has not acknowledged" */
static void
add_node(struct buf *out, const struct awaited_node *node)
{
	buf_add_text(out, log_quote(node->id));
	if (node->host[0] != '\0')
		buf_addf(out, " (%s)", log_quote_text(node->host));
	switch (node->state) {
	case AWAITED_SILENT:
		buf_add_text(out, " is silent and may act on what it knew for ");
		add_seconds(out, node->left_ms);
		break;
	case AWAITED_ENTERED:
		buf_add_text(out,
		    " came after the change and has not acknowledged yet; if it stays "
		    "silent it is waited out in ");
		add_seconds(out, node->left_ms);
		break;
	case AWAITED_BEATS:
		buf_add_text(out, " lives and has not acknowledged: it is not drained yet");
		break;
	case AWAITED_UNREADABLE:
		buf_add_text(out, " has an entry that cannot be read: only an answer of it helps");
		break;
	case AWAITED_ACKNOWLEDGED:
	case AWAITED_OUT:
	case AWAITED_STATES:
		break;
	}
}

static void
add_members(struct buf *out, const struct confirm_result *result)
{
	buf_addf(out, "%u of %u replicas have it", result->members_reached, result->members_wanted);
	for (unsigned i = 0; i < result->members_missing.count; i++)
		buf_addf(out, "%s %s", i == 0 ? ", not yet" : ",",
		    result->members_missing.address[i]);
}

struct telling {
	const struct admin *admin;
	uint64_t next_ms; /* after the begin */
};

static void
tell(void *ctx, const struct confirm_result *result)
{
	struct telling *telling = ctx;
	struct buf text = BUF_INIT;
	size_t named = 0, waiting = 0;

	if (result->took_ms < telling->next_ms)
		return;
	telling->next_ms = result->took_ms + WORD_EVERY_MS;
	if (result->nodes == NULL)
		add_members(&text, result);
	for (size_t i = 0; result->nodes != NULL && i < awaited_count(result->nodes); i++) {
		const struct awaited_node *node = awaited_at(result->nodes, i);

		if (is_done(node))
			continue;
		waiting++;
		if (named++ < NAMED_MOST) {
			buf_add_text(&text, named > 1 ? "; " : "");
			add_node(&text, node);
		}
	}
	if (waiting > NAMED_MOST)
		buf_addf(&text, "; and %zu more", waiting - NAMED_MOST);
	if (result->trouble[0] != '\0')
		buf_addf(&text, " (last trouble: %s)", log_quote_text(result->trouble));
	admin_note(telling->admin, "waiting for confirmation: %s", buf_cstr(&text));
	buf_fini(&text);
}

static void
note_in_journal(const struct confirming *confirming, const struct seal *seal)
{
	static const enum journal_what what[] = {
	    [CONFIRM_NOT] = JOURNAL_UNCONFIRMED,
	    [CONFIRM_LOST] = JOURNAL_LOST,
	    [CONFIRM_DONE] = JOURNAL_CONFIRMED,
	    [CONFIRM_DONE_BY_TIME] = JOURNAL_CONFIRMED,
	};
	struct admin *admin = confirming->admin;
	struct fault fault;

	if (seal_journal_end(admin->client, seal, what[confirming->result->state], &fault) == -1)
		admin_note(admin, "%s", fault.text);
}

/* Whoever asks later what became of the change finds it. Best effort. */
static void
note_in_audit(const struct confirming *confirming, const struct seal *seal, const struct str *names,
    size_t count)
{
	struct admin *admin = confirming->admin;
	char *key = xasprintf("%s.audit", client_prefix(admin->client));
	char epoch[24], many[24], nodes[24];
	struct str argv[] = {STR("XADD"), str_of(key), STR("*"), STR("who"),
	    str_of(admin_who(admin)), STR("what"), STR("confirmed"), STR("epoch"), STR(""),
	    STR("op"), str_of(seal->nonce), STR("nodes"), STR(""), STR("waited_out"), STR(""),
	    STR("accounts"), STR("")};
	struct fault unimportant;
	char out[24];

	snprintf(epoch, sizeof(epoch), "%" PRIu64, seal->epoch);
	snprintf(nodes, sizeof(nodes), "%zu",
	    confirm_count(confirming->result, AWAITED_ACKNOWLEDGED));
	snprintf(out, sizeof(out), "%zu", confirm_count(confirming->result, AWAITED_OUT));
	snprintf(many, sizeof(many), "%zu", count);
	argv[8] = str_of(epoch);
	argv[12] = str_of(nodes);
	argv[14] = str_of(out);
	argv[16] = count > 0 ? str_of(many) : STR("*");
	if (count == 1) {
		argv[15] = STR("account");
		argv[16] = names[0];
	}
	client_command(admin->client, NULL, NULL, argv, ARRAY_LEN(argv));
	client_wait(admin->client, 0, &unimportant);
	free(key);
}

bool
confirming_wait(struct confirming *confirming, const struct seal *seal, const struct str *names,
    size_t count)
{
	struct admin *admin = confirming->admin;
	struct telling telling = {admin, FIRST_WORD_MS};
	struct confirm_request request = {.names = names,
	    .count = count,
	    .epoch = seal->epoch,
	    .nonce = seal->nonce,
	    .members = admin->settings->redis.confirm_members,
	    .wait_ms = confirming->wait_ms,
	    .progress_fn = tell,
	    .ctx = &telling};

	confirm_result_free(&confirming->result);
	if (seal->epoch > 0 && !journal_is_kept(client_journal(admin->client)))
		admin_note(admin,
		    "no journal of changes is kept here: %s belongs to somebody else, or is missing",
		    admin->settings->state_dir);
	if (!confirming->waits || seal->epoch == 0)
		return true;
	confirming->result = confirm_run(admin->client, &request);
	note_in_journal(confirming, seal);
	if (!confirm_is_done(confirming->result))
		return false;
	note_in_audit(confirming, seal, names, count);
	return true;
}

int
confirming_present(struct confirming *confirming, const struct str *names, size_t count,
    struct seal *seal_r, struct fault *fault_r)
{
	*seal_r = (struct seal){.epoch = 0};
	if (!confirming->waits)
		return 0;
	if (confirming_seal(confirming->admin, "confirm", names, count, seal_r, fault_r) == -1)
		return -1;
	confirming_wait(confirming, seal_r, names, count);
	return 0;
}

/* ---- what came of it */

/* " (mx1/policyd/0, mx2/policyd/0 and 7 more)" */
static void
add_names(struct buf *out, const struct confirm_result *result, enum awaited_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < awaited_count(result->nodes); i++) {
		const struct awaited_node *node = awaited_at(result->nodes, i);

		if (node->state == state && ++count <= NAMED_MOST)
			buf_addf(out, "%s%s", count > 1 ? ", " : " (", log_quote(node->id));
	}
	if (count > NAMED_MOST)
		buf_addf(out, " and %zu more", count - NAMED_MOST);
	buf_add_text(out, count > 0 ? ")" : "");
}

const char *
confirming_words(const struct confirming *confirming)
{
	const struct confirm_result *result = confirming->result;
	static struct buf text;
	size_t nodes, out;

	buf_clear(&text);
	if (result == NULL)
		return confirming->waits ? "" : ", not waited for";
	if (!confirm_is_done(result))
		return ", not confirmed";
	nodes = confirm_count(result, AWAITED_ACKNOWLEDGED);
	out = confirm_count(result, AWAITED_OUT);
	if (nodes + out == 0)
		return ", confirmed: no node is in the roster";
	buf_addf(&text, ", confirmed by %zu node%s in ", nodes, nodes == 1 ? "" : "s");
	add_seconds(&text, result->took_ms);
	add_names(&text, result, AWAITED_ACKNOWLEDGED);
	if (out > 0) {
		buf_addf(&text, ", %zu silent one%s waited out", out, out == 1 ? "" : "s");
		add_names(&text, result, AWAITED_OUT);
	}
	return buf_cstr(&text);
}

static json_t *
node_json(const struct awaited_node *node)
{
	json_t *object = json_pack("{s:o, s:s, s:s, s:s}", "node", admin_json_text(node->id),
	    "host", log_quote_text(node->host), "role", log_quote_text(node->role), "state",
	    awaited_state_name(node->state));

	must(object != NULL);
	if (is_done(node))
		json_object_set_new(object, "ms", json_integer((json_int_t)node->done_ms));
	else if (node->state == AWAITED_SILENT || node->state == AWAITED_ENTERED)
		json_object_set_new(object, "left_ms", json_integer((json_int_t)node->left_ms));
	return object;
}

void
confirming_json(const struct confirming *confirming, json_t *object)
{
	const struct confirm_result *result = confirming->result;
	json_t *nodes = json_array(), *missing = json_array();

	if (result == NULL) {
		json_object_set_new(object, "confirmed", json_null());
		json_decref(nodes);
		json_decref(missing);
		return;
	}
	for (size_t i = 0; result->nodes != NULL && i < awaited_count(result->nodes); i++)
		json_array_append_new(nodes, node_json(awaited_at(result->nodes, i)));
	for (unsigned i = 0; i < result->members_missing.count; i++)
		json_array_append_new(missing, json_string(result->members_missing.address[i]));
	json_object_set_new(object, "confirmed", json_boolean(confirm_is_done(result)));
	json_object_set_new(object, "lost", json_boolean(result->state == CONFIRM_LOST));
	json_object_set_new(object, "ms", json_integer((json_int_t)result->took_ms));
	json_object_set_new(object, "nodes", nodes);
	json_object_set_new(object, "members",
	    json_pack("{s:i, s:i, s:o}", "wanted", (int)result->members_wanted, "reached",
		(int)result->members_reached, "missing", missing));
	if (!confirm_is_done(result) && result->trouble[0] != '\0')
		json_object_set_new(object, "trouble", admin_json_text(str_of(result->trouble)));
}

static void
say_missing(const struct confirming *confirming)
{
	const struct confirm_result *result = confirming->result;
	struct buf text = BUF_INIT;

	if (!result->members_done) {
		add_members(&text, result);
		admin_note(confirming->admin, "  %s", buf_cstr(&text));
	}
	for (size_t i = 0; result->nodes != NULL && i < awaited_count(result->nodes); i++) {
		buf_clear(&text);
		add_node(&text, awaited_at(result->nodes, i));
		if (!is_done(awaited_at(result->nodes, i)))
			admin_note(confirming->admin, "  %s", buf_cstr(&text));
	}
	if (result->trouble[0] != '\0')
		admin_note(confirming->admin, "  %s", log_quote_text(result->trouble));
	buf_fini(&text);
}

int
confirming_end(const struct confirming *confirming, const char *what, const char *again)
{
	const struct confirm_result *result = confirming->result;
	struct buf took = BUF_INIT;

	if (result == NULL || confirm_is_done(result))
		return 0;
	if (result->state == CONFIRM_LOST)
		return admin_fail(confirming->admin, EX_TEMPFAIL,
		    "%s: the change was made at the former master and did not survive the failover: it "
		    "is undone; repeat it",
		    what);
	add_seconds(&took, result->took_ms);
	admin_fail(confirming->admin, EX_TEMPFAIL,
	    "%s: written, not confirmed within %s: a node may still act on what it knew before. See to "
	    "what is missing, then run: splitmx %s",
	    what, buf_cstr(&took), again);
	say_missing(confirming);
	buf_fini(&took);
	return EX_TEMPFAIL;
}
