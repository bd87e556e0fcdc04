/*
 * confirm.c - is a change known everywhere?                           (driver)
 *
 * One round: members, then nodes. Whatever goes wrong in it, the connection is
 * opened anew and the round begins from its start, acknowledgements included: a
 * round that ends well was seen from one connection to one master.
 */
#include "map/confirm.h"

#include "base/clock.h"
#include "base/mem.h"
#include "map/audit.h"
#include "map/reached.h"
#include "map/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MEMBERS_LOOK_MS = 250, /* how long one WAIT waits; then the replicas are looked at */
	PAUSE_MS = 200 /* before a lost connection is tried again */
};

enum step {
	STEP_ON,
	STEP_AGAIN, /* a new round on a new connection */
	STEP_OVER /* the result says how */
};

struct run {
	struct client *client;
	const struct confirm_request *request;
	struct confirm_result *result;
	uint64_t start_ms;
	struct map_head changed; /* the head of the map that was changed, as it was then */
	char *map_key, *nodes_key, *beats_key, *touch_key, *barrier_channel;
	struct buf barrier; /* this round's message */
	struct awaited *awaited; /* this round's nodes, and at last the result's */
	uint64_t asked_ms; /* of the look that is under way */
	struct map_head head;
	struct server_replication replication;
	bool failed;
	struct fault fault;
};

/* ---- trouble and time */

static void
fail(struct run *run, const struct fault *why)
{
	if (!run->failed)
		run->fault = *why;
	run->failed = true;
}

static enum step
note_trouble(struct run *run, const struct fault *why)
{
	snprintf(run->result->trouble, sizeof(run->result->trouble), "%s", why->text);
	return STEP_AGAIN;
}

/* What is queued is answered; a refusal is as good as a loss, it may be a master no more. */
static enum step
ask(struct run *run)
{
	struct fault fault;
	int rc;

	run->failed = false;
	rc = client_wait(run->client, 0, &fault);
	if (rc == -1)
		fail(run, &fault);
	return run->failed ? note_trouble(run, &run->fault) : STEP_ON;
}

static bool
is_late(const struct run *run)
{
	return clock_ms() - run->start_ms >= run->request->wait_ms;
}

static void
tell(struct run *run)
{
	run->result->nodes = run->awaited;
	run->result->took_ms = clock_ms() - run->start_ms;
	if (run->request->progress_fn != NULL)
		run->request->progress_fn(run->request->ctx, run->result);
}

/* ---- W3: the members */

static void
on_head(void *ctx, const struct resp *reply)
{
	struct run *run = ctx;
	struct fault fault;

	if (map_head_read(reply, client_prefix(run->client), &run->head, &fault) == -1) {
		fail(run, &fault);
	} else if (strcmp(run->head.id, run->changed.id) != 0 ||
		   run->head.epoch < run->request->epoch) {
		fault_set(&fault, VERDICT_TEMP, "the map went back, or is another one now");
		fail(run, &fault);
	}
}

static void
on_replication(void *ctx, const struct resp *reply)
{
	struct run *run = ctx;
	struct fault fault;

	if (server_replication_read(reply, &run->replication, &fault) == -1)
		fail(run, &fault);
}

static void
on_wait(void *ctx, const struct resp *reply)
{
	struct fault fault;

	if (resp_type(reply) == RESP_INTEGER)
		return; /* it counts strangers too: the replicas themselves are looked at */
	server_error(reply, "WAIT", &fault);
	fail(ctx, &fault);
}

/* Whom we wait for may change meanwhile: "member dead" is what ends a wait in vain. */
static void
count_members(struct run *run, uint64_t offset)
{
	struct confirm_result *result = run->result;
	unsigned most = head_replicas_most(&run->head);
	struct reached reached;

	reached_count(&reached, &run->head, &run->replication, client_address(run->client), offset);
	result->members_missing = reached.missing;
	result->members_reached = reached.count;
	switch (run->request->members) {
	case CONFIRM_MEMBERS_ALL:
		result->members_wanted = reached.wanted;
		break;
	case CONFIRM_MEMBERS_MAJORITY:
		result->members_wanted = most < reached.wanted ? most : reached.wanted;
		break;
	case CONFIRM_MEMBERS_NONE:
		result->members_wanted = 0;
		break;
	}
}

/*
 * Something is written first, always: after a reconnection WAIT would else mean
 * nothing, and its reply is the second round trip without which a barrier may
 * overtake the invalidations of the change (FENCING, the ordering trap).
 */
