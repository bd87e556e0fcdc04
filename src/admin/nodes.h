/*
 * nodes.h - the nodes that the map knows, and which of them beat      (driver)
 *
 * The roster says whom a writer waits for and how long; a beat is what a node
 * said of itself when it last wrote one. When that was stands nowhere, because
 * the clocks of two hosts are not to be compared. So one looks twice: a node
 * whose beat is another one the second time beats, any other is silent.
 */
#ifndef ADMIN_NODES_H
#define ADMIN_NODES_H

#include "map/client.h"
#include "map/roster.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A node writes a beat every second; who was not heard for so long is silent. */
enum { NODES_LOOK_MS = 1500 };

struct node {
	char *id;
	bool on_roster;
	char *entry_text, *beat_text; /* as stored; NULL: not there */
	bool has_entry, has_beat; /* they could be read */
	struct roster_entry entry;
	struct fault why; /* on the roster, but without an entry */
	struct roster_beat beat;
	bool beats; /* the beat has changed since the first look */
};

struct nodes {
	struct node *list; /* by id */
	size_t count;
};

/* The first look. 0, or -1 and *fault_r; a zeroed nodes to begin with. */
int nodes_read(struct nodes *nodes, struct client *client, struct fault *fault_r);
void nodes_fini(struct nodes *nodes);

/* Look again at all beats. Nodes that came meanwhile are not added. */
int nodes_look(struct nodes *nodes, struct client *client, struct fault *fault_r);

/* Look again and again, until all beat or most_ms are over; says so on a terminal unless quiet. */
int nodes_watch(struct nodes *nodes, struct client *client, uint64_t most_ms, bool quiet,
    struct fault *fault_r);

struct node *nodes_find(const struct nodes *nodes, const char *id); /* NULL: no such node */

/*
 * How long after its last sign a node may still act on what it remembers: the
 * longest lease, with what two clocks may differ in, its grace and its drain.
 */
uint64_t node_wait_ms(const struct map_head *head, const struct roster_entry *entry);

#endif
