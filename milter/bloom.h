/*
 * bloom.h - a message's recipients, as bits that only we can read       (pure)
 *
 * Stands in the trace header of each message, where anybody may look at it: so
 * it hides the names, by a key, and their number, by being half full always.
 * What the recipients leave clear of that half is filled with bits that look
 * like theirs. It has no false negatives; the false positives are few:
 *
 *	half of the bits are set and a name asks for 16 of them, so a stranger
 *	is claimed in one of 2^16 cases, whatever the number of recipients
 *	(a little more, as two of the 16 may be the same bit: 1 in 62,000)
 *
 * 64 recipients (1,024 bits at most) always fit. Somewhere above, about at 88,
 * the half is exceeded: such a filter is saturated and claims nobody. It is sent
 * half full of nothing, so that it looks like all others. That is enough: what
 * goes from server to server has at most 50 recipients (Postfix's
 * smtp_destination_recipient_limit), so it is found one turn later.
 */
#ifndef MILTER_BLOOM_H
#define MILTER_BLOOM_H

#include "base/str.h"

#include <stdbool.h>

enum {
	BLOOM_BYTES = 256,
	BLOOM_BITS = 8 * BLOOM_BYTES,
	BLOOM_HALF = BLOOM_BITS / 2, /* set in each that is sealed */
	BLOOM_PROBES = 16,
	BLOOM_SURELY = BLOOM_HALF / BLOOM_PROBES, /* so many names fit, whichever they are */
	BLOOM_KEY_BYTES = 32,
	BLOOM_SALT_BYTES = 16
};

/* What makes one filter different from all others: a secret, and a number used once. */
struct bloom_key {
	const unsigned char *secret; /* BLOOM_KEY_BYTES */
	const unsigned char *salt; /* BLOOM_SALT_BYTES, not secret */
};

struct bloom {
	unsigned char bits[BLOOM_BYTES];
	bool is_saturated; /* claims nobody; not to be seen in the bits */
};

void bloom_init(struct bloom *bloom);

/* Before bloom_seal(); again for the same name changes nothing. */
void bloom_add(struct bloom *bloom, struct bloom_key key, struct str name);

/* Fill up to the half. Same names, key and salt: same bits. */
void bloom_seal(struct bloom *bloom, struct bloom_key key);

/* Sealed, and with the key and salt it was made with. */
bool bloom_claims(const struct bloom *bloom, struct bloom_key key, struct str name);

unsigned bloom_count(const struct bloom *bloom); /* of the bits that are set */

#endif
