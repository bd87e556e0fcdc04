/*
 * roster.h - what a node says of itself in the map                      (pure)
 *
 * Two hashes, node id -> a JSON object: "prefix.nodes", the permanent roster,
 * which says whom a writer must wait for and how long; and "prefix.beats",
 * written with every heartbeat. splitmx-map(7) documents the members; unknown
 * ones are a newer node's and are passed over.
 */
#ifndef MAP_ROSTER_H
#define MAP_ROSTER_H

#include "base/fault.h"
#include "base/str.h"

#include <stdint.h>

enum {
	ROSTER_TEXT_MAX_BYTES = 8192, /* of an entry or a beat */
	ROSTER_RUN_BYTES = 17,
	GRACE_MOST_MS = 24 * 3600 * 1000,
	DRAIN_MOST_MS = 3600 * 1000
};

struct roster_entry {
	char host[256], role[32], version[32], since[32]; /* since: RFC 3339 */
	char run[ROSTER_RUN_BYTES]; /* drawn by the process when it started */
	uint64_t pid;
	unsigned schema_least, schema_most; /* of the maps that it understands */
	uint32_t grace_ms; /* how long it answers from memory after its lease */
	uint32_t drain_ms; /* and goes on with what it has begun, after that */
};

/* The JSON text; the caller's. */
char *roster_entry_text(const struct roster_entry *entry);

/*
 * -1 and a sentence: nobody can say how long to wait for this node. grace_ms and
 * drain_ms are needed, all else may be missing.
 */
int roster_entry_read(struct str text, struct roster_entry *entry_r, struct fault *fault_r);

struct roster_beat {
	char run[ROSTER_RUN_BYTES];
	uint64_t beat; /* +1 with each heartbeat of this run */
	uint64_t epoch; /* the highest that it acknowledged */
	uint32_t lease_left_ms; /* when it was written */
	char phase[16];
	uint64_t answers, entries; /* given so far; remembered now */
	char alarm[256]; /* what an operator must look at; "" = nothing */
	char refuses[256]; /* why it does not answer from this map; "" = it does */
};

char *roster_beat_text(const struct roster_beat *beat);
int roster_beat_read(struct str text, struct roster_beat *beat_r, struct fault *fault_r);

#endif
