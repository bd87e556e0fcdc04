/*
 * scan.h - every owner key of the map, a handful at a time            (driver)
 *
 * SCAN in small steps, the values of one step read while the next one is
 * looked for, so millions of keys take seconds and no other client of Redis
 * waits longer than for one step. No order is promised; a key that is written
 * or whose table grows meanwhile may come twice, and one that was there from
 * beginning to end comes at least once.
 */
#ifndef MAP_SCAN_H
#define MAP_SCAN_H

#include "base/str.h"
#include "map/client.h"

enum { SCAN_STEP = 800 }; /* COUNT of a step: 0.5 to 1 ms of Redis's time */

struct scan_row {
	struct str name; /* "alice@example.org" or "@example.org", without prefix */
	struct str owner; /* the value, whatever was written */
	bool is_string; /* false: the key holds something else, owner is empty */
};

/* Rows are lent for the call. Return false to end the walk early. */
typedef bool scan_row_fn(void *ctx, const struct scan_row *row);

/*
 * Walk all owner keys whose name matches the glob ("" = all), in Redis's own
 * glob words. 0, or -1 and *fault_r.
 */
int scan_owners(struct client *client, struct str glob, scan_row_fn *fn, void *ctx,
    struct fault *fault_r);

/* The same for the keys of another kind: "hold", "login". row->owner is the value. */
int scan_keys(struct client *client, const char *kind, struct str glob, scan_row_fn *fn, void *ctx,
    struct fault *fault_r);

/*
 * The same for all keys of a kind, to be shown how far it is: step_fn after each
 * step, with about how many keys of the whole Redis were passed, of so many.
 */
typedef void scan_step_fn(void *ctx, uint64_t done, uint64_t total);
int scan_keys_told(struct client *client, const char *kind, scan_row_fn *fn, scan_step_fn *step_fn,
    void *ctx, struct fault *fault_r);

/* Appends text so that a glob means exactly it.                          (pure) */
void scan_escape(struct buf *out, struct str text);

#endif
