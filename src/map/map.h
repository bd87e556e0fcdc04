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

#include "base/settings.h"
#include "map/account.h"
#include "map/finding.h"
#include "net/loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct map;
struct map_question; /* one that is waiting */

typedef void map_found_fn(void *ctx, const struct finding *finding);

/*
 * Starts connecting at once. "settings" is lent until map_free() or the next
 * map_reload(). NULL and *fault_r for what settings alone make impossible.
 */
struct map *map_new(struct loop *loop, const struct settings *settings, struct fault *fault_r);
void map_free(struct map **map); /* waiting questions get TEMP first */

/* New settings that change nothing of the redis group: domains, sizes, times. */
void map_reload(struct map *map, const struct settings *settings);

/*
 * Who owns this address? account is a parsed ACCOUNT_ADDRESS, lent for the
 * call. Returns NULL when *finding_r is filled: answered now. Otherwise the
 * question waits, and fn(ctx, finding) is called exactly once later, never
 * from inside this call, unless map_forget() was called first.
 */
struct map_question *map_ask(struct map *map, const struct account *account, map_found_fn *fn,
    void *ctx, struct finding *finding_r);
void map_forget(struct map_question **question);

/*
 * Is this domain (canonical) managed? For what has no account: over-long keys,
 * bad local parts. FOUND managed, ABSENT surely not, TEMP cannot tell now.
 */
enum verdict map_domain(struct map *map, struct str domain);

/* For status: session, lease, epoch, cache and counters, alarms; the caller's. */
json_t *map_status(const struct map *map);

#endif
