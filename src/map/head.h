/*
 * head.h - the head of the map: what the hash "prefix.map" says         (pure)
 *
 * Which map this is, how far it has come, how long its readers may trust their
 * memory, and which Redis servers hold it. splitmx-map(7) documents the fields.
 */
#ifndef MAP_HEAD_H
#define MAP_HEAD_H

#include "base/fault.h"
#include "map/resp.h"

#include <stdbool.h>
#include <stdint.h>

enum { HEAD_ID_BYTES = 64, HEAD_NONCE_BYTES = 33, HEAD_ADDRESS_BYTES = 128 };
enum { HEAD_MEMBERS_MOST = 7, MAP_SCHEMA = 1 };
enum { LEASE_LEAST_MS = 100, LEASE_DEFAULT_MS = 15000, LEASE_MOST_MS = 24 * 3600 * 1000 };

/* Redis servers, each "host:port" (IPv6 in brackets). */
struct head_servers {
	unsigned count;
	char address[HEAD_MEMBERS_MOST][HEAD_ADDRESS_BYTES];
};

struct map_head {
	char id[HEAD_ID_BYTES]; /* letters, digits and '-' */
	uint64_t epoch;
	unsigned schema_least_reader, schema_least_writer;
	uint32_t lease_ms; /* of a heartbeat that is sent now */
	uint32_t lease_most_ms; /* the longest that may still run anywhere; at least lease_ms */
	uint64_t lease_epoch; /* of the change that set these or the members last; 0: none did */
	unsigned members; /* N: how many servers hold the map; 1, 3, 5 or 7 */
	struct head_servers named; /* all of them, or none where only their number is known */
	struct head_servers dead; /* those that nobody waits for any more */
	char change[HEAD_NONCE_BYTES]; /* drawn by the last fenced change; "" = none yet */
};

/*
 * Read the answer of HGETALL prefix.map. -1 and a sentence that tells the
 * operator what to do: not there, or unreadable. Whether we understand the map
 * is another question: head_schema_check().
 */
int map_head_read(const struct resp *reply, const char *prefix, struct map_head *head_r,
    struct fault *fault_r);

/*
 * Is this the only server? Then what it says is all there is. Of several, one may
 * say what no other has yet, and a failover undoes that.
 */
bool head_is_alone(const struct map_head *head);

/* May this program read it, or write it too? -1 and a sentence: it needs a newer one. */
int head_readable(const struct map_head *head, const char *prefix, struct fault *fault_r);
int head_writable(const struct map_head *head, const char *prefix, struct fault *fault_r);

/*
 * FENCING: ALL, the replicas that a change must have reached to be confirmed, and
 * K, those that a heartbeat must have reached to renew a lease. K counts the dead
 * too: two halves must never both have it.
 */
unsigned head_replicas_all(const struct map_head *head);
unsigned head_replicas_most(const struct map_head *head);

/* "3", or "10.0.0.1:6379 10.0.0.2:6379 10.0.0.3:6379"; false: neither, or an even number. */
bool head_members_read(struct str text, unsigned *members_r, struct head_servers *named_r);
bool head_servers_read(struct str text, struct head_servers *servers_r); /* "": none */
bool head_servers_has(const struct head_servers *servers, struct str address);

/* A new id, random (RFC 9562, version 4). */
void map_id_new(char id_r[static HEAD_ID_BYTES]);

/* Letters, digits and '-', at most size - 1 of them and at least one; what is behind it is NUL. */
bool head_word_read(struct str text, char *word_r, size_t size);

#endif
