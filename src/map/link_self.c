/*
 * link_self.c - this process in the roster of the map               (driver)
 *
 * What we write of ourselves, and whether it is still there. Two processes with
 * one id would answer for each other, and hosts that are copies of each other
 * come to that easily. So with each heartbeat we look whether our entry and our
 * last beat are still what we wrote; if not, nothing that was granted to this id
 * is used any more.
 */
#include "map/link_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- what we say of ourselves */

char *
self_entry(const struct link *link, uint32_t grace_ms, uint32_t drain_ms)
{
	struct roster_entry entry = {.pid = (uint64_t)getpid(),
	    .schema_least = MAP_SCHEMA,
	    .schema_most = MAP_SCHEMA,
	    .grace_ms = grace_ms,
	    .drain_ms = drain_ms};
	time_t now = time(NULL);
	struct tm tm;

	if (gethostname(entry.host, sizeof(entry.host) - 1) == -1)
		entry.host[0] = '\0';
	snprintf(entry.role, sizeof(entry.role), "%s", node_role(link->node));
	snprintf(entry.version, sizeof(entry.version), "%s", PACKAGE_VERSION);
	snprintf(entry.run, sizeof(entry.run), "%s", node_run(link->node));
	if (gmtime_r(&now, &tm) != NULL)
		strftime(entry.since, sizeof(entry.since), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return roster_entry_text(&entry);
}

char *
self_beat(struct link *link, const char *phase)
{
	struct roster_beat beat = {.beat = ++link->roster.beats,
	    .epoch = link->barriers.acknowledged,
	    .lease_left_ms = (uint32_t)lease_left_ms(&link->lease, clock_ms())};

	snprintf(beat.run, sizeof(beat.run), "%s", node_run(link->node));
	snprintf(beat.phase, sizeof(beat.phase), "%s", phase);
	snprintf(beat.refuses, sizeof(beat.refuses), "%.*s", (int)sizeof(beat.refuses) - 1,
	    link->refuses.text);
	for (int i = 0; i < LINK_ALARMS && beat.alarm[0] == '\0'; i++)
		snprintf(beat.alarm, sizeof(beat.alarm), "%.*s", (int)sizeof(beat.alarm) - 1,
		    link->alarms[i].text);
	link->events.beat_fn(link->ctx, &beat);
	return roster_beat_text(&beat);
}

/* ---- another process in our place */

/* Whose beat is this? "?" where it cannot be read. */
void
self_run(struct str text, char run_r[static ROSTER_RUN_BYTES])
{
	struct roster_beat beat;
	struct fault fault;

	if (roster_beat_read(text, &beat, &fault) == 0 && beat.run[0] != '\0')
		memcpy(run_r, beat.run, ROSTER_RUN_BYTES);
	else
		snprintf(run_r, ROSTER_RUN_BYTES, "?");
}

bool
self_knows(const struct link *link, const char *run)
{
	return strcmp(run, node_run(link->node)) == 0 ||
	       strcmp(run, node_last_run(link->node)) == 0;
}

/* An entry that does not say whose it is says nothing: the beat will. One that is unreadable is not
 * ours. */
bool
self_wrote(const struct link *link, struct str text, char run_r[static ROSTER_RUN_BYTES])
{
	struct roster_entry entry;
	struct fault unread;

	if (roster_entry_read(text, &entry, &unread) == -1) {
		snprintf(run_r, ROSTER_RUN_BYTES, "?");
		return false;
	}
	memcpy(run_r, entry.run, ROSTER_RUN_BYTES);
	return entry.run[0] == '\0' || self_knows(link, entry.run);
}

/* What is remembered here was granted to a node that is not ours alone. */
void
self_drop(struct link *link)
{
	struct fault fault;

	barriers_forget(link); /* they may be meant for the other one */
	link_forget(link);
	if (node_drop_memory(link->node, &fault) == -1)
		log_error("node_memory", "why=%s", log_quote_text(fault.text));
}

void
self_twice(struct link *link, const char *run, struct fault *fault_r)
{
	fault_set(fault_r, VERDICT_TEMP,
	    "another process is the node %s too, run %s, this one is run %s: give each host an "
	    "instance of its own, or end the other one",
	    node_id(link->node), log_quote_text(run), node_run(link->node));
	alarm_raise(link, ALARM_NODE, fault_r);
	self_drop(link);
}

/* -1: it is not what we wrote. */
static int
entry_check(struct link *link, const struct resp *entry, struct fault *fault_r)
{
	struct roster_entry other;
	struct fault unread;

	if (resp_type(entry) != RESP_STRING)
		return fault_set(fault_r, VERDICT_TEMP,
		    "this node, %s, is not in the roster any more: it enters again",
		    node_id(link->node));
	if (str_is(resp_str(entry), link->roster.entry))
		return 0;
	if (roster_entry_read(resp_str(entry), &other, &unread) == 0 &&
	    strcmp(other.run, node_run(link->node)) != 0) {
		self_twice(link, other.run, fault_r);
		return -1;
	}
	return fault_set(fault_r, VERDICT_TEMP,
	    "the entry of this node, %s, in the roster was changed: it enters again",
	    node_id(link->node));
}

/* -1: somebody was there between our last beat, or what we found, and now. */
static int
beat_check(struct link *link, const struct resp *beat, struct fault *fault_r)
{
	struct link_roster *roster = &link->roster;
	bool is_found = roster->beat != NULL ? str_is(resp_str(beat), roster->beat)
					     : resp_type(beat) == RESP_NIL;
	char run[ROSTER_RUN_BYTES];

	if (!roster->is_beating && is_found)
		return 0;
	if (resp_type(beat) != RESP_STRING)
		return fault_set(fault_r, VERDICT_TEMP,
		    "the beat of this node, %s, was removed: it enters again", node_id(link->node));
	self_run(resp_str(beat), run);
	if (strcmp(run, node_run(link->node)) == 0)
		return 0;
	self_twice(link, run, fault_r);
	return -1;
}

int
self_check(struct link *link, const struct resp *entry, const struct resp *beat)
{
	struct fault fault;

	if (entry_check(link, entry, &fault) == -1 || beat_check(link, beat, &fault) == -1) {
		link_forget(link); /* nobody waits for us */
		link_lost(link, &fault);
		return -1;
	}
	link->roster.is_beating = true;
	return 0;
}

void
self_forget(struct link *link)
{
	struct link_roster *roster = &link->roster;

	free(roster->found);
	free(roster->entry);
	free(roster->lower);
	free(roster->beat);
	roster->found = roster->entry = roster->lower = roster->beat = NULL;
	roster->is_watching = roster->is_beating = false;
}

/* ---- a shorter grace than the last time */

static void
on_lowered(void *ctx, const struct resp *reply)
{
	struct wire *h = ctx;
	struct link *link = h->link;
	struct link_roster *roster = &link->roster;
	struct fault fault;

	if (reply == NULL || roster->lower == NULL)
		return;
	if (resp_type(reply) != RESP_INTEGER) {
		link_refuse(link, reply, "an entry in the roster");
		return;
	}
	free(roster->entry);
	roster->entry = roster->lower;
	roster->lower = NULL;
	roster->entry_grace_ms = roster->grace_ms;
	roster->entry_drain_ms = roster->drain_ms;
	if (node_note_entered(link->node, link->head.id, roster->grace_ms, roster->drain_ms,
		&fault) == -1)
		log_error("node_file", "why=%s", log_quote_text(fault.text));
}

void
self_tick(struct link *link)
{
	struct link_roster *roster = &link->roster;
	struct wire *h = &link->wires[WIRE_H];
	uint64_t now_ms = clock_ms();
	struct fault fault;

	if (roster->acks_from_ms != 0 && now_ms >= roster->acks_from_ms &&
	    node_note_begun(link->node, &fault) == 0)
		roster->acks_from_ms = 0; /* the id is all ours */
	/* Writers waited for the longer one; nothing that was granted under it runs any more. */
	if (roster->lower_ms == 0 || now_ms < roster->lower_ms)
		return;
	roster->lower_ms = 0;
	roster->lower = self_entry(link, roster->grace_ms, roster->drain_ms);
	redis_words(h->redis, on_lowered, h, "HSET", link->nodes_key, node_id(link->node),
	    roster->lower, NULL);
}
