/*
 * map.h - the ownership map, as a program asks it                     (driver)
 *
 * map_ask() cannot fail: trouble is a finding with VERDICT_TEMP and a reason.
 * It is answered now, from memory, or later, once, from the loop, before the
 * question's deadline. Behind it are a bounded cache kept right by Redis's
 * client-side caching, a lease that ends when Redis is silent, and one fetch
 * for any number of questions about the same account.
 */
#ifndef MAP_MAP_H
#define MAP_MAP_H

#include "base/openmetrics.h"
#include "base/settings.h"
#include "map/account.h"
#include "map/arrivals_writer.h"
#include "map/claims.h"
#include "map/finding.h"
#include "map/rehearsals.h"
#include "net/loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct map;
struct map_question; /* one that is waiting */

typedef void map_found_fn(void *ctx, const struct finding *finding);

/* What kind of program asks; writers read it in the roster. */
struct map_role {
	const char *name; /* "policyd" */
	uint32_t drain_ms; /* how long it goes on with what it began, when answers have run out */
};

/*
 * Starts connecting at once. "settings" is lent until map_free() or the next
 * map_reload(). NULL and *fault_r for what settings alone make impossible.
 */
struct map *map_new(struct loop *loop, const struct settings *settings, const struct map_role *role,
    struct fault *fault_r);
void map_free(struct map **map); /* waiting questions get TEMP first */

/*
 * The clean end, when nobody asks any more and all claims are released: nothing
 * is answered from now on, and the roster of the map is left if that can be done
 * safely. fn is called once, perhaps from inside, within 1.5 s. Without it,
 * map_free() is a crash: writers wait for us until our lease must be over.
 */
typedef void map_left_fn(void *ctx);
void map_leave(struct map *map, map_left_fn *fn, void *ctx);

/* New settings that change nothing of the redis group: domains, sizes, times. */
void map_reload(struct map *map, const struct settings *settings);

/*
 * Who owns this address, or who logs in so? account is an ACCOUNT_ADDRESS or an
 * ACCOUNT_LOGIN, lent for the call. Returns NULL when *finding_r is filled:
 * answered now. Otherwise the question waits, and fn(ctx, finding) is called
 * exactly once later, never from inside this call, unless map_forget() was called
 * first.
 *
 * A login is what its login key says: the owner and the hold are those of the
 * finding's account, which is an address. ABSENT: nobody logs in so. Of an address
 * ABSENT means that its domain is not managed.
 */
struct map_question *map_ask(struct map *map, const struct account *account, map_found_fn *fn,
    void *ctx, struct finding *finding_r);
void map_forget(struct map_question **question);

/*
 * Is this domain (canonical) managed? For what has no account: over-long keys,
 * bad local parts. FOUND managed, ABSENT surely not, TEMP cannot tell now.
 */
enum verdict map_domain(struct map *map, struct str domain);

/*
 * Whoever acts on an answer for longer than it takes to write it, a session or a
 * delivery, takes a claim in the same step: inside map_found_fn, or right after
 * map_ask() answered at once; FOUND only. As many as there are things that may
 * have to end. From then on events (claims.h, lent until the release) come, never
 * from inside these calls. The account is what was asked for.
 */
struct claim *map_claim(struct map *map, const struct account *asked, const struct finding *finding,
    const struct claim_events *events, void *ctx);
void claim_release(struct claim **claim); /* it is over; at any time, but not in stands_fn */

/* What it knows of passwords elsewhere; lent as long as the map. */
struct rehearsals *map_rehearsals(struct map *map);

/* Where it counts what arrived; lent as long as the map. */
struct arrivals_writer *map_arrivals(struct map *map);

/*
 * "STATE_DIR/nodes/policyd-0", the beginning of the names of files that belong to this
 * node alone; the caller's. NULL: it has no place among the nodes yet.
 */
char *map_node_path(const struct map *map);
const char *map_node_id(const struct map *map); /* "mx1/policyd/0"; "" likewise */

/* For status: session, lease, epoch, cache and counters, alarms; the caller's. */
json_t *map_status(const struct map *map);

/* The same in numbers, for whoever collects them. */
void map_numbers(const struct map *map, struct openmetrics *text);

#endif
