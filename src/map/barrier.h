/*
 * barrier.h - what writers and nodes say to each other about a change   (pure)
 *
 *	prefix.barrier	"EPOCH NONCE NAME..."	forget these, then say so
 *	prefix.ack	"EPOCH NONCE NODE RUN"	this process of this node has
 *
 * A name is "alice@example.org", "@example.org" or a login, "alice"; "*" is
 * everything, so a login "*" is "%2A". Bytes that are no graph (below 0x21, 0x7f)
 * and '%' stand as %XX in a name. The nonce is drawn
 * by the writer for this barrier: an answer to another is none to it. The run is
 * the process's: one that was cut off while another took its id over may answer
 * when it is back, and has nothing to say for that one.
 */
#ifndef MAP_BARRIER_H
#define MAP_BARRIER_H

#include "base/buf.h"
#include "map/head.h"
#include "map/roster.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BARRIER_NAMES_MOST = 1000, /* more are "*" */
	BARRIER_TEXT_MAX_BYTES = 512 * 1024, /* a longer list is "*" too */
	NODE_ID_MAX_BYTES = 300
};

struct barrier {
	uint64_t epoch;
	char nonce[HEAD_NONCE_BYTES];
	bool everything;
	struct str *names; /* none where it is everything */
	size_t count;
	struct buf store; /* what they point into */
};

/* Hexadecimal, 64 random bits. */
void barrier_nonce_new(char nonce_r[static HEAD_NONCE_BYTES]);

/* Appends the message. No names, or too many, is everything. */
void barrier_write(struct buf *out, uint64_t epoch, const char *nonce, const struct str *names,
    size_t count);

/*
 * Reads one into *barrier_r, which barrier_fini() ends; false, and nothing to
 * end, where it is none. Names are not looked at: who does not know one has
 * nothing to forget.
 */
bool barrier_read(struct str text, struct barrier *barrier_r);
void barrier_fini(struct barrier *barrier);

/* Everything in the place of its names: who follows it does more, and keeps none of them. */
void barrier_widen(struct barrier *barrier);
size_t barrier_bytes(const struct barrier *barrier); /* of memory, for its names */

struct barrier_ack {
	uint64_t epoch;
	char nonce[HEAD_NONCE_BYTES];
	struct str node; /* lent from the text */
	char run[ROSTER_RUN_BYTES];
};

void barrier_ack_write(struct buf *out, uint64_t epoch, const char *nonce, const char *node,
    const char *run);
bool barrier_ack_read(struct str text, struct barrier_ack *ack_r);

/* "mx1/policyd/0": graph ASCII without quotes and backslashes, at most NODE_ID_MAX_BYTES. */
bool node_id_is_valid(struct str id);

#endif
