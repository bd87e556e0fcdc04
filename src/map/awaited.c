/*
 * awaited.c - the nodes that a change waits for                       (machine)
 */
#include "map/awaited.h"

#include "base/mem.h"
#include "map/roster.h"

#include <stdlib.h>
#include <string.h>

enum {
	SILENT_MS = 5000, /* for what is said only: without a heartbeat for so long it is silent */
	CLOCK_SPARE_MS = 100,
	STRANGERS_MOST = 1000 /* anybody may publish an acknowledgement */
};

struct awaited {
	uint64_t epoch, start_ms;
	char nonce[HEAD_NONCE_BYTES];
	uint64_t looks; /* so many */
	/* Also nodes that have left, and some that were heard before they were seen. */
	struct awaited_node *nodes;
	size_t count, size, strangers;
	size_t *listed; /* places in nodes, in the order of the roster */
	size_t listed_count, listed_size;
};

static const char *const state_names[] = {
    [AWAITED_ACKNOWLEDGED] = "acknowledged",
    [AWAITED_OUT] = "waited_out",
    [AWAITED_SILENT] = "silent",
    [AWAITED_ENTERED] = "entered",
    [AWAITED_BEATS] = "not_drained",
    [AWAITED_UNREADABLE] = "unreadable",
};
_Static_assert(ARRAY_LEN(state_names) == AWAITED_STATES, "a state lacks its name");

const char *
awaited_state_name(enum awaited_state state)
{
	return state_names[state];
}

struct awaited *
awaited_new(uint64_t epoch, const char *nonce, uint64_t start_ms)
{
	struct awaited *awaited = xnew(struct awaited);

	must(strlen(nonce) < sizeof(awaited->nonce));
	awaited->epoch = epoch;
	awaited->start_ms = start_ms;
	strcpy(awaited->nonce, nonce);
	return awaited;
}

void
awaited_free(struct awaited **awaited)
{
	if (*awaited == NULL)
		return;
	for (size_t i = 0; i < (*awaited)->count; i++) {
		free((*awaited)->nodes[i].beat);
		free((*awaited)->nodes[i].id_text);
	}
	free((*awaited)->nodes);
	free((*awaited)->listed);
	free(*awaited);
	*awaited = NULL;
}

/* Two hosts' clocks differ in rate by less than 1 %, and a reply is on its way for a while. */
uint64_t
awaited_wait_ms(uint32_t lease_ms, uint32_t grace_ms, uint32_t drain_ms)
{
	uint64_t sum = (uint64_t)lease_ms + grace_ms + drain_ms;

	return sum + (sum + 99) / 100 + CLOCK_SPARE_MS;
}

/* ---- the table */

static size_t
find(const struct awaited *awaited, struct str id)
{
	size_t i = 0;

	while (i < awaited->count && !str_eq(id, awaited->nodes[i].id))
		i++;
	return i;
}

static struct awaited_node *
add(struct awaited *awaited, struct str id)
{
	struct awaited_node *node;

	if (awaited->count == awaited->size) {
		awaited->size = awaited->size ? awaited->size * 2 : 16;
		awaited->nodes =
		    xrealloc(awaited->nodes, awaited->size * sizeof(awaited->nodes[0]));
	}
	node = &awaited->nodes[awaited->count++];
	*node = (struct awaited_node){.state = AWAITED_SILENT};
	node->id_text = xstrndup(id.len ? id.ptr : "", id.len);
	node->id = str_make(node->id_text, id.len);
	return node;
}

static void
list(struct awaited *awaited, size_t place)
{
	if (awaited->listed_count == awaited->listed_size) {
		awaited->listed_size = awaited->listed_size ? awaited->listed_size * 2 : 16;
		awaited->listed =
		    xrealloc(awaited->listed, awaited->listed_size * sizeof(awaited->listed[0]));
	}
	awaited->listed[awaited->listed_count++] = place;
}

