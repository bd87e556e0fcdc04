/*
 * arrivals.h - how many messages an account got since its last flip     (pure)
 *
 * "prefix.arrivals:ACCOUNT" is a hash, kept by every policyd that a milter reports
 * to; splitmx-map(7) has its fields. It is a hint for people and nobody's judge: it
 * sees what SMTP brought, and no sieve redirect, no APPEND and no bounce.
 *
 * The hash belongs to an owner and says so. A flip by our own programs removes it
 * in its own transaction; where a hand changed the owner, whoever counts next sees
 * that it is somebody else's and begins anew, and a reader takes it for nothing.
 * What is not sure is never zero: a hash has a reason of its own why it is not, and
 * "prefix.arrivals" has, for each node, when it last lost count of anybody's.
 */
#ifndef MAP_ARRIVALS_H
#define MAP_ARRIVALS_H

#include "base/buf.h"
#include "map/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ARRIVALS_FROM_MOST = 255, /* the name of a server */
	ARRIVALS_REASON_MOST = 200,
	ARRIVALS_FIELDS_MOST = 7,
	ARRIVALS_TEXT_BYTES = 32 + ARRIVALS_FROM_MOST,
};

/* 9999-12-31T23:59:59Z: also "so late that nothing is later", where a time cannot be read. */
#define ARRIVALS_TIME_MOST INT64_C(253402300799)

/* Of one account. Times are seconds since 1970 by the clocks of those who count; 0: none. */
struct arrivals {
	char owner[RECORD_OWNER_MAX_BYTES + 1]; /* whose time it is counted in; "": no hash */
	uint64_t messages, strays; /* strays are among the messages */
	int64_t first_s, last_s, stray_s, unknown_s;
	char stray_from[ARRIVALS_FROM_MOST + 1]; /* where the last stray arrived */
	char
	    unknown[ARRIVALS_REASON_MOST + 1]; /* why there are more than that; "": there are not */
};

/* Append the names of the keys; the account is canonical. */
void arrivals_key(struct buf *key, const char *prefix, struct str account);
void arrivals_all_key(struct buf *key, const char *prefix); /* of struct arrivals_all */
void arrivals_batch_key(struct buf *key, const char *prefix, struct str node);
void arrivals_reports_key(struct buf *key, const char *prefix);

/* One field of the hash into a zeroed struct. A value that cannot be read makes it unknown. */
void arrivals_take(struct arrivals *arrivals, struct str field, struct str value);

/* A message has arrived for this account, when the map had this owner. */
struct arrivals_message {
	struct str owner, from;
	int64_t at_s;
	bool is_stray;
};

/* False: it came in the time of another owner than "now", and changes nothing. */
bool arrivals_add(struct arrivals *arrivals, const struct arrivals_message *message,
    struct str now);

/* There are others that nobody knows: from now on, and until the next flip. */
void arrivals_set_unknown(struct arrivals *arrivals, struct str now, int64_t at_s,
    struct str reason);

/* Of this owner's time? Where it is not, it is removed before another one is written. */
bool arrivals_is_of(const struct arrivals *arrivals, struct str owner);

/* Field and value, one after the other, as HSET wants them; the values are in *texts. */
struct arrivals_texts {
	char texts[ARRIVALS_FIELDS_MOST][ARRIVALS_TEXT_BYTES];
};
size_t arrivals_write(const struct arrivals *arrivals, struct arrivals_texts *texts,
    struct str fields_r[static 2 * ARRIVALS_FIELDS_MOST]);

/* ---- what is true of all accounts */

struct arrivals_all {
	int64_t since_s; /* when somebody began to count; 0: nobody did */
	int64_t unknown_s; /* when a node last lost count; 0: none has */
	char unknown[ARRIVALS_REASON_MOST + 1]; /* and why */
};

void arrivals_all_take(struct arrivals_all *all, struct str field, struct str value);

/* The field of a node that has lost count, and the value of an unknown field. */
void arrivals_unknown_field(struct buf *field, struct str node);
void arrivals_unknown_value(struct buf *value, int64_t at_s, struct str reason);

/* ---- what a person is told */

enum arrivals_state {
	ARRIVALS_UNCOUNTED, /* nobody counts, so nothing can be said */
	ARRIVALS_KNOWN,
	ARRIVALS_UNKNOWN, /* the numbers are the least that there are */
	ARRIVALS_STATES
};

struct arrivals_told {
	enum arrivals_state state;
	struct arrivals counts; /* empty where the hash is another owner's */
	int64_t since_s; /* KNOWN: when it was begun, where that was after the flip; else 0 */
	const char *reason; /* UNKNOWN; lent from *told_r, or from "all" */
	int64_t reason_s;
};

/*
 * counts and all as they were read; owner is the account's now, and since flip_s
 * (0: nobody can say; then what was ever lost counts).
 */
void arrivals_tell(struct arrivals_told *told_r, const struct arrivals *counts,
    const struct arrivals_all *all, struct str owner, int64_t flip_s);

/* ---- batches: what is applied twice counts once */

/*
 * What a node has written last stands in a key of its own, "SERIES BATCH PART", which
 * the transaction of each part sets. A series is drawn when the node begins to count
 * without a memory of what was before.
 */
enum { ARRIVALS_SERIES_BYTES = 17 }; /* 16 hexadecimal digits, in lower case */
struct arrivals_place {
	char series[ARRIVALS_SERIES_BYTES];
	uint64_t batch, part; /* from 1; 0 0: nothing yet */
};

bool arrivals_series_is_valid(struct str series);

enum { ARRIVALS_PLACE_BYTES = 64 };
void arrivals_place_write(struct arrivals_place place, char text_r[static ARRIVALS_PLACE_BYTES]);
bool arrivals_place_read(struct str text, struct arrivals_place *place_r);

enum arrivals_step {
	ARRIVALS_APPLY,
	ARRIVALS_APPLIED, /* it is there already */
	ARRIVALS_APPLY_LOST /* apply it: but what was there before has gone */
};

/*
 * Is "next" to be applied, where Redis has "found"? "last" is what this process
 * knows to be there; 0 0: it has begun anew, and what is there is a part of the
 * batch before, or of this one.
 */
enum arrivals_step arrivals_step(const struct arrivals_place *found,
    const struct arrivals_place *last, const struct arrivals_place *next);

#endif