static enum step
reach_members(struct run *run)
{
	struct client *client = run->client;
	struct confirm_result *result = run->result;
	char wanted[16], ms[16];
	uint64_t offset;
	enum step step;

	result->members_done = false;
	client_words(client, NULL, NULL, "SET", run->touch_key, run->request->nonce, NULL);
	client_words(client, on_head, run, "HGETALL", run->map_key, NULL);
	client_words(client, on_replication, run, "INFO", "replication", NULL);
	if ((step = ask(run)) != STEP_ON)
		return step;
	offset = run->replication.offset;
	snprintf(ms, sizeof(ms), "%d", MEMBERS_LOOK_MS);
	for (;;) {
		count_members(run, offset);
		if (result->members_wanted == 0)
			break;
		snprintf(wanted, sizeof(wanted), "%u", result->members_wanted);
		client_words(client, on_wait, run, "WAIT", wanted, ms, NULL);
		client_words(client, on_head, run, "HGETALL", run->map_key, NULL);
		client_words(client, on_replication, run, "INFO", "replication", NULL);
		if ((step = ask(run)) != STEP_ON)
			return step;
		count_members(run, offset);
		if (result->members_reached >= result->members_wanted)
			break;
		tell(run);
		if (is_late(run))
			return STEP_OVER;
	}
	result->members_done = true;
	if (run->request->members == CONFIRM_MEMBERS_ALL)
		client_knows_epoch(client, run->request->epoch);
	return STEP_ON;
}

/* ---- W4 and W5: the nodes */

static void
on_ack(void *ctx, struct str message)
{
	struct run *run = ctx;

	if (run->awaited != NULL)
		awaited_take_ack(run->awaited, message, clock_ms());
}

static void
on_look(void *ctx, const struct resp *reply)
{
	struct run *run = ctx;
	struct fault fault;

	if (resp_type(reply) != RESP_ARRAY || resp_count(reply) != 3) {
		server_error(reply, "to show the roster", &fault);
		fail(run, &fault);
		return;
	}
	on_head(run, resp_at(reply, 0));
	if (run->failed)
		return;
	if (!awaited_look(run->awaited, resp_at(reply, 1), resp_at(reply, 2),
		run->head.lease_most_ms, run->asked_ms, clock_ms())) {
		fault_set(&fault, VERDICT_TEMP, "%s or %s holds no hash", run->nodes_key,
		    run->beats_key);
		fail(run, &fault);
	}
}

static enum step
look_at_nodes(struct run *run)
{
	struct client *client = run->client;
	struct str publish[] = {
	    STR("PUBLISH"), str_of(run->barrier_channel), buf_str(&run->barrier)};

	run->asked_ms = clock_ms();
	client_command(client, NULL, NULL, publish, ARRAY_LEN(publish));
	client_words(client, NULL, NULL, "MULTI", NULL);
	client_words(client, NULL, NULL, "HGETALL", run->map_key, NULL);
	client_words(client, NULL, NULL, "HGETALL", run->nodes_key, NULL);
	client_words(client, NULL, NULL, "HGETALL", run->beats_key, NULL);
	client_words(client, on_look, run, "EXEC", NULL);
	return ask(run);
}

/* Acknowledgements come in here, until it is time to look again. */
static void
listen(struct run *run)
{
	uint64_t next_ms = run->asked_ms + CONFIRM_LOOK_MS, now_ms;

	while (!awaited_is_over(run->awaited) && !client_is_lost(run->client) &&
	       (now_ms = clock_ms()) < next_ms && !is_late(run))
		client_listen(run->client, next_ms - now_ms);
}

static enum step
end_well(struct run *run)
{
	enum step step;

	if (!awaited_by_time(run->awaited)) {
		run->result->state = CONFIRM_DONE;
		return STEP_OVER;
	}
	/*
	 * A node that is silent here may beat at another master, if we talk to one
	 * that is none any more. One that all members follow now is the one.
	 */
	if ((step = reach_members(run)) == STEP_ON) {
		run->result->state = CONFIRM_DONE_BY_TIME;
		step = STEP_OVER;
	}
	return step;
}

static enum step
ask_nodes(struct run *run)
{
	const struct confirm_request *request = run->request;
	char nonce[HEAD_NONCE_BYTES];
	struct fault fault;
	enum step step;

	if (client_hear_acks(run->client, on_ack, run, &fault) == -1)
		return note_trouble(run, &fault);
	barrier_nonce_new(nonce);
	buf_clear(&run->barrier);
	barrier_write(&run->barrier, request->epoch, nonce, request->names, request->count);
	run->awaited = awaited_new(request->epoch, nonce, clock_ms());
	do {
		if ((step = look_at_nodes(run)) != STEP_ON)
			return step;
		tell(run);
		listen(run);
		if (awaited_is_over(run->awaited))
			return end_well(run);
	} while (!is_late(run));
	return STEP_OVER;
}

/* ---- the connection */

/*
 * A master does not have the change. It may be one of yesterday that a sentinel
 * names for a moment, while the change lives on elsewhere; the one that a majority
 * of the members follows is the one that counts, and no other can come back.
 */
