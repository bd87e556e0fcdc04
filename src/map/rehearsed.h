/*
 * rehearsed.h - what a login that was tried elsewhere came to, as it is kept (pure)
 *
 * Whoever moves an account wants to know whether its owner's own password works at
 * the other destination. Where a login has shown that, "prefix.rehearsal:ACCOUNT" has
 * it: a hash, a field for each destination, "yes 2026-11-21T19:40:05Z". While
 * somebody tries, the field "trying:DESTINATION" says since when. splitmx-map(7).
 */
#ifndef MAP_REHEARSED_H
#define MAP_REHEARSED_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	REHEARSED_TRYING_S = 120, /* who began longer ago has gone */
	REHEARSED_TIME_BYTES = sizeof("2026-11-21T19:40:05Z"),
};

struct rehearsed {
	bool works;
	int64_t at_s; /* since 1970 */
};

/* Append the key of an account, canonical; the field of a trial that is under way. */
void rehearsed_key(struct buf *key, const char *prefix, struct str account);
void rehearsed_trying(struct buf *field, struct str destination);

/* 1970 to 9999, in UTC; false, and *at_s_r stays: it is no such time. */
void rehearsed_time(int64_t at_s, char text_r[static REHEARSED_TIME_BYTES]);
bool rehearsed_read_time(struct str text, int64_t *at_s_r);

void rehearsed_add(struct buf *value, const struct rehearsed *rehearsed);
bool rehearsed_read(struct str value, struct rehearsed *rehearsed_r); /* false: it is none */

/* What the fields of one destination say; a value that is none counts as not there. */
struct rehearsals_known {
	bool is_there, is_tried;
	struct rehearsed rehearsed; /* is_there */
	int64_t tried_s; /* is_tried: somebody does, since then */
};

/* One field of the hash; those of other destinations are passed over. */
void rehearsed_take(struct rehearsals_known *known, struct str destination, struct str field,
    struct str value);

/*
 * When may it be tried (again)? Seconds from now; 0: now. Not before interval_s after the
 * last result, whatever it was, nor while another one tries. Of a time ahead of us, by a
 * clock that goes before ours, it is as of now; one that lies far ahead is passed over.
 */
int64_t rehearsed_wait_s(const struct rehearsals_known *known, int64_t interval_s, int64_t now_s);

#endif