/* ---- acknowledgements */

static bool
is_done(const struct awaited_node *node)
{
	return node->state == AWAITED_ACKNOWLEDGED || node->state == AWAITED_OUT;
}

static void
done(struct awaited *awaited, struct awaited_node *node, enum awaited_state state, uint64_t now_ms)
{
	node->state = state;
	node->done_ms = now_ms - awaited->start_ms;
	node->left_ms = 0;
}

/* The process that is the node now: not one that was, and is perhaps cut off. */
static bool
has_acked(const struct awaited_node *node)
{
	return node->run[0] != '\0' && strcmp(node->run, node->acked) == 0;
}

void
awaited_take_ack(struct awaited *awaited, struct str message, uint64_t now_ms)
{
	struct barrier_ack ack;
	struct awaited_node *node;
	size_t place;

	if (!barrier_ack_read(message, &ack) || ack.epoch < awaited->epoch ||
	    strcmp(ack.nonce, awaited->nonce) != 0)
		return;
	place = find(awaited, ack.node);
	if (place < awaited->count) {
		node = &awaited->nodes[place];
	} else if (awaited->strangers < STRANGERS_MOST) {
		node = add(awaited, ack.node);
		awaited->strangers++;
	} else {
		return; /* it is asked again with the next barrier, and then it is in the roster */
	}
	if (is_done(node))
		return;
	memcpy(node->acked, ack.run, sizeof(node->acked));
	node->acked_ms = now_ms;
	if (has_acked(node))
		done(awaited, node, AWAITED_ACKNOWLEDGED, now_ms);
}

/* ---- looks */

static struct str
value_of(const struct resp *hash, struct str field)
{
	for (size_t i = 0; i + 1 < resp_count(hash); i += 2) {
		if (str_eq(resp_str(resp_at(hash, i)), field))
			return resp_str(resp_at(hash, i + 1));
	}
	return STR("");
}

/* Any difference is a sign of life: another heartbeat, another run, one where there was none. */
static void
take_beat(struct awaited_node *node, struct str beat, uint64_t now_ms)
{
	if (node->has_beat && str_eq(beat, str_make(node->beat, node->beat_len)))
		return;
	if (node->has_beat) {
		node->has_moved = true;
		node->moved_ms = now_ms;
	}
	free(node->beat);
	node->beat = xstrndup(beat.ptr, beat.len);
	node->beat_len = beat.len;
	node->has_beat = true;
}

static bool
take_entry(struct awaited_node *node, struct str id, struct str text)
{
	struct roster_entry entry = {.pid = 0};
	struct fault unimportant; /* doctor says what is wrong with it */
	bool readable = node_id_is_valid(id) && roster_entry_read(text, &entry, &unimportant) == 0;

	memcpy(node->run, entry.run, sizeof(node->run));
	if (!readable)
		return false;
	memcpy(node->host, entry.host, sizeof(node->host));
	memcpy(node->role, entry.role, sizeof(node->role));
	if (entry.grace_ms > node->grace_ms)
		node->grace_ms = entry.grace_ms;
	if (entry.drain_ms > node->drain_ms)
		node->drain_ms = entry.drain_ms;
	return true;
}

static void
judge(struct awaited *awaited, struct awaited_node *node, uint64_t asked_ms)
{
	uint64_t silent_ms = asked_ms > node->moved_ms ? asked_ms - node->moved_ms : 0;

	if (silent_ms >= node->wait_ms) {
		done(awaited, node, AWAITED_OUT, asked_ms);
		return;
	}
	if (node->has_moved && silent_ms < SILENT_MS)
		node->state = AWAITED_BEATS;
	else
		node->state = node->is_late ? AWAITED_ENTERED : AWAITED_SILENT;
	node->left_ms = node->wait_ms - silent_ms;
}