static enum step
lacks_it(struct run *run)
{
	struct client *client = run->client;
	unsigned most = head_replicas_most(&run->changed);
	struct fault fault;
	enum step step;

	if (most > 0) {
		client_words(client, on_replication, run, "INFO", "replication", NULL);
		if ((step = ask(run)) != STEP_ON)
			return step;
	}
	if (most > 0 && reached_most(&run->changed, &run->replication, 1) < most) {
		fault_set(&fault, VERDICT_TEMP,
		    "Redis at %s does not have the change, and most members do not follow it: it "
		    "may be a master of yesterday",
		    client_target(client));
		return note_trouble(run, &fault);
	}
	run->result->state = CONFIRM_LOST;
	return STEP_OVER;
}

/* W3: on another connection, is it there at all? */
static enum step
find_change(struct run *run)
{
	const struct map_head *head = &client_map(run->client)->head;
	enum audit_found found;
	struct fault fault;

	if (strcmp(head->change, run->request->nonce) == 0)
		return STEP_ON;
	if (audit_find(run->client, run->request->nonce, &found, &fault) == -1)
		return note_trouble(run, &fault);
	switch (found) {
	case AUDIT_IS_THERE:
		return STEP_ON;
	case AUDIT_IS_NOT:
		return lacks_it(run);
	case AUDIT_UNKNOWN:
		break;
	}
	snprintf(run->result->trouble, sizeof(run->result->trouble),
	    "the audit stream does not tell whether the change is still there");
	return STEP_OVER;
}

static enum step
come_back(struct run *run)
{
	const struct client_map *map = client_map(run->client);
	struct fault fault;
	bool is_open = client_reopen(run->client, &fault) == 0;
	bool is_lower = map->initialised && strcmp(map->head.id, run->changed.id) == 0 &&
			map->head.epoch < run->request->epoch;

	/*
	 * An epoch that was on every server is missing: identity.h does not open such a
	 * map. A failover does not do that, so nothing is said of it here but what it
	 * said, unless there is no other server: doctor looks at what is lost.
	 */
	if (!is_open && is_lower && head_is_alone(&run->changed)) {
		run->result->state = CONFIRM_LOST;
		return STEP_OVER;
	}
	if (!is_open)
		return note_trouble(run, &fault);
	return is_lower ? lacks_it(run) : find_change(run);
}

static enum step
take_round(struct run *run, bool first)
{
	enum step step = STEP_ON;

	awaited_free(&run->awaited);
	if (!first || client_is_lost(run->client))
		step = come_back(run);
	if (step == STEP_ON)
		step = reach_members(run);
	if (step == STEP_ON)
		step = ask_nodes(run);
	return step;
}

struct confirm_result *
confirm_run(struct client *client, const struct confirm_request *request)
{
	const char *prefix = client_prefix(client);
	struct confirm_result *result = xnew(struct confirm_result);
	struct run run = {.client = client,
	    .request = request,
	    .result = result,
	    .start_ms = clock_ms(),
	    .map_key = xasprintf("%s.map", prefix),
	    .nodes_key = xasprintf("%s.nodes", prefix),
	    .beats_key = xasprintf("%s.beats", prefix),
	    .touch_key = xasprintf("%s.confirming", prefix),
	    .barrier_channel = xasprintf("%s.barrier", prefix)};
	struct fault unimportant;
	bool first = true;

	run.changed = client_map(client)->head;
	result->epoch = request->epoch;
	while (take_round(&run, first) == STEP_AGAIN && !is_late(&run)) {
		first = false;
		tell(&run);
		usleep(PAUSE_MS * 1000);
	}
	client_hear_acks(client, NULL, NULL, &unimportant);
	result->nodes = run.awaited;
	result->took_ms = clock_ms() - run.start_ms;
	free(run.map_key);
	free(run.nodes_key);
	free(run.beats_key);
	free(run.touch_key);
	free(run.barrier_channel);
	buf_fini(&run.barrier);
	return result;
}

void
confirm_result_free(struct confirm_result **result)
{
	struct awaited *awaited;

	if (*result == NULL)
		return;
	awaited = (*result)->nodes;
	awaited_free(&awaited);
	free(*result);
	*result = NULL;
}

size_t
confirm_count(const struct confirm_result *result, enum awaited_state state)
{
	size_t count = 0;

	for (size_t i = 0; result->nodes != NULL && i < awaited_count(result->nodes); i++)
		count += awaited_at(result->nodes, i)->state == state;
	return count;
}

uint64_t
confirm_left_ms(const struct confirm_result *result)
{
	uint64_t left_ms = 0;

	for (size_t i = 0; result->nodes != NULL && i < awaited_count(result->nodes); i++) {
		const struct awaited_node *node = awaited_at(result->nodes, i);

		if ((node->state == AWAITED_SILENT || node->state == AWAITED_ENTERED) &&
		    node->left_ms > left_ms)
			left_ms = node->left_ms;
	}
	return left_ms;
}
