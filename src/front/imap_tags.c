/*
 * imap_tags.c - the tags of the commands that run                       (pure)
 */
#include "front/imap_tags.h"

#include "front/imap_lex.h"

_Static_assert(IMAP_TAG_MOST < IMAP_TAGS_BYTES / 2, "a tag alone must fit");
_Static_assert(IMAP_TAGS_BYTES < UINT8_MAX, "positions are bytes, one of them is nowhere");

enum { NOWHERE = UINT8_MAX };

static size_t
length_at(const struct imap_tags *tags, size_t at)
{
	return (unsigned char)tags->bytes[at];
}

/* Where it begins; tags->used when it is not there. */
static size_t
find(const struct imap_tags *tags, struct str tag)
{
	size_t at = 0;

	while (at < tags->used && !str_eq(str_make(tags->bytes + at + 1, length_at(tags, at)), tag))
		at += 1 + length_at(tags, at);
	return at;
}

bool
imap_tags_add(struct imap_tags *tags, struct str tag)
{
	if (tag.len + 1 > (size_t)(IMAP_TAGS_BYTES - tags->used) || find(tags, tag) < tags->used)
		return false;
	tags->last = tags->used;
	tags->bytes[tags->used] = (char)tag.len;
	memcpy(tags->bytes + tags->used + 1, tag.ptr, tag.len);
	tags->used = (uint8_t)(tags->used + 1 + tag.len);
	return true;
}

bool
imap_tags_remove(struct imap_tags *tags, struct str tag, bool *was_last_r)
{
	size_t at = find(tags, tag), size = 1 + tag.len;

	if (at == tags->used)
		return false;
	*was_last_r = at == tags->last;
	memmove(tags->bytes + at, tags->bytes + at + size, tags->used - at - size);
	tags->used = (uint8_t)(tags->used - size);
	if (*was_last_r)
		tags->last = NOWHERE;
	else if (tags->last != NOWHERE)
		tags->last = (uint8_t)(tags->last - size);
	return true;
}