/*
 * Nobody has seen it be silent before we saw it: not when our first look was late,
 * and not when it entered only then. It knows the change in that case, because
 * every member had it; so it acknowledges soon, or it died at once.
 */
static void
take_entrance(const struct awaited *awaited, struct awaited_node *node, bool is_other_run,
    uint64_t now_ms)
{
	bool is_new = node->look == 0 || node->look + 1 < awaited->looks;

	if (is_new || is_other_run) {
		node->moved_ms = now_ms;
		node->is_late = awaited->looks > 1;
		if (node->state == AWAITED_OUT)
			node->state = AWAITED_SILENT;
	}
	node->look = awaited->looks;
}

static void
look_at(struct awaited *awaited, struct str id, struct str entry, struct str beat,
    uint32_t lease_most_ms, uint64_t asked_ms, uint64_t now_ms)
{
	size_t place = find(awaited, id);
	struct awaited_node *node = place < awaited->count ? &awaited->nodes[place] : NULL;
	char former[ROSTER_RUN_BYTES];
	bool readable;

	if (node == NULL)
		node = add(awaited, id);
	list(awaited, place);
	memcpy(former, node->run, sizeof(former));
	readable = take_entry(node, id, entry);
	take_entrance(awaited, node, former[0] != '\0' && strcmp(former, node->run) != 0, now_ms);
	take_beat(node, beat, now_ms);
	if (node->state == AWAITED_ACKNOWLEDGED && !has_acked(node))
		node->state = AWAITED_SILENT; /* another process is the node now, and has not */
	else if (!is_done(node) && has_acked(node))
		done(awaited, node, AWAITED_ACKNOWLEDGED, node->acked_ms);
	if (is_done(node))
		return;
	if (!readable) {
		node->state = AWAITED_UNREADABLE;
		node->wait_ms = node->left_ms = 0;
		return;
	}
	/* A lease that was lengthened meanwhile counts, one that was shortened does not. */
	if (awaited_wait_ms(lease_most_ms, node->grace_ms, node->drain_ms) > node->wait_ms)
		node->wait_ms = awaited_wait_ms(lease_most_ms, node->grace_ms, node->drain_ms);
	judge(awaited, node, asked_ms);
}

bool
awaited_look(struct awaited *awaited, const struct resp *nodes, const struct resp *beats,
    uint32_t lease_most_ms, uint64_t asked_ms, uint64_t now_ms)
{
	if (resp_type(nodes) != RESP_ARRAY || resp_type(beats) != RESP_ARRAY ||
	    resp_count(nodes) % 2 != 0 || resp_count(beats) % 2 != 0)
		return false;
	/*
	 * Who is not in the roster any more need not be waited for: a node leaves it
	 * after its lease and its claims have ended, and "node rm" takes one out that
	 * has been silent for as long as we would have waited.
	 */
	awaited->looks++;
	awaited->listed_count = 0;
	for (size_t i = 0; i < resp_count(nodes); i += 2) {
		struct str id = resp_str(resp_at(nodes, i));

		look_at(awaited, id, resp_str(resp_at(nodes, i + 1)), value_of(beats, id),
		    lease_most_ms, asked_ms, now_ms);
	}
	return true;
}

bool
awaited_is_over(const struct awaited *awaited)
{
	for (size_t i = 0; i < awaited->listed_count; i++) {
		if (!is_done(awaited_at(awaited, i)))
			return false;
	}
	return awaited->looks > 0;
}

bool
awaited_by_time(const struct awaited *awaited)
{
	for (size_t i = 0; i < awaited->listed_count; i++) {
		if (awaited_at(awaited, i)->state == AWAITED_OUT)
			return true;
	}
	return false;
}

size_t
awaited_count(const struct awaited *awaited)
{
	return awaited->listed_count;
}

const struct awaited_node *
awaited_at(const struct awaited *awaited, size_t i)
{
	must(i < awaited->listed_count);
	return &awaited->nodes[awaited->listed[i]];
}
