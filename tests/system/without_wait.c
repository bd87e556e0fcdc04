/*
 * without_wait.c - a front that acknowledges before its sessions have ended
 *
 * Linked into splitmx-frontd with --wrap: they do end, but a writer is told at
 * once. What test_front_fence must catch.
 */
#include "map/claims.h"

#include <string.h>

enum { HEARD_MOST = 256 };

void __wrap_claims_barrier(struct claims *claims, const struct barrier *barrier);
bool __wrap_claims_agreed(struct claims *claims, uint64_t *epoch_r,
    char nonce_r[static HEAD_NONCE_BYTES]);

static struct {
	uint64_t epoch;
	char nonce[HEAD_NONCE_BYTES];
} heard[HEARD_MOST];
static size_t heard_count;

void
__wrap_claims_barrier(struct claims *claims, const struct barrier *barrier)
{
	if (heard_count == HEARD_MOST)
		return; /* it is heard again */
	heard[heard_count].epoch = barrier->epoch;
	memcpy(heard[heard_count++].nonce, barrier->nonce, HEAD_NONCE_BYTES);
}

bool
__wrap_claims_agreed(struct claims *claims, uint64_t *epoch_r,
    char nonce_r[static HEAD_NONCE_BYTES])
{
	if (heard_count == 0)
		return false;
	*epoch_r = heard[--heard_count].epoch;
	memcpy(nonce_r, heard[heard_count].nonce, HEAD_NONCE_BYTES);
	return true;
}
