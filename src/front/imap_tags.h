/*
 * imap_tags.h - the tags of the commands that run                       (pure)
 *
 * A small table of fixed size, in the order of asking. An idle session has one,
 * so it is no larger than it must be: whoever has more commands under way waits.
 */
#ifndef FRONT_IMAP_TAGS_H
#define FRONT_IMAP_TAGS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { IMAP_TAGS_BYTES = 254 };

struct imap_tags {
	uint8_t used;
	uint8_t last; /* where the last tag begins */
	char bytes[IMAP_TAGS_BYTES]; /* of each tag: its length, itself */
};

/* False: no room now, or such a tag runs: wait until something was answered. */
bool imap_tags_add(struct imap_tags *tags, struct str tag);

/* False: no such tag runs; *was_last_r: it was the one that was added last. */
bool imap_tags_remove(struct imap_tags *tags, struct str tag, bool *was_last_r);

static inline bool
imap_tags_is_empty(const struct imap_tags *tags)
{
	return tags->used == 0;
}

static inline bool
imap_tags_is_single(const struct imap_tags *tags)
{
	return tags->used > 0 && tags->used == 1 + (unsigned char)tags->bytes[0];
}

#endif
