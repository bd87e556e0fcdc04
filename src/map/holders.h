/*
 * holders.h - claims are kept right, and barriers answered            (driver)
 *
 * Between the registry (claims.h), which knows what is unsure, and the map, which
 * can be asked. map.h has what holders call: map_claim() and claim_release().
 */
#ifndef MAP_HOLDERS_H
#define MAP_HOLDERS_H

#include "map/claims.h"
#include "map/map.h"

struct holders;

struct holders *holders_new(struct map *map);
void holders_free(struct holders **holders); /* all claims have been released */
void holders_set_rules(struct holders *holders); /* the map's have changed */

/* What the map hears; the change is in its memory already. */
void holders_change(struct holders *holders, struct str name);
void holders_change_all(struct holders *holders);
void holders_granted(struct holders *holders);
void holders_lost(struct holders *holders);
void holders_barrier(struct holders *holders, const struct barrier *barrier);
void holders_acknowledged(struct holders *holders); /* one has left */

bool holders_are_idle(const struct holders *holders); /* there are no claims */

json_t *holders_status(const struct holders *holders); /* the caller's */

#endif
