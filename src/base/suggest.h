/*
 * suggest.h - "did you mean ...?"                                       (pure)
 *
 *	struct suggestion s = suggestion_for("cashe");
 *	suggestion_offer(&s, "cache");
 *	s.best is "cache", or NULL where nothing offered was near enough
 *
 * Near is one slip of the pen for every three letters: a letter too many, one
 * missing, a wrong one, two exchanged.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

struct suggestion {
	const char *word, *best; /* both lent by the caller */
	size_t distance; /* of best; at the start the first that is too far */
};

enum { SUGGEST_MAX_BYTES = 63 }; /* longer words get no suggestion */

struct suggestion suggestion_for(const char *word);
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

#endif
