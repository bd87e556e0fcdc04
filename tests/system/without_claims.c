/*
 * without_claims.c - a front that does not say what it has begun
 *
 * Linked into splitmx-frontd with --wrap: nobody ends its sessions, and nobody
 * waits for them. What test_front_fence must catch.
 */
#include "map/map.h"

struct claim *__wrap_map_claim(struct map *map, const struct account *asked,
    const struct finding *finding, const struct claim_events *events, void *ctx);
void __wrap_claim_hand_over(struct claim *claim, const struct claim_events *events, void *ctx);

struct claim *
__wrap_map_claim(struct map *map, const struct account *asked, const struct finding *finding,
    const struct claim_events *events, void *ctx)
{
	return NULL;
}

void
__wrap_claim_hand_over(struct claim *claim, const struct claim_events *events, void *ctx)
{
}
