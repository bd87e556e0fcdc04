/*
 * cuts.h - the same bytes, however they arrive
 *
 *	for (struct cuts cuts = {.len = bytes.len}; cuts_next(&cuts);)
 *		for (size_t at = 0, n; at < bytes.len; at += n) {
 *			n = cuts_piece(&cuts, at);
 *			... feed n bytes from "at" ...
 *
 * Once whole, once byte by byte, and once for every place where two pieces can meet.
 */
#ifndef TESTS_CUTS_H
#define TESTS_CUTS_H

#include <stdbool.h>
#include <stddef.h>

struct cuts {
	size_t len;
	size_t
	    way; /* 1: whole, 2: byte by byte, from 3 on: cut behind the first, second ... byte */
};

static inline bool
cuts_next(struct cuts *cuts)
{
	return ++cuts->way <= 2 || cuts->way - 2 < cuts->len;
}

static inline size_t
cuts_piece(const struct cuts *cuts, size_t at)
{
	size_t cut = cuts->way - 2;

	if (cuts->way == 2)
		return 1;
	return cuts->way > 2 && at < cut ? cut - at : cuts->len - at;
}

#endif
