/*
 * suggest.c - "did you mean ...?"                                       (pure)
 */
#include "base/suggest.h"

#include <string.h>

static size_t
least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edit distance with exchanged neighbours; neither is longer than SUGGEST_MAX_BYTES. */
static size_t
distance_between(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][SUGGEST_MAX_BYTES + 1];
	size_t *before = rows[0], *above = rows[1], *now = rows[2], *oldest;

	for (size_t j = 0; j <= b_len; j++)
		above[j] = before[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			now[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
			now[j] = least_of(now[j], 1 + least_of(above[j], now[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least_of(now[j], 1 + before[j - 2]);
		}
		oldest = before;
		before = above;
		above = now;
		now = oldest;
	}
	return above[b_len];
}

struct suggestion
suggestion_for(const char *word)
{
	size_t slips = (strlen(word) + 2) / 3;

	return (struct suggestion){word, NULL, slips + 1};
}

void
suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
	size_t word_len = strlen(suggestion->word), len = strlen(candidate), distance;

	if (word_len > SUGGEST_MAX_BYTES || len > SUGGEST_MAX_BYTES)
		return;
	distance = distance_between(suggestion->word, word_len, candidate, len);
	if (distance < suggestion->distance && distance < len) {
		suggestion->best = candidate;
		suggestion->distance = distance;
	}
}
