/*
 * pack.h - numbers and texts as bytes, for files of our own            (pure)
 *
 * Numbers have a fixed width and the low byte first; a text has its length
 * before it. Reading is safe with any bytes: what is missing or too long makes
 * the unpack failed, and it stays so; read ten pieces, test once.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/buf.h"

/* width is 1, 2, 4 or 8 bytes; the number fits. */
void pack_number(struct buf *out, uint64_t number, unsigned width);
void pack_text(struct buf *out, struct str text, unsigned width); /* of its length */

struct unpack {
	struct str rest;
	bool failed;
};

/* 0, or nothing, once failed; a text and bytes are lent from what is read. */
uint64_t unpack_number(struct unpack *in, unsigned width);
struct str unpack_text(struct unpack *in, unsigned width, size_t max_bytes);
struct str unpack_bytes(struct unpack *in, size_t len);

#endif
