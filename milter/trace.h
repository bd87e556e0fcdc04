/*
 * trace.h - the header by which a message is recognised                 (pure)
 *
 * Each server that takes a message for managed accounts puts one on top of it:
 *
 *	X-Splitmx-Trace: v=1;k=2026b;i=mx1.example.org;e=4711;t=1763730000;
 *	 n=<nonce>;f=<filter of the recipients>;h=<HMAC-SHA-256 of all before it>
 *
 * Who was here (i), when by its own clock (t), at which epoch of the map (e),
 * and a keyed filter of the recipients that it took the message for (bloom.h):
 * no name, no number of names. n and f and h are base64url (RFC 4648, section 5)
 * without padding.
 *
 * On its way a header may be folded anew, so spaces, tabs, CR and LF mean
 * nothing, wherever they stand, and the HMAC is over what is left. All else is
 * exact: these fields, in this order, each once. What differs, what no key of
 * ours has signed, is none of ours and says nothing.
 */
#ifndef MILTER_TRACE_H
#define MILTER_TRACE_H

#include "base/buf.h"
#include "milter/bloom.h"
#include "milter/trace_keys.h"

#include <stdbool.h>
#include <stdint.h>

#define TRACE_HEADER "X-Splitmx-Trace"

enum {
	TRACE_NONCE_BYTES = BLOOM_SALT_BYTES,
	TRACE_INSTANCE_MOST = 120, /* lower-case letters, digits, '.' and '-' */
	TRACE_VALUE_MOST = 1024, /* without what means nothing */
	TRACE_FOLDED_MOST = 4 * TRACE_VALUE_MOST, /* with it */
	TRACE_LINE_MOST = 76 /* of what we write; RFC 5322, section 2.1.1 wants at most 78 */
};

struct trace {
	char instance[TRACE_INSTANCE_MOST + 1];
	uint64_t epoch;
	uint64_t time_s; /* since 1970, by the clock of that instance */
	unsigned char nonce[TRACE_NONCE_BYTES]; /* random, a new one for each message */
	struct bloom bloom; /* sealed */
	const struct trace_key *key; /* lent as long as its trace_keys */
};

/* Make a trace to be written, with an empty filter. False: instance is no such name. */
bool trace_begin(struct trace *trace, struct str instance, const struct trace_key *key,
    uint64_t epoch, uint64_t time_s, const unsigned char nonce[static TRACE_NONCE_BYTES]);

/* Canonical addresses with their extension: what is rewritten is somebody else. */
void trace_add(struct trace *trace, struct str address);
bool trace_claims(const struct trace *trace, struct str address);

/* Append the value of the header, folded by "\n\t"; the filter is sealed by this. */
void trace_write(struct trace *trace, struct buf *out);

enum trace_kind {
	TRACE_GOOD, /* *trace_r is what one of our servers wrote */
	TRACE_MALFORMED, /* not of this form, or too long */
	TRACE_FOREIGN, /* signed by a key that we do not have */
	TRACE_FORGED, /* one of our keys is named, but did not sign this */
	TRACE_KINDS
};

const char *trace_kind_name(enum trace_kind kind); /* "good", "malformed", ... */

/* Read the value of a header of that name. But for TRACE_GOOD *trace_r says nothing. */
enum trace_kind trace_read(struct trace *trace_r, struct str value, const struct trace_keys *keys);

#endif
